//! `output`: what a stage found becomes the line.

use super::{Entry, Flow};

/// Makes a found value the line; without it the line stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The value's name.
    pub source: String,
}

impl super::Step for Output {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        entry.take_field(&self.source);
        Flow::Next
    }
}
