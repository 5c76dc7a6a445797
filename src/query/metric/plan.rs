//! How a metric expression is answered: which scans over the lines it needs, and how their series are
//! combined. Decided once per query: what a grouping leaves of the labels is known before the first
//! line is read, and so are the parts of a piece that are worth reading.

use std::collections::BTreeSet;

use super::key::KeyLabels;
use crate::labels::{LabelSet, MatchOp, Matcher};
use crate::logql::{
    self, BinaryExpr, Clock, Grouping, LabelReplace, LineOp, LineOperand, MetricExpr, ParseError, Pipeline,
    RangeAggregation, RangeOp, Stage, VectorOp,
};
use crate::query::{Error, ResultLabels, grep::Prefilter};
use crate::store::Columns;

/// An expression ready to be evaluated.
pub(super) struct Plan<'q> {
    /// The scans, none twice.
    pub(super) legs: Vec<Leg<'q>>,
    /// What is made of them.
    pub(super) root: Node<'q>,
}

/// A step of the evaluation.
#[derive(Debug)]
pub(super) enum Node<'q> {
    /// A number.
    Literal(f64),
    /// One sample without labels at every time.
    Vector(f64),
    /// The series of a scan, by its index.
    Leg(usize),
    /// A function over the series of a vector.
    Aggregate {
        op: VectorOp,
        /// How many samples the `topk` family keeps.
        keep: usize,
        labels: KeyLabels,
        inner: Box<Node<'q>>,
    },
    /// Two vectors, or a vector and a number.
    Binary { expr: &'q BinaryExpr, left: Box<Node<'q>>, right: Box<Node<'q>> },
    /// A label made of another one.
    LabelReplace { expr: &'q LabelReplace, inner: Box<Node<'q>> },
}

/// One scan over lines: a function over ranges, and the labels of its series.
pub(super) struct Leg<'q> {
    pub(super) expr: &'q RangeAggregation,
    pub(super) labels: KeyLabels,
    pub(super) pipeline: Pipeline,
    pub(super) prefilter: Prefilter,
    /// What a line adds to its series.
    pub(super) extract: Extract,
    /// Whether a stage looks at labels, or makes some.
    has_label_stages: bool,
}

/// What a line adds to its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extract {
    /// 1, and nothing has to be known of the line.
    Every,
    /// 1 if the line holds the literals of the one filter there is, which the search finds by itself.
    Found,
    /// 1 if the line passes the pipeline.
    Passed,
    /// Its bytes, if it passes the pipeline.
    Bytes,
    /// The number that is unwrapped.
    Unwrapped,
}

impl<'q> Plan<'q> {
    /// Plans an expression. Refuses what cannot be compiled, and `approx_topk`, as Loki does by default.
    pub(super) fn new(expr: &'q MetricExpr, clock: &Clock) -> Result<Self, Error> {
        let mut planner = Planner { legs: Vec::new(), clock };
        let root = planner.node(expr)?;
        Ok(Self { legs: planner.legs, root })
    }

    /// How often each scan's rows are asked for.
    pub(super) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.legs.len()];
        self.root.each_leg(&mut |leg| uses[leg] += 1);
        uses
    }

    /// Whether the series of the answer are those of a single scan.
    pub(super) fn is_one_leg(&self) -> bool {
        matches!(self.root, Node::Leg(_))
    }
}

impl Node<'_> {
    fn each_leg(&self, take: &mut dyn FnMut(usize)) {
        match self {
            Self::Literal(_) | Self::Vector(_) => {}
            Self::Leg(leg) => take(*leg),
            Self::Aggregate { inner, .. } | Self::LabelReplace { inner, .. } => inner.each_leg(take),
            Self::Binary { left, right, .. } => {
                left.each_leg(take);
                right.each_leg(take);
            }
        }
    }

    /// Whether the order of an instant vector was asked for.
    pub(super) fn sorts(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Vector(_) | Self::Leg(_) => false,
            Self::Aggregate { op, inner, .. } => matches!(op, VectorOp::Sort | VectorOp::SortDesc) || inner.sorts(),
            Self::Binary { left, right, .. } => left.sorts() || right.sorts(),
            Self::LabelReplace { inner, .. } => inner.sorts(),
        }
    }
}

struct Planner<'q, 'c> {
    legs: Vec<Leg<'q>>,
    /// What templates know of the world.
    clock: &'c Clock,
}

impl<'q> Planner<'q, '_> {
    fn node(&mut self, expr: &'q MetricExpr) -> Result<Node<'q>, Error> {
        Ok(match expr {
            MetricExpr::Literal(value) => Node::Literal(*value),
            MetricExpr::Vector(value) => Node::Vector(*value),
            MetricExpr::Range(range) => self.leg(range, None)?,
            MetricExpr::Aggregate(aggregation) => {
                if aggregation.op == VectorOp::ApproxTopk {
                    return Err(Error::ApproxTopkDisabled);
                }
                let labels = aggregation.grouping.as_ref().map_or_else(|| KeyLabels::by(&[]), key_labels);
                let inner = match &aggregation.inner {
                    MetricExpr::Range(range) if aggregation.op == VectorOp::Sum && is_summed(range) => {
                        self.leg(range, Some(&labels))?
                    }
                    inner => self.node(inner)?,
                };
                let keep = aggregation.parameter.map_or(0, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
                Node::Aggregate { op: aggregation.op, keep, labels, inner: Box::new(inner) }
            }
            MetricExpr::Binary(expr) => {
                let (left, right) = (self.node(&expr.left)?, self.node(&expr.right)?);
                Node::Binary { expr, left: Box::new(left), right: Box::new(right) }
            }
            MetricExpr::LabelReplace(expr) => Node::LabelReplace { expr, inner: Box::new(self.node(&expr.inner)?) },
        })
    }

    /// The scan of a range aggregation; an equal one that is there already serves for both. `summed` are
    /// the labels that the sum around it leaves.
    fn leg(&mut self, expr: &'q RangeAggregation, summed: Option<&KeyLabels>) -> Result<Node<'q>, ParseError> {
        let labels = leg_labels(expr, summed);
        if let Some(at) = self.legs.iter().position(|leg| leg.expr == expr && leg.labels == labels) {
            return Ok(Node::Leg(at));
        }
        let needs = match &labels {
            KeyLabels::By(names) => logql::Needs::Labels(names),
            KeyLabels::Without(_) => logql::Needs::All,
        };
        let pipeline = Pipeline::compile_for_samples(expr, needs, self.clock)?;
        let prefilter = Prefilter::of(&pipeline);
        let extract = match expr.op {
            RangeOp::Bytes | RangeOp::BytesRate => Extract::Bytes,
            _ if expr.unwrap.is_some() => Extract::Unwrapped,
            _ if pipeline.is_empty() => Extract::Every,
            _ if is_one_literal_test(&expr.log.stages) => Extract::Found,
            _ => Extract::Passed,
        };
        let is_line_filter = |stage: &Stage| matches!(stage, Stage::LineFilter(_));
        let only_filters_lines = expr.unwrap.is_none() && expr.log.stages.iter().all(is_line_filter);
        let has_label_stages = !pipeline.is_empty() && !only_filters_lines;
        self.legs.push(Leg { expr, labels, pipeline, prefilter, extract, has_label_stages });
        Ok(Node::Leg(self.legs.len() - 1))
    }
}

/// The labels of a function's series: of its own grouping or of the sum around it, else all. What was
/// unwrapped is no label any more unless a grouping names it.
fn leg_labels(expr: &RangeAggregation, summed: Option<&KeyLabels>) -> KeyLabels {
    let grouped = match (&expr.grouping, summed) {
        _ if expr.op == RangeOp::Absent => return KeyLabels::by(&[]),
        (Some(grouping), _) => key_labels(grouping),
        (None, Some(summed)) => summed.clone(),
        (None, None) => KeyLabels::without(&[]),
    };
    match (grouped, &expr.unwrap) {
        (KeyLabels::Without(mut names), Some(unwrap)) => {
            names.push(unwrap.label.clone());
            KeyLabels::without(&names)
        }
        (grouped, _) => grouped,
    }
}

/// Whether the sum of a function's results over several series is its result over all their lines.
fn is_summed(range: &RangeAggregation) -> bool {
    range.grouping.is_none()
        && matches!(range.op, RangeOp::Rate | RangeOp::Count | RangeOp::BytesRate | RangeOp::Bytes | RangeOp::Sum)
}

fn key_labels(grouping: &Grouping) -> KeyLabels {
    if grouping.without { KeyLabels::without(&grouping.labels) } else { KeyLabels::by(&grouping.labels) }
}

/// Whether a line passes exactly if it holds one of the literals of a single filter.
fn is_one_literal_test(stages: &[Stage]) -> bool {
    // A text with a newline may begin in one line and end in the next.
    let literal =
        |operand: &LineOperand| matches!(operand, LineOperand::Text(text) if !text.is_empty() && !text.contains('\n'));
    match stages {
        [Stage::LineFilter(filter)] => filter.op == LineOp::Contains && filter.operands.iter().all(literal),
        _ => false,
    }
}

impl Leg<'_> {
    /// What has to be read of the pieces of a stream.
    pub(super) fn needs(&self, stream: &LabelSet) -> Columns {
        let lines = self.extract != Extract::Every;
        let tell_series_apart = match &self.labels {
            // A stream's label hides metadata of the same name.
            KeyLabels::By(names) => names.iter().any(|name| stream.get(name).is_none()),
            KeyLabels::Without(_) => true,
        };
        Columns { metadata: tell_series_apart || self.has_label_stages, lines }
    }

    /// The labels of the sample that says that there is none: those that the selector leaves no choice for.
    pub(super) fn absent_labels(&self) -> ResultLabels {
        let selector = &self.expr.log.selector;
        let names: BTreeSet<&str> = selector.iter().map(|matcher| matcher.name.as_str()).collect();
        ResultLabels::new(names.into_iter().filter_map(|name| {
            let mut matchers = selector.iter().filter(|matcher| matcher.name == name);
            match (matchers.next(), matchers.next()) {
                (Some(Matcher { op: MatchOp::Equal, value, .. }), None) if !value.is_empty() => {
                    Some((name, value.as_str()))
                }
                _ => None,
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::{self, Expr};

    fn check<T>(query: &str, look: impl FnOnce(&Plan<'_>) -> T) -> T {
        match logql::parse(query) {
            Ok(Expr::Metric(expr)) => look(&Plan::new(&expr, &Clock::default()).unwrap()),
            other => panic!("{query}: {other:?}"),
        }
    }

    fn names(labels: &KeyLabels) -> String {
        match labels {
            KeyLabels::By(names) => format!("by {}", names.join(" ")),
            KeyLabels::Without(names) => format!("without {}", names.join(" ")),
        }
    }

    #[test]
    fn groupings_are_known_to_the_scan() {
        for (query, want) in [
            (r#"rate({a="b"}[5m])"#, "without "),
            (r#"sum(rate({a="b"}[5m]))"#, "by "),
            (r#"sum by (y, x) (count_over_time({a="b"}[5m]))"#, "by x y"),
            (r#"sum without (y, x) (count_over_time({a="b"}[5m]))"#, "without x y"),
            (r#"max by (x) (count_over_time({a="b"}[5m]))"#, "without "),
            (r#"sum by (x) (sum_over_time({a="b"} | unwrap v [5m]))"#, "by x"),
            (r#"sum by (x) (max_over_time({a="b"} | unwrap v [5m]))"#, "without v"),
            (r#"sum(max_over_time({a="b"} | unwrap v [5m]) by (v))"#, "by v"),
            (r#"max_over_time({a="b"} | unwrap v [5m]) without (x)"#, "without v x"),
            (r#"absent_over_time({a="b"} | unwrap v [5m])"#, "by "),
        ] {
            check(query, |plan| assert_eq!(names(&plan.legs[0].labels), want, "{query}"));
        }
    }

    #[test]
    fn equal_scans_are_made_once() {
        for (query, legs) in [
            (r#"rate({a="b"}[5m]) / rate({a="b"}[5m])"#, 1),
            (r#"sum(rate({a="b"}[5m])) / count(rate({a="b"}[5m]))"#, 2),
            (r#"rate({a="b"}[5m]) / rate({a="b"}[5m] offset 5m)"#, 2),
            ("vector(1) + 1", 0),
        ] {
            check(query, |plan| assert_eq!(plan.legs.len(), legs, "{query}"));
        }
    }

    #[test]
    fn only_what_is_looked_at_is_read() {
        let stream = LabelSet::new(vec![("host".into(), "h".into())]);
        for (query, extract, metadata, lines) in [
            (r#"sum(count_over_time({a="b"}[5m]))"#, Extract::Every, false, false),
            (r#"sum by (host) (rate({a="b"}[5m]))"#, Extract::Every, false, false),
            (r#"sum by (host, detected_level) (rate({a="b"}[5m]))"#, Extract::Every, true, false),
            (r#"count_over_time({a="b"}[5m])"#, Extract::Every, true, false),
            (r#"absent_over_time({a="b"}[5m])"#, Extract::Every, false, false),
            (r#"sum(count_over_time({a="b"} | json [5m]))"#, Extract::Every, false, false),
            (r#"sum(count_over_time({a="b"} |= "x" or "y" [5m]))"#, Extract::Found, false, true),
            (r#"sum(count_over_time({a="b"} |= "x\n" [5m]))"#, Extract::Passed, false, true),
            (r#"sum(count_over_time({a="b"} |= "x" != "y" [5m]))"#, Extract::Passed, false, true),
            (r#"sum(count_over_time({a="b"} | x="y" [5m]))"#, Extract::Passed, true, true),
            (r#"sum(bytes_over_time({a="b"}[5m]))"#, Extract::Bytes, false, true),
            (r#"sum(sum_over_time({a="b"} | unwrap v [5m]))"#, Extract::Unwrapped, true, true),
        ] {
            check(query, |plan| {
                let leg = &plan.legs[0];
                assert_eq!((leg.extract, leg.needs(&stream)), (extract, Columns { metadata, lines }), "{query}");
            });
        }
    }

    #[test]
    fn what_is_absent_has_the_labels_that_are_certain() {
        for (selector, want) in [
            (r#"{t="n",x=~"y",z!="1",w="2"}"#, r#"{t="n", w="2"}"#),
            (r#"{t="n",t="o"}"#, "{}"),
            (r#"{t="n",t=~"n.*",w=""}"#, "{}"),
        ] {
            check(&format!("absent_over_time({selector}[10s])"), |plan| {
                assert_eq!(plan.legs[0].absent_labels().to_string(), want);
            });
        }
    }
}
