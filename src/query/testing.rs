//! What the tests of this room share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::search::Source;
use crate::labels::{Entries, LabelSet, Literal};
use crate::store::{Columns, Error};

/// A piece in memory, that counts how often it is read and can be as good as damaged.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) first_entry: u64,
    pub(super) entries: Arc<Entries>,
    pub(super) damaged: bool,
    pub(super) reads: Arc<AtomicU64>,
}

impl Run {
    pub(super) fn new(first_entry: u64, entries: Entries) -> Self {
        Self { first_entry, entries: Arc::new(entries), damaged: false, reads: Arc::default() }
    }
}

impl Source for Run {
    fn first_entry(&self) -> u64 {
        self.first_entry
    }
    fn time_span_ns(&self) -> (i64, i64) {
        self.entries.time_span_ns().unwrap()
    }
    fn lines(&self) -> usize {
        self.entries.len()
    }
    fn raw_bytes(&self) -> u64 {
        self.entries.text().len() as u64
    }
    fn read_where(&self, _: Columns, _: &[Vec<Literal>]) -> Result<Option<Arc<Entries>>, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.damaged {
            return Err(Error::Damaged { path: "s1.chunk".into(), offset: 5, what: "checksum mismatch" });
        }
        Ok(Some(Arc::clone(&self.entries)))
    }
}

/// A label set of these pairs.
pub(super) fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}
