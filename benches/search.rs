//! How much processor time queries take: filters, searches, metrics, and the merging of many streams.
//!
//!     cargo bench --bench search [-- MEGABYTES [WORD...]]
//!
//! The corpus is made on the spot: four kinds of logs, each in eight streams whose times interleave. Only the queries
//! whose name holds one of the words are run. Each is run five times; what is printed is the fastest, in milliseconds of
//! processor time over all threads, and how many bytes of lines that is a second.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints numbers for the eye")]

mod corpus;

use std::{path::Path, time::Duration};

use corpus::{LOGS, cpu};
use narvi::ingest::{Limits, StreamBuilder};
use narvi::labels::LabelSet;
use narvi::logql::{self, Expr};
use narvi::query::{self, Cancel, Direction, Grid, LogQuery, MetricQuery, Times};
use narvi::store::{Append, Options, Store};

/// Megabytes of lines unless told otherwise.
const MEGABYTES: usize = 64;
/// Streams of each kind of log.
const STREAMS: usize = 8;
/// Lines of one append.
const BATCH_LINES: usize = 5000;
const RUNS: usize = 5;
/// When the first line was written, and the time between two of a stream.
const START_NS: i64 = 1_767_600_000_000_000_000;
const STEP_NS: i64 = 20_000_000;

type Failure = Box<dyn std::error::Error>;

/// Name, entries (0: a metric at one time; -1: one over a grid) and query.
const QUERIES: &[(&str, i32, &str)] = &[
    ("filter-absent", 100, "{job=~\".+\"} |= \"qzxjkvw\""),
    ("filter-needle", 100, "{job=\"logfmt\"} |= \"req-00001\""),
    ("newest-100", 100, "{job=\"sshd\"}"),
    ("merge-5000", 5000, "{job=~\".+\"}"),
    ("merge-literal-5000", 5000, "{job=~\".+\"} |= \"error\""),
    ("count-literal", 0, "sum(count_over_time({job=~\".+\"} |= \"error\" [99h]))"),
    ("count-dense-literal", 0, "sum(count_over_time({job=~\".+\"} |= \"10\" [99h]))"),
    ("count-nocase", 0, "sum(count_over_time({job=~\".+\"} |~ \"(?i)ERROR\" [99h]))"),
    ("count-alternation", 0, "sum(count_over_time({job=~\".+\"} |~ \"timeout|refused|denied|Failed|retrying\" [99h]))"),
    ("count-regex", 0, "sum(count_over_time({job=~\".+\"} |~ \"[0-9]+ms|[0-9]+[.][0-9]+s\" [99h]))"),
    ("volume", -1, "sum by (job) (count_over_time({job=~\".+\"}[1m]))"),
    ("rate-by-stream", -1, "sum by (n) (rate({job=~\".+\"} |= \"info\" [5m]))"),
    ("json-by-path", 0, "sum by (request_path) (count_over_time({job=\"json\"} | json | request_ms > 500 [99h]))"),
    ("logfmt-by-status", 0, "sum by (status) (count_over_time({job=\"logfmt\"} | logfmt | duration > 1s [99h]))"),
    ("pattern-by-status", 0, "sum by (s) (count_over_time({job=\"access\"} | pattern `<_> \"<_>\" <s> <_>` [99h]))"),
    (
        "quantile",
        0,
        "quantile_over_time(0.99, {job=\"access\"} | pattern `<_> \"<_>\" <_> <size> <_>` | unwrap size [99h]) by (job)",
    ),
];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let megabytes = arguments.first().and_then(|text| text.parse().ok());
    let words = &arguments[usize::from(megabytes.is_some())..];
    let dir = std::env::temp_dir().join(format!("narvi-bench-search-{}", std::process::id()));
    let measured = measure(megabytes.unwrap_or(MEGABYTES), words, &dir);
    std::fs::remove_dir_all(&dir)?;
    measured
}

fn measure(megabytes: usize, words: &[String], dir: &Path) -> Result<(), Failure> {
    let options =
        Options { commit_interval: Duration::from_secs(5), retention: None, retention_size: None, ..Options::new(dir) };
    let store = Store::open(options)?;
    let before = cpu();
    let (raw, end_ns) = load(&store, megabytes * 1_000_000)?;
    let (took, stored) = (cpu() - before, store.stats().chunk_bytes as f64);
    println!(
        "{:<20} {:8.0} ms {:7.0} MB/s  {:.1} MB on disk, 1/{:.1}",
        "store",
        took * 1e3,
        raw / took / 1e6,
        stored / 1e6,
        raw / stored
    );
    for (name, entries, text) in QUERIES {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            let mut best = f64::MAX;
            for _ in 0..RUNS {
                let before = cpu();
                run(&store, *entries, text, end_ns)?;
                best = best.min(cpu() - before);
            }
            println!("{name:<20} {:8.1} ms {:7.0} MB/s", best * 1e3, raw / best / 1e6);
        }
    }
    Ok(())
}

/// Stores the corpus; its bytes, and a time behind its last line.
fn load(store: &Store, bytes: usize) -> Result<(f64, i64), Failure> {
    let (mut raw, mut end_ns) = (0.0, START_NS);
    for log in LOGS {
        for stream in 0..STREAMS {
            let lines = log.lines(bytes / LOGS.len() / STREAMS, stream as u64 + 1);
            let labels = [("job".to_owned(), log.name.to_owned()), ("n".to_owned(), stream.to_string())];
            let mut timestamp_ns = START_NS + i64::try_from(stream)? * 1_000_000;
            for batch in lines.chunks(BATCH_LINES) {
                let limits = Limits { creation_grace_period_ns: 0, ..Limits::default() };
                let builder = StreamBuilder::new(LabelSet::new(labels.to_vec()), &limits, START_NS);
                let mut builder = builder.map_err(|refused| refused.to_string())?;
                for line in batch {
                    raw += line.len() as f64 + 1.0;
                    timestamp_ns += STEP_NS;
                    builder.add(timestamp_ns, line.as_bytes(), Vec::new());
                }
                let streams = vec![builder.finish().0];
                store.append(&Append { streams, drop_duplicates: true, ..Append::default() })?;
            }
            end_ns = end_ns.max(timestamp_ns + 1);
        }
    }
    store.flush()?;
    Ok((raw, end_ns))
}

fn run(store: &Store, entries: i32, text: &str, end_ns: i64) -> Result<(), Failure> {
    let limits = query::Limits { max_query_series: 5000, ..query::Limits::default() };
    let cancel = Cancel::after(Duration::from_mins(5));
    match logql::parse(text)? {
        Expr::Log(expr) => {
            let query = LogQuery {
                expr: &expr,
                start_ns: START_NS,
                end_ns,
                limit: usize::try_from(entries)?,
                direction: Direction::Backward,
                interval_ns: 0,
                categorize_labels: false,
            };
            query::select(store, &query, &limits, &cancel, &|| false)?;
        }
        Expr::Metric(expr) => {
            let clock = query::clock();
            let times = match entries {
                0 => Times::Instant(end_ns),
                _ => Times::Grid(Grid::aligned(START_NS, end_ns, 60_000_000_000)),
            };
            let query = MetricQuery { expr: &expr, times, clock: &clock, may_be_partial: false };
            query::measure(store, &query, &limits, &cancel, &|| false)?;
        }
    }
    Ok(())
}
