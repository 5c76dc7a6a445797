//! A log query: the first or last `limit` entries that pass its pipeline, over all streams that its
//! selector matches, at one moment.

use std::sync::Arc;

use super::{
    Cancel, Error, Limits, LogAnswer, clock,
    crew::ALONE_BYTES_MAX,
    grep::Prefilter,
    group::group,
    limits::cores,
    search::{Search, streams_of},
};
use crate::labels::LabelSet;
use crate::logql::{LogExpr, Pipeline};
use crate::store::Store;

/// From which end of the range entries are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// A log query with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct LogQuery<'q> {
    /// Selector and pipeline.
    pub expr: &'q LogExpr,
    /// Start of the range in nanoseconds since 1970, inclusive.
    pub start_ns: i64,
    /// End of the range, exclusive.
    pub end_ns: i64,
    /// Entries of the answer, over all streams.
    pub limit: usize,
    /// From which end.
    pub direction: Direction,
    /// Least time between two entries of the answer; zero: every entry counts.
    pub interval_ns: i64,
    /// Group the answer by stream labels only, and give metadata and parsed labels with each entry.
    pub categorize_labels: bool,
}

/// Runs a log query. `client_is_gone` is asked now and then on the calling thread.
pub fn select(
    store: &Store,
    query: &LogQuery<'_>,
    limits: &Limits,
    cancel: &Cancel,
    client_is_gone: &dyn Fn() -> bool,
) -> Result<LogAnswer, Error> {
    if query.limit > limits.max_entries_limit_per_query {
        return Err(Error::TooManyEntries { limit: query.limit, limit_max: limits.max_entries_limit_per_query });
    }
    let pipeline = Pipeline::compile_at(&query.expr.stages, &clock())?;
    let prefilter = Prefilter::of(&pipeline);
    let streams = match query.end_ns.checked_sub(1) {
        Some(last_ns) if query.start_ns <= last_ns => {
            streams_of(store.snapshot(&query.expr.selector, query.start_ns, last_ns))
        }
        _ => Vec::new(),
    };
    let search = Search {
        pipeline: &pipeline,
        prefilter: &prefilter,
        start_ns: query.start_ns,
        end_ns: query.end_ns,
        limit: query.limit,
        bytes_max: limits.bytes_max(),
        direction: query.direction,
        workers: cores(),
        alone_bytes_max: ALONE_BYTES_MAX,
    };
    let mut found = if query.interval_ns > 0 {
        search.run_thinned(&streams, query.interval_ns, cancel, client_is_gone)?
    } else {
        search.run(&streams, cancel, client_is_gone)?
    };
    found.statistics.exec_time = cancel.elapsed();
    found.statistics.entries_returned = found.hits.len() as u64;
    let labels: Vec<Arc<LabelSet>> = streams.into_iter().map(|stream| stream.labels).collect();
    Ok(LogAnswer {
        streams: group(found.hits, &labels, query.categorize_labels),
        statistics: found.statistics,
        warnings: found.warnings,
    })
}
