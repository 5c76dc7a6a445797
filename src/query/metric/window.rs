//! Windows of time. A window `(t - offset - range, t - offset]` belongs to each time of a query. Their edges
//! cut time into buckets; every window is a run of whole buckets, so that a sample is counted once, in
//! its bucket, however many windows overlap.

use std::ops::Range;

/// The times at which a metric is evaluated, and from which each looks back. All in nanoseconds since 1970.
#[derive(Debug)]
pub(super) struct Windows {
    /// Begins and ends of all windows, rising. Bucket `n` is `(edges[n], edges[n + 1]]`.
    edges: Vec<i64>,
    /// The buckets of each window, in order of the evaluation times.
    buckets: Vec<Range<usize>>,
    /// For each bucket whether it lies in a window: with a range below the step, some do not.
    covered: Vec<bool>,
}

impl Windows {
    /// The windows of rising evaluation times.
    pub(super) fn new(times_ns: impl Iterator<Item = i64>, range_ns: i64, offset_ns: i64) -> Self {
        let bounds: Vec<(i64, i64)> = times_ns
            .map(|time_ns| {
                let end_ns = time_ns.saturating_sub(offset_ns);
                (end_ns.saturating_sub(range_ns), end_ns)
            })
            .collect();
        let mut edges: Vec<i64> = bounds.iter().flat_map(|(begin_ns, end_ns)| [*begin_ns, *end_ns]).collect();
        edges.sort_unstable();
        edges.dedup();
        let edge = |time_ns: i64| edges.partition_point(|edge| *edge < time_ns);
        let buckets: Vec<Range<usize>> =
            bounds.iter().map(|(begin_ns, end_ns)| edge(*begin_ns)..edge(*end_ns)).collect();
        let mut covered = vec![false; edges.len().saturating_sub(1)];
        let mut done = 0;
        for window in &buckets {
            if let Some(buckets) = covered.get_mut(window.start.max(done)..window.end) {
                buckets.fill(true);
            }
            done = done.max(window.end);
        }
        Self { edges, buckets, covered }
    }

    /// The buckets of the window of each evaluation time.
    pub(super) fn buckets(&self) -> &[Range<usize>] {
        &self.buckets
    }

    /// The first and the last nanosecond that lie in a window; `None` if all windows are empty.
    pub(super) fn span_ns(&self) -> Option<(i64, i64)> {
        self.covered.iter().any(|covered| *covered).then(|| (self.edges[0] + 1, self.edges[self.edges.len() - 1]))
    }

    /// The bucket of a time; `None` if it lies in no window.
    fn bucket_of(&self, time_ns: i64) -> Option<usize> {
        let bucket = self.edges.partition_point(|edge| *edge < time_ns).checked_sub(1)?;
        (*self.covered.get(bucket)?).then_some(bucket)
    }

    /// A finder for times that mostly follow each other closely.
    pub(super) fn finder(&self) -> Finder<'_> {
        Finder { windows: self, after_ns: 0, until_ns: i64::MIN, bucket: None }
    }
}

/// Finds buckets; remembers the last one, which is the next time's too more often than not.
pub(super) struct Finder<'w> {
    windows: &'w Windows,
    /// The answer for times in `(after_ns, until_ns]` is `bucket`.
    after_ns: i64,
    until_ns: i64,
    bucket: Option<usize>,
}

impl Finder<'_> {
    /// The bucket of a time; `None` if it lies in no window.
    pub(super) fn find(&mut self, time_ns: i64) -> Option<usize> {
        if time_ns <= self.after_ns || time_ns > self.until_ns {
            let edges = &self.windows.edges;
            let next = edges.partition_point(|edge| *edge < time_ns);
            self.bucket = self.windows.bucket_of(time_ns);
            self.after_ns = if next == 0 { i64::MIN } else { edges[next - 1] };
            self.until_ns = edges.get(next).copied().unwrap_or(i64::MAX);
        }
        self.bucket
    }

    /// The last time for which the answer is that of the last call.
    pub(super) fn until_ns(&self) -> i64 {
        self.until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps and ranges of every kind: overlapping, touching, apart, not multiples of each other.
    #[test]
    fn a_window_is_exactly_the_buckets_of_the_times_in_it() {
        for (step, count) in [(10, 1), (10, 7), (7, 5), (1, 30)] {
            for range in [0, 1, 3, 7, 10, 11, 20, 25, 100] {
                for offset in [0, 4, -13] {
                    let times = || (0..count).map(|n| 50 + n * step);
                    let windows = Windows::new(times(), range, offset);
                    assert_eq!(windows.buckets().len(), times().count());
                    let mut finder = windows.finder();
                    let mut inside = 0;
                    for sample in (-80..150).chain((-80..150).rev()) {
                        let bucket = finder.find(sample);
                        for (time, window) in times().zip(windows.buckets()) {
                            let want = sample > time - offset - range && sample <= time - offset;
                            let got = bucket.is_some_and(|bucket| window.contains(&bucket));
                            assert_eq!(got, want, "{sample} at {time}, step {step}, range {range}, offset {offset}");
                            inside += usize::from(want);
                        }
                        let in_any = times().any(|time| sample > time - offset - range && sample <= time - offset);
                        assert_eq!(bucket.is_some(), in_any);
                    }
                    assert_eq!(windows.span_ns().is_some(), inside > 0);
                }
            }
        }
    }

    #[test]
    fn a_finder_says_how_long_its_answer_holds() {
        let windows = Windows::new([100, 200].into_iter(), 30, 0);
        let mut finder = windows.finder();
        for (time, bucket, until) in [(10, None, 70), (71, Some(0), 100), (101, None, 170), (201, None, i64::MAX)] {
            assert_eq!((finder.find(time), finder.until_ns()), (bucket, until), "{time}");
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let windows = Windows::new([i64::MIN, 0, i64::MAX].into_iter(), i64::MAX, -5);
        assert_eq!(windows.buckets().len(), 3);
        assert!(windows.finder().find(i64::MAX).is_some());
        assert!(windows.finder().find(i64::MIN).is_none());
    }
}
