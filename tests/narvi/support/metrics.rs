//! The page of `/metrics` as numbers.

use std::collections::BTreeMap;

/// Samples by name and labels, as in `loki_request_duration_seconds_count{method="GET",...}`.
pub(crate) struct Metrics(BTreeMap<String, String>);

impl Metrics {
    /// Reads a page; fails on a line that is none.
    pub(crate) fn parse(page: &str) -> Self {
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        let pairs = samples.map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}")));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The value of a sample, which must be there and count something.
    pub(crate) fn get(&self, name: &str) -> u64 {
        self.find(name).unwrap_or_else(|| panic!("no metric {name} among {:?}", self.0.keys()))
    }

    /// The value of a sample that counts something, if it is there.
    pub(crate) fn find(&self, name: &str) -> Option<u64> {
        let value = self.0.get(name)?;
        Some(value.parse().unwrap_or_else(|_| panic!("{name} is no count: {value}")))
    }
}
