//! `| x > 5`: drops the entries whose labels do not meet a condition. A label that cannot be read
//! as what it is compared with is an error, and the entry stays.

use super::super::ast::{Comparison, LabelFilter};
use super::super::entry::{Entry, Labels};
use super::super::filter::IpTest;
use super::super::literal::parse_float;
use super::super::units::parse_bytes;
use super::{Compiled, Worker};
use crate::labels::Matcher;
use crate::labels::duration::parse_go_duration;

const FILTER_ERROR: &str = "LabelFilterErr";

/// A compiled label filter.
#[derive(Debug)]
pub(in super::super) enum Condition {
    Text(Matcher),
    Ip { name: String, negated: bool, test: IpTest },
    Number(Comparison<f64>),
    Duration(Comparison<i64>),
    Bytes(Comparison<u64>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Compiles a filter; the error is Loki's.
    pub(in super::super) fn new(filter: &LabelFilter) -> Result<Self, String> {
        let boxed = |filter: &LabelFilter| Self::new(filter).map(Box::new);
        Ok(match filter {
            LabelFilter::Text(matcher) => Self::Text(matcher.clone()),
            LabelFilter::Ip { name, negated, pattern } => {
                Self::Ip { name: name.clone(), negated: *negated, test: IpTest::new(pattern)? }
            }
            LabelFilter::Number(comparison) => Self::Number(comparison.clone()),
            LabelFilter::Duration(comparison) => Self::Duration(comparison.clone()),
            LabelFilter::Bytes(comparison) => Self::Bytes(comparison.clone()),
            LabelFilter::And(left, right) => Self::And(boxed(left)?, boxed(right)?),
            LabelFilter::Or(left, right) => Self::Or(boxed(left)?, boxed(right)?),
        })
    }

    /// Whether the entry stays. "And" looks at both sides, so that either may note its error.
    pub(in super::super) fn holds(&self, labels: &mut Labels<'_>) -> bool {
        match self {
            Self::Text(matcher) => matcher.matches(labels.get(&matcher.name).unwrap_or("")),
            Self::Ip { name, negated, test } => {
                let value = labels.get(name);
                !labels.error().is_empty() || value.is_some_and(|value| test.is_in(value.as_bytes()) != *negated)
            }
            Self::Number(comparison) => compare(labels, comparison, parse_float),
            Self::Duration(comparison) => compare(labels, comparison, parse_go_duration),
            Self::Bytes(comparison) => compare(labels, comparison, parse_bytes),
            Self::And(left, right) => {
                let left = left.holds(labels);
                right.holds(labels) && left
            }
            Self::Or(left, right) => left.holds(labels) || right.holds(labels),
        }
    }
}

fn compare<T: PartialOrd, E: ToString>(
    labels: &mut Labels<'_>,
    comparison: &Comparison<T>,
    read: impl Fn(&str) -> Result<T, E>,
) -> bool {
    let Some(value) = labels.get(&comparison.name) else {
        return false;
    };
    match read(value) {
        Ok(value) => comparison.op.holds(&value, &comparison.value),
        Err(details) => {
            if labels.error().is_empty() {
                labels.set_error(FILTER_ERROR, &details.to_string());
            }
            true
        }
    }
}

impl Compiled for Condition {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }

    fn reads_line(&self) -> bool {
        false
    }
}

impl Worker for &Condition {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        self.holds(entry.labels)
    }
}
