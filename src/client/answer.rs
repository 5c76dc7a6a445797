//! What stands in an answer: entries, metrics, labels and statistics.

use std::{collections::BTreeMap, rc::Rc};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::labels::LabelSet;

/// One entry, with all its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// Those of its stream, and what its metadata and the query added.
    pub labels: Rc<LabelSet>,
    /// Its text.
    pub line: String,
}

/// What a query gives.
#[derive(Debug)]
pub enum Outcome {
    /// The entries of a log query, in the order of time that was asked for.
    Entries(Vec<Entry>),
    /// The series of a metric query, as JSON.
    Metric(Box<RawValue>),
}

/// The label sets of streams.
pub type Series = Vec<LabelSet>;

/// What every answer is wrapped in.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
}

/// The data of a query.
#[derive(Deserialize)]
pub(super) struct QueryData {
    #[serde(rename = "resultType")]
    pub(super) result_type: String,
    pub(super) result: Box<RawValue>,
    #[serde(default)]
    pub(super) stats: Value,
}

/// Labels as JSON has them.
pub(super) type Pairs = BTreeMap<String, String>;

/// A stream of an answer, or of a frame of a tail.
#[derive(Deserialize)]
pub(super) struct Stream {
    stream: Pairs,
    values: Vec<(Nanoseconds, String)>,
}

/// A time, which JSON has as text.
struct Nanoseconds(i64);

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom(format_args!("{text:?} is no time")))
    }
}

/// A message of a tail.
#[derive(Deserialize)]
pub(super) struct Frame {
    #[serde(default)]
    pub(super) streams: Option<Vec<Stream>>,
    #[serde(default)]
    pub(super) dropped_entries: Option<Vec<serde::de::IgnoredAny>>,
}

/// The label set of pairs.
pub(super) fn label_set(pairs: Pairs) -> LabelSet {
    LabelSet::new(pairs.into_iter().collect())
}

/// The entries of streams in order of time; those of one time in the order of the answer.
pub(super) fn entries(streams: Vec<Stream>, forward: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    for stream in streams {
        let labels = Rc::new(label_set(stream.stream));
        let of_value =
            |(time, line): (Nanoseconds, String)| Entry { timestamp_ns: time.0, labels: Rc::clone(&labels), line };
        entries.extend(stream.values.into_iter().map(of_value));
    }
    if forward {
        entries.sort_by_key(|entry| entry.timestamp_ns);
    } else {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.timestamp_ns));
    }
    entries
}
