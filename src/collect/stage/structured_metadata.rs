//! `structured_metadata`: what stages found is stored with the entry, without making a stream of each value.

use super::{Entry, Flow};

/// Stores found values with the entry.
#[derive(Clone, Debug, PartialEq)]
pub struct StructuredMetadata {
    /// Name, and the name of its value. A label of that name, if nothing was found under it, leaves the
    /// stream and comes here.
    pub metadata: Vec<(String, String)>,
}

impl super::Step for StructuredMetadata {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let Entry { labels, fields, metadata, .. } = entry;
        for (name, source) in &self.metadata {
            let label = labels.get(source);
            let Some(value) = fields.get(source).or(label).filter(|value| !value.is_empty()) else {
                continue;
            };
            metadata.push((name.clone(), value.to_owned()));
            if label.is_some() {
                labels.remove(source);
            }
        }
        Flow::Next
    }
}
