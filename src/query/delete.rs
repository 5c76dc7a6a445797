//! Deletion of what a log query selects.

use std::sync::Arc;

use super::{Direction, Error, clock, grep::Prefilter};
use crate::labels::{Entries, LabelSet};
use crate::logql::{LogExpr, Pipeline};
use crate::store::{Store, Verdict};

/// Deletes the entries of a range (nanoseconds, both ends inclusive) that pass a query, for good. Returns
/// how many there were; see [`Store::delete`].
pub fn delete(store: &Store, expr: &LogExpr, start_ns: i64, end_ns: i64) -> Result<u64, Error> {
    let pipeline = Pipeline::compile_at(&expr.stages, &clock())?;
    let required = pipeline.required_literals().to_vec();
    let prefilter = Prefilter::of(&pipeline);
    let verdict: Arc<Verdict> = Arc::new(move |labels: &LabelSet, entries: &Entries| {
        let mut doomed = vec![false; entries.len()];
        let mut runner = pipeline.runner(labels);
        for at in prefilter.candidates(entries, 0..entries.len(), Direction::Forward) {
            doomed[at] = runner.run(entries.timestamp_ns(at), entries.line(at), entries.metadata(at)).is_some();
        }
        doomed
    });
    Ok(store.delete(&expr.selector, start_ns, end_ns, &required, &verdict)?)
}
