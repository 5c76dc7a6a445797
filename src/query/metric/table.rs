//! The accumulators of all series: found by the key of their labels, and by bucket of time. Bounded in
//! memory; two tables of parts of the data merge into the table of both.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

use super::{accumulator::Accumulator, series::QUERY_BYTES_MAX};
use crate::query::Error;

/// What a series occupies beside its key and its accumulators, roughly.
const SERIES_BYTES: usize = 128;

/// Series and their accumulators.
#[derive(Debug)]
pub(super) struct Table<A> {
    index: HashMap<Arc<[u8]>, u32, FixedState>,
    series: Vec<(Arc<[u8]>, Span<A>)>,
    bytes: usize,
}

impl<A> Default for Table<A> {
    fn default() -> Self {
        Self { index: HashMap::default(), series: Vec::new(), bytes: 0 }
    }
}

/// The accumulators of neighbouring buckets, from the first that has samples to the last.
#[derive(Debug)]
pub(super) struct Span<A> {
    /// The bucket of the first accumulator.
    pub(super) first: usize,
    pub(super) cells: Vec<A>,
}

impl<A: Accumulator> Span<A> {
    /// The accumulator of a bucket; what lies between it and the others is filled up with empty ones.
    fn cell(&mut self, bucket: usize) -> &mut A {
        if self.cells.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            self.cells.splice(0..0, std::iter::repeat_n(A::default(), self.first - bucket));
            self.first = bucket;
        }
        let at = bucket - self.first;
        if at >= self.cells.len() {
            self.cells.resize(at + 1, A::default());
        }
        &mut self.cells[at]
    }
}

impl<A: Accumulator> Table<A> {
    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// The number of the series with a key; a new one if there is none yet.
    pub(super) fn series(&mut self, key: &[u8]) -> u32 {
        if let Some(at) = self.index.get(key) {
            return *at;
        }
        let at = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        let key: Arc<[u8]> = key.into();
        self.bytes += key.len() + SERIES_BYTES;
        self.index.insert(Arc::clone(&key), at);
        self.series.push((key, Span { first: 0, cells: Vec::new() }));
        at
    }

    /// Changes the accumulator of a series and a bucket.
    pub(super) fn update(&mut self, series: u32, bucket: usize, change: impl FnOnce(&mut A)) {
        let span = &mut self.series[series as usize].1;
        let before = span.cells.len();
        let cell = span.cell(bucket);
        let heap_before = cell.heap_bytes();
        change(cell);
        self.bytes += cell.heap_bytes() - heap_before;
        self.bytes += (span.cells.len() - before) * size_of::<A>();
    }

    /// An error once the table is larger than a query may become.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.bytes > QUERY_BYTES_MAX { Err(Error::TooMuchMemory { bytes_max: QUERY_BYTES_MAX }) } else { Ok(()) }
    }

    /// Takes in the table of another part of the data.
    pub(super) fn merge(&mut self, other: Self) -> Result<(), Error> {
        if self.series.is_empty() {
            *self = other;
            return self.check();
        }
        for (key, span) in other.series {
            let series = self.series(&key);
            for (at, cell) in span.cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
                self.update(series, span.first + at, |own| own.merge(cell));
            }
            self.check()?;
        }
        Ok(())
    }

    /// All series with their keys, in order of the keys.
    pub(super) fn into_series(mut self) -> Vec<(Arc<[u8]>, Span<A>)> {
        self.series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.series
    }
}
