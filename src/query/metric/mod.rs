//! Metric queries: numbers out of lines.
//!
//! An expression is planned once (`plan`): which scans over lines it needs, which labels their series
//! have, and which parts of a piece are worth reading. A scan (`scan`) hands pieces of streams to one
//! worker per core; each turns lines into accumulators by series (`key`, `table`) and by bucket of time
//! (`window`, `extract`), which keep no line and, but for quantiles, no value (`accumulator`).
//! Buckets are joined to windows (`slide`, `range_function`), and the rows of numbers that come out are
//! combined by the functions and operators around them (`aggregate`, `binary`, `matching`,
//! `label_replace`) into the answer (`evaluate`). Constants are expressions without a scan.

mod accumulator;
mod aggregate;
mod binary;
mod evaluate;
mod extract;
mod grid;
mod key;
mod label_replace;
mod matching;
mod plan;
mod range_function;
mod scan;
mod series;
mod slide;
mod table;
#[cfg(test)]
mod tests;
mod window;

pub use evaluate::{MetricQuery, measure};
pub use grid::Grid;
pub use series::{MetricAnswer, MetricValue, Sample, Series, Times};
