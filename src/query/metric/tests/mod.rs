//! Whole queries over entries in memory.

mod definitions;
mod examples;
mod workers;

use std::{sync::Arc, time::Duration};

use super::{
    Grid, MetricAnswer, MetricQuery, MetricValue, Times,
    evaluate::{Setting, evaluate},
    plan::Plan,
};
use crate::labels::Entries;
use crate::logql::{self, Clock, Expr, MetricExpr};
use crate::query::{
    Cancel, Error,
    crew::Crew,
    search::{Source, Stream},
    testing::{Run, set},
};

const S: i64 = 1_000_000_000;

/// An entry of a stream: nanoseconds, line, metadata.
type Line<'l> = (i64, String, &'l [(&'l str, &'l str)]);

/// A stream whose pieces have `piece_lines` entries each; every second one is sorted, as blocks are.
fn stream(labels: &[(&str, &str)], lines: &[Line<'_>], piece_lines: usize) -> Stream<Run> {
    let mut first_entry = 0;
    let pieces = lines.chunks(piece_lines).enumerate().map(|(n, lines)| {
        let mut entries = Entries::new();
        for (timestamp_ns, line, metadata) in lines {
            let metadata = entries.intern(&set(metadata));
            entries.push(*timestamp_ns, line.as_bytes(), metadata);
        }
        let entries = if n % 2 == 0 { entries.sorted_by_time().unwrap_or(entries) } else { entries };
        let run = Run::new(first_entry, entries);
        first_entry += lines.len() as u64;
        run
    });
    Stream { labels: Arc::new(set(labels)), pieces: pieces.collect() }
}

fn parsed(query: &str) -> MetricExpr {
    match logql::parse(query) {
        Ok(Expr::Metric(expr)) => expr,
        other => panic!("{query}: {other:?}"),
    }
}

/// How a query is run. With more than one worker, all of them work from the second piece on.
#[derive(Clone, Copy)]
struct How {
    workers: usize,
    series_max: usize,
    may_be_partial: bool,
    client_is_gone: bool,
}

impl Default for How {
    fn default() -> Self {
        Self { workers: 1, series_max: 500, may_be_partial: false, client_is_gone: false }
    }
}

/// Evaluates over the streams that each selector matches.
fn run<P: Source + Clone>(streams: &[Stream<P>], query: &str, times: Times, how: How) -> Result<MetricAnswer, Error> {
    let expr = parsed(query);
    let clock = Clock::default();
    let plan = Plan::new(&expr, &clock)?;
    let matching = |leg: usize| {
        let selector = &plan.legs[leg].expr.log.selector;
        let matching = |stream: &&Stream<P>| {
            selector.iter().all(|matcher| matcher.matches(stream.labels.get(&matcher.name).unwrap_or("")))
        };
        let copy = |stream: &Stream<P>| Stream { labels: Arc::clone(&stream.labels), pieces: stream.pieces.clone() };
        streams.iter().filter(matching).map(copy).collect()
    };
    let cancel = Cancel::after(Duration::MAX);
    let query = MetricQuery { expr: &expr, times, clock: &clock, may_be_partial: how.may_be_partial };
    let crew =
        Crew { workers: how.workers, alone_bytes_max: 0, cancel: &cancel, client_is_gone: &|| how.client_is_gone };
    let setting = Setting { series_max: how.series_max, crew };
    evaluate(&plan, &query, &setting, &|leg, _| matching(leg))
}

/// Every series as its labels and its samples, the times in seconds.
fn shown(answer: &MetricAnswer) -> Vec<String> {
    #[expect(clippy::cast_precision_loss, reason = "small times")]
    let seconds = |sample: &super::Sample| sample.timestamp_ms as f64 / 1e3;
    match &answer.value {
        MetricValue::Scalar(sample) => vec![format!("{}", sample.value)],
        MetricValue::Vector(series) => {
            series.iter().map(|series| format!("{} {}", series.labels, series.samples[0].value)).collect()
        }
        MetricValue::Matrix(series) => {
            let samples = |series: &super::Series| {
                let samples = series.samples.iter().map(|sample| format!(" {}:{}", seconds(sample), sample.value));
                samples.collect::<String>()
            };
            series.iter().map(|series| format!("{}{}", series.labels, samples(series))).collect()
        }
    }
}

fn check(streams: &[Stream<Run>], query: &str, times: Times, want: &[&str]) {
    match run(streams, query, times, How::default()) {
        Ok(answer) => assert_eq!(shown(&answer), want, "{query}"),
        Err(error) => panic!("{query}: {error}"),
    }
}

fn lines(texts: &[&str]) -> Stream<Run> {
    let lines: Vec<Line<'_>> = (1..).zip(texts).map(|(n, text)| (n * S, (*text).to_owned(), &[][..])).collect();
    stream(&[("a", "b")], &lines, 2)
}

fn grid(start: i64, end: i64, step: i64) -> Times {
    Times::Grid(Grid::aligned(start * S, end * S, step * S))
}

/// One line every 10 s, from 1000 to 1060.
fn ticks() -> Vec<Stream<Run>> {
    let ticks: Vec<Line<'_>> = (0..=6).map(|n| ((1000 + n * 10) * S, format!("v={n}"), &[][..])).collect();
    vec![stream(&[("a", "b")], &ticks, 3)]
}
