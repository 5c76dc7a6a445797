//! `regex`: the named groups of the first match are found values.

use regex_lite::CaptureLocations;

use super::{Entry, Expression, Flow};

/// Finds values by an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Regex {
    /// Has at least one named group.
    pub expression: Expression,
    /// What is looked at; `None`: the line.
    pub source: Option<String>,
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Regex,
    groups: Vec<(usize, String)>,
    places: CaptureLocations,
    text: String,
}

impl Step {
    pub(super) fn new(stage: &Regex) -> Self {
        let groups = stage.expression.named().map(|(at, name)| (at, name.to_owned())).collect();
        Self { stage: stage.clone(), groups, places: stage.expression.regex().locations(), text: String::new() }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let regex = self.stage.expression.regex();
        let super::entry::Parts { line, fields, .. } = entry.parts();
        let text = match &self.stage.source {
            None => line,
            Some(name) => {
                // Its own copy: the fields are written while it is read.
                let Some(value) = fields.get(name) else {
                    return Flow::Next;
                };
                self.text.clear();
                self.text.push_str(value);
                &self.text
            }
        };
        if regex.captures_at(&mut self.places, text, 0) {
            for (group, name) in &self.groups {
                let value = self.places.get(*group).map_or("", |(start, end)| &text[start..end]);
                fields.set(name, |out| out.push_str(value));
            }
        }
        Flow::Next
    }
}
