//! Selectors and pipelines.

use std::sync::Arc;

use super::super::ast::{FieldExpr, LabelChoice, LabelFormat, LineFilter, LineOp, LineOperand, LogExpr, Stage};
use super::super::filter::{Part, pattern_parts};
use super::super::regex::{Form, Regex};
use super::super::token::Token;
use super::{Parsed, Parser, whole};
use crate::labels::{MatchOp, Matcher};

impl Parser<'_> {
    /// A selector and what follows it.
    pub(super) fn log_expr(&mut self) -> Parsed<LogExpr> {
        let selector = self.selector()?;
        let stages = self.pipeline()?;
        if self.eat("|") {
            return Err(self.unexpected(&[])); // only `unwrap` ends a pipeline so, and it yields no lines
        }
        Ok(LogExpr { selector, stages })
    }

    /// `{a="b", c=~"d"}`
    pub(super) fn selector(&mut self) -> Parsed<Vec<Matcher>> {
        self.expect("{")?;
        let mut matchers = Vec::new();
        if !self.eat("}") {
            let mut expecting: &[&str] = &["IDENTIFIER", "}"];
            loop {
                matchers.push(self.matcher(expecting)?);
                expecting = &["IDENTIFIER"];
                if self.eat("}") {
                    break;
                }
                self.expect_among(",", &["}", ","])?;
            }
        }
        self.unselective |= matchers.iter().all(|matcher| matcher.matches(""));
        Ok(matchers)
    }

    fn matcher(&mut self, expecting: &[&str]) -> Parsed<Matcher> {
        let name = self.identifier(expecting)?;
        let op = self.match_op().ok_or_else(|| self.unexpected(&["=", "!=", "=~", "!~"]))?;
        let value = self.string(&["STRING"])?;
        matcher(name, op, value, Form::WholeDotAll)
    }

    fn match_op(&mut self) -> Option<MatchOp> {
        let op = match self.token() {
            Token::Symbol("=") => MatchOp::Equal,
            Token::Symbol("!=") => MatchOp::NotEqual,
            Token::Symbol("=~") => MatchOp::Regex,
            Token::Symbol("!~") => MatchOp::NotRegex,
            _ => return None,
        };
        self.advance();
        Some(op)
    }

    /// All stages up to one that is none: the end, a range, `| unwrap`.
    pub(super) fn pipeline(&mut self) -> Parsed<Vec<Stage>> {
        let mut stages = Vec::new();
        loop {
            if let Some(op) = self.line_op() {
                self.line_filter(op, &mut stages)?;
            } else if self.is_symbol("|") && *self.peek() != Token::Word("unwrap") {
                self.advance();
                stages.push(self.stage()?);
            } else {
                return Ok(stages);
            }
        }
    }

    fn line_op(&mut self) -> Option<LineOp> {
        let op = match self.token() {
            Token::Symbol("|=") => LineOp::Contains,
            Token::Symbol("!=") => LineOp::NotContains,
            Token::Symbol("|~") => LineOp::Matches,
            Token::Symbol("!~") => LineOp::NotMatches,
            Token::Symbol("|>") => LineOp::Pattern,
            Token::Symbol("!>") => LineOp::NotPattern,
            _ => return None,
        };
        self.advance();
        Some(op)
    }

    /// The operands of a line filter. "Neither" is as many filters as there are operands.
    fn line_filter(&mut self, op: LineOp, stages: &mut Vec<Stage>) -> Parsed<()> {
        let mut operands = vec![self.line_operand()?];
        while self.eat_word("or") {
            operands.push(self.line_operand()?);
        }
        if op.is_negated() {
            let filters = operands.into_iter().map(|operand| LineFilter { op, operands: vec![operand] });
            stages.extend(filters.map(Stage::LineFilter));
        } else {
            stages.push(Stage::LineFilter(LineFilter { op, operands }));
        }
        Ok(())
    }

    fn line_operand(&mut self) -> Parsed<LineOperand> {
        if *self.token() == Token::Function("ip") {
            return Ok(LineOperand::Ip(self.ip_operand()?));
        }
        Ok(LineOperand::Text(self.string(&["STRING", "ip"])?))
    }

    /// What stands behind a `|`.
    fn stage(&mut self) -> Parsed<Stage> {
        let Token::Word(word) = *self.token() else {
            return match self.token() {
                Token::Identifier(_) | Token::Symbol("(") => Ok(Stage::LabelFilter(self.label_filter()?)),
                _ => Err(self.unexpected(&[])),
            };
        };
        if !matches!(
            word,
            "json"
                | "logfmt"
                | "regexp"
                | "pattern"
                | "unpack"
                | "line_format"
                | "label_format"
                | "decolorize"
                | "drop"
                | "keep"
        ) {
            return Err(self.unexpected(&[]));
        }
        self.advance();
        Ok(match word {
            "json" => Stage::Json(self.field_exprs()?),
            "logfmt" => self.logfmt()?,
            "regexp" => {
                let text = self.string(&["STRING"])?;
                check_regexp(&text).map_err(|error| whole(format!("invalid regexp parser: {error}")))?;
                Stage::Regexp(text)
            }
            "pattern" => {
                let text = self.string(&["STRING"])?;
                check_pattern(&text).map_err(|error| whole(format!("invalid pattern parser: {error}")))?;
                Stage::Pattern(text)
            }
            "unpack" => Stage::Unpack,
            "line_format" => Stage::LineFormat(self.string(&["STRING"])?),
            "label_format" => Stage::LabelFormat(self.list(Self::label_format)?),
            "decolorize" => Stage::Decolorize,
            "drop" => Stage::Drop(self.list(Self::label_choice)?),
            _ => Stage::Keep(self.list(Self::label_choice)?),
        })
    }

    /// One or more of what `item` reads, with commas between.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn logfmt(&mut self) -> Parsed<Stage> {
        let (mut strict, mut keep_empty) = (false, false);
        while let Token::Flag(flag) = *self.token() {
            strict |= flag == "--strict";
            keep_empty |= flag == "--keep-empty";
            self.advance();
        }
        Ok(Stage::Logfmt { strict, keep_empty, fields: self.field_exprs()? })
    }

    /// `a="b.c", d`, or nothing.
    fn field_exprs(&mut self) -> Parsed<Vec<FieldExpr>> {
        if !matches!(self.token(), Token::Identifier(_)) {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let label = parser.identifier(&["IDENTIFIER"])?;
            let path = if parser.eat("=") { parser.string(&["STRING"])? } else { label.clone() };
            Ok(FieldExpr { label, path })
        })
    }

    fn label_format(&mut self) -> Parsed<LabelFormat> {
        let to = self.identifier(&["IDENTIFIER"])?;
        self.expect("=")?;
        if let Token::Identifier(_) = self.token() {
            let from = self.identifier(&[])?;
            return Ok(LabelFormat::Rename { to, from });
        }
        let template = self.string(&["IDENTIFIER", "STRING"])?;
        Ok(LabelFormat::Template { to, template })
    }

    fn label_choice(&mut self) -> Parsed<LabelChoice> {
        let name = self.identifier(&["IDENTIFIER"])?;
        let Some(op) = self.match_op() else {
            return Ok(LabelChoice::Name(name));
        };
        let value = self.string(&["STRING"])?;
        Ok(LabelChoice::Matching(matcher(name, op, value, Form::WholeDotAll)?))
    }
}

/// Makes a matcher, whose expression is compiled here.
pub(super) fn matcher(name: String, op: MatchOp, value: String, form: Form) -> Parsed<Matcher> {
    let positive = matches!(op, MatchOp::Equal | MatchOp::Regex);
    if matches!(op, MatchOp::Equal | MatchOp::NotEqual) {
        return Ok(Matcher::text(name, positive, value));
    }
    let regex = Regex::new(&value, form).map_err(whole)?;
    let test = Arc::new(move |value: &str| regex.is_match(value.as_bytes()));
    Ok(Matcher::regex(name, positive, value, test))
}

fn check_regexp(text: &str) -> Result<(), String> {
    let regex = Regex::new(text, Form::Part)?;
    let mut names: Vec<&str> = regex.group_names().iter().flatten().map(String::as_str).collect();
    if names.is_empty() {
        return Err("at least one named capture must be supplied".to_owned());
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("duplicate extracted label name '{}'", pair[0])),
        None => Ok(()),
    }
}

fn check_pattern(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(
            "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL".to_owned()
        );
    }
    let parts = pattern_parts(text)?;
    let mut names: Vec<&str> = Vec::new();
    for part in &parts {
        if let Part::Capture(Some(name)) = part {
            if names.contains(&name.as_str()) {
                return Err(format!("duplicate capture name ({name}): invalid expression"));
            }
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err("at least one capture is required".to_owned());
    }
    Ok(())
}
