//! The functions over ranges: which accumulator each works with, and what it makes of it for a window.

use std::ops::Range;

use super::{
    accumulator::{Accumulator, Counter, Ends, Extremes, Moments, Numbers, Sum, Tally},
    key::labels_of,
    scan::{Findings, Scan},
    series::{Point, QUERY_BYTES_MAX, Row},
    slide::Sliding,
    table::Span,
    window::Windows,
};
use crate::logql::RangeOp;
use crate::query::{Cancel, Error, ResultLabels, search::Source};

/// Windows between two looks at the stop sign.
const WINDOWS_PER_CHECK: u32 = 64;

/// Scans the lines of a leg, and evaluates its function for every window.
pub(super) fn rows<S: Source>(scan: &Scan<'_, S>, findings: &mut Findings) -> Result<Vec<Row>, Error> {
    let expr = scan.leg.expr;
    #[expect(clippy::cast_precision_loss, reason = "a range is far below 2^53 microseconds")]
    let range_s = expr.range_ns as f64 / 1e9;
    let per_second = |sum: f64| sum / range_s;
    match (expr.op, expr.unwrap.is_some()) {
        (RangeOp::Absent, _) => absent(scan, findings),
        (RangeOp::Count | RangeOp::Bytes, _) => joined(scan, findings, |tally: Tally| tally.sum()),
        (RangeOp::BytesRate, _) | (RangeOp::Rate, false) => {
            joined(scan, findings, |tally: Tally| per_second(tally.sum()))
        }
        (RangeOp::Rate, true) => joined(scan, findings, |sum: Sum| per_second(sum.sum())),
        (RangeOp::Sum, _) => joined(scan, findings, |sum: Sum| sum.sum()),
        (RangeOp::Avg, _) => joined(scan, findings, |sum: Sum| sum.mean()),
        (RangeOp::Min, _) => joined(scan, findings, |extremes: Extremes| extremes.min()),
        (RangeOp::Max, _) => joined(scan, findings, |extremes: Extremes| extremes.max()),
        (RangeOp::Stdvar, _) => joined(scan, findings, |moments: Moments| moments.variance()),
        (RangeOp::Stddev, _) => joined(scan, findings, |moments: Moments| moments.variance().sqrt()),
        (RangeOp::First, _) => joined(scan, findings, |ends: Ends| ends.first()),
        (RangeOp::Last, _) => joined(scan, findings, |ends: Ends| ends.last()),
        (RangeOp::RateCounter, _) => joined(scan, findings, |counter: Counter| counter.rate(expr.range_ns)),
        (RangeOp::Quantile, _) => quantiles(scan, findings, expr.parameter.unwrap_or(f64::NAN)),
    }
}

/// The rows of a function whose windows are joins of buckets.
fn joined<S: Source, A: Accumulator>(
    scan: &Scan<'_, S>,
    findings: &mut Findings,
    finish: impl Fn(A) -> f64,
) -> Result<Vec<Row>, Error> {
    let mut rows = RowsBuilder::new(scan);
    for (key, mut span) in scan.run::<A>(findings)?.into_series() {
        span.cells.iter_mut().for_each(Accumulator::settle);
        let mut sliding = Sliding::new(&span);
        rows.push(labels_of(&key), |window| sliding.window(window).map(&finish))?;
    }
    Ok(rows.rows)
}

/// The rows of `quantile_over_time`, which needs all numbers of a window at once.
fn quantiles<S: Source>(scan: &Scan<'_, S>, findings: &mut Findings, quantile: f64) -> Result<Vec<Row>, Error> {
    let mut rows = RowsBuilder::new(scan);
    let mut numbers = Numbers::default();
    for (key, Span { first, cells }) in scan.run::<Numbers>(findings)?.into_series() {
        rows.push(labels_of(&key), |window| {
            numbers.clear();
            let end = window.end.saturating_sub(first).min(cells.len());
            let start = window.start.saturating_sub(first).min(end);
            cells[start..end].iter().for_each(|cell| numbers.merge(cell));
            (!numbers.is_empty()).then(|| numbers.quantile(quantile))
        })?;
    }
    Ok(rows.rows)
}

/// The row of `absent_over_time`: 1 where no series has a sample.
fn absent<S: Source>(scan: &Scan<'_, S>, findings: &mut Findings) -> Result<Vec<Row>, Error> {
    let series = scan.run::<Tally>(findings)?.into_series();
    let present = series.into_iter().next().map_or_else(|| Span { first: 0, cells: Vec::new() }, |(_, span)| span);
    let mut sliding = Sliding::new(&present);
    let mut rows = RowsBuilder::new(scan);
    rows.push(scan.leg.absent_labels(), |window| match sliding.window(window) {
        None => Some(1.0),
        Some(_) => None,
    })?;
    Ok(rows.rows)
}

/// Rows as they come to be, bounded in their memory.
struct RowsBuilder<'s> {
    windows: &'s Windows,
    cancel: &'s Cancel,
    rows: Vec<Row>,
    bytes: usize,
}

impl<'s> RowsBuilder<'s> {
    fn new<S>(scan: &Scan<'s, S>) -> Self {
        Self { windows: scan.windows, cancel: scan.crew.cancel, rows: Vec::new(), bytes: 0 }
    }

    /// Adds the row of a series, if `value` finds something in any window. It is asked for one after the other.
    fn push(&mut self, labels: ResultLabels, mut value: impl FnMut(&Range<usize>) -> Option<f64>) -> Result<(), Error> {
        let mut points = Vec::new();
        for (step, window) in (0..).zip(self.windows.buckets()) {
            if step % WINDOWS_PER_CHECK == 0 {
                self.cancel.check()?;
            }
            if let Some(value) = value(window) {
                points.push(Point { step, value });
            }
        }
        points.shrink_to_fit();
        let row = Row { labels, points };
        self.bytes += row.memory_bytes();
        if self.bytes > QUERY_BYTES_MAX {
            return Err(Error::TooMuchMemory { bytes_max: QUERY_BYTES_MAX });
        }
        if !row.points.is_empty() {
            self.rows.push(row);
        }
        Ok(())
    }
}
