//! From hits to the streams of an answer: grouped by their full label set, or by stream labels alone
//! when the client asked for labels by category; in order of the label texts.

use std::{collections::HashMap, sync::Arc};

use super::{
    ResultLabels, Statistics,
    merge::{ChangedLabels, Hit, HitLabels},
};
use crate::labels::LabelSet;

/// The answer of a log query.
#[derive(Debug)]
pub struct LogAnswer {
    /// In order of their label texts.
    pub streams: Vec<ResultStream>,
    /// What the query looked at and found.
    pub statistics: Statistics,
    /// What could not be read, for the user to see.
    pub warnings: Vec<String>,
}

/// The entries of an answer that have one label set.
#[derive(Debug)]
pub struct ResultStream {
    /// Stream labels; without categories also metadata and parsed labels.
    pub labels: ResultLabels,
    /// In the direction of the query.
    pub entries: Vec<ResultEntry>,
}

/// One entry of an answer.
#[derive(Debug)]
pub struct ResultEntry {
    /// Nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// The line, as the pipeline left it; not always UTF-8.
    pub line: Box<[u8]>,
    /// The entry's own labels; `None` unless the query asked for categories.
    pub categories: Option<Categories>,
}

/// The labels of one entry that are not its stream's.
#[derive(Debug)]
pub struct Categories {
    /// Stored with the entry.
    pub structured_metadata: Arc<ResultLabels>,
    /// Made by the pipeline.
    pub parsed: ResultLabels,
}

/// Groups hits that are in order. `streams` are the label sets that [`Hit::stream`] counts.
pub(super) fn group(hits: Vec<Hit>, streams: &[Arc<LabelSet>], categorize: bool) -> Vec<ResultStream> {
    let mut grouping = Grouping::new(streams, categorize);
    for hit in hits {
        let (group, entry) = grouping.place(hit);
        grouping.groups.streams[group].entries.push(entry);
    }
    grouping.groups.sorted()
}

/// As [`group`], but in the order of the hits: only neighbours are put together.
pub(super) fn group_neighbours(hits: Vec<Hit>, streams: &[Arc<LabelSet>], categorize: bool) -> Vec<ResultStream> {
    let mut grouping = Grouping::new(streams, categorize);
    let mut runs: Vec<ResultStream> = Vec::new();
    let mut last = None;
    for hit in hits {
        let (group, entry) = grouping.place(hit);
        if last != Some(group) {
            last = Some(group);
            runs.push(ResultStream { labels: grouping.groups.streams[group].labels.clone(), entries: Vec::new() });
        }
        if let Some(run) = runs.last_mut() {
            run.entries.push(entry);
        }
    }
    runs
}

/// Finds the group of each hit.
struct Grouping<'s> {
    streams: &'s [Arc<LabelSet>],
    categorize: bool,
    groups: Groups,
    stored: StoredGroups,
}

impl<'s> Grouping<'s> {
    fn new(streams: &'s [Arc<LabelSet>], categorize: bool) -> Self {
        Self { streams, categorize, groups: Groups::default(), stored: StoredGroups::default() }
    }

    /// The number of a hit's group, and its entry.
    fn place(&mut self, hit: Hit) -> (usize, ResultEntry) {
        let Self { streams, categorize, groups, stored } = self;
        let categorize = *categorize;
        let Hit { timestamp_ns, stream, line, labels, .. } = hit;
        let (group, categories) = match labels {
            HitLabels::Stored(metadata) => {
                let (group, metadata) = stored.get(stream, &metadata, || {
                    let labels = streams[stream as usize].iter();
                    groups.index(if categorize {
                        ResultLabels::new(labels)
                    } else {
                        ResultLabels::new(labels.chain(metadata.iter()))
                    })
                });
                let parsed = ResultLabels::default();
                (group, categorize.then_some(Categories { structured_metadata: metadata, parsed }))
            }
            HitLabels::Changed(changed) => {
                let ChangedLabels { stream, structured_metadata, parsed } = *changed;
                if categorize {
                    let structured_metadata = Arc::new(structured_metadata);
                    (groups.index(stream), Some(Categories { structured_metadata, parsed }))
                } else {
                    let all = stream.iter().chain(structured_metadata.iter()).chain(parsed.iter());
                    (groups.index(ResultLabels::new(all)), None)
                }
            }
        };
        (group, ResultEntry { timestamp_ns, line, categories })
    }
}

/// The groups so far, found by their labels.
#[derive(Default)]
struct Groups {
    streams: Vec<ResultStream>,
    index_of: HashMap<ResultLabels, usize>,
}

impl Groups {
    fn index(&mut self, labels: ResultLabels) -> usize {
        if let Some(at) = self.index_of.get(&labels) {
            return *at;
        }
        let at = self.streams.len();
        self.streams.push(ResultStream { labels: labels.clone(), entries: Vec::new() });
        self.index_of.insert(labels, at);
        at
    }

    fn sorted(self) -> Vec<ResultStream> {
        let mut streams = self.streams;
        streams.sort_by_cached_key(|stream| stream.labels.to_string());
        streams
    }
}

/// Groups of entries whose labels are as they were stored: the same few sets come again and again.
#[derive(Default)]
struct StoredGroups(HashMap<(u32, *const LabelSet), StoredGroup>);

struct StoredGroup {
    /// Kept alive beside its address, so that no other set can get the same one.
    _metadata: Arc<LabelSet>,
    group: usize,
    shown: Arc<ResultLabels>,
}

impl StoredGroups {
    fn get(
        &mut self,
        stream: u32,
        metadata: &Arc<LabelSet>,
        find: impl FnOnce() -> usize,
    ) -> (usize, Arc<ResultLabels>) {
        let of = self.0.entry((stream, Arc::as_ptr(metadata))).or_insert_with(|| StoredGroup {
            _metadata: Arc::clone(metadata),
            group: find(),
            shown: Arc::new(ResultLabels::from(&**metadata)),
        });
        (of.group, Arc::clone(&of.shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::testing::set;

    fn hit(timestamp_ns: i64, stream: u32, labels: HitLabels) -> Hit {
        Hit { timestamp_ns, stream, arrival: 0, line: timestamp_ns.to_string().as_bytes().into(), labels }
    }

    fn hits() -> Vec<Hit> {
        let (one, two) = (Arc::new(set(&[("k", "1")])), Arc::new(set(&[("k", "2"), ("l", "3")])));
        let changed = ChangedLabels {
            stream: ResultLabels::new([("app", "a")]),
            structured_metadata: ResultLabels::new([("k", "1")]),
            parsed: ResultLabels::new([("user", "")]),
        };
        vec![
            hit(1, 1, HitLabels::Stored(Arc::clone(&one))),
            hit(2, 0, HitLabels::Stored(Arc::clone(&one))),
            hit(3, 0, HitLabels::Stored(two)),
            hit(4, 0, HitLabels::Stored(one)),
            hit(5, 0, HitLabels::Changed(Box::new(changed))),
        ]
    }

    fn shape(streams: &[ResultStream]) -> Vec<(String, Vec<i64>)> {
        let times = |stream: &ResultStream| stream.entries.iter().map(|entry| entry.timestamp_ns).collect();
        streams.iter().map(|stream| (stream.labels.to_string(), times(stream))).collect()
    }

    #[test]
    fn without_categories_each_label_set_is_a_stream() {
        let streams = [Arc::new(set(&[("app", "a")])), Arc::new(set(&[("app", "b")]))];
        let answer = group(hits(), &streams, false);
        let want = [
            (r#"{app="a", k="1", user=""}"#.to_owned(), vec![5]),
            (r#"{app="a", k="1"}"#.to_owned(), vec![2, 4]),
            (r#"{app="a", k="2", l="3"}"#.to_owned(), vec![3]),
            (r#"{app="b", k="1"}"#.to_owned(), vec![1]),
        ];
        assert_eq!(shape(&answer), want);
        assert!(answer.iter().flat_map(|stream| &stream.entries).all(|entry| entry.categories.is_none()));
    }

    #[test]
    fn neighbours_of_one_label_set_are_a_stream() {
        let streams = [Arc::new(set(&[("app", "a")])), Arc::new(set(&[("app", "b")]))];
        let (a, b) = (r#"{app="a"}"#.to_owned(), r#"{app="b"}"#.to_owned());
        assert_eq!(shape(&group_neighbours(hits(), &streams, true)), [(b, vec![1]), (a, vec![2, 3, 4, 5])]);
        let apart = group_neighbours(hits(), &streams, false);
        assert_eq!(shape(&apart).into_iter().flat_map(|(_, times)| times).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(apart.len(), 5);
    }

    #[test]
    fn with_categories_stream_labels_make_the_stream() {
        let streams = [Arc::new(set(&[("app", "a")])), Arc::new(set(&[("app", "b")]))];
        let answer = group(hits(), &streams, true);
        let want = [(r#"{app="a"}"#.to_owned(), vec![2, 3, 4, 5]), (r#"{app="b"}"#.to_owned(), vec![1])];
        assert_eq!(shape(&answer), want);
        let categories: Vec<String> = answer[0]
            .entries
            .iter()
            .filter_map(|entry| entry.categories.as_ref())
            .map(|of| format!("{} {}", of.structured_metadata, of.parsed))
            .collect();
        let want = [r#"{k="1"} {}"#, r#"{k="2", l="3"} {}"#, r#"{k="1"} {}"#, r#"{k="1"} {user=""}"#];
        assert_eq!(categories, want);
    }
}
