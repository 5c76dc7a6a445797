//! `logfmt`: values of `key=value` pairs.

use super::{Entry, Flow};
use crate::logql::logfmt_pairs;

/// Finds values of `key=value` pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Logfmt {
    /// Name, and the key of its value.
    pub mapping: Vec<(String, String)>,
    /// What is looked at; `None`: the line.
    pub source: Option<String>,
}

impl super::Step for Logfmt {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let super::entry::Parts { line, fields, next } = entry.parts();
        let text = match &self.source {
            None => line,
            Some(name) => {
                let Some(value) = fields.get(name) else {
                    return Flow::Next;
                };
                next.push_str(value);
                next
            }
        };
        let whole = logfmt_pairs(text, |key, value| {
            for (name, _) in self.mapping.iter().filter(|(_, wanted)| wanted == key) {
                fields.set(name, |out| out.push_str(value));
            }
        });
        if !whole {
            entry.failure = Some("a pair is malformed; those before it were read");
        }
        Flow::Next
    }
}
