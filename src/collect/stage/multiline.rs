//! `multiline`: joins the lines of a block, such as a stack trace, into one entry.

use std::time::Duration;

use super::{Count, Due, Entry, Expression, Flow, Place, Surroundings, held::Held};

/// Joins lines into blocks, each label set's apart. Lines before the first block pass singly.
#[derive(Clone, Debug, PartialEq)]
pub struct Multiline {
    /// What the first line of a block matches.
    pub firstline: Expression,
    /// How long a block waits for its next line.
    pub max_wait: Duration,
    /// Lines of a block; a longer one goes on as further entries.
    pub lines_max: usize,
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Multiline,
    held: Held,
}

impl Step {
    pub(super) fn new(stage: &Multiline, surroundings: &Surroundings<'_>) -> Self {
        let held = Held::new(stage.max_wait, surroundings.line_bytes_max);
        Self { stage: stage.clone(), held }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let labels = entry.labels_hash();
        let open = self.held.take(labels);
        let begins = self.stage.firstline.regex().is_match(entry.line().as_bytes());
        let Some(mut block) = open else {
            if !begins || self.stage.lines_max <= 1 {
                return Flow::Next;
            }
            let block = self.held.begin(labels, entry);
            return if self.held.keep(block, entry) { Flow::Next } else { Flow::Hold };
        };
        if begins {
            let next = self.held.begin(labels, entry);
            let evicted = self.held.keep(next, entry);
            debug_assert!(!evicted, "one was taken out before");
            entry.restore(block.saved);
            return Flow::Next;
        }
        self.held.extend(&mut block, "\n", entry);
        if block.lines >= self.stage.lines_max {
            entry.restore(block.saved);
            return Flow::Next;
        }
        if self.held.keep(block, entry) { Flow::Next } else { Flow::Hold }
    }

    fn release(&mut self, due: Due, entry: &mut Entry<'_>) -> bool {
        self.held.release(due, entry)
    }

    fn deadline(&self) -> Option<Duration> {
        self.held.deadline()
    }

    fn held(&self, generation: u64) -> Option<Place> {
        self.held.place(generation)
    }

    fn count(&mut self, _add: &mut dyn FnMut(Count<'_>, u64)) {
        // That a block ends because nothing follows is what usually ends one.
        self.held.take_timed_out();
    }
}
