//! What is printed, and where.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::{answer, command, observed};
use crate::support::{Directory, Narvi, Stream, encoded};

/// 2026-01-05T08:00:00Z
const MONDAY_NS: i64 = 1_767_600_000_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Two streams of one host.
fn narvi(directory: &Directory) -> Narvi {
    let narvi = Narvi::start_with(directory, "store.retention = '0'\n");
    narvi.push(&[
        Stream::new(&[("app", "a"), ("host", "h")])
            .with(MONDAY_NS, "first level=info")
            .with(MONDAY_NS + 2 * SECOND_NS + 5, "third\u{1b}[31m level=info\n"),
        Stream::new(&[("app", "long"), ("host", "h")]).with(MONDAY_NS + SECOND_NS, "second level=info"),
    ]);
    narvi
}

const RANGE: [&str; 4] = ["--from=2026-01-05", "--to", "2026-01-06T00:00:00Z", "--forward"];

#[test]
fn entries_are_printed_in_each_mode() {
    let directory = Directory::new();
    let narvi = narvi(&directory);
    let rows: &[(&[&str], &str)] = &[
        (
            &["--exclude-label=service_name"],
            "2026-01-05T08:00:00Z {app=\"a\"}    first level=info\n\
             2026-01-05T08:00:01Z {app=\"long\"} second level=info\n\
             2026-01-05T08:00:02Z {app=\"a\"}    third\u{1b}[31m level=info\n",
        ),
        (
            &["--include-label=host", "--limit=1", "--labels-length", "12"],
            "2026-01-05T08:00:00Z {host=\"h\"}   first level=info\n",
        ),
        (
            &["--no-labels", "-z", "Asia/Kolkata", "--output-timestamp-format=rfc3339nano"],
            "2026-01-05T13:30:00+05:30 first level=info\n\
             2026-01-05T13:30:01+05:30 second level=info\n\
             2026-01-05T13:30:02.000000005+05:30 third\u{1b}[31m level=info\n",
        ),
        (
            &["--include-common-labels", "--limit=1"],
            "2026-01-05T08:00:00Z {app=\"a\", detected_level=\"info\", host=\"h\", service_name=\"a\"} first level=info\n",
        ),
        (&["-oraw"], "first level=info\nsecond level=info\nthird\u{1b}[31m level=info\n"),
        (
            &["--output=jsonl", "--limit=1"],
            "{\"labels\":{\"app\":\"a\",\"detected_level\":\"info\",\"host\":\"h\",\"service_name\":\"a\"},\
             \"line\":\"first level=info\",\"timestamp\":\"2026-01-05T08:00:00Z\"}\n",
        ),
        (
            &["--colored-output", "--no-labels", "--limit=1"],
            "\u{1b}[34m2026-01-05T08:00:00Z\u{1b}[0m first level=info\n",
        ),
    ];
    for (arguments, expected) in rows {
        let arguments: Vec<_> = ["query", "{host=\"h\"}"].iter().chain(&RANGE).chain(*arguments).copied().collect();
        assert_eq!(answer(narvi.address(), &arguments), *expected, "{arguments:?}");
    }
}

/// What is said about a query stands on standard error, so that it is not in the way of a pipe.
#[test]
fn remarks_are_on_standard_error() {
    let directory = Directory::new();
    let narvi = narvi(&directory);
    let arguments: Vec<_> =
        ["query", "{host=\"h\"}", "--limit", "30", "--stats"].iter().chain(&RANGE).copied().collect();
    let (code, stdout, stderr) = observed(&command(narvi.address(), &arguments).output().unwrap());
    assert_eq!((code, stdout.lines().count()), (0, 3));
    let url = format!(
        "http://{}/loki/api/v1/query_range{}",
        narvi.address(),
        encoded(&[
            ("query", "{host=\"h\"}"),
            ("limit", "30"),
            ("start", "1767571200000000000"),
            ("end", "1767657600000000000"),
            ("direction", "FORWARD")
        ])
    );
    let remarks: Vec<_> = stderr.lines().collect();
    assert_eq!(remarks[..2], [&url, "Common labels: {detected_level=\"info\", host=\"h\"}"]);
    assert!(remarks.iter().any(|line| line.starts_with("summary.totalLinesProcessed: ")), "{stderr}");
}

#[test]
fn metrics_are_json() {
    let directory = Directory::new();
    let narvi = narvi(&directory);
    let query = "sum by (app) (count_over_time({host=\"h\"}[1h]))";
    let instant = answer(narvi.address(), &["instant-query", query, "--now=2026-01-05T08:30:00Z"]);
    let parsed: serde_json::Value = serde_json::from_str(&instant).unwrap();
    assert_eq!(parsed[0]["metric"]["app"], "a");
    assert_eq!(parsed[0]["value"][1], "2");
    assert!(instant.lines().count() > 5, "it is indented for people: {instant}");
    let same = answer(narvi.address(), &["query", "--instant", query, "--to=2026-01-05T08:30:00Z"]);
    assert_eq!(same, instant);
    let range =
        ["query", query, "--from=2026-01-05T08:00:00Z", "--to=2026-01-05T09:00:00Z", "--step=30m", "-o", "jsonl"];
    let lines = answer(narvi.address(), &range);
    let series: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((series.len(), series[0]["values"].as_array().unwrap().len()), (2, 3));
}

#[test]
fn streams_are_listed() {
    let directory = Directory::new();
    let narvi = narvi(&directory);
    let range = ["--from=2026-01-05", "--to=2026-01-06"];
    let rows: &[(&[&str], &str)] = &[
        (&["labels"], "app\nhost\nservice_name\n"),
        (&["labels", "app"], "a\nlong\n"),
        (&["labels", "nothing"], ""),
        (
            &["series", "{app=~\".+\"}"],
            "{app=\"a\", host=\"h\", service_name=\"a\"}\n{app=\"long\", host=\"h\", service_name=\"long\"}\n",
        ),
        (
            &["series", "{}", "--analyze-labels"],
            "Total Streams:  2\nUnique Labels:  3\n\n\
             Label Name    Unique Values  Found In Streams\n\
             app           2              2\nservice_name  2              2\nhost          1              2\n",
        ),
        (&["stats", "{app=\"a\"}"], "bytes: 38\nchunks: 1\nentries: 2\nstreams: 1\n"),
    ];
    for (arguments, expected) in rows {
        let arguments: Vec<_> = arguments.iter().chain(&range).copied().collect();
        assert_eq!(answer(narvi.address(), &arguments), *expected, "{arguments:?}");
    }
}

/// `narvi query ... | head -n1` ends quietly.
#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let line = "x".repeat(10_000);
    let base_ns = crate::support::now_ns() - 1000;
    narvi.push(&[(0..1000).fold(Stream::new(&[("app", "a")]), |stream, at| stream.with(base_ns + at, &line))]);
    let mut process = command(narvi.address(), &["query", "{app=\"a\"}", "--limit=0", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::with_capacity(64, process.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.ends_with(&format!("{line}\n")));
    let output = process.wait_with_output().unwrap();
    assert_eq!(observed(&output), (0, String::new(), String::new()));
}
