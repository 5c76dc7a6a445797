//! What a metric query answers, and the rows of which it is computed.

use super::grid::Grid;
use crate::query::{Error, ResultLabels, Statistics};

/// What the accumulators of a scan may occupy, and what the rows of a step of the evaluation may, in bytes:
/// 300 000 series that were seen once, or 500 series over 8000 steps.
pub(super) const QUERY_BYTES_MAX: usize = 64 << 20;

/// A number at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The number.
    pub value: f64,
}

/// A label set and its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the samples belong to.
    pub labels: ResultLabels,
    /// Ascending in time, at least one.
    pub samples: Vec<Sample>,
}

/// The answer of a metric query.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricAnswer {
    /// The numbers.
    pub value: MetricValue,
    /// What the query looked at and found.
    pub statistics: Statistics,
    /// What could not be read or was left out, for the user to see.
    pub warnings: Vec<String>,
}

/// The numbers of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// One number.
    Scalar(Sample),
    /// One sample for each series, in order of their labels or in that of a `sort`.
    Vector(Vec<Series>),
    /// Series over a grid of times, in order of their labels.
    Matrix(Vec<Series>),
}

/// At which times a metric is evaluated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Times {
    /// Once, at this time in nanoseconds since 1970.
    Instant(i64),
    /// At every time of a grid.
    Grid(Grid),
}

impl Times {
    /// All times in nanoseconds since 1970, rising.
    pub(super) fn iter_ns(self) -> impl Iterator<Item = i64> {
        let (instant, grid) = match self {
            Self::Instant(time_ns) => (Some(time_ns), None),
            Self::Grid(grid) => (None, Some(grid)),
        };
        let of_grid = grid.into_iter().flat_map(Grid::times_ms).map(|time_ms| time_ms.saturating_mul(1_000_000));
        instant.into_iter().chain(of_grid)
    }

    /// The times as they are written in an answer.
    pub(super) fn stamps_ms(self) -> Vec<i64> {
        self.iter_ns().map(|time_ns| time_ns.div_euclid(1_000_000)).collect()
    }
}

/// A series while it is computed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) labels: ResultLabels,
    /// Rising in their steps.
    pub(super) points: Vec<Point>,
}

impl Row {
    /// A number without labels at every step.
    pub(super) fn constant(value: f64, steps: usize) -> Self {
        Self { labels: ResultLabels::default(), points: (0..).take(steps).map(|step| Point { step, value }).collect() }
    }

    /// What the row occupies, roughly, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.labels.memory_bytes() + self.points.len() * size_of::<Point>()
    }
}

/// A number at one of the query's times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Index of the time.
    pub(super) step: u32,
    pub(super) value: f64,
}

/// What an expression is: a number at all times, or a vector at each.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Rows(Vec<Row>),
}

impl Value {
    /// The rows of a vector; of a number, one without labels.
    pub(super) fn into_rows(self, steps: usize) -> Vec<Row> {
        match self {
            Self::Number(value) => vec![Row::constant(value, steps)],
            Self::Rows(rows) => rows,
        }
    }

    /// The value itself, unless it occupies more than a query may.
    pub(super) fn bounded(self) -> Result<Self, Error> {
        let bytes: usize = match &self {
            Self::Number(_) => 0,
            Self::Rows(rows) => rows.iter().map(Row::memory_bytes).sum(),
        };
        if bytes > QUERY_BYTES_MAX { Err(Error::TooMuchMemory { bytes_max: QUERY_BYTES_MAX }) } else { Ok(self) }
    }
}

/// Walks over the points of rows step by step.
pub(super) struct Cursors(Vec<usize>);

impl Cursors {
    pub(super) fn new(rows: usize) -> Self {
        Self(vec![0; rows])
    }

    /// The value of a row at a step; each row is asked for rising steps.
    pub(super) fn at(&mut self, row: usize, points: &[Point], step: u32) -> Option<f64> {
        let cursor = &mut self.0[row];
        while points.get(*cursor).is_some_and(|point| point.step < step) {
            *cursor += 1;
        }
        points.get(*cursor).filter(|point| point.step == step).map(|point| point.value)
    }
}
