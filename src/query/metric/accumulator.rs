//! What is kept of the samples of one series in one bucket of time. An accumulator has a fixed size
//! (but for the functions that need every value); two of the same bucket are merged, and those of
//! buckets that follow each other are joined to a window.

use std::cmp::Ordering;

/// One line, as the functions over ranges see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    /// Nanoseconds since 1970.
    pub(super) timestamp_ns: i64,
    /// Index of the stream among the query's streams.
    pub(super) stream: u32,
    /// Number of the entry within its stream, in order of arrival.
    pub(super) arrival: u64,
    /// What a line counts: 1, or its bytes.
    pub(super) count: u64,
    /// The number that was unwrapped; 0 if none was.
    pub(super) value: f64,
}

/// The state of a function over some samples.
pub(super) trait Accumulator: Clone + Default + Send {
    /// Takes a sample in.
    fn add(&mut self, sample: &Observation);

    /// Takes in several samples that are alike.
    fn add_many(&mut self, sample: &Observation, count: u64) {
        for _ in 0..count {
            self.add(sample);
        }
    }

    /// Takes in what another piece has in the same bucket.
    fn merge(&mut self, other: &Self);

    /// Takes in what lies in the bucket after this one. Both were settled.
    fn join(&mut self, later: &Self) {
        self.merge(later);
    }

    /// Called once per bucket when all its samples are in.
    fn settle(&mut self) {}

    /// Whether no sample was taken in.
    fn is_empty(&self) -> bool;

    /// Bytes beyond the size of the accumulator itself.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// `count_over_time`, `bytes_over_time` and their rates: a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    lines: u64,
    sum: u64,
}

impl Tally {
    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    pub(super) fn sum(&self) -> f64 {
        self.sum as f64
    }
}

impl Accumulator for Tally {
    fn add(&mut self, sample: &Observation) {
        self.add_many(sample, 1);
    }

    fn add_many(&mut self, sample: &Observation, count: u64) {
        self.lines += count;
        self.sum = self.sum.saturating_add(sample.count.saturating_mul(count));
    }

    fn merge(&mut self, other: &Self) {
        self.lines += other.lines;
        self.sum = self.sum.saturating_add(other.sum);
    }

    fn is_empty(&self) -> bool {
        self.lines == 0
    }
}

/// A sum with the rounding errors that were made on the way (Neumaier's), so that the order in which
/// the terms come does not show in the result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sum {
    count: u64,
    total: f64,
    error: f64,
}

impl Sum {
    /// Adds a term.
    pub(super) fn push(&mut self, value: f64) {
        self.count += 1;
        self.add_term(value);
    }

    fn add_term(&mut self, value: f64) {
        let before = self.total;
        self.total += value;
        let (greater, less) = if before.abs() >= value.abs() { (before, value) } else { (value, before) };
        self.error += (greater - self.total) + less;
    }

    pub(super) fn sum(&self) -> f64 {
        // Beyond the finite numbers the error is none: infinity less infinity.
        if self.total.is_finite() { self.total + self.error } else { self.total }
    }

    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    pub(super) fn mean(&self) -> f64 {
        self.sum() / self.count as f64
    }
}

impl Accumulator for Sum {
    fn add(&mut self, sample: &Observation) {
        self.push(sample.value);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.add_term(other.total);
        if other.total.is_finite() {
            self.add_term(other.error);
        }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The least and the greatest number. Any number takes the place of NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Extremes(Option<(f64, f64)>);

impl Extremes {
    /// Takes a number in.
    pub(super) fn push(&mut self, value: f64) {
        // `f64::min` and `max` take the other number if one is NaN.
        self.0 = Some(self.0.map_or((value, value), |(min, max)| (min.min(value), max.max(value))));
    }

    pub(super) fn min(&self) -> f64 {
        self.0.map_or(f64::NAN, |(min, _)| min)
    }

    pub(super) fn max(&self) -> f64 {
        self.0.map_or(f64::NAN, |(_, max)| max)
    }
}

impl Accumulator for Extremes {
    fn add(&mut self, sample: &Observation) {
        self.push(sample.value);
    }

    fn merge(&mut self, other: &Self) {
        if let Some((min, max)) = other.0 {
            self.push(min);
            self.push(max);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Mean and squared distance from it, kept without cancellation (Welford's, merged as Chan does).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes a number in.
    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    pub(super) fn push(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    /// Of the whole population, not of a sample of it.
    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    pub(super) fn variance(&self) -> f64 {
        self.squares / self.count as f64
    }
}

impl Accumulator for Moments {
    fn add(&mut self, sample: &Observation) {
        self.push(sample.value);
    }

    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    fn merge(&mut self, other: &Self) {
        if self.count == 0 {
            *self = *other;
        } else if other.count > 0 {
            let (own, others) = (self.count as f64, other.count as f64);
            let distance = other.mean - self.mean;
            self.count += other.count;
            self.mean += distance * others / (own + others);
            self.squares += other.squares + distance * distance * own * others / (own + others);
        }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The first and the last number in time. Equal times: in order of streams and of arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends(Option<(Observation, Observation)>);

impl Ends {
    pub(super) fn first(&self) -> f64 {
        self.0.map_or(f64::NAN, |(first, _)| first.value)
    }

    pub(super) fn last(&self) -> f64 {
        self.0.map_or(f64::NAN, |(_, last)| last.value)
    }

    fn extend(&mut self, first: &Observation, last: &Observation) {
        let (own_first, own_last) = self.0.get_or_insert((*first, *last));
        if in_time(first, own_first).is_lt() {
            *own_first = *first;
        }
        if in_time(last, own_last).is_gt() {
            *own_last = *last;
        }
    }
}

impl Accumulator for Ends {
    fn add(&mut self, sample: &Observation) {
        self.extend(sample, sample);
    }

    fn merge(&mut self, other: &Self) {
        if let Some((first, last)) = &other.0 {
            self.extend(first, last);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn in_time(a: &Observation, b: &Observation) -> Ordering {
    (a.timestamp_ns, a.stream, a.arrival).cmp(&(b.timestamp_ns, b.stream, b.arrival))
}

/// How far a counter has come that begins again at zero now and then. The order in time decides what is
/// a new begin, so the samples of a bucket are kept until all are there.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter {
    samples: Vec<Observation>,
    run: Option<CounterRun>,
}

#[derive(Clone, Copy, Debug)]
struct CounterRun {
    first: Observation,
    last: Observation,
    count: u64,
    increase: f64,
}

impl Counter {
    /// The increase per second of a window of `range_ns`. The time between first and last sample is
    /// extrapolated as Loki does, which takes it in microseconds where seconds are meant: so the
    /// result is greater than `increase / range` by about a millionth.
    #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
    pub(super) fn rate(&self, range_ns: i64) -> f64 {
        let Some(run) = self.run.filter(|run| run.count > 1) else { return 0.0 };
        let seconds = range_ns as f64 / 1e9;
        let between_us = ((run.last.timestamp_ns - run.first.timestamp_ns) / 1000) as f64;
        if between_us == 0.0 {
            return run.increase / seconds;
        }
        let mut extrapolated_s = seconds;
        if run.first.value >= 0.0 && run.increase > 0.0 {
            // Not further back than where the counter would have been zero.
            extrapolated_s = extrapolated_s.min(between_us * run.first.value / run.increase);
        }
        run.increase * (between_us + extrapolated_s) / between_us / seconds
    }
}

impl CounterRun {
    fn one(sample: Observation) -> Self {
        Self { first: sample, last: sample, count: 1, increase: 0.0 }
    }

    fn then(&mut self, later: &Self) {
        self.increase += increase(self.last.value, later.first.value) + later.increase;
        self.count += later.count;
        self.last = later.last;
    }
}

/// From one value of a counter to the next; one that is less was counted from zero.
fn increase(before: f64, after: f64) -> f64 {
    if after < before { after } else { after - before }
}

impl Accumulator for Counter {
    fn add(&mut self, sample: &Observation) {
        self.samples.push(*sample);
    }

    fn merge(&mut self, other: &Self) {
        self.samples.extend_from_slice(&other.samples);
    }

    fn join(&mut self, later: &Self) {
        match (&mut self.run, &later.run) {
            (Some(run), Some(later)) => run.then(later),
            (run @ None, later) => *run = *later,
            (Some(_), None) => {}
        }
    }

    fn settle(&mut self) {
        let mut samples = std::mem::take(&mut self.samples);
        samples.sort_unstable_by(in_time);
        self.run = samples.into_iter().map(CounterRun::one).reduce(|mut run, next| {
            run.then(&next);
            run
        });
    }

    fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.run.is_none()
    }

    fn heap_bytes(&self) -> usize {
        self.samples.len() * size_of::<Observation>()
    }
}

/// Every number, for quantiles.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Vec<f64>);

impl Numbers {
    /// Forgets all numbers and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The value below which `quantile` of the numbers lie, between two of them in proportion.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between zero and the count of numbers, which fit into memory"
    )]
    pub(super) fn quantile(&mut self, quantile: f64) -> f64 {
        let numbers = &mut self.0;
        if numbers.is_empty() || quantile.is_nan() {
            return f64::NAN;
        }
        if quantile < 0.0 {
            return f64::NEG_INFINITY;
        }
        if quantile > 1.0 {
            return f64::INFINITY;
        }
        let rank = quantile * (numbers.len() - 1) as f64;
        let below = rank.floor() as usize;
        let (_, lower, above) = numbers.select_nth_unstable_by(below, |a, b| nan_first(*a, *b));
        let lower = *lower;
        let upper = above.iter().copied().min_by(|a, b| nan_first(*a, *b)).unwrap_or(lower);
        let weight = rank - rank.floor();
        // Without a weight an infinite neighbour has no say; infinity times zero is NaN.
        if weight == 0.0 { lower } else { lower * (1.0 - weight) + upper * weight }
    }
}

/// NaN is less than every number.
fn nan_first(a: f64, b: f64) -> Ordering {
    b.is_nan().cmp(&a.is_nan()).then_with(|| a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

impl Accumulator for Numbers {
    fn add(&mut self, sample: &Observation) {
        self.0.push(sample.value);
    }

    fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn heap_bytes(&self) -> usize {
        self.0.len() * size_of::<f64>()
    }
}
