//! The functions over the series of a vector: `sum by (x) (...)` and its like, at every step.

use std::{cmp::Ordering, collections::HashMap};

use foldhash::fast::FixedState;

use super::{
    accumulator::{Accumulator, Extremes, Moments, Sum},
    key::KeyLabels,
    series::{Cursors, Point, Row},
};
use crate::logql::VectorOp;
use crate::query::{Cancel, Error, ResultLabels};

/// Applies a function to the groups that `labels` forms. `keep` is the parameter of the `topk` family.
pub(super) fn aggregate(
    op: VectorOp,
    keep: usize,
    labels: &KeyLabels,
    rows: Vec<Row>,
    steps: usize,
    cancel: &Cancel,
) -> Result<Vec<Row>, Error> {
    match op {
        VectorOp::Sort | VectorOp::SortDesc => {
            let mut rows = rows;
            // Only a vector of one step has an order; in a matrix the series are sorted by their labels.
            let first = |row: &Row| row.points.first().map_or(f64::NAN, |point| point.value);
            rows.sort_by(|a, b| rank(op == VectorOp::SortDesc, first(a), first(b)));
            Ok(rows)
        }
        VectorOp::Topk | VectorOp::ApproxTopk | VectorOp::Bottomk => {
            let groups = grouped(labels, rows);
            let mut kept = Vec::new();
            for (_, rows) in groups {
                cancel.check()?;
                kept.extend(best(op != VectorOp::Bottomk, keep, rows, steps));
            }
            Ok(kept)
        }
        VectorOp::Sum => folded(labels, rows, steps, cancel, Sum::push, Sum::sum),
        VectorOp::Avg => folded(labels, rows, steps, cancel, Sum::push, Sum::mean),
        VectorOp::Max => folded(labels, rows, steps, cancel, Extremes::push, Extremes::max),
        VectorOp::Min => folded(labels, rows, steps, cancel, Extremes::push, Extremes::min),
        VectorOp::Count => folded(labels, rows, steps, cancel, |sum: &mut Sum, _| sum.push(1.0), Sum::sum),
        VectorOp::Stddev => folded(labels, rows, steps, cancel, Moments::push, |moments| moments.variance().sqrt()),
        VectorOp::Stdvar => folded(labels, rows, steps, cancel, Moments::push, Moments::variance),
    }
}

/// One row for each group; a step at which the group has no sample has none either.
fn folded<A: Accumulator>(
    labels: &KeyLabels,
    rows: Vec<Row>,
    steps: usize,
    cancel: &Cancel,
    take: impl Fn(&mut A, f64),
    finish: impl Fn(&A) -> f64,
) -> Result<Vec<Row>, Error> {
    let mut folded = Vec::new();
    let mut cells = vec![A::default(); steps];
    for (labels, rows) in grouped(labels, rows) {
        cancel.check()?;
        for point in rows.iter().flat_map(|row| &row.points) {
            take(&mut cells[point.step as usize], point.value);
        }
        let mut points = Vec::new();
        for (step, cell) in (0..).zip(&mut cells) {
            if !cell.is_empty() {
                points.push(Point { step, value: finish(cell) });
                *cell = A::default();
            }
        }
        folded.push(Row { labels, points });
    }
    Ok(folded)
}

/// The rows by the labels of their groups, both in the order in which they come.
fn grouped(labels: &KeyLabels, rows: Vec<Row>) -> Vec<(ResultLabels, Vec<Row>)> {
    let mut groups: Vec<(ResultLabels, Vec<Row>)> = Vec::new();
    let mut index: HashMap<ResultLabels, usize, FixedState> = HashMap::default();
    for row in rows {
        let key = labels.of(&row.labels);
        let at = *index.entry(key).or_insert_with_key(|key| {
            groups.push((key.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(row);
    }
    groups
}

/// Of each step the `keep` greatest (or least) samples; of equal ones those of earlier rows.
fn best(greatest: bool, keep: usize, rows: Vec<Row>, steps: usize) -> Vec<Row> {
    let mut cursors = Cursors::new(rows.len());
    let mut kept: Vec<Vec<Point>> = vec![Vec::new(); rows.len()];
    let mut present: Vec<(usize, f64)> = Vec::new();
    for step in (0..).take(steps) {
        present.clear();
        present.extend(rows.iter().enumerate().filter_map(|(at, row)| Some((at, cursors.at(at, &row.points, step)?))));
        let order = |a: &(usize, f64), b: &(usize, f64)| rank(greatest, a.1, b.1).then(a.0.cmp(&b.0));
        if keep < present.len() {
            present.select_nth_unstable_by(keep, order);
            present.truncate(keep);
        }
        for (at, value) in &present {
            kept[*at].push(Point { step, value: *value });
        }
    }
    let rows = rows.into_iter().zip(kept).map(|(row, points)| Row { labels: row.labels, points });
    rows.filter(|row| !row.points.is_empty()).collect()
}

/// The better of two numbers first; NaN is the worst whatever is asked for.
fn rank(greatest: bool, a: f64, b: f64) -> Ordering {
    let by_value = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    a.is_nan().cmp(&b.is_nan()).then(if greatest { by_value.reverse() } else { by_value })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name`, and its values at each step; `None`: no sample.
    fn row(labels: &[(&str, &str)], values: &[Option<f64>]) -> Row {
        let points = (0..).zip(values).filter_map(|(step, value)| Some(Point { step, value: (*value)? })).collect();
        Row { labels: ResultLabels::new(labels.iter().copied()), points }
    }

    fn show(rows: &[Row]) -> Vec<String> {
        let show = |row: &Row| {
            let points = row.points.iter().map(|point| format!("{}:{}", point.step, point.value));
            format!("{} {}", row.labels, points.collect::<Vec<_>>().join(" "))
        };
        rows.iter().map(show).collect()
    }

    fn sample_rows() -> Vec<Row> {
        vec![
            row(&[("h", "a"), ("r", "x")], &[Some(1.0), Some(f64::NAN), None]),
            row(&[("h", "a"), ("r", "y")], &[Some(2.0), Some(5.0), None]),
            row(&[("h", "b"), ("r", "x")], &[Some(6.0), None, Some(f64::INFINITY)]),
            row(&[("r", "y")], &[None, None, Some(4.0)]),
        ]
    }

    fn run(op: VectorOp, keep: usize, labels: &KeyLabels) -> Vec<String> {
        show(&aggregate(op, keep, labels, sample_rows(), 3, &Cancel::after(std::time::Duration::MAX)).unwrap())
    }

    #[test]
    fn groups_are_folded_step_by_step() {
        let (all, by_h) = (KeyLabels::by(&[]), KeyLabels::by(&["h".to_owned()]));
        let without_h = KeyLabels::without(&["h".to_owned()]);
        for (op, labels, want) in [
            (VectorOp::Sum, &all, &["{} 0:9 1:NaN 2:inf"][..]),
            (VectorOp::Sum, &by_h, &[r#"{h="a"} 0:3 1:NaN"#, r#"{h="b"} 0:6 2:inf"#, "{} 2:4"]),
            (VectorOp::Count, &without_h, &[r#"{r="x"} 0:2 1:1 2:1"#, r#"{r="y"} 0:1 1:1 2:1"#]),
            (VectorOp::Avg, &all, &["{} 0:3 1:NaN 2:inf"]),
            (VectorOp::Min, &all, &["{} 0:1 1:5 2:4"]),
            (VectorOp::Max, &all, &["{} 0:6 1:5 2:inf"]),
            (VectorOp::Stdvar, &by_h, &[r#"{h="a"} 0:0.25 1:NaN"#, r#"{h="b"} 0:0 2:NaN"#, "{} 2:0"]),
            (VectorOp::Stddev, &by_h, &[r#"{h="a"} 0:0.5 1:NaN"#, r#"{h="b"} 0:0 2:NaN"#, "{} 2:0"]),
        ] {
            assert_eq!(run(op, 0, labels), want, "{op:?}");
        }
    }

    #[test]
    fn the_best_of_each_step_keep_their_labels_and_nan_is_the_worst() {
        let (all, by_h) = (KeyLabels::by(&[]), KeyLabels::by(&["h".to_owned()]));
        let (ax, ay, bx, y) = (r#"{h="a", r="x"}"#, r#"{h="a", r="y"}"#, r#"{h="b", r="x"}"#, r#"{r="y"}"#);
        for (op, keep, labels, want) in [
            (VectorOp::Topk, 1, &all, vec![format!("{ay} 1:5"), format!("{bx} 0:6 2:inf")]),
            (VectorOp::Bottomk, 1, &all, vec![format!("{ax} 0:1"), format!("{ay} 1:5"), format!("{y} 2:4")]),
            (VectorOp::Topk, 1, &by_h, vec![format!("{ay} 0:2 1:5"), format!("{bx} 0:6 2:inf"), format!("{y} 2:4")]),
            (
                VectorOp::Topk,
                5,
                &all,
                vec![format!("{ax} 0:1 1:NaN"), format!("{ay} 0:2 1:5"), format!("{bx} 0:6 2:inf"), format!("{y} 2:4")],
            ),
        ] {
            assert_eq!(run(op, keep, labels), want, "{op:?} {keep}");
        }
    }

    #[test]
    fn a_vector_is_sorted_with_nan_last() {
        let rows = || {
            [2.0, f64::NAN, -1.0, f64::INFINITY].map(|value| row(&[("v", &value.to_string())], &[Some(value)])).to_vec()
        };
        for (op, want) in [(VectorOp::Sort, "-1 2 inf NaN"), (VectorOp::SortDesc, "inf 2 -1 NaN")] {
            let cancel = Cancel::after(std::time::Duration::MAX);
            let sorted = aggregate(op, 0, &KeyLabels::by(&[]), rows(), 1, &cancel).unwrap();
            let values: Vec<String> = sorted.iter().map(|row| row.points[0].value.to_string()).collect();
            assert_eq!(values.join(" "), want);
        }
    }
}
