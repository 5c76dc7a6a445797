//! `narvi inspect DIR`: every checksum of a store that is not running, and what its streams hold.

use std::{fmt::Write, path::Path, process::ExitCode};

use narvi::{
    labels::time::format_rfc3339_ns,
    store::{Inspection, StreamInspection, inspect},
};
use serde_json::json;

use super::arguments::{Arguments, Flag, Group, Subcommand};

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "inspect",
    operand: "DIR",
    about: "verify a store that is not running, and say what is in it",
    flags: &[Group { explained_by: "", flags: &[Flag::switch("json", "one JSON object instead of a table")] }],
    notes: "DIR is `path` in [store]. Exit code 0, or 1 if anything is damaged.\n",
    run,
};

fn run(arguments: &Arguments) -> ExitCode {
    report(&arguments.operand_path(), arguments.has("json"))
}

/// Prints a table, or with `as_json` one JSON object; what is damaged goes to standard error. Fails
/// if anything is.
fn report(dir: &Path, as_json: bool) -> ExitCode {
    let inspection = match inspect(dir) {
        Ok(inspection) => inspection,
        Err(error) => return super::fail(&format_args!("narvi: {error}"), 1),
    };
    let text = if as_json { to_json(&inspection) } else { to_table(&inspection) };
    let printed = super::print(&text);
    if inspection.findings.is_empty() {
        return printed;
    }
    super::fail(&inspection.findings.join("\n"), 1)
}

fn to_table(inspection: &Inspection) -> String {
    let mut text = format!(
        "{:>12} {:>14} {:>12} {:>6} {:>7} {:>7} {:>9}  {:<20} {:<20} labels\n",
        "entries", "raw bytes", "stored", "ratio", "blocks", "damaged", "in log", "from", "to"
    );
    for stream in &inspection.streams {
        let (from, to) = stream
            .time_span_ns
            .map_or(("-".to_owned(), "-".to_owned()), |(min_ns, max_ns)| (seconds(min_ns), seconds(max_ns)));
        // A String takes everything that is written to it.
        let _ = writeln!(
            text,
            "{:>12} {:>14} {:>12} {:>6} {:>7} {:>7} {:>9}  {from:<20} {to:<20} {}",
            stream.block_entries + stream.log_entries,
            stream.raw_bytes,
            stream.stored_bytes,
            ratio(stream),
            stream.blocks,
            stream.damaged_blocks,
            stream.log_entries,
            stream.labels
        );
    }
    let sum = |of: fn(&StreamInspection) -> u64| inspection.streams.iter().map(of).sum::<u64>();
    let _ = writeln!(
        text,
        "{} streams, {} entries, {} bytes of lines in {} blocks, {} bytes of chunk files, {} damaged blocks",
        inspection.streams.len(),
        sum(|stream| stream.block_entries + stream.log_entries),
        sum(|stream| stream.raw_bytes),
        sum(|stream| stream.blocks),
        inspection.chunk_bytes,
        sum(|stream| stream.damaged_blocks),
    );
    text
}

fn to_json(inspection: &Inspection) -> String {
    let streams: Vec<_> = inspection
        .streams
        .iter()
        .map(|stream| {
            json!({
                "labels": stream.labels.iter().collect::<std::collections::BTreeMap<_, _>>(),
                "entries": stream.block_entries + stream.log_entries,
                "log_entries": stream.log_entries,
                "raw_bytes": stream.raw_bytes,
                "stored_bytes": stream.stored_bytes,
                "blocks": stream.blocks,
                "damaged_blocks": stream.damaged_blocks,
                "from": stream.time_span_ns.map(|span| format_rfc3339_ns(span.0)),
                "to": stream.time_span_ns.map(|span| format_rfc3339_ns(span.1)),
            })
        })
        .collect();
    let page = json!({ "streams": streams, "chunk_bytes": inspection.chunk_bytes, "findings": inspection.findings });
    format!("{page}\n")
}

/// A time to the second, as in `2026-11-22T10:00:00Z`.
fn seconds(ns: i64) -> String {
    const SECOND_NS: i64 = 1_000_000_000;
    format_rfc3339_ns(ns.div_euclid(SECOND_NS).saturating_mul(SECOND_NS))
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for the eye")]
fn ratio(stream: &StreamInspection) -> String {
    if stream.stored_bytes == 0 {
        return "-".to_owned();
    }
    format!("{:.2}", stream.raw_bytes as f64 / stream.stored_bytes as f64)
}
