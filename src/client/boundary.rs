//! What was seen at the time stamp where one answer ends and the next begins, so that nothing is seen twice.

use std::{collections::HashMap, rc::Rc};

use super::answer::Entry;
use crate::labels::LabelSet;

/// The last time stamp that was reached, and how often each entry was seen there. Equal entries may be stored more than
/// once; a server gives as many of them each time.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    timestamp_ns: Option<i64>,
    seen: HashMap<(Rc<LabelSet>, String), usize>,
}

impl Boundary {
    /// Where it is.
    pub(super) fn timestamp_ns(&self) -> Option<i64> {
        self.timestamp_ns
    }

    /// How many entries it hides.
    pub(super) fn len(&self) -> usize {
        self.seen.values().sum()
    }

    /// Takes out what was seen before, of an answer that begins at this boundary or before it.
    pub(super) fn hide_seen(&self, entries: &mut Vec<Entry>) {
        let mut left = self.seen.clone();
        entries.retain(|entry| {
            if self.timestamp_ns != Some(entry.timestamp_ns) {
                return true;
            }
            match left.get_mut(&(Rc::clone(&entry.labels), entry.line.clone())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            }
        });
    }

    /// Moves on over entries that are in order of time, and none of which it hides.
    pub(super) fn pass(&mut self, entries: &[Entry]) {
        let Some(last) = entries.last() else { return };
        if self.timestamp_ns != Some(last.timestamp_ns) {
            self.seen.clear();
            self.timestamp_ns = Some(last.timestamp_ns);
        }
        for entry in entries.iter().rev().take_while(|entry| entry.timestamp_ns == last.timestamp_ns) {
            *self.seen.entry((Rc::clone(&entry.labels), entry.line.clone())).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(rows: &[(i64, &str)]) -> Vec<Entry> {
        let labels = Rc::new(LabelSet::new(vec![("a".to_owned(), "1".to_owned())]));
        let entry = |(timestamp_ns, line): &(i64, &str)| Entry {
            timestamp_ns: *timestamp_ns,
            labels: Rc::clone(&labels),
            line: (*line).to_owned(),
        };
        rows.iter().map(entry).collect()
    }

    #[test]
    fn what_was_seen_is_hidden_as_often_as_it_was_seen() {
        let mut boundary = Boundary::default();
        boundary.pass(&entries(&[(1, "a"), (2, "b"), (2, "b")]));
        assert_eq!((boundary.timestamp_ns(), boundary.len()), (Some(2), 2));
        let mut next = entries(&[(2, "b"), (2, "c"), (2, "b"), (2, "b"), (3, "b")]);
        boundary.hide_seen(&mut next);
        assert_eq!(next, entries(&[(2, "c"), (2, "b"), (3, "b")]));
        // The same time stamp goes on with the next answer.
        boundary.pass(&next[..2]);
        assert_eq!((boundary.timestamp_ns(), boundary.len()), (Some(2), 4));
        boundary.pass(&next[2..]);
        assert_eq!((boundary.timestamp_ns(), boundary.len()), (Some(3), 1));
        boundary.pass(&[]);
        assert_eq!(boundary.timestamp_ns(), Some(3));
    }
}
