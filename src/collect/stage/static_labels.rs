//! `static_labels`: labels with fixed values.

use super::{Entry, Flow};

/// Sets labels.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticLabels {
    /// Names and values, which are not empty.
    pub labels: Vec<(String, String)>,
}

impl super::Step for StaticLabels {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        for (name, value) in &self.labels {
            entry.labels.set(name, |text| text.push_str(value));
        }
        Flow::Next
    }
}
