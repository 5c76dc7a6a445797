//! Stored entries, as a query gives them back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A line and its time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) timestamp_ns: i64,
    pub(crate) line: String,
}

impl Entry {
    /// All entries of an answer or of a tail's frame (`streams`), stream after stream.
    pub(crate) fn of_streams(streams: &Value) -> Vec<Self> {
        let streams = streams.as_array().unwrap_or_else(|| panic!("no streams: {streams}"));
        let values = streams.iter().flat_map(|stream| stream["values"].as_array().unwrap());
        values
            .map(|value| Self {
                timestamp_ns: value[0].as_str().unwrap().parse().unwrap(),
                line: value[1].as_str().unwrap().to_owned(),
            })
            .collect()
    }
}

/// Fails unless each wanted line is there once, none twice, and none that was not `possible`.
pub(crate) fn exactly_once<'l>(
    lines: impl IntoIterator<Item = &'l str>,
    wanted: impl IntoIterator<Item = String>,
    possible: impl Fn(&str) -> bool,
) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        *counts.entry(line).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{} lines are there more than once: {:?}", twice.len(), &twice[..twice.len().min(10)]);
    let invented: Vec<_> = counts.keys().filter(|line| !possible(line)).collect();
    assert!(invented.is_empty(), "{} were never written: {:?}", invented.len(), &invented[..invented.len().min(10)]);
    let wanted: BTreeSet<String> = wanted.into_iter().collect();
    let missing: Vec<_> = wanted.iter().filter(|line| !counts.contains_key(line.as_str())).collect();
    assert!(
        missing.is_empty(),
        "{} of {} lines are missing: {:?}",
        missing.len(),
        wanted.len(),
        &missing[..missing.len().min(10)]
    );
}
