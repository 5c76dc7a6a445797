//! A metric query from the expression to the answer: plan, scan, combine, collect.

use std::collections::BTreeMap;

use super::{
    aggregate::aggregate,
    binary::combine,
    label_replace::replace,
    plan::{Node, Plan},
    range_function,
    scan::{Findings, Scan},
    series::{MetricAnswer, MetricValue, Point, Row, Sample, Series, Times, Value},
    window::Windows,
};
use crate::logql::{Clock, MetricExpr};
use crate::query::{
    Cancel, Error, Limits, ResultLabels,
    crew::{ALONE_BYTES_MAX, Crew},
    limits::cores,
    search::{Source, Stream, streams_of},
};
use crate::store::Store;

/// A metric query.
#[derive(Clone, Copy, Debug)]
pub struct MetricQuery<'q> {
    /// What is asked.
    pub expr: &'q MetricExpr,
    /// At which times.
    pub times: Times,
    /// What templates know of the world.
    pub clock: &'q Clock,
    /// More series than the limit are no error: the first ones are answered, with a warning.
    pub may_be_partial: bool,
}

impl MetricQuery<'_> {
    /// Whether the answer depends on what is stored; if not, it costs nothing.
    pub fn reads_lines(&self) -> bool {
        reads_lines(self.expr)
    }
}

fn reads_lines(expr: &MetricExpr) -> bool {
    match expr {
        MetricExpr::Literal(_) | MetricExpr::Vector(_) => false,
        MetricExpr::Range(_) => true,
        MetricExpr::Aggregate(aggregation) => reads_lines(&aggregation.inner),
        MetricExpr::Binary(binary) => reads_lines(&binary.left) || reads_lines(&binary.right),
        MetricExpr::LabelReplace(replace) => reads_lines(&replace.inner),
    }
}

/// Runs a metric query. `client_is_gone` is asked now and then on the calling thread.
pub fn measure(
    store: &Store,
    query: &MetricQuery<'_>,
    limits: &Limits,
    cancel: &Cancel,
    client_is_gone: &dyn Fn() -> bool,
) -> Result<MetricAnswer, Error> {
    let plan = Plan::new(query.expr, query.clock)?;
    let streams_of_leg = |leg: usize, windows: &Windows| match windows.span_ns() {
        Some((start_ns, end_ns)) => streams_of(store.snapshot(&plan.legs[leg].expr.log.selector, start_ns, end_ns)),
        None => Vec::new(),
    };
    let crew = Crew { workers: cores(), alone_bytes_max: ALONE_BYTES_MAX, cancel, client_is_gone };
    let setting = Setting { series_max: limits.max_query_series, crew };
    let mut answer = evaluate(&plan, query, &setting, &streams_of_leg)?;
    answer.statistics.exec_time = cancel.elapsed();
    Ok(answer)
}

/// What an evaluation may use.
pub(super) struct Setting<'s> {
    /// Series of the answer.
    pub(super) series_max: usize,
    pub(super) crew: Crew<'s>,
}

/// Evaluates a plan over the streams that `streams_of_leg` finds for each leg.
pub(super) fn evaluate<S: Source>(
    plan: &Plan<'_>,
    query: &MetricQuery<'_>,
    setting: &Setting<'_>,
    streams_of_leg: &dyn Fn(usize, &Windows) -> Vec<Stream<S>>,
) -> Result<MetricAnswer, Error> {
    let stamps_ms = query.times.stamps_ms();
    let mut findings = Findings::default();
    let leg_rows = scan_legs(plan, query, setting, streams_of_leg, &mut findings)?;
    let mut evaluation =
        Evaluation { uses: plan.uses(), leg_rows, steps: stamps_ms.len(), cancel: setting.crew.cancel };
    let value = evaluation.value(&plan.root)?;
    let mut warnings = findings.warnings;
    warnings.sort();
    warnings.dedup();
    let value = match (value, query.times) {
        (Value::Number(value), Times::Instant(_)) => MetricValue::Scalar(Sample { timestamp_ms: stamps_ms[0], value }),
        (value, Times::Instant(_)) => {
            let mut rows = value.into_rows(1);
            if !plan.root.sorts() {
                rows.sort_by(|a, b| a.labels.cmp(&b.labels));
            }
            MetricValue::Vector(series(limited(rows, query, setting.series_max, &mut warnings)?, &stamps_ms))
        }
        (value, Times::Grid(_)) => {
            let rows = with_distinct_labels(value.into_rows(stamps_ms.len()))?;
            MetricValue::Matrix(series(limited(rows, query, setting.series_max, &mut warnings)?, &stamps_ms))
        }
    };
    Ok(MetricAnswer { value, statistics: findings.statistics, warnings })
}

/// The rows of each scan. All snapshots are taken before the first scan begins, so that the two sides of
/// an operator see the same lines but for those that arrive in this moment.
fn scan_legs<S: Source>(
    plan: &Plan<'_>,
    query: &MetricQuery<'_>,
    setting: &Setting<'_>,
    streams_of_leg: &dyn Fn(usize, &Windows) -> Vec<Stream<S>>,
    findings: &mut Findings,
) -> Result<Vec<Option<Vec<Row>>>, Error> {
    let sources: Vec<(Windows, Vec<Stream<S>>)> = (0..plan.legs.len())
        .map(|leg| {
            let expr = plan.legs[leg].expr;
            let windows = Windows::new(query.times.iter_ns(), expr.range_ns, expr.offset_ns);
            let streams = streams_of_leg(leg, &windows);
            (windows, streams)
        })
        .collect();
    let mut leg_rows = Vec::with_capacity(sources.len());
    for (leg, (windows, streams)) in plan.legs.iter().zip(sources) {
        let scan = Scan {
            leg,
            windows: &windows,
            streams: &streams,
            series_max: (plan.is_one_leg() && !query.may_be_partial).then_some(setting.series_max),
            crew: setting.crew,
        };
        leg_rows.push(Some(range_function::rows(&scan, findings)?));
    }
    Ok(leg_rows)
}

/// Not more rows than an answer may have: an error, or the first ones and a warning.
fn limited(
    mut rows: Vec<Row>,
    query: &MetricQuery<'_>,
    series_max: usize,
    warnings: &mut Vec<String>,
) -> Result<Vec<Row>, Error> {
    if rows.len() > series_max {
        if !query.may_be_partial {
            return Err(Error::TooManySeries { series_max });
        }
        rows.truncate(series_max);
        warnings.push(format!(
            "maximum number of series ({series_max}) reached for a single query; returning partial results"
        ));
    }
    Ok(rows)
}

fn series(rows: Vec<Row>, stamps_ms: &[i64]) -> Vec<Series> {
    let sample = |point: Point| Sample { timestamp_ms: stamps_ms[point.step as usize], value: point.value };
    rows.into_iter()
        .map(|row| Series { labels: row.labels, samples: row.points.into_iter().map(sample).collect() })
        .collect()
}

/// One row for each label set, in order. Rows that have the same labels at different steps become one.
fn with_distinct_labels(rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let mut by_labels: BTreeMap<ResultLabels, Vec<Point>> = BTreeMap::new();
    for mut row in rows {
        let points = by_labels.entry(row.labels).or_default();
        points.append(&mut row.points);
    }
    let mut distinct = Vec::with_capacity(by_labels.len());
    for (labels, mut points) in by_labels {
        points.sort_by_key(|point| point.step);
        if points.windows(2).any(|pair| pair[0].step == pair[1].step) {
            return Err(Error::SameLabels(labels.to_string()));
        }
        distinct.push(Row { labels, points });
    }
    Ok(distinct)
}

/// The evaluation of a plan whose scans are done.
struct Evaluation<'e> {
    /// How often each leg's rows are still asked for; the last one gets them.
    uses: Vec<usize>,
    leg_rows: Vec<Option<Vec<Row>>>,
    steps: usize,
    cancel: &'e Cancel,
}

impl Evaluation<'_> {
    fn value(&mut self, node: &Node<'_>) -> Result<Value, Error> {
        let value = match node {
            Node::Literal(value) => Value::Number(*value),
            Node::Vector(value) => Value::Rows(vec![Row::constant(*value, self.steps)]),
            Node::Leg(leg) => Value::Rows(self.rows_of_leg(*leg)),
            Node::Aggregate { op, keep, labels, inner } => {
                let rows = self.value(inner)?.into_rows(self.steps);
                Value::Rows(aggregate(*op, *keep, labels, rows, self.steps, self.cancel)?)
            }
            Node::Binary { expr, left, right } => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                combine(expr, left, right, self.steps, self.cancel)?
            }
            Node::LabelReplace { expr, inner } => {
                let rows = self.value(inner)?.into_rows(self.steps);
                Value::Rows(replace(expr, rows, self.cancel)?)
            }
        };
        value.bounded()
    }

    fn rows_of_leg(&mut self, leg: usize) -> Vec<Row> {
        self.uses[leg] -= 1;
        let rows = &mut self.leg_rows[leg];
        if self.uses[leg] == 0 { rows.take() } else { rows.clone() }.unwrap_or_default()
    }
}
