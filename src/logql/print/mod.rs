//! Canonical printing: a tree as the text Loki prints for it, on one line (`Display`) or, beyond a
//! hundred characters, broken over several ([`pretty`]). What is printed parses to the same tree.

mod broken;

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    BinaryExpr, CompareOp, Comparison, Conversion, Expr, FieldExpr, Grouping, LabelChoice, LabelFilter, LabelFormat,
    LabelReplace, LineFilter, LineOp, LineOperand, LogExpr, Matching, MetricExpr, RangeAggregation, Stage, Unwrap,
    VectorAggregation, match_op_text,
};
use super::literal::{print_float, quoted};
use super::regex::{Form, Regex};
use super::units::print_bytes;
use crate::labels::duration::{format_go_duration, format_prometheus_duration};
use crate::labels::{MatchOp, Matcher};

pub use broken::pretty;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(log) => log.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_selector(f, &self.selector)?;
        self.stages.iter().try_for_each(|stage| write!(f, " {stage}"))
    }
}

fn write_selector(f: &mut impl Write, selector: &[Matcher]) -> fmt::Result {
    f.write_char('{')?;
    for (at, matcher) in selector.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        write!(f, "{comma}{}", MatcherText(matcher))?;
    }
    f.write_char('}')
}

/// A matcher, its value quoted as a string of this language.
struct MatcherText<'a>(&'a Matcher);

impl Display for MatcherText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Matcher { name, op, value, .. } = self.0;
        write!(f, "{name}{}{}", match_op_text(*op), quoted(value))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineFilter(filter) => filter.fmt(f),
            Self::Json(fields) => {
                f.write_str("| json")?;
                write_fields(f, fields)
            }
            Self::Logfmt { strict, keep_empty, fields } => {
                f.write_str("| logfmt")?;
                f.write_str(if *strict { " --strict" } else { "" })?;
                f.write_str(if *keep_empty { " --keep-empty" } else { "" })?;
                write_fields(f, fields)
            }
            Self::Regexp(text) => write!(f, "| regexp {}", quoted(text)),
            Self::Pattern(text) => write!(f, "| pattern {}", quoted(text)),
            Self::Unpack => f.write_str("| unpack"),
            Self::LabelFilter(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", quoted(template)),
            Self::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                write_joined(f, formats)
            }
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Drop(choices) => {
                f.write_str("| drop ")?;
                write_joined(f, choices)
            }
            Self::Keep(choices) => {
                f.write_str("| keep ")?;
                write_joined(f, choices)
            }
        }
    }
}

/// Items with commas and no spaces between them.
fn write_joined<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if at > 0 { "," } else { "" })?;
    }
    Ok(())
}

fn write_fields(f: &mut Formatter<'_>, fields: &[FieldExpr]) -> fmt::Result {
    if fields.is_empty() {
        return Ok(());
    }
    f.write_char(' ')?;
    write_joined(f, fields)
}

impl Display for FieldExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.label, quoted(&self.path))
    }
}

impl Display for LabelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename { to, from } => write!(f, "{to}={from}"),
            Self::Template { to, template } => write!(f, "{to}={}", quoted(template)),
        }
    }
}

impl Display for LabelChoice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Matching(matcher) => MatcherText(matcher).fmt(f),
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.op {
            LineOp::Contains => "|= ",
            LineOp::NotContains => "!= ",
            LineOp::Matches => "|~ ",
            LineOp::NotMatches => "!~ ",
            LineOp::Pattern => "|> ",
            LineOp::NotPattern => "!> ",
        })?;
        for (at, operand) in self.operands.iter().enumerate() {
            f.write_str(if at > 0 { " or " } else { "" })?;
            match operand {
                LineOperand::Text(text) => f.write_str(&quoted(text))?,
                LineOperand::Ip(pattern) => write!(f, "ip({})", quoted(pattern))?,
            }
        }
        Ok(())
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(matcher) if is_engine_regex(matcher) => {
                write!(f, "{}{}`{}`", matcher.name, match_op_text(matcher.op), matcher.value)
            }
            Self::Text(matcher) => MatcherText(matcher).fmt(f),
            Self::Ip { name, negated, pattern } => {
                write!(f, "{name}{}ip({})", if *negated { "!=" } else { "=" }, quoted(pattern))
            }
            Self::Number(comparison) => write_comparison(f, comparison, &comparison.value.to_string()),
            Self::Duration(comparison) => write_comparison(f, comparison, &format_go_duration(comparison.value)),
            Self::Bytes(comparison) => write_comparison(f, comparison, &print_bytes(comparison.value)),
            Self::And(left, right) => write!(f, "( {left} , {right} )"),
            Self::Or(left, right) => write!(f, "( {left} or {right} )"),
        }
    }
}

fn write_comparison<T>(f: &mut Formatter<'_>, comparison: &Comparison<T>, value: &str) -> fmt::Result {
    let op = match comparison.op {
        CompareOp::Equal => "==",
        CompareOp::NotEqual => "!=",
        CompareOp::Greater => ">",
        CompareOp::GreaterEqual => ">=",
        CompareOp::Less => "<",
        CompareOp::LessEqual => "<=",
    };
    write!(f, "{}{op}{value}", comparison.name)
}

/// Whether Loki would print the expression of a label filter in backticks: it does unless it can
/// do without an engine.
fn is_engine_regex(matcher: &Matcher) -> bool {
    matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex)
        && !matcher.value.contains('`')
        && Regex::new(&matcher.value, Form::Whole).is_ok_and(|regex| !regex.is_simple())
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => f.write_str(&print_float(*value)),
            Self::Vector(value) => write!(f, "vector({value:.6})"),
            Self::Range(aggregation) => aggregation.fmt(f),
            Self::Aggregate(aggregation) => aggregation.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::LabelReplace(replace) => replace.fmt(f),
        }
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.op.text())?;
        if let Some(parameter) = self.parameter {
            write!(f, "{},", print_float(parameter))?;
        }
        write!(f, "{}", self.log)?;
        if let Some(unwrap) = &self.unwrap {
            write!(f, " {unwrap}")?;
        }
        write!(f, "[{}]", format_prometheus_duration(self.range_ns))?;
        if self.offset_ns != 0 {
            write!(f, " offset {}", format_go_duration(self.offset_ns))?;
        }
        f.write_char(')')?;
        match &self.grouping {
            Some(grouping) => write!(f, " {}", GroupingText(grouping, ",")),
            None => Ok(()),
        }
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let label = &self.label;
        match self.conversion {
            None => write!(f, "| unwrap {label}")?,
            Some(Conversion::Bytes) => write!(f, "| unwrap bytes({label})")?,
            Some(Conversion::Duration) => write!(f, "| unwrap duration({label})")?,
            Some(Conversion::DurationSeconds) => write!(f, "| unwrap duration_seconds({label})")?,
        }
        self.filters.iter().try_for_each(|filter| write!(f, " | {filter}"))
    }
}

/// `by (a,b)`, with this text between the labels.
struct GroupingText<'a>(&'a Grouping, &'static str);

impl Display for GroupingText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = if self.0.without { "without" } else { "by" };
        write!(f, "{word} ({})", self.0.labels.join(self.1))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.text())?;
        if let Some(grouping) = &self.grouping {
            write!(f, " {}", GroupingText(grouping, ","))?;
        }
        match self.parameter {
            Some(parameter) => write!(f, "({parameter},{})", self.inner),
            None => write!(f, "({})", self.inner),
        }
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "({} {} {})", self.left, OperatorText(self), self.right)
    }
}

/// An operator with its modifiers.
struct OperatorText<'a>(&'a BinaryExpr);

impl Display for OperatorText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.text())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        let Some(Matching { on, labels, group }) = &self.0.matching else {
            return Ok(());
        };
        write!(f, " {} ({})", if *on { "on" } else { "ignoring" }, labels.join(","))?;
        match group {
            Some(group) => {
                let side = if group.left { "left" } else { "right" };
                write!(f, " group_{side} ({})", group.include.join(","))
            }
            None => Ok(()),
        }
    }
}

impl Display for LabelReplace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let texts = [&self.destination, &self.replacement, &self.source, &self.regex];
        write!(f, "label_replace({}", self.inner)?;
        texts.iter().try_for_each(|text| write!(f, ",{}", quoted(text)))?;
        f.write_char(')')
    }
}

#[cfg(test)]
mod tests;
