//! The label index in memory: from label sets to stream numbers, and from names and values to the
//! streams that carry them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::labels::{LabelSet, Matcher};

/// Streams by their labels. Numbers are places in the store's list of streams.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_labels: HashMap<Arc<LabelSet>, u32>,
    postings: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
    /// One more than the greatest number.
    end: u32,
}

impl Index {
    /// The number of a label set.
    pub(super) fn get(&self, labels: &LabelSet) -> Option<u32> {
        self.by_labels.get(labels).copied()
    }

    /// Enters a stream.
    pub(super) fn insert(&mut self, number: u32, labels: &Arc<LabelSet>) {
        self.by_labels.insert(Arc::clone(labels), number);
        for (name, value) in labels.iter() {
            let values = match self.postings.get_mut(name) {
                Some(values) => values,
                None => self.postings.entry(name.to_owned()).or_default(),
            };
            match values.get_mut(value) {
                Some(numbers) => numbers.push(number),
                None => drop(values.insert(value.to_owned(), vec![number])),
            }
        }
        self.end = self.end.max(number + 1);
    }

    /// The number that the next new stream gets.
    pub(super) fn next_number(&self) -> u32 {
        self.end
    }

    /// Numbers of the streams that fulfil all matchers, rising. Each matcher looks at each distinct
    /// value of its label once, however many streams carry it.
    pub(super) fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
        let mut passed = vec![true; self.end as usize];
        for matcher in matchers {
            let mut verdicts = vec![matcher.matches(""); passed.len()];
            for (value, numbers) in self.postings.get(&matcher.name).into_iter().flatten() {
                let verdict = matcher.matches(value);
                for number in numbers {
                    verdicts[*number as usize] = verdict;
                }
            }
            for (passed, verdict) in passed.iter_mut().zip(verdicts) {
                *passed &= verdict;
            }
        }
        (0..self.end).filter(|number| passed[*number as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_label_counts_as_empty() {
        let mut index = Index::default();
        for (number, pairs) in [&[("app", "a"), ("env", "x")][..], &[("app", "b")], &[("env", "x")]].iter().enumerate()
        {
            let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            index.insert(u32::try_from(number).unwrap(), &Arc::new(LabelSet::new(pairs)));
        }
        let longer_than_zero = Arc::new(|value: &str| !value.is_empty());
        for (matchers, expected) in [
            (vec![], vec![0, 1, 2]),
            (vec![Matcher::text("app", true, "a")], vec![0]),
            (vec![Matcher::text("app", false, "a")], vec![1, 2]),
            (vec![Matcher::text("app", true, "")], vec![2]),
            (
                vec![Matcher::regex("app", true, ".+", longer_than_zero.clone()), Matcher::text("env", true, "x")],
                vec![0],
            ),
            (vec![Matcher::regex("nope", false, ".+", longer_than_zero)], vec![0, 1, 2]),
            (vec![Matcher::text("nope", true, "x")], vec![]),
        ] {
            assert_eq!(index.select(&matchers), expected, "{matchers:?}");
        }
    }
}
