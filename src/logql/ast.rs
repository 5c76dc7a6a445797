//! The tree of a query: what was asked, checked and with constants folded, independent of how it
//! was written. Two texts that mean the same print the same (see `print`).

use crate::labels::{MatchOp, Matcher};

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A query for lines.
    Log(LogExpr),
    /// A query for numbers.
    Metric(MetricExpr),
}

/// A selector and its pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct LogExpr {
    /// All of these must be fulfilled by a stream's labels; at least one excludes the empty value.
    pub selector: Vec<Matcher>,
    /// What follows, in the order it was written.
    pub stages: Vec<Stage>,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// `|= "x"`
    LineFilter(LineFilter),
    /// `| json`, with fields `| json a="b.c"`
    Json(Vec<FieldExpr>),
    /// `| logfmt`
    Logfmt {
        /// `--strict`: the first malformed pair ends the parsing and is an error.
        strict: bool,
        /// `--keep-empty`: keys without a value become labels.
        keep_empty: bool,
        /// Only these fields, if any are named.
        fields: Vec<FieldExpr>,
    },
    /// `| regexp "(?P<x>...)"`
    Regexp(String),
    /// `| pattern "<x> ..."`
    Pattern(String),
    /// `| unpack`
    Unpack,
    /// `| x > 1 and y = "z"`
    LabelFilter(LabelFilter),
    /// `| line_format "{{.x}}"`
    LineFormat(String),
    /// `| label_format a=b, c="{{.d}}"`
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`
    Decolorize,
    /// `| drop a, b="c"`
    Drop(Vec<LabelChoice>),
    /// `| keep a, b="c"`
    Keep(Vec<LabelChoice>),
}

/// A test of the line. A negated filter with several operands is written as several filters.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFilter {
    /// How the operands are compared.
    pub op: LineOp,
    /// The line passes if any of them holds; exactly one if `op` is negated.
    pub operands: Vec<LineOperand>,
}

/// The operator of a line filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Matches,
    /// `!~`
    NotMatches,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

impl LineOp {
    /// Whether the filter keeps the lines for which its operand does not hold.
    pub fn is_negated(self) -> bool {
        matches!(self, Self::NotContains | Self::NotMatches | Self::NotPattern)
    }
}

/// What a line filter looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineOperand {
    /// A text, a regular expression or a pattern, as the operator says.
    Text(String),
    /// `ip("...")`: an address, a network or a range of addresses.
    Ip(String),
}

/// `a="b.c"` of a `json` or `logfmt` stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldExpr {
    /// The label that receives the value.
    pub label: String,
    /// Where the value is found.
    pub path: String,
}

/// One assignment of a `label_format` stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// `to=from`
    Rename {
        /// The new name.
        to: String,
        /// The old name.
        from: String,
    },
    /// `to="template"`
    Template {
        /// The label that receives the text.
        to: String,
        /// The template that makes it.
        template: String,
    },
}

/// A label named by `drop` or `keep`, perhaps only with certain values.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelChoice {
    /// Whatever its value.
    Name(String),
    /// Only if its value matches.
    Matching(Matcher),
}

/// A condition on the labels of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelFilter {
    /// `x="y"`, `x=~"y.*"`; anchored, and `.` does not match a newline.
    Text(Matcher),
    /// `x=ip("10.0.0.0/8")`
    Ip {
        /// The label.
        name: String,
        /// `!=` instead of `=`.
        negated: bool,
        /// An address, a network or a range of addresses.
        pattern: String,
    },
    /// `x > 1.5`
    Number(Comparison<f64>),
    /// `x > 5s`, in nanoseconds
    Duration(Comparison<i64>),
    /// `x > 5KB`, in bytes
    Bytes(Comparison<u64>),
    /// Both hold.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// At least one holds; the right one is not looked at if the left one does.
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// A label compared with a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<T> {
    /// The label.
    pub name: String,
    /// How it is compared.
    pub op: CompareOp,
    /// What with.
    pub value: T,
}

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

impl CompareOp {
    /// Whether `left OP right` holds; NaN is unequal to everything and neither less nor greater.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
        }
    }
}

/// A query for numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricExpr {
    /// `1`, and what operations on literals fold to.
    Literal(f64),
    /// `vector(1)`: one sample without labels at every step.
    Vector(f64),
    /// `rate({...}[5m])`
    Range(Box<RangeAggregation>),
    /// `sum by (x) (...)`
    Aggregate(Box<VectorAggregation>),
    /// `a + b`
    Binary(Box<BinaryExpr>),
    /// `label_replace(v, dst, repl, src, re)`
    LabelReplace(Box<LabelReplace>),
}

/// A function over the lines, or the values in them, of a window of time.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeAggregation {
    /// The function.
    pub op: RangeOp,
    /// The quantile; present exactly for [`RangeOp::Quantile`].
    pub parameter: Option<f64>,
    /// Where the lines come from.
    pub log: LogExpr,
    /// Which label holds the value of a line; `None` if lines are counted.
    pub unwrap: Option<Unwrap>,
    /// Length of the window in nanoseconds, not negative.
    pub range_ns: i64,
    /// How far the window lies back, in nanoseconds; may be negative.
    pub offset_ns: i64,
    /// Which labels the series have; `None`: all.
    pub grouping: Option<Grouping>,
}

/// `| unwrap duration(x) | y="z"`
#[derive(Clone, Debug, PartialEq)]
pub struct Unwrap {
    /// The label that holds the value.
    pub label: String,
    /// How it is read; `None`: as a number.
    pub conversion: Option<Conversion>,
    /// Conditions tested after the conversion.
    pub filters: Vec<LabelFilter>,
}

/// How `unwrap` reads a label's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// `bytes(x)`
    Bytes,
    /// `duration(x)`, in seconds
    Duration,
    /// `duration_seconds(x)`, the same
    DurationSeconds,
}

/// `by (a, b)` or `without (a, b)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// `without`: all labels but these.
    pub without: bool,
    /// The labels, in the order they were written.
    pub labels: Vec<String>,
}

/// A function over the series of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorAggregation {
    /// The function.
    pub op: VectorOp,
    /// How many samples to keep; greater than 0, present exactly for the `topk` family.
    pub parameter: Option<u64>,
    /// Which labels form the groups; `None`, never `by ()`: all samples are one group.
    pub grouping: Option<Grouping>,
    /// The vector.
    pub inner: MetricExpr,
}

/// Two vectors, or a vector and a number, combined.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryExpr {
    /// The operator.
    pub op: BinaryOp,
    /// `bool`: a comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// `on (x)` or `ignoring (x)`; `None`: all labels must agree.
    pub matching: Option<Matching>,
    /// The left operand.
    pub left: MetricExpr,
    /// The right operand.
    pub right: MetricExpr,
}

/// Which labels must agree for two samples to be combined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matching {
    /// `on`: these labels; else `ignoring`: all but these.
    pub on: bool,
    /// The labels.
    pub labels: Vec<String>,
    /// `group_left` or `group_right`: many samples of one side meet one of the other.
    pub group: Option<Group>,
}

/// `group_left (x)` or `group_right (x)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whether the many are on the left.
    pub left: bool,
    /// Labels copied from the one to the many.
    pub include: Vec<String>,
}

/// `label_replace(v, dst, repl, src, re)`
#[derive(Clone, Debug, PartialEq)]
pub struct LabelReplace {
    /// The vector.
    pub inner: MetricExpr,
    /// The label that is set.
    pub destination: String,
    /// Its value, with `$1` and `${name}` for groups.
    pub replacement: String,
    /// The label that is matched.
    pub source: String,
    /// The expression its whole value must match.
    pub regex: String,
}

/// Declares an enum of operators with their texts.
macro_rules! operators {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl $name {
            /// The operator as it is written.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The operator that is written so.
            pub(super) fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

operators! {
    /// A function over a window of time.
    RangeOp {
        Rate "rate",
        RateCounter "rate_counter",
        Count "count_over_time",
        BytesRate "bytes_rate",
        Bytes "bytes_over_time",
        Avg "avg_over_time",
        Sum "sum_over_time",
        Min "min_over_time",
        Max "max_over_time",
        Stdvar "stdvar_over_time",
        Stddev "stddev_over_time",
        Quantile "quantile_over_time",
        First "first_over_time",
        Last "last_over_time",
        Absent "absent_over_time",
    }
}

operators! {
    /// A function over the series of a vector.
    VectorOp {
        Sum "sum",
        Avg "avg",
        Max "max",
        Min "min",
        Count "count",
        Stddev "stddev",
        Stdvar "stdvar",
        Bottomk "bottomk",
        Topk "topk",
        ApproxTopk "approx_topk",
        Sort "sort",
        SortDesc "sort_desc",
    }
}

operators! {
    /// An operator between two metric expressions.
    BinaryOp {
        Or "or",
        And "and",
        Unless "unless",
        Equal "==",
        NotEqual "!=",
        Greater ">",
        GreaterEqual ">=",
        Less "<",
        LessEqual "<=",
        Add "+",
        Subtract "-",
        Multiply "*",
        Divide "/",
        Modulo "%",
        Power "^",
    }
}

impl BinaryOp {
    /// How tightly the operator binds; a higher one first.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Modulo => 5,
            Self::Power => 6,
            _ => 3,
        }
    }

    /// Whether the operator works on sets of series: `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }

    /// The comparison that the operator is, if it is one.
    pub fn comparison(self) -> Option<CompareOp> {
        Some(match self {
            Self::Equal => CompareOp::Equal,
            Self::NotEqual => CompareOp::NotEqual,
            Self::Greater => CompareOp::Greater,
            Self::GreaterEqual => CompareOp::GreaterEqual,
            Self::Less => CompareOp::Less,
            Self::LessEqual => CompareOp::LessEqual,
            _ => return None,
        })
    }

    /// The operator applied to two numbers. Division by zero is NaN, as in Loki; a comparison gives
    /// 1 or 0; a set operator, which has no meaning for numbers, gives NaN.
    pub fn apply(self, left: f64, right: f64) -> f64 {
        if let Some(comparison) = self.comparison() {
            return f64::from(u8::from(comparison.holds(&left, &right)));
        }
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide if right != 0.0 => left / right,
            Self::Modulo if right != 0.0 => left % right,
            Self::Power => left.powf(right),
            _ => f64::NAN,
        }
    }
}

/// The text of a matcher's operator.
pub(super) fn match_op_text(op: MatchOp) -> &'static str {
    match op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_by_zero_is_not_a_number() {
        for (op, left, right, expected) in [
            (BinaryOp::Divide, 6.0, 3.0, 2.0),
            (BinaryOp::Modulo, -7.0, 3.0, -1.0),
            (BinaryOp::Power, 2.0, 9.0, 512.0),
            (BinaryOp::Greater, 1.0, 2.0, 0.0),
            (BinaryOp::NotEqual, f64::NAN, 2.0, 1.0),
        ] {
            assert!((op.apply(left, right) - expected).abs() < f64::EPSILON, "{}", op.text());
        }
        assert!(BinaryOp::Divide.apply(1.0, 0.0).is_nan() && BinaryOp::Modulo.apply(1.0, 0.0).is_nan());
    }
}
