//! Operators between numbers and vectors.

use super::{
    matching::{combine_sets, combine_vectors},
    series::{Row, Value},
};
use crate::logql::BinaryExpr;
use crate::query::{Cancel, Error};

/// Applies an operator.
pub(super) fn combine(
    expr: &BinaryExpr,
    left: Value,
    right: Value,
    steps: usize,
    cancel: &Cancel,
) -> Result<Value, Error> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => Value::Number(expr.op.apply(left, right)),
        (Value::Rows(rows), Value::Number(right)) => {
            Value::Rows(each(rows, |value| outcome(expr, value, right, value)))
        }
        (Value::Number(left), Value::Rows(rows)) => Value::Rows(each(rows, |value| outcome(expr, left, value, value))),
        (Value::Rows(left), Value::Rows(right)) if expr.op.is_set() => {
            Value::Rows(combine_sets(expr, left, right, steps, cancel)?)
        }
        (Value::Rows(left), Value::Rows(right)) => Value::Rows(combine_vectors(expr, &left, &right, cancel)?),
    })
}

/// The operator applied to two numbers. A comparison that is not `bool` gives `kept` where it holds and
/// nothing where it does not.
pub(super) fn outcome(expr: &BinaryExpr, left: f64, right: f64, kept: f64) -> Option<f64> {
    let result = expr.op.apply(left, right);
    if expr.op.comparison().is_none() || expr.return_bool { Some(result) } else { (result != 0.0).then_some(kept) }
}

/// Each value replaced by what `change` makes of it. Labels stay.
fn each(mut rows: Vec<Row>, change: impl Fn(f64) -> Option<f64>) -> Vec<Row> {
    for row in &mut rows {
        row.points.retain_mut(|point| match change(point.value) {
            Some(value) => {
                point.value = value;
                true
            }
            None => false,
        });
    }
    rows.retain(|row| !row.points.is_empty());
    rows
}
