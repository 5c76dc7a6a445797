//! Lines, labels and times of files that grow.

use std::io::Write;

use serde_json::json;

use super::Logs;
use crate::support::now_ns;

#[test]
fn a_stream_is_labelled_by_job_and_filename() {
    let mut logs = Logs::new();
    logs.write("app.log", "before the start\n");
    logs.up();
    logs.write("syslog", "created later\n");
    logs.lines("app.log", 1);
    logs.lines("syslog", 1);
    let mut series = logs.narvi().get("/loki/api/v1/series", &[]).ok()["data"].take();
    series.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    let labels = |name: &str| json!({"job": "varlogs", "filename": logs.path(name), "service_name": "varlogs"});
    assert_eq!(series, json!([labels("app.log"), labels("syslog")]));
}

/// A file is followed however its program writes: whole lines, parts of lines, many at once.
#[test]
fn lines_come_in_order_however_they_are_written() {
    let mut logs = Logs::new();
    logs.up();
    let mut file = logs.append("app.log");
    file.write_all(b"one\ntw").unwrap();
    assert_eq!(logs.lines("app.log", 1), ["one"]);
    file.write_all(b"o\nthree").unwrap();
    assert_eq!(logs.lines("app.log", 2), ["one", "two"]);
    file.write_all(b"\n").unwrap();
    logs.lines("app.log", 3);
    let many: Vec<_> = (0..5000).map(|number| format!("line {number} {}", "x".repeat(number % 100))).collect();
    for part in super::text(many.iter().map(String::as_str)).as_bytes().chunks(4096) {
        file.write_all(part).unwrap();
    }
    let lines = logs.all_lines("app.log");
    assert_eq!(lines[..3], ["one", "two", "three"]);
    assert_eq!(lines[3..], many);
}

/// A restart goes on where the last one ended, in the middle of a line too.
#[test]
fn a_restart_goes_on_where_it_was() {
    let mut logs = Logs::new();
    logs.write("app.log", "one\ntwo\nthr");
    logs.up();
    logs.lines("app.log", 2);
    logs.down();
    logs.write("app.log", "ee\nfour\nfi");
    logs.up();
    logs.lines("app.log", 4);
    logs.narvi.take().unwrap().kill();
    logs.up();
    logs.write("app.log", "ve\n");
    assert_eq!(logs.all_lines("app.log"), ["one", "two", "three", "four", "five"]);
}

/// A last line without newline is stored after a while, and what follows it is an entry of its own.
#[test]
fn an_unfinished_line_is_stored_after_a_while() {
    let mut logs = Logs::with("collect.partial_flush = '100ms'", "");
    logs.up();
    logs.write("app.log", "one\nno newline");
    assert_eq!(logs.lines("app.log", 2), ["one", "no newline"]);
    logs.write("app.log", "\ntwo\n");
    assert_eq!(logs.all_lines("app.log"), ["one", "no newline", "two"]);
}

#[test]
fn line_ends_of_other_systems_are_understood() {
    let mut logs = Logs::new();
    logs.up();
    logs.write("app.log", "dos\r\nunix\n\r\n\nbar\rbaz\nends\r\r\n");
    assert_eq!(logs.all_lines("app.log"), ["dos", "unix", "", "", "bar\rbaz", "ends\r"]);
    // Empty lines can be left out.
    let mut logs = Logs::with("", "drop_empty = true");
    logs.up();
    logs.write("app.log", "a\n\n\r\n \nb\n");
    assert_eq!(logs.all_lines("app.log"), ["a", " ", "b"]);
}

/// The time at a line's start is the entry's; a line without one has that of the line before, or of reading.
#[test]
fn known_times_are_taken_from_the_line() {
    let mut logs = Logs::with("store.retention = '0'", "location = 'UTC'");
    logs.up();
    let started_ns = now_ns();
    let ms = |text: &str| i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap();
    let rows = [
        ("2026-11-22T10:00:00.123+01:00 iso", "2026-11-22T09:00:00.123Z"),
        ("2026-11-22 10:00:00,5 INFO comma", "2026-11-22T10:00:00.5Z"),
        ("2026/11/22 10:00:00 [error] slashes", "2026-11-22T10:00:00Z"),
        ("10.0.0.1 - - [22/Nov/2026:10:00:00 +0100] \"GET / HTTP/1.1\" 200 5", "2026-11-22T09:00:00Z"),
        ("[Sun Nov 22 10:00:00.123456 2026] [core:error] apache", "2026-11-22T10:00:00.123456Z"),
        ("<34>1 2026-10-11T22:14:15.003Z host app - - - syslog", "2026-10-11T22:14:15.003Z"),
        ("1795341600 epoch", "2026-11-22T10:00:00Z"),
        ("1795341600.25 epoch", "2026-11-22T10:00:00.25Z"),
        ("{\"time\":\"2026-11-22T10:00:00Z\",\"msg\":\"json\"}", "2026-11-22T10:00:00Z"),
    ];
    for (number, (line, time)) in rows.into_iter().enumerate() {
        let name = format!("{number}.log");
        logs.write(&name, format!("{line}\n"));
        logs.lines(&name, 1);
        let entry = logs.narvi().entries(&logs.of(&name)).remove(0);
        assert_eq!((entry.line.as_str(), entry.timestamp_ns), (line, ms(time)), "{line}");
    }
    // Continuation lines stay behind the line they belong to, in their order.
    logs.write("trace.log", "2026-11-22T10:00:00Z boom\n  at a\n  at b\n2026-11-22T10:00:01Z next\n");
    assert_eq!(
        logs.lines("trace.log", 4),
        ["2026-11-22T10:00:00Z boom", "  at a", "  at b", "2026-11-22T10:00:01Z next"]
    );
    // No time, a time far ahead, and a date that there is not: the moment of reading, in order.
    logs.write("plain.log", "hello\n2099-01-01T00:00:00Z future\n2026-02-30T00:00:00Z no day\n");
    let ended_ns = {
        logs.lines("plain.log", 3);
        now_ns()
    };
    let plain = logs.narvi().entries(&logs.of("plain.log"));
    assert!(plain.iter().all(|entry| (started_ns..=ended_ns).contains(&entry.timestamp_ns)), "{plain:?}");
    assert_eq!(plain[0].line, "hello");
}
