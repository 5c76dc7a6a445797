//! `drop`: does not store the entries for which all conditions hold.

use std::{sync::Arc, time::Duration};

use super::{Entry, Expression, Flow};

/// Drops the entries for which all of its conditions hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    /// What is looked at; empty: the line. The values of several are joined.
    pub source: Vec<String>,
    /// Between the values of several sources.
    pub separator: String,
    /// What must hold for it; `None`: with a source, that it is there.
    pub condition: Option<DropCondition>,
    /// Only entries whose time is longer ago than this.
    pub older_than: Option<Duration>,
    /// Only longer texts, in bytes.
    pub longer_than: Option<u64>,
    /// The reason under which dropped entries are counted.
    pub reason: Arc<str>,
}

/// What a text must be to be dropped.
#[derive(Clone, Debug, PartialEq)]
pub enum DropCondition {
    /// It matches.
    Matches(Expression),
    /// It is this.
    Equals(String),
}

impl Drop {
    fn holds(&self, entry: &mut Entry<'_>) -> bool {
        if let Some(age) = self.older_than {
            let age_ns = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            let limit_ns = entry.now.wall_ns.saturating_sub(age_ns);
            if entry.known_time().is_some_and(|ns| ns >= limit_ns) {
                return false;
            }
        }
        match &self.source[..] {
            [] => self.holds_for(entry.line()),
            [name] => entry.fields.get(name).is_some_and(|value| self.holds_for(value)),
            names => {
                let values: Option<Vec<_>> = names.iter().map(|name| entry.fields.get(name)).collect();
                values.is_some_and(|values| self.holds_for(&values.join(&self.separator)))
            }
        }
    }

    fn holds_for(&self, text: &str) -> bool {
        let matches = match &self.condition {
            None => true,
            Some(DropCondition::Matches(expression)) => expression.regex().is_match(text.as_bytes()),
            Some(DropCondition::Equals(value)) => text == value,
        };
        matches && self.longer_than.is_none_or(|bytes| text.len() as u64 > bytes)
    }
}

impl super::Step for Drop {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        if self.holds(entry) { Flow::Drop(Arc::clone(&self.reason)) } else { Flow::Next }
    }
}
