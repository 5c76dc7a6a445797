//! The best entries of a query while it runs: at most `limit`, and no more bytes than one answer may
//! have. What is kept depends only on the entries, not on the order in which workers bring them.

use std::{cmp::Ordering, sync::Arc};

use super::{Direction, ResultLabels};
use crate::labels::LabelSet;
use crate::logql::LineLabels;

/// An entry that passed the pipeline.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) timestamp_ns: i64,
    /// Index of the stream among the query's streams, which are in order of their label texts.
    pub(super) stream: u32,
    /// Number of the entry within its stream, in order of arrival.
    pub(super) arrival: u64,
    pub(super) line: Box<[u8]>,
    pub(super) labels: HitLabels,
}

/// The labels of a hit.
#[derive(Debug)]
pub(super) enum HitLabels {
    /// The stream's labels and this structured metadata, as they were stored; no name is in both.
    Stored(Arc<LabelSet>),
    /// What the pipeline made of them.
    Changed(Box<ChangedLabels>),
}

/// Labels that a pipeline changed; no name is in two of them.
#[derive(Debug)]
pub(super) struct ChangedLabels {
    pub(super) stream: ResultLabels,
    pub(super) structured_metadata: ResultLabels,
    pub(super) parsed: ResultLabels,
}

impl HitLabels {
    /// The labels that a pipeline left; `stored` shares the entry's metadata if it changed nothing.
    pub(super) fn of(labels: Option<LineLabels<'_, '_>>, stored: impl FnOnce() -> Arc<LabelSet>) -> Self {
        match labels {
            None => Self::Stored(stored()),
            Some(changed) => Self::Changed(Box::new(ChangedLabels {
                stream: ResultLabels::new(changed.stream()),
                structured_metadata: ResultLabels::new(changed.structured_metadata()),
                parsed: ResultLabels::new(changed.parsed()),
            })),
        }
    }
}

impl Hit {
    /// What the hit occupies, roughly: its line, its own labels and the record itself.
    pub(super) fn bytes(&self) -> usize {
        let labels = match &self.labels {
            HitLabels::Stored(_) => 0,
            HitLabels::Changed(changed) => {
                let of = &**changed;
                [&of.stream, &of.structured_metadata, &of.parsed].map(ResultLabels::memory_bytes).iter().sum()
            }
        };
        self.line.len() + labels + size_of::<Self>()
    }

    /// The order of an answer: by time, stream and arrival; exactly reversed for backward.
    fn order(&self, other: &Self, direction: Direction) -> Ordering {
        let key = |hit: &Self| (hit.timestamp_ns, hit.stream, hit.arrival);
        match direction {
            Direction::Forward => key(self).cmp(&key(other)),
            Direction::Backward => key(other).cmp(&key(self)),
        }
    }
}

/// The hits held so far. Between two calls of `settle` it may hold up to twice the bounds.
pub(super) struct Held {
    direction: Direction,
    limit: usize,
    bytes_max: usize,
    hits: Vec<Hit>,
    bytes: usize,
    /// Hits and bytes at which the next cut is made.
    settle_at: (usize, usize),
    bar_ns: Option<i64>,
}

impl Held {
    pub(super) fn new(direction: Direction, limit: usize, bytes_max: usize) -> Self {
        Self { direction, limit, bytes_max, hits: Vec::new(), bytes: 0, settle_at: (limit, bytes_max), bar_ns: None }
    }

    pub(super) fn push(&mut self, hit: Hit) {
        self.bytes += hit.bytes();
        self.hits.push(hit);
        if self.hits.len() >= self.settle_at.0 || self.bytes > self.settle_at.1 {
            self.settle();
        }
    }

    pub(super) fn absorb(&mut self, other: Self) {
        for hit in other.hits {
            self.push(hit);
        }
    }

    /// How many hits are held.
    pub(super) fn len(&self) -> usize {
        self.hits.len()
    }

    /// Time of the worst hit once the bounds are reached: what is strictly worse cannot be in the
    /// answer. (What is equally old can: streams and arrival decide.)
    pub(super) fn bar_ns(&self) -> Option<i64> {
        self.bar_ns
    }

    /// The answer, best first. `None` if it has more than `bytes_max` bytes.
    pub(super) fn finish(mut self) -> Option<Vec<Hit>> {
        self.settle();
        (self.bytes <= self.bytes_max).then_some(self.hits)
    }

    /// Cuts what cannot be in the answer. Past the hit that breaks `bytes_max` nothing matters: if
    /// that hit is among the first `limit` in the end, there is no answer, and if it is not, then
    /// neither is what follows it.
    fn settle(&mut self) {
        let direction = self.direction;
        self.hits.sort_unstable_by(|a, b| a.order(b, direction));
        self.hits.truncate(self.limit);
        let mut bytes = 0;
        let mut keep = 0;
        for hit in &self.hits {
            bytes += hit.bytes();
            keep += 1;
            if bytes > self.bytes_max {
                break;
            }
        }
        self.hits.truncate(keep);
        self.bytes = bytes;
        if keep == self.limit || bytes > self.bytes_max {
            self.bar_ns = self.hits.last().map(|hit| hit.timestamp_ns);
        }
        self.settle_at = (self.limit.saturating_mul(2), self.bytes_max.max(bytes).saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(timestamp_ns: i64, stream: u32, arrival: u64, line: &str) -> Hit {
        let labels = HitLabels::Stored(Arc::default());
        Hit { timestamp_ns, stream, arrival, line: line.as_bytes().into(), labels }
    }

    fn keys(hits: &[Hit]) -> Vec<(i64, u32, u64)> {
        hits.iter().map(|hit| (hit.timestamp_ns, hit.stream, hit.arrival)).collect()
    }

    #[test]
    fn equal_times_are_in_order_of_stream_and_arrival_and_backward_is_the_exact_reverse() {
        let all = [(2, 0, 0), (1, 1, 0), (1, 0, 1), (1, 0, 2), (3, 1, 1)];
        let run = |direction| {
            let mut held = Held::new(direction, 10, 10_000);
            for (time, stream, arrival) in all {
                held.push(hit(time, stream, arrival, ""));
            }
            keys(&held.finish().unwrap())
        };
        let forward = run(Direction::Forward);
        assert_eq!(forward, [(1, 0, 1), (1, 0, 2), (1, 1, 0), (2, 0, 0), (3, 1, 1)]);
        let mut backward = run(Direction::Backward);
        backward.reverse();
        assert_eq!(backward, forward);
    }

    /// All orders of arrival of the same hits must give the same answer and the same verdict on its size.
    #[test]
    fn what_is_kept_does_not_depend_on_the_order_of_the_hits() {
        let record = hit(0, 0, 0, "").bytes();
        let long = "x".repeat(record * 3);
        let rows = |lines: [&str; 5]| -> Vec<Hit> {
            lines.iter().zip([5, 4, 4, 3, 1]).enumerate().map(|(n, (line, ts))| hit(ts, 0, n as u64, line)).collect()
        };
        for (lines, fits) in [
            (["a", "b", "c", "d", "e"], true),
            (["a", "b", "c", &long, &long], true), // both are cut by the limit
            ([&long, "b", "c", "d", "e"], false),
            (["a", "b", &long, "d", "e"], false),
        ] {
            for turn in 0..5 {
                for swap in 0..5 {
                    let mut hits = rows(lines);
                    hits.rotate_left(turn);
                    hits.swap(0, swap);
                    let mut held = Held::new(Direction::Backward, 3, record * 3 + 10);
                    for hit in hits {
                        held.push(hit);
                    }
                    let got = held.finish().map(|hits| keys(&hits));
                    let want = fits.then(|| vec![(5, 0, 0), (4, 0, 2), (4, 0, 1)]);
                    assert_eq!(got, want, "{lines:?}, turned by {turn}, 0 and {swap} swapped");
                }
            }
        }
    }

    #[test]
    fn the_bar_is_the_worst_time_once_a_bound_is_reached() {
        let mut held = Held::new(Direction::Forward, 2, 10_000);
        held.push(hit(5, 0, 0, ""));
        assert_eq!(held.bar_ns(), None);
        held.push(hit(7, 0, 1, ""));
        assert_eq!(held.bar_ns(), Some(7));
        held.push(hit(1, 0, 2, ""));
        held.push(hit(2, 0, 3, ""));
        assert_eq!((held.bar_ns(), held.len()), (Some(2), 2));
        let mut held = Held::new(Direction::Forward, 1000, 10);
        held.push(hit(5, 0, 0, "more than ten bytes"));
        assert_eq!(held.bar_ns(), Some(5), "past the bytes nothing counts either");
    }
}
