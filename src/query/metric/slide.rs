//! From buckets to windows: each window's accumulator is the join of those of its buckets. Neighbouring
//! windows share most of their buckets, so joins are kept and used again: two for each bucket and one
//! for each window, however long the windows are.

use std::ops::Range;

use super::{accumulator::Accumulator, table::Span};

/// The accumulators of windows whose begins and ends both rise, one after the other.
pub(super) struct Sliding<'s, A> {
    span: &'s Span<A>,
    /// For each bucket from the window's first up to `middle`, in reverse: the join of it and all behind
    /// it up to `middle`.
    front: Vec<A>,
    middle: usize,
    /// The join of the buckets from `middle` to `end`.
    back: A,
    end: usize,
}

impl<'s, A: Accumulator> Sliding<'s, A> {
    pub(super) fn new(span: &'s Span<A>) -> Self {
        Self { span, front: Vec::new(), middle: span.first, back: A::default(), end: span.first }
    }

    /// The accumulator of the buckets of the next window; `None` without a sample in it.
    pub(super) fn window(&mut self, buckets: &Range<usize>) -> Option<A> {
        let Span { first, cells } = self.span;
        let (start, end) = (buckets.start.max(*first), buckets.end.min(first + cells.len()));
        if start >= end {
            return None;
        }
        if start >= self.end {
            self.front.clear();
            self.back = A::default();
            (self.middle, self.end) = (start, start);
        }
        for cell in &cells[self.end - first..end - first] {
            self.back.join(cell);
        }
        self.end = end;
        if start > self.middle {
            self.turn(start);
        }
        // The bucket `middle - 1` was pushed first, so that what is left behind is cut off the end.
        self.front.truncate(self.middle.saturating_sub(start));
        let joined = match self.front.last() {
            None => self.back.clone(),
            Some(front) => {
                let mut joined = front.clone();
                joined.join(&self.back);
                joined
            }
        };
        (!joined.is_empty()).then_some(joined)
    }

    /// Moves all buckets of the window to the front.
    fn turn(&mut self, start: usize) {
        let Span { first, cells } = self.span;
        self.front.clear();
        for cell in cells[start - first..self.end - first].iter().rev() {
            let mut joined = cell.clone();
            if let Some(behind) = self.front.last() {
                joined.join(behind);
            }
            self.front.push(joined);
        }
        self.middle = self.end;
        self.back = A::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::metric::accumulator::{Ends, Observation, Tally};

    fn span<A: Accumulator>(first: usize, buckets: &[u64]) -> Span<A> {
        let cells = buckets.iter().enumerate().map(|(at, count)| {
            let mut cell = A::default();
            if *count > 0 {
                let timestamp_ns = i64::try_from(at).unwrap();
                let value = f64::from(u32::try_from(*count).unwrap());
                cell.add(&Observation { timestamp_ns, stream: 0, arrival: 0, count: *count, value });
            }
            cell
        });
        Span { first, cells: cells.collect() }
    }

    /// Windows of every length and step, with gaps, before and behind the data.
    #[test]
    fn every_window_is_the_join_of_its_buckets() {
        let counts = [3, 0, 5, 1, 0, 0, 2, 8, 4, 0, 7];
        let (tallies, ends): (Span<Tally>, Span<Ends>) = (span(4, &counts), span(4, &counts));
        for length in 0..14_usize {
            for step in 1..6 {
                let (mut tally, mut end) = (Sliding::new(&tallies), Sliding::new(&ends));
                for start in (0..20_usize).step_by(step) {
                    let window = start..start + length;
                    let inside: Vec<u64> = window
                        .clone()
                        .filter_map(|bucket: usize| counts.get(bucket.checked_sub(4)?))
                        .copied()
                        .filter(|count| *count > 0)
                        .collect();
                    let number = |count: &u64| f64::from(u32::try_from(*count).unwrap());
                    let sum = (!inside.is_empty()).then(|| inside.iter().map(number).sum::<f64>());
                    assert_eq!(tally.window(&window).map(|tally| tally.sum()), sum, "{window:?} by {step}");
                    let first_last = end.window(&window).map(|ends| (ends.first(), ends.last()));
                    assert_eq!(first_last, inside.first().map(number).zip(inside.last().map(number)), "{window:?}");
                }
            }
        }
    }
}
