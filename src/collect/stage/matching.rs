//! `match`: stages for some lines only.

use std::{fmt, sync::Arc, time::Duration};

use super::{Count, Due, Entry, Flow, Place, Stage, Steps, Surroundings};
use crate::labels::Matcher;
use crate::logql::{LineFilters, parse_filter};

/// Runs stages for the lines that a selector matches, or drops these.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Which lines.
    pub selector: Selector,
    /// What happens to them.
    pub stages: Vec<Stage>,
    /// They are not stored, and counted under this reason.
    pub drop: Option<Arc<str>>,
}

/// A selector of the language with line filters behind it.
#[derive(Clone)]
pub struct Selector {
    text: String,
    compiled: Arc<(Vec<Matcher>, LineFilters)>,
}

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    /// Loki's words.
    pub fn new(text: &str) -> Result<Self, String> {
        let (matchers, filters) = parse_filter(text).map_err(|error| error.to_string())?;
        let filters = LineFilters::new(&filters)?;
        Ok(Self { text: text.to_owned(), compiled: Arc::new((matchers, filters)) })
    }

    fn matches(&self, entry: &Entry<'_>) -> bool {
        let (matchers, filters) = &*self.compiled;
        matchers.iter().all(|matcher| matcher.matches(entry.labels.get(&matcher.name).unwrap_or("")))
            && filters.keep(entry.line().as_bytes())
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[derive(Debug)]
pub(super) struct Step {
    selector: Selector,
    drop: Option<Arc<str>>,
    steps: Steps,
}

impl Step {
    pub(super) fn new(stage: &Match, surroundings: &Surroundings<'_>) -> Self {
        let Match { selector, stages, drop } = stage;
        Self { selector: selector.clone(), drop: drop.clone(), steps: Steps::start(stages, "", surroundings) }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        match &self.drop {
            _ if !self.selector.matches(entry) => Flow::Next,
            Some(reason) => Flow::Drop(Arc::clone(reason)),
            None => self.steps.run(0, entry),
        }
    }

    fn release(&mut self, due: Due, entry: &mut Entry<'_>) -> bool {
        // What an inner stage drops of a block that nobody ended is counted nowhere.
        self.steps.release(due, entry, &mut |_| {})
    }

    fn deadline(&self) -> Option<Duration> {
        self.steps.deadline()
    }

    fn held(&self, generation: u64) -> Option<Place> {
        self.steps.held(generation)
    }

    fn pause(&self) -> Option<Duration> {
        self.steps.pause()
    }

    fn count(&mut self, add: &mut dyn FnMut(Count<'_>, u64)) {
        self.steps.count(add);
    }
}
