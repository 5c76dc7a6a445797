//! A regular expression of a stage or of a rule: in Go's syntax, compiled once, equal if written equally.

use std::{fmt, sync::Arc};

use crate::logql;

/// A compiled regular expression.
#[derive(Clone)]
pub struct Expression(Arc<logql::Regex>);

impl Expression {
    /// Compiles an expression that has to match some part of a text.
    ///
    /// # Errors
    /// Go's words: "error parsing regexp: missing closing ): `a(b`".
    pub fn new(source: &str) -> Result<Self, String> {
        logql::Regex::new(source, logql::Form::Part).map(|regex| Self(Arc::new(regex)))
    }

    /// Compiles an expression that has to match the whole text, `.` also a newline: that of a relabelling rule.
    ///
    /// # Errors
    /// As for [`Expression::new`].
    pub fn whole(source: &str) -> Result<Self, String> {
        logql::Regex::new(source, logql::Form::WholeDotAll).map(|regex| Self(Arc::new(regex)))
    }

    /// How many groups the expression has, and how many of them have names.
    pub fn groups(&self) -> (usize, usize) {
        let names = self.0.group_names();
        (names.len(), names.iter().flatten().count())
    }

    /// The names of the groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.group_names().iter().flatten().map(String::as_str)
    }

    pub(in crate::collect) fn regex(&self) -> &logql::Regex {
        &self.0
    }

    /// The numbers of the groups that have names, and these.
    pub(in crate::collect) fn named(&self) -> impl Iterator<Item = (usize, &str)> {
        let names = self.0.group_names().iter().enumerate();
        names.filter_map(|(at, name)| Some((at + 1, name.as_deref()?)))
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.source() == other.0.source()
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.source())
    }
}
