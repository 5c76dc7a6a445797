//! Line filters: tests of the text of a line, compiled once and run by many threads.

mod ip;
mod needle;
mod pattern;

pub(super) use ip::IpTest;
pub use needle::Needle;
pub(super) use pattern::{Part, PatternTest, pattern_parts};

use std::sync::Arc;

use super::ast::{LineFilter, LineOp, LineOperand};
use super::entry::Entry;
use super::regex::{Form, Regex, Searcher};
use super::stage::{Compiled, Worker};
use crate::labels::Literal;

/// A compiled line filter.
#[derive(Debug)]
pub(super) struct LineTest {
    negated: bool,
    alternatives: Vec<Operand>,
}

#[derive(Debug)]
enum Operand {
    Contains { needle: Needle, literal: Literal },
    Regex(Arc<Regex>),
    Pattern(PatternTest),
    Ip(IpTest),
}

impl LineTest {
    /// Compiles a filter; the error is the part of Loki's message behind the stage.
    pub(super) fn new(filter: &LineFilter) -> Result<Self, String> {
        let compile = |operand: &LineOperand| {
            Ok(match (filter.op, operand) {
                (LineOp::Contains | LineOp::NotContains, LineOperand::Text(text)) => {
                    let literal = Literal::exact(text.as_bytes());
                    Operand::Contains { needle: Needle::new(&literal), literal }
                }
                (LineOp::Matches | LineOp::NotMatches, LineOperand::Text(text)) => {
                    Operand::Regex(Arc::new(Regex::new(text, Form::Part)?))
                }
                (LineOp::Pattern | LineOp::NotPattern, LineOperand::Text(text)) => {
                    Operand::Pattern(PatternTest::new(text)?)
                }
                (LineOp::Contains | LineOp::NotContains, LineOperand::Ip(pattern)) => {
                    Operand::Ip(IpTest::new(pattern)?)
                }
                (_, LineOperand::Ip(_)) => return Err("ip: invalid operation".to_owned()),
            })
        };
        let alternatives = filter.operands.iter().map(compile).collect::<Result<_, String>>()?;
        Ok(Self { negated: filter.op.is_negated(), alternatives })
    }

    /// The expression that a line must match to pass, if the filter is no more than that.
    pub(super) fn regex(&self) -> Option<&Arc<Regex>> {
        match &self.alternatives[..] {
            [Operand::Regex(regex)] if !self.negated => Some(regex),
            _ => None,
        }
    }

    /// What a line must hold to pass: of each inner list, at least one.
    pub(super) fn required_literals(&self) -> Vec<Vec<Literal>> {
        match &self.alternatives[..] {
            _ if self.negated => Vec::new(),
            [only] => only.required_literals(),
            alternatives => {
                // Of each alternative one list, all joined: whichever holds, a literal of the join is there.
                let joined: Option<Vec<_>> = alternatives
                    .iter()
                    .map(|operand| operand.required_literals().into_iter().max_by_key(|list| shortest(list)))
                    .collect();
                joined.map(|lists| vec![lists.concat()]).unwrap_or_default()
            }
        }
    }

    /// Whether a line passes, for who tests few.
    pub(super) fn keeps(&self, line: &[u8]) -> bool {
        let holds = self.alternatives.iter().any(|operand| match operand {
            Operand::Contains { needle, .. } => needle.is_in(line),
            Operand::Regex(regex) => regex.is_match(line),
            Operand::Pattern(pattern) => pattern.is_match(line),
            Operand::Ip(ip) => ip.is_in(line),
        });
        holds != self.negated
    }

    /// The test in the hands of one thread.
    pub(super) fn probe(&self) -> LineProbe<'_> {
        let probes = self.alternatives.iter().map(|operand| match operand {
            Operand::Contains { needle, .. } => Probe::Contains(needle),
            Operand::Regex(regex) => Probe::Regex(regex.searcher()),
            Operand::Pattern(pattern) => Probe::Pattern(pattern),
            Operand::Ip(ip) => Probe::Ip(ip),
        });
        LineProbe { negated: self.negated, alternatives: probes.collect() }
    }
}

fn shortest(list: &[Literal]) -> usize {
    list.iter().map(|literal| literal.text.len()).min().unwrap_or(0)
}

impl Operand {
    fn required_literals(&self) -> Vec<Vec<Literal>> {
        let mut lists = match self {
            Self::Contains { literal, .. } => vec![vec![literal.clone()]],
            Self::Regex(regex) => regex.required_literals().to_vec(),
            Self::Pattern(pattern) => pattern.literals().map(|text| vec![Literal::exact(text)]).collect(),
            Self::Ip(ip) => ip.literal().map(|text| vec![Literal::exact(text)]).into_iter().collect(),
        };
        lists.retain(|list| shortest(list) > 0);
        lists
    }
}

impl Compiled for LineTest {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self.probe())
    }
}

impl Worker for LineProbe<'_> {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        self.keeps(entry.parts().0)
    }
}

/// A line filter in the hands of one thread.
pub(super) struct LineProbe<'p> {
    negated: bool,
    alternatives: Vec<Probe<'p>>,
}

enum Probe<'p> {
    Contains(&'p Needle),
    Regex(Searcher<'p>),
    Pattern(&'p PatternTest),
    Ip(&'p IpTest),
}

impl LineProbe<'_> {
    /// Whether the filter keeps `line`.
    pub(super) fn keeps(&mut self, line: &[u8]) -> bool {
        let holds = self.alternatives.iter_mut().any(|probe| match probe {
            Probe::Contains(needle) => needle.is_in(line),
            Probe::Regex(searcher) => searcher.is_match(line),
            Probe::Pattern(pattern) => pattern.is_match(line),
            Probe::Ip(ip) => ip.is_in(line),
        });
        holds != self.negated
    }
}
