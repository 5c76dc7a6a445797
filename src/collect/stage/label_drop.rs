//! `labeldrop` and `labelallow`: fewer labels.

use super::{Entry, Flow};

/// Removes labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelDrop {
    /// Their names.
    pub names: Vec<String>,
}

impl super::Step for LabelDrop {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        for name in &self.names {
            if entry.labels.get(name).is_some() {
                entry.labels.remove(name);
            }
        }
        Flow::Next
    }
}

/// Removes all labels but some.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelAllow {
    /// The names of those that stay.
    pub names: Vec<String>,
}

impl super::Step for LabelAllow {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        entry.labels.retain(|name| self.names.iter().any(|kept| kept == name));
        Flow::Next
    }
}
