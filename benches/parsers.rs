//! How much processor time the stages of a pipeline take for each line, in memory and on one thread.
//!
//!     cargo bench --bench parsers [-- WORD...]
//!
//! The lines are made on the spot. Only the pipelines that hold one of the words are run.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints numbers for the eye")]

mod corpus;

use corpus::{LOGS, cpu};
use narvi::labels::LabelSet;
use narvi::logql::{self, Expr, Pipeline};

/// Bytes of lines that each pipeline runs over.
const BYTES: usize = 4_000_000;
const RUNS: usize = 5;

/// The kind of log, and the pipeline.
const PIPELINES: &[(&str, &str)] = &[
    ("sshd", "|= \"Failed\""),
    ("sshd", "|~ \"user (admin|root) from 10[.]9[.]1\""),
    ("sshd", "|= ip(\"10.9.0.0/17\")"),
    ("sshd", "|> \"<_> Failed <_> from <_>\""),
    ("json", "| json"),
    ("json", "| json ms=\"request.ms\""),
    ("json", "| json | request_ms > 500"),
    ("logfmt", "| logfmt"),
    ("logfmt", "| logfmt status"),
    ("logfmt", "| logfmt | duration > 1s"),
    ("access", "| pattern `<ip> - - <_> \"<method> <path> <_>\" <status> <_>`"),
    ("access", "| regexp `(?P<status>[0-9]{3}) (?P<size>[0-9]+)`"),
    ("logfmt", "| logfmt | line_format \"{{.level | upper}} {{.msg}}\""),
    ("logfmt", "| logfmt | label_format code=status, where=\"{{.caller}}\" | keep code, where"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let none = LabelSet::default();
    for (name, stages) in PIPELINES {
        let log = LOGS.iter().find(|log| log.name == *name).ok_or("no such log")?;
        if !words.is_empty() && !words.iter().any(|word| stages.contains(word.as_str())) {
            continue;
        }
        let lines = log.lines(BYTES, 1);
        let Expr::Log(expr) = logql::parse(&format!("{{job=\"{name}\"}} {stages}"))? else {
            return Err("a metric".into());
        };
        let pipeline = Pipeline::compile(&expr.stages)?;
        let mut runner = pipeline.runner(&none);
        let (mut best, mut passed) = (f64::MAX, 0);
        for _ in 0..RUNS {
            let before = cpu();
            passed = lines.iter().filter(|line| runner.run(0, line.as_bytes(), &none).is_some()).count();
            best = best.min(cpu() - before);
        }
        let ns = best * 1e9 / lines.len() as f64;
        println!(
            "{name:<7} {ns:6.0} ns/line {:6.0} MB/s {passed:6} of {:6}  {stages}",
            BYTES as f64 / best / 1e6,
            lines.len()
        );
    }
    Ok(())
}
