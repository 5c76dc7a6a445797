//! Metric queries: aggregations, operators and functions, with their checks.

use super::super::ast::{
    BinaryExpr, BinaryOp, Conversion, Expr, Group, Grouping, LabelReplace, LogExpr, Matching, MetricExpr,
    RangeAggregation, RangeOp, Unwrap, VectorAggregation, VectorOp,
};
use super::super::literal::print_float;
use super::super::regex::{Form, Regex};
use super::super::token::Token;
use super::{Parsed, Parser, label_filter, whole};

/// A tree and its height.
type Tall = (Expr, usize);

/// An operator waiting for its right operand.
struct Pending {
    op: BinaryOp,
    return_bool: bool,
    matching: Option<Matching>,
}

/// The inside of a range aggregation, while it is read.
struct Body {
    log: LogExpr,
    unwrap: Option<Unwrap>,
    /// Range and offset, in nanoseconds.
    window: Option<(i64, i64)>,
}

impl Parser<'_> {
    /// A query or operand of any kind.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        Ok(self.tall_expr()?.0)
    }

    /// Operands and operators are kept on stacks of their own rather than on the thread's.
    fn tall_expr(&mut self) -> Parsed<Tall> {
        let mut operands = vec![self.operand()?];
        let mut operators: Vec<Pending> = Vec::new();
        while let Some(op) = self.binary_op() {
            self.advance();
            let pending = self.modifier(op)?;
            while let Some(last) = operators.last()
                && (last.op.precedence() > op.precedence()
                    || (last.op.precedence() == op.precedence() && op != BinaryOp::Power))
            {
                self.combine(&mut operands, &mut operators)?;
            }
            operators.push(pending);
            operands.push(self.operand()?);
        }
        while !operators.is_empty() {
            self.combine(&mut operands, &mut operators)?;
        }
        operands.pop().ok_or_else(|| self.unexpected(&[]))
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        match self.token() {
            Token::Symbol(text) | Token::Word(text) => BinaryOp::from_text(text),
            _ => None,
        }
    }

    /// `bool on (x) group_left (y)`, each part optional.
    fn modifier(&mut self, op: BinaryOp) -> Parsed<Pending> {
        let return_bool = self.eat_word("bool");
        let on = self.eat_word("on");
        if !on && !self.eat_word("ignoring") {
            return Ok(Pending { op, return_bool, matching: None });
        }
        let labels = self.names()?;
        let left = self.eat_word("group_left");
        let group = if left || self.eat_word("group_right") {
            let include = if self.is_symbol("(") { self.names()? } else { Vec::new() };
            Some(Group { left, include })
        } else {
            None
        };
        Ok(Pending { op, return_bool, matching: Some(Matching { on, labels, group }) })
    }

    /// `(a, b)`
    fn names(&mut self) -> Parsed<Vec<String>> {
        self.expect("(")?;
        let mut names = Vec::new();
        if self.eat(")") {
            return Ok(names);
        }
        let mut expecting: &[&str] = &["IDENTIFIER", ")"];
        loop {
            names.push(self.identifier(expecting)?);
            expecting = &["IDENTIFIER"];
            if self.eat(")") {
                return Ok(names);
            }
            self.expect_among(",", &[",", ")"])?;
        }
    }

    /// Replaces the two last operands by what the last operator makes of them.
    fn combine(&self, operands: &mut Vec<Tall>, operators: &mut Vec<Pending>) -> Parsed<()> {
        let (Some(pending), Some((right, right_height)), Some((left, left_height))) =
            (operators.pop(), operands.pop(), operands.pop())
        else {
            return Ok(());
        };
        let op = pending.op;
        let left = operand_of(left, "left", op)?;
        let right = operand_of(right, "right", op)?;
        for (side, operand) in [("left", &left), ("right", &right)] {
            if let (true, MetricExpr::Literal(value)) = (op.is_set(), operand) {
                let op = op.text();
                return Err(whole(format!(
                    "unexpected literal for {side} leg of logical/set binary operation ({op}): {value:.6}"
                )));
            }
        }
        if let (MetricExpr::Literal(left), MetricExpr::Literal(right)) = (&left, &right) {
            operands.push((Expr::Metric(MetricExpr::Literal(op.apply(*left, *right))), 1));
            return Ok(());
        }
        let height = self.height_over(left_height, right_height)?;
        let Pending { return_bool, matching, .. } = pending;
        let binary = BinaryExpr { op, return_bool, matching, left, right };
        operands.push((Expr::Metric(MetricExpr::Binary(Box::new(binary))), height));
        Ok(())
    }

    /// Anything that is no operator with its operands.
    fn operand(&mut self) -> Parsed<Tall> {
        let metric = match self.token() {
            Token::Symbol("(") => {
                self.advance();
                let inner = self.nested(Self::tall_expr)?;
                self.expect_among(")", &[])?;
                return Ok(inner);
            }
            Token::Symbol("{") => return Ok((Expr::Log(self.log_expr()?), 1)),
            Token::Number(_) | Token::Symbol("+" | "-") => MetricExpr::Literal(self.number(&[])?),
            Token::Function("vector") => self.vector()?,
            Token::Function("label_replace") => return self.nested(Self::label_replace),
            Token::Function(word) => {
                if let Some(op) = RangeOp::from_text(word) {
                    self.range_aggregation(op)?
                } else if let Some(op) = VectorOp::from_text(word) {
                    return self.nested(|parser| parser.vector_aggregation(op));
                } else {
                    return Err(self.unexpected(&[]));
                }
            }
            _ => return Err(self.unexpected(&[])),
        };
        Ok((Expr::Metric(metric), 1))
    }

    /// A metric expression as an argument.
    fn metric_argument(&mut self) -> Parsed<(MetricExpr, usize)> {
        match self.tall_expr()? {
            (Expr::Metric(inner), height) => Ok((inner, height)),
            (Expr::Log(_), _) => Err(self.unexpected(&[])),
        }
    }

    fn vector(&mut self) -> Parsed<MetricExpr> {
        self.advance();
        self.expect("(")?;
        if !matches!(self.token(), Token::Number(_)) {
            return Err(self.unexpected(&["NUMBER"]));
        }
        let value = self.number(&[])?;
        self.expect(")")?;
        Ok(MetricExpr::Vector(value))
    }

    fn label_replace(&mut self) -> Parsed<Tall> {
        self.advance();
        self.expect("(")?;
        let (inner, height) = self.metric_argument()?;
        let mut texts = [const { String::new() }; 4];
        for text in &mut texts {
            self.expect_among(",", if text.is_empty() { &[","] } else { &[] })?;
            *text = self.string(&["STRING"])?;
        }
        self.expect(")")?;
        let [destination, replacement, source, regex] = texts;
        Regex::new(&regex, Form::Whole).map_err(|error| whole(format!("invalid regex in label_replace: {error}")))?;
        let height = self.height_over(height, 0)?;
        let replace = LabelReplace { inner, destination, replacement, source, regex };
        Ok((Expr::Metric(MetricExpr::LabelReplace(Box::new(replace))), height))
    }

    fn grouping(&mut self) -> Parsed<Option<Grouping>> {
        let without = self.eat_word("without");
        if !without && !self.eat_word("by") {
            return Ok(None);
        }
        Ok(Some(Grouping { without, labels: self.names()? }))
    }

    /// A number in front of a comma, as written.
    fn parameter(&mut self) -> Option<String> {
        if !matches!(self.token(), Token::Number(_)) || *self.peek() != Token::Symbol(",") {
            return None;
        }
        let Token::Number(text) = self.advance() else {
            return None;
        };
        self.advance();
        Some(text)
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Parsed<Tall> {
        self.advance();
        let before = self.grouping()?;
        self.expect("(")?;
        let parameter = self.parameter();
        let (inner, height) = self.metric_argument()?;
        self.expect_among(")", &[])?;
        let grouping = if before.is_some() { before } else { self.grouping()? };
        // `by ()` is what no grouping means.
        let grouping = grouping.filter(|grouping| grouping.without || !grouping.labels.is_empty());
        let parameter = check_vector(op, parameter.as_deref(), grouping.as_ref())?;
        let height = self.height_over(height, 0)?;
        let aggregation = VectorAggregation { op, parameter, grouping, inner };
        Ok((Expr::Metric(MetricExpr::Aggregate(Box::new(aggregation))), height))
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Parsed<MetricExpr> {
        self.advance();
        self.expect("(")?;
        let parameter = if let Token::Number(_) = self.token() {
            let value = self.number(&[])?;
            self.expect(",")?;
            Some(value)
        } else {
            None
        };
        let starts: &[&str] = if parameter.is_some() { &["{", "("] } else { &["NUMBER", "{", "("] };
        let (log, unwrap, (range_ns, offset_ns)) = self.range_body(starts)?;
        self.expect(")")?;
        let grouping = self.grouping()?;
        check_range(op, parameter, grouping.is_some(), unwrap.is_some())?;
        let aggregation = RangeAggregation { op, parameter, log, unwrap, range_ns, offset_ns, grouping };
        Ok(MetricExpr::Range(Box::new(aggregation)))
    }

    /// A selector, pipeline and unwrapping with their window.
    fn range_body(&mut self, starts: &[&str]) -> Parsed<(LogExpr, Option<Unwrap>, (i64, i64))> {
        let body = self.open_range_body(starts)?;
        match body.window {
            Some(window) => Ok((body.log, body.unwrap, window)),
            None if body.unwrap.is_some() => Err(self.unexpected(&["RANGE", "|"])),
            None => Err(self.unexpected(&[])),
        }
    }

    /// The same, where the window may still follow behind a parenthesis.
    fn open_range_body(&mut self, starts: &[&str]) -> Parsed<Body> {
        if self.eat("(") {
            let mut body = self.nested(|parser| parser.open_range_body(&["{", "("]))?;
            self.expect_among(")", &[])?;
            if body.window.is_none() {
                body.window = self.window()?;
                if body.window.is_none() {
                    return Err(self.unexpected(&[]));
                }
                if body.log.stages.is_empty() && body.unwrap.is_none() {
                    body.unwrap = self.unwrap()?;
                }
            }
            return Ok(body);
        }
        if !self.is_symbol("{") {
            return Err(self.unexpected(starts));
        }
        let selector = self.selector()?;
        let mut window = self.window()?;
        let stages = self.pipeline()?;
        let unwrap = self.unwrap()?;
        if window.is_none() {
            window = self.window()?;
        }
        Ok(Body { log: LogExpr { selector, stages }, unwrap, window })
    }

    /// `[5m] offset 1h`, in nanoseconds.
    fn window(&mut self) -> Parsed<Option<(i64, i64)>> {
        let Token::Range(range_ns) = *self.token() else {
            return Ok(None);
        };
        self.advance();
        if !self.eat_word("offset") {
            return Ok(Some((range_ns, 0)));
        }
        let Token::Duration(offset_ns) = *self.token() else {
            return Err(self.unexpected(&["DURATION"]));
        };
        self.advance();
        Ok(Some((range_ns, offset_ns)))
    }

    /// `| unwrap duration(x) | y="z"`
    fn unwrap(&mut self) -> Parsed<Option<Unwrap>> {
        if !self.is_symbol("|") {
            return Ok(None);
        }
        self.advance();
        if !self.eat_word("unwrap") {
            return Err(self.unexpected(&["unwrap"]));
        }
        let conversion = match self.token() {
            Token::Function("bytes") => Some(Conversion::Bytes),
            Token::Function("duration") => Some(Conversion::Duration),
            Token::Function("duration_seconds") => Some(Conversion::DurationSeconds),
            _ => None,
        };
        let label = if conversion.is_some() {
            self.advance();
            self.expect("(")?;
            let label = self.identifier(&["IDENTIFIER"])?;
            self.expect(")")?;
            label
        } else {
            self.identifier(&["IDENTIFIER", "BYTES_CONV", "DURATION_CONV", "DURATION_SECONDS_CONV"])?
        };
        let mut filters = Vec::new();
        while self.eat("|") {
            if !self.is_symbol("(") && !matches!(self.token(), Token::Identifier(_)) {
                return Err(self.unexpected(label_filter::STARTS));
            }
            filters.push(self.label_filter()?);
        }
        Ok(Some(Unwrap { label, conversion, filters }))
    }

    /// `variants(a, b) of (range)`: understood, so that its own errors are told, and not served.
    pub(super) fn variants(&mut self) -> Parsed<()> {
        self.advance();
        self.expect("(")?;
        loop {
            self.metric_argument()?;
            if !self.eat(",") {
                break;
            }
        }
        self.expect_among(")", &[])?;
        if !self.eat_word("of") {
            return Err(self.unexpected(&["of"]));
        }
        self.expect("(")?;
        self.range_body(&["{", "("])?;
        self.expect(")")?;
        if *self.token() == Token::End { Ok(()) } else { Err(self.unexpected(&["$end"])) }
    }
}

/// A metric operand; lines cannot be calculated with.
fn operand_of(expr: Expr, side: &str, op: BinaryOp) -> Parsed<MetricExpr> {
    let log = match expr {
        Expr::Metric(metric) => return Ok(metric),
        Expr::Log(log) => log,
    };
    let kind = if log.stages.is_empty() { "MatchersExpr" } else { "PipelineExpr" };
    let op = op.text();
    Err(whole(format!("unexpected type for {side} leg of binary operation ({op}): *syntax.{kind}")))
}

fn check_vector(op: VectorOp, parameter: Option<&str>, grouping: Option<&Grouping>) -> Parsed<Option<u64>> {
    let name = op.text();
    match (op, parameter) {
        (VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk, None) => {
            Err(whole(format!("parameter required for operation {name}")))
        }
        (VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk, Some(text)) => {
            let count: u64 = text.parse().map_err(|_| whole(format!("invalid parameter {name}({text},")))?;
            if count == 0 {
                return Err(whole(format!("invalid parameter (must be greater than 0) {name}({text}")));
            }
            if op == VectorOp::ApproxTopk && grouping.is_some() {
                return Err(whole(format!("grouping not allowed for {name} aggregation")));
            }
            Ok(Some(count))
        }
        (_, Some(text)) => Err(whole(format!("unsupported parameter for operation {name}({text},"))),
        (VectorOp::Sort | VectorOp::SortDesc, None) if grouping.is_some_and(|grouping| !grouping.labels.is_empty()) => {
            Err(whole("sort and sort_desc doesn't allow grouping by "))
        }
        _ => Ok(None),
    }
}

fn check_range(op: RangeOp, parameter: Option<f64>, grouped: bool, unwrapped: bool) -> Parsed<()> {
    let name = op.text();
    match parameter {
        None if op == RangeOp::Quantile => {
            return Err(whole(format!("parameter required for operation {name}")));
        }
        Some(value) if op != RangeOp::Quantile => {
            let value = print_float(value);
            return Err(whole(format!("parameter {value} not supported for operation {name}")));
        }
        _ => {}
    }
    let counts_lines = matches!(op, RangeOp::Count | RangeOp::Bytes | RangeOp::BytesRate);
    let either = matches!(op, RangeOp::Rate | RangeOp::Absent);
    let groups = !counts_lines && !either && !matches!(op, RangeOp::Sum | RangeOp::RateCounter);
    if grouped && !groups {
        return Err(whole(format!("grouping not allowed for {name} aggregation")));
    }
    match (either, counts_lines, unwrapped) {
        (false, true, true) => Err(whole(format!("invalid aggregation {name} with unwrap"))),
        (false, false, false) => Err(whole(format!("invalid aggregation {name} without unwrap"))),
        _ => Ok(()),
    }
}
