//! `replace`: other text in place of what groups matched, mostly to mask secrets.

use regex_lite::CaptureLocations;

use super::{Entry, Expression, Flow, LineTemplate};
use crate::logql::{Expressions, Fields};

/// Replaces what the groups of an expression match, at every match.
#[derive(Clone, Debug, PartialEq)]
pub struct Replace {
    /// Has at least one group. What a named group becomes is a found value as well.
    pub expression: Expression,
    /// What is put in place of a group; `.Value` is what the group matched.
    pub replace: LineTemplate,
    /// What is changed; `None`: the line.
    pub source: Option<String>,
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Replace,
    names: Vec<(usize, String)>,
    places: CaptureLocations,
    expressions: Expressions,
    text: String,
    made: String,
}

impl Step {
    pub(super) fn new(stage: &Replace) -> Self {
        Self {
            stage: stage.clone(),
            names: stage.expression.named().map(|(at, name)| (at, name.to_owned())).collect(),
            places: stage.expression.regex().locations(),
            expressions: Expressions::default(),
            text: String::new(),
            made: String::new(),
        }
    }

    /// Writes the text with its groups replaced to `out`. Returns whether anything matched, or why not.
    fn rewrite(&mut self, fields: &mut Fields<'_>, out: &mut String) -> Result<bool, &'static str> {
        let Self { stage, names, places, expressions, text, made } = self;
        let (mut at, mut copied) = (0, 0);
        while at <= text.len() && stage.expression.regex().captures_at(places, text, at) {
            for group in 1..places.len() {
                // A group inside another, or one that took no part, has nothing to replace.
                let Some((start, end)) = places.get(group).filter(|(start, _)| *start >= copied) else {
                    continue;
                };
                made.clear();
                stage.replace.run(fields, &text[start..end], text, expressions, made)?;
                out.push_str(&text[copied..start]);
                out.push_str(made);
                copied = end;
                if let Some((_, name)) = names.iter().find(|(number, _)| *number == group) {
                    fields.set(name, |value| value.push_str(made));
                }
            }
            let (start, end) = places.get(0).unwrap_or((at, at));
            at = if end > start { end } else { next_character(text, end) };
        }
        out.push_str(&text[copied..]);
        Ok(copied > 0)
    }
}

/// Where the character behind a place begins.
fn next_character(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let Some(text) = entry.value(self.stage.source.as_deref()) else {
            return Flow::Next;
        };
        self.text.clear();
        self.text.push_str(text);
        let super::entry::Parts { fields, next, .. } = entry.parts();
        match self.rewrite(fields, next) {
            Ok(false) => {}
            Ok(true) => match &self.stage.source {
                None => entry.take_next(),
                Some(name) => fields.set(name, |out| out.push_str(next)),
            },
            Err(what) => entry.failure = Some(what),
        }
        Flow::Next
    }
}
