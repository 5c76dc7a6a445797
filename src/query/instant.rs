//! Metric expressions of constants: numbers, `vector(n)`, and operators between them. Grafana asks for
//! `vector(1)+vector(1)` to see whether a data source works.

use super::Error;
use crate::labels::LabelSet;
use crate::logql::{BinaryExpr, BinaryOp, MetricExpr};

const NS_PER_MS: i64 = 1_000_000;

/// The times at which a range query of a metric is evaluated: multiples of the step since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// First time, in milliseconds since 1970.
    pub start_ms: i64,
    /// Last time, inclusive.
    pub end_ms: i64,
    /// Distance of two times, above zero.
    pub step_ms: i64,
}

impl Grid {
    /// The grid that covers a range: its start rounded down and its end rounded up to the step, which
    /// is at least a millisecond.
    pub fn aligned(start_ns: i64, end_ns: i64, step_ns: i64) -> Self {
        let milliseconds = (step_ns / NS_PER_MS).max(1);
        let whole_ns = i128::from(milliseconds) * i128::from(NS_PER_MS);
        let to_ms = |steps: i128| i64::try_from(steps * i128::from(milliseconds)).unwrap_or(i64::MAX);
        Self {
            start_ms: to_ms(i128::from(start_ns).div_euclid(whole_ns)),
            end_ms: to_ms(-(-i128::from(end_ns)).div_euclid(whole_ns)),
            step_ms: milliseconds,
        }
    }

    /// Every time of the grid.
    pub fn times_ms(self) -> impl Iterator<Item = i64> {
        std::iter::successors(Some(self.start_ms), move |time| time.checked_add(self.step_ms))
            .take_while(move |time| *time <= self.end_ms)
    }
}

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
    pub labels: LabelSet,
    /// Ascending in time.
    pub samples: Vec<Sample>,
}

/// The answer of a metric query.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricAnswer {
    /// One number.
    Scalar(Sample),
    /// One sample for each series.
    Vector(Vec<Series>),
    /// Series over a grid of times.
    Matrix(Vec<Series>),
}

/// Evaluates at one time, in milliseconds since 1970.
pub fn instant(expr: &MetricExpr, timestamp_ms: i64) -> Result<MetricAnswer, Error> {
    Ok(match evaluate(expr)? {
        Constant::Number(value) => MetricAnswer::Scalar(Sample { timestamp_ms, value }),
        Constant::Vector(value) => MetricAnswer::Vector(series(value, [timestamp_ms])),
    })
}

/// Evaluates at every time of a grid.
pub fn range(expr: &MetricExpr, grid: Grid) -> Result<MetricAnswer, Error> {
    let value = match evaluate(expr)? {
        Constant::Number(value) => Some(value),
        Constant::Vector(value) => value,
    };
    Ok(MetricAnswer::Matrix(series(value, grid.times_ms())))
}

/// One series without labels; none if there is no value.
fn series(value: Option<f64>, times_ms: impl IntoIterator<Item = i64>) -> Vec<Series> {
    let sampled = |value| {
        let samples = times_ms.into_iter().map(|timestamp_ms| Sample { timestamp_ms, value }).collect();
        Series { labels: LabelSet::default(), samples }
    };
    value.map(sampled).into_iter().collect()
}

/// What a constant expression is at any time.
#[derive(Clone, Copy)]
enum Constant {
    Number(f64),
    /// A vector of one sample without labels, or of none.
    Vector(Option<f64>),
}

fn evaluate(expr: &MetricExpr) -> Result<Constant, Error> {
    match expr {
        MetricExpr::Literal(value) => Ok(Constant::Number(*value)),
        MetricExpr::Vector(value) => Ok(Constant::Vector(Some(*value))),
        MetricExpr::Binary(binary) => {
            let (left, right) = (evaluate(&binary.left)?, evaluate(&binary.right)?);
            Ok(combine(binary, left, right))
        }
        MetricExpr::Range(_) | MetricExpr::Aggregate(_) | MetricExpr::LabelReplace(_) => Err(Error::MetricUnsupported),
    }
}

/// Two samples without labels always match, whatever `on` or `ignoring` says.
fn combine(binary: &BinaryExpr, left: Constant, right: Constant) -> Constant {
    let op = binary.op;
    // A comparison that is not `bool` keeps the vector's value (of two vectors the left one's) where it holds.
    let joined = |left: f64, right: f64, kept: f64| {
        let result = op.apply(left, right);
        if op.comparison().is_none() || binary.return_bool { Some(result) } else { (result != 0.0).then_some(kept) }
    };
    match (left, right) {
        (Constant::Number(left), Constant::Number(right)) => Constant::Number(op.apply(left, right)),
        (Constant::Vector(left), Constant::Number(right)) => {
            Constant::Vector(left.and_then(|left| joined(left, right, left)))
        }
        (Constant::Number(left), Constant::Vector(right)) => {
            Constant::Vector(right.and_then(|right| joined(left, right, right)))
        }
        (Constant::Vector(left), Constant::Vector(right)) => Constant::Vector(match op {
            BinaryOp::Or => left.or(right),
            BinaryOp::And => right.and(left),
            BinaryOp::Unless => {
                if right.is_some() {
                    None
                } else {
                    left
                }
            }
            _ => left.zip(right).and_then(|(left, right)| joined(left, right, left)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::{self, Expr};

    fn metric(query: &str) -> MetricExpr {
        match logql::parse(query) {
            Ok(Expr::Metric(expr)) => expr,
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn constants_are_evaluated() {
        for (query, want) in [
            ("vector(1)+vector(1)", Some(2.0)),
            ("vector(3) * 2 - 1", Some(5.0)),
            ("2 ^ vector(3)", Some(8.0)),
            ("vector(1) > bool vector(2)", Some(0.0)),
            ("vector(1) > vector(2)", None),
            ("vector(3) > 2", Some(3.0)),
            ("2 < vector(3)", Some(3.0)),
            ("vector(0) or vector(7)", Some(0.0)),
            ("(vector(1) > 2) or vector(7)", Some(7.0)),
            ("vector(1) and vector(7)", Some(1.0)),
            ("vector(1) unless vector(7)", None),
        ] {
            let want = MetricAnswer::Vector(series(want, [4_000_000_000_000]));
            assert_eq!(instant(&metric(query), 4_000_000_000_000).unwrap(), want, "{query}");
        }
        let sample = Sample { timestamp_ms: 5, value: -3.0 };
        assert_eq!(instant(&metric("(1 + 2) * (3 - 4)"), 5).unwrap(), MetricAnswer::Scalar(sample));
    }

    #[test]
    fn a_range_of_a_constant_has_a_point_at_every_step() {
        let grid = Grid::aligned(5_000_000_000, 33_000_000_000, 10_000_000_000);
        let want = MetricAnswer::Matrix(series(Some(2.0), [0, 10_000, 20_000, 30_000, 40_000]));
        for query in ["2", "vector(2)"] {
            assert_eq!(range(&metric(query), grid).unwrap(), want, "{query}");
        }
        assert_eq!(range(&metric("vector(2) > 5"), grid).unwrap(), MetricAnswer::Matrix(Vec::new()));
    }

    #[test]
    fn grids_are_aligned_outward() {
        for (start_ms, end_ms, step_ms, want) in [
            (20_000, 20_000, 10_000, vec![20_000]),
            (25_000, 25_000, 10_000, vec![20_000, 30_000]),
            (-5, 5, 10, vec![-10, 0, 10]),
            (1, 3, 0, vec![1, 2, 3]),
        ] {
            let grid = Grid::aligned(start_ms * NS_PER_MS, end_ms * NS_PER_MS, step_ms * NS_PER_MS);
            assert_eq!(grid.times_ms().collect::<Vec<_>>(), want, "{start_ms} to {end_ms} by {step_ms}");
        }
    }

    #[test]
    fn what_needs_logs_is_refused() {
        let error = instant(&metric(r#"sum(rate({a="b"}[5m]))"#), 0).unwrap_err();
        assert!(matches!(error, Error::MetricUnsupported), "{error}");
    }
}
