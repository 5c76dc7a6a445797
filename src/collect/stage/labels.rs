//! `labels`: what stages found becomes labels of the stream.

use super::{Entry, Flow};

/// Makes found values labels. One that is not there sets nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Label, and the name of its value.
    pub labels: Vec<(String, String)>,
}

impl super::Step for Labels {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let Entry { labels, fields, .. } = entry;
        for (label, source) in &self.labels {
            match fields.get(source) {
                Some("") => labels.remove(label),
                Some(value) if labels.get(label) != Some(value) => labels.set(label, |text| text.push_str(value)),
                Some(_) | None => {}
            }
        }
        Flow::Next
    }
}
