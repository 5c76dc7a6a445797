//! A matcher: one condition on one label of a stream, as in `app=~"ssh.*"`.

use std::{fmt, sync::Arc};

use super::{LabelSet, label_set::Quoted};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

/// A compiled regular expression's verdict on a whole value. The language compiles it; this room
/// only calls it, so that it needs no regex dialect of its own.
pub type ValueTest = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// One condition on one label. A stream without the label is compared as if its value were empty.
#[derive(Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How `value` is compared.
    pub op: MatchOp,
    /// The text or the regular expression as it was written.
    pub value: String,
    test: Option<ValueTest>,
}

impl Matcher {
    /// A matcher of text: `=` or, with `equal` false, `!=`.
    pub fn text(name: impl Into<String>, equal: bool, value: impl Into<String>) -> Self {
        let op = if equal { MatchOp::Equal } else { MatchOp::NotEqual };
        Self { name: name.into(), op, value: value.into(), test: None }
    }

    /// A matcher of an expression: `=~` or, with `positive` false, `!~`. `test` says whether the
    /// whole of a value matches the expression.
    pub fn regex(name: impl Into<String>, positive: bool, value: impl Into<String>, test: ValueTest) -> Self {
        let op = if positive { MatchOp::Regex } else { MatchOp::NotRegex };
        Self { name: name.into(), op, value: value.into(), test: Some(test) }
    }

    /// Whether a label's value fulfils the condition; empty stands for "no such label".
    pub fn matches(&self, value: &str) -> bool {
        let negative = matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex);
        let hit = match &self.test {
            Some(test) => test(value),
            None => value == self.value,
        };
        hit != negative
    }

    /// Whether a stream fulfils the condition.
    pub fn matches_set(&self, labels: &LabelSet) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = match self.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        write!(f, "{}{op}{}", self.name, Quoted(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}
