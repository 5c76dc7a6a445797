//! How much processor time storing and searching lines takes, and how many bytes they occupy:
//!
//!     cargo bench --bench store -- FILE...
//!
//! Each file is one stream, its lines a millisecond apart. The lines are appended in batches as a push
//! brings them, sealed, and then counted with a literal that no line holds and with one that many do.
//! Times are of the processor, over all threads of the process: they do not depend on what else runs.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints numbers for the eye")]

use std::{path::Path, time::Duration};

use narvi::ingest::{Limits, StreamBuilder};
use narvi::labels::LabelSet;
use narvi::logql::{self, Expr};
use narvi::query::{self, Cancel, MetricQuery, Times};
use narvi::store::{Append, Options, Store, StreamEntries};
use rustix::time::{ClockId, clock_gettime};

/// The moment of the query, and how far back it looks: all entries lie between.
const NOW_NS: i64 = 9999 * 3_600_000_000_000;
/// Lines of one append.
const BATCH_LINES: usize = 5000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if files.is_empty() {
        println!("name the log files to measure with: cargo bench --bench store -- FILE...");
        return Ok(());
    }
    let dir = std::env::temp_dir().join(format!("narvi-bench-{}", std::process::id()));
    let measured = measure(&files, &dir);
    std::fs::remove_dir_all(&dir)?;
    measured
}

fn measure(files: &[String], dir: &Path) -> Result<(), Failure> {
    let options =
        Options { commit_interval: Duration::from_secs(5), retention: None, retention_size: None, ..Options::new(dir) };
    let store = Store::open(options)?;
    let streams =
        files.iter().map(|file| Ok((file.clone(), std::fs::read(file)?))).collect::<std::io::Result<Vec<_>>>()?;
    let raw_mb = streams.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() as f64 / 1e6;

    let before = cpu();
    for (file, bytes) in &streams {
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        for (batch, lines) in lines.chunks(BATCH_LINES).enumerate() {
            let entries = batch_of(file, batch, lines)?;
            store.append(&Append { streams: vec![entries], drop_duplicates: true, ..Append::default() })?;
        }
    }
    store.flush()?;
    let took = cpu() - before;
    let stored_mb = store.stats().chunk_bytes as f64 / 1e6;
    println!(
        "store   {raw_mb:8.1} MB  {:8.3} s  {:7.1} MB/s  {stored_mb:6.2} MB on disk, 1/{:.1}",
        took,
        raw_mb / took,
        raw_mb / stored_mb
    );
    for needle in ["qzxjkvw", "error"] {
        let before = cpu();
        let count = count(&store, needle)?;
        let took = cpu() - before;
        println!("count   {needle:>8}     {took:8.3} s  {:7.0} MB/s  {count}", raw_mb / took);
    }
    Ok(())
}

fn batch_of(file: &str, batch: usize, lines: &[&[u8]]) -> Result<StreamEntries, Failure> {
    let labels = LabelSet::new(vec![("file".to_owned(), file.to_owned())]);
    let limits = Limits::default();
    let mut builder = StreamBuilder::new(labels, &limits, NOW_NS).map_err(|refused| refused.to_string())?;
    for (at, line) in lines.iter().enumerate() {
        builder.add(i64::try_from(batch * BATCH_LINES + at + 1)? * 1_000_000, line, Vec::new());
    }
    Ok(builder.finish().0)
}

/// How many lines hold a text, by a query over everything.
fn count(store: &Store, needle: &str) -> Result<String, Failure> {
    let text = format!("sum(count_over_time({{file=~\".+\"}} |= {needle:?} [9999h]))");
    let Expr::Metric(expr) = logql::parse(&text)? else { return Err("a log query".into()) };
    let clock = query::clock();
    let query = MetricQuery { expr: &expr, times: Times::Instant(NOW_NS), clock: &clock, may_be_partial: false };
    let limits = query::Limits::default();
    let answer = query::measure(store, &query, &limits, &Cancel::after(Duration::from_mins(1)), &|| false)?;
    Ok(format!("{:?}", answer.value))
}

/// Seconds of processor time of the process so far.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
