//! Which samples of two vectors an operator brings together: those whose labels agree, all of them or
//! those that `on` and `ignoring` leave.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{
    binary::outcome,
    key::KeyLabels,
    series::{Point, Row},
};
use crate::logql::{BinaryExpr, BinaryOp, Matching};
use crate::query::{Cancel, Error, ResultLabels};

const MANY_ON_THE_RIGHT: Error = Error::Matching(
    "found duplicate series on the right hand-side;many-to-many matching not allowed: matching labels must be unique on one side",
);
const MANY_ON_THE_LEFT: Error = Error::Matching(
    "found duplicate series on the left hand-side;many-to-many matching not allowed: matching labels must be unique on one side",
);
const NOT_EXPLICIT: Error =
    Error::Matching("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
const NOT_UNIQUE: Error = Error::Matching("multiple matches for labels: grouping labels must ensure unique matches");

/// The rows of one side by the labels that must agree.
type Sides<'r> = HashMap<ResultLabels, Vec<&'r Row>, FixedState>;

/// What of a row's labels must agree.
fn agreeing(matching: Option<&Matching>) -> KeyLabels {
    match matching {
        Some(matching) if matching.on => KeyLabels::by(&matching.labels),
        Some(matching) => KeyLabels::without(&matching.labels),
        None => KeyLabels::without(&[]),
    }
}

fn by_agreeing<'r>(labels: &KeyLabels, rows: &'r [Row]) -> Sides<'r> {
    let mut sides = Sides::default();
    for row in rows {
        sides.entry(labels.of(&row.labels)).or_default().push(row);
    }
    sides
}

/// Applies an arithmetic operator or a comparison to the samples that match at each step.
pub(super) fn combine_vectors(
    expr: &BinaryExpr,
    left: &[Row],
    right: &[Row],
    cancel: &Cancel,
) -> Result<Vec<Row>, Error> {
    let labels = agreeing(expr.matching.as_ref());
    let group = expr.matching.as_ref().and_then(|matching| matching.group.as_ref());
    // "Many" is the side whose labels the result keeps; without a group both have one sample each.
    let many_is_left = group.is_none_or(|group| group.left);
    let (many, one) = if many_is_left { (left, right) } else { (right, left) };
    let ones = by_agreeing(&labels, one);
    for rows in ones.values() {
        if have_a_common_step(rows) {
            return Err(if many_is_left { MANY_ON_THE_RIGHT } else { MANY_ON_THE_LEFT });
        }
    }
    let mut results = Results::default();
    for row in many {
        cancel.check()?;
        let agreed = labels.of(&row.labels);
        for partner in ones.get(&agreed).into_iter().flatten() {
            let result_labels = match group {
                Some(group) => with_included(&row.labels, &partner.labels, &group.include),
                None if expr.matching.is_some() => agreed.clone(),
                None => row.labels.clone(),
            };
            let points = common_steps(&row.points, &partner.points).map(|(step, of_many, of_one)| {
                let (left, right) = if many_is_left { (of_many, of_one) } else { (of_one, of_many) };
                (step, outcome(expr, left, right, left))
            });
            let not_unique = if group.is_some() { NOT_UNIQUE } else { NOT_EXPLICIT };
            results.add(result_labels, points, not_unique)?;
        }
    }
    Ok(results.into_rows())
}

/// The labels of the many with some of the one's.
fn with_included(many: &ResultLabels, one: &ResultLabels, include: &[String]) -> ResultLabels {
    let kept = many.iter().filter(|(name, _)| !include.iter().any(|included| included == name));
    let mut included: Vec<(&str, &str)> =
        include.iter().filter_map(|name| Some((name.as_str(), one.get(name)?))).collect();
    included.sort_unstable();
    included.dedup();
    ResultLabels::new(kept.chain(included))
}

fn have_a_common_step(rows: &[&Row]) -> bool {
    let mut steps: Vec<u32> = if rows.len() < 2 {
        Vec::new()
    } else {
        rows.iter().flat_map(|row| &row.points).map(|point| point.step).collect()
    };
    steps.sort_unstable();
    steps.windows(2).any(|pair| pair[0] == pair[1])
}

/// The steps at which both have a sample, and the two values.
fn common_steps<'p>(a: &'p [Point], b: &'p [Point]) -> impl Iterator<Item = (u32, f64, f64)> + 'p {
    let mut rest = b.iter().peekable();
    a.iter().filter_map(move |point| {
        while rest.next_if(|other| other.step < point.step).is_some() {}
        rest.next_if(|other| other.step == point.step).map(|other| (point.step, point.value, other.value))
    })
}

/// A step at which two samples matched, and the result; none where a comparison did not hold.
type Match = (u32, Option<f64>);

/// Result rows by their labels, in the order in which they come.
#[derive(Default)]
struct Results {
    rows: Vec<(ResultLabels, Vec<Match>)>,
    index: HashMap<ResultLabels, usize, FixedState>,
}

impl Results {
    /// Adds rising steps to the row of `labels`, which must not have any of them yet.
    fn add(
        &mut self,
        labels: ResultLabels,
        points: impl Iterator<Item = Match>,
        not_unique: Error,
    ) -> Result<(), Error> {
        let mut points: Vec<_> = points.collect();
        if points.is_empty() {
            return Ok(());
        }
        if let Some(at) = self.index.get(&labels) {
            let known = &mut self.rows[*at].1;
            known.append(&mut points);
            known.sort_unstable_by_key(|(step, _)| *step);
            return if known.windows(2).any(|pair| pair[0].0 == pair[1].0) { Err(not_unique) } else { Ok(()) };
        }
        self.index.insert(labels.clone(), self.rows.len());
        self.rows.push((labels, points));
        Ok(())
    }

    fn into_rows(self) -> Vec<Row> {
        let rows = self.rows.into_iter().map(|(labels, points)| {
            let points = points.into_iter().filter_map(|(step, value)| Some(Point { step, value: value? }));
            Row { labels, points: points.collect() }
        });
        rows.filter(|row| !row.points.is_empty()).collect()
    }
}

/// Applies `and`, `or` or `unless`: values and labels stay, samples stay or go.
pub(super) fn combine_sets(
    expr: &BinaryExpr,
    left: Vec<Row>,
    right: Vec<Row>,
    steps: usize,
    cancel: &Cancel,
) -> Result<Vec<Row>, Error> {
    let labels = agreeing(expr.matching.as_ref());
    Ok(match expr.op {
        BinaryOp::Or => {
            let mut rows = left;
            let more = filtered(&labels, right, &rows, false, steps, cancel)?;
            rows.extend(more);
            rows
        }
        op => filtered(&labels, left, &right, op == BinaryOp::And, steps, cancel)?,
    })
}

/// The samples of `rows` at whose step `others` have a match, or have none.
fn filtered(
    labels: &KeyLabels,
    mut rows: Vec<Row>,
    others: &[Row],
    matched: bool,
    steps: usize,
    cancel: &Cancel,
) -> Result<Vec<Row>, Error> {
    let sides = by_agreeing(labels, others);
    let mut present: HashMap<ResultLabels, Vec<bool>, FixedState> = HashMap::default();
    for row in &mut rows {
        cancel.check()?;
        let agreed = labels.of(&row.labels);
        let Some(partners) = sides.get(&agreed) else {
            if matched {
                row.points.clear();
            }
            continue;
        };
        let present = present.entry(agreed).or_insert_with(|| {
            let mut present = vec![false; steps];
            partners.iter().flat_map(|row| &row.points).for_each(|point| present[point.step as usize] = true);
            present
        });
        row.points.retain(|point| present[point.step as usize] == matched);
    }
    rows.retain(|row| !row.points.is_empty());
    Ok(rows)
}
