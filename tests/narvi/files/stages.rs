//! What a job's pipeline makes of lines: each row is a job with stages, the lines of its file, and the entries.

use std::fmt::Write;

use serde_json::Value;

use super::Logs;
use crate::support::{Narvi, eventually};

/// The labels without those that every stream has, the line, and the metadata without the level.
type Stored<'a> = (&'a str, &'a str, &'a str);

/// A pipeline, the lines, and what is stored of them in order of time.
type Row<'a> = (&'a str, &'a [&'a str], &'a [Stored<'a>]);

fn shown(pairs: &Value, hidden: &[&str]) -> String {
    let mut text = String::new();
    for (name, value) in pairs.as_object().unwrap() {
        if !hidden.contains(&name.as_str()) {
            write!(text, "{}{name}={}", if text.is_empty() { "" } else { " " }, value.as_str().unwrap()).unwrap();
        }
    }
    text
}

/// All entries of a job, in order of time.
fn stored(narvi: &Narvi, job: &str) -> Vec<(String, String, String)> {
    let all = [("limit", "100000"), ("start", "0"), ("end", "4000000000"), ("direction", "forward")];
    let mut entries = Vec::new();
    for stream in narvi.query(&format!("{{test=\"{job}\"}}"), &all).as_array().unwrap() {
        let labels = shown(&stream["stream"], &["job", "filename", "service_name", "test"]);
        for value in stream["values"].as_array().unwrap() {
            let time: i64 = value[0].as_str().unwrap().parse().unwrap();
            let metadata = value[2].get("structuredMetadata").map_or(String::new(), |m| shown(m, &["detected_level"]));
            entries.push((time, labels.clone(), value[1].as_str().unwrap().to_owned(), metadata));
        }
    }
    entries.sort_by_key(|entry| entry.0);
    entries.into_iter().map(|(_, labels, line, metadata)| (labels, line, metadata)).collect()
}

/// Starts one server with a job for each row, and compares.
fn check(rows: &[Row<'_>]) {
    let mut logs = Logs::new();
    let mut config = logs.config.clone();
    for (number, (pipeline, lines, _)) in rows.iter().enumerate() {
        logs.write(&format!("{number}.txt"), super::text(lines.iter().copied()));
        let path = logs.path(&format!("{number}.txt"));
        writeln!(
            config,
            "[[scrape_configs]]\njob_name = 'row{number}'\npaths = ['{}']\nlabels = {{ test = 'row{number}' }}\n\
             timestamp = 'read'\npipeline_stages = [\n{pipeline}\n]",
            path.display()
        )
        .unwrap();
    }
    logs.config = config;
    logs.up();
    for (number, (pipeline, lines, expected)) in rows.iter().enumerate() {
        let job = format!("row{number}");
        let expected: Vec<_> =
            expected.iter().map(|(l, t, m)| ((*l).to_owned(), (*t).to_owned(), (*m).to_owned())).collect();
        let mut found = Vec::new();
        eventually(&format!("{} entries of {pipeline} for {lines:?}", expected.len()), || {
            found = stored(logs.narvi(), &job);
            (found.len() >= expected.len()).then_some(())
        });
        assert_eq!(found, expected, "{pipeline}");
    }
    // All that is not stored was read as well.
    for (number, (_, lines, _)) in rows.iter().enumerate() {
        logs.narvi().counts(&format!("collector_lines_total{{job=\"row{number}\"}}"), lines.len() as u64);
    }
    logs.down();
}

#[test]
fn stages_that_find_values() {
    check(&[
        (
            r#"{ json = { expressions = { level = "", id = "user.id", last = "tags[-1]", all = "tags", n = "n" } } },
               { labels = { level = "" } },
               { structured_metadata = { id = "", last = "", all = "", n = "" } }"#,
            &[
                r#"{"level":"warn","user":{"id":17},"tags":["a", "b"],"n":1.50}"#,
                "no json",
                r#"{"level":null,"tags":[],"n":1e3}"#,
            ],
            &[
                (
                    "level=warn",
                    r#"{"level":"warn","user":{"id":17},"tags":["a", "b"],"n":1.50}"#,
                    r#"all=["a","b"] id=17 last=b n=1.5"#,
                ),
                ("", "no json", ""),
                ("", r#"{"level":null,"tags":[],"n":1e3}"#, "all=[] n=1000"),
            ],
        ),
        (
            r#"{ json = { expressions = { a = "" }, drop_malformed = true } }, { output = { source = "a" } }"#,
            &[r#"{"a":"x\ny"}"#, "{", r#"{"a":1,"a":2}"#, r#"{"b":1}"#],
            &[("", "x\ny", ""), ("", "2", ""), ("", r#"{"b":1}"#, "")],
        ),
        (
            r#"{ json = { expressions = { inner = "log" } } }, { json = { expressions = { k = "" }, source = "inner" } },
               { output = { source = "k" } }"#,
            &[r#"{"log":"{\"k\":\"v\"}"}"#],
            &[("", "v", "")],
        ),
        (
            r#"{ logfmt = { mapping = { lvl = "level", msg = "" } } }, { labels = { lvl = "" } },
               { output = { source = "msg" } }"#,
            &[r#"level=info msg="it \"works\"" x=1"#, "level=a =b msg=c"],
            &[("lvl=info", r#"it "works""#, ""), ("lvl=a", "level=a =b msg=c", "")],
        ),
        (
            r#"{ regex = { expression = '^(?P<method>\S+) (?P<path>\S+)(?: (?P<code>\d+))?$' } },
               { labels = { method = "", code = "" } }, { output = { source = "path" } }"#,
            &["GET /a 200", "PUT /b", "neither"],
            &[("code=200 method=GET", "/a", ""), ("method=PUT", "/b", ""), ("", "neither", "")],
        ),
        (
            r#"{ regex = { source = "filename", expression = '/(?P<file>[^/]+)\.txt$' } }, { labels = { file = "" } }"#,
            &["x"],
            &[("file=5", "x", "")],
        ),
    ]);
}

#[test]
fn stages_that_change_lines_and_labels() {
    check(&[
        (
            r#"{ replace = { expression = 'password=(\S+)', replace = '***' } },
               { replace = { expression = 'ip=(?P<ip>\d+)\.', replace = '{{ .Value | printf "<%s>" }}' } },
               { structured_metadata = { ip = "" } }"#,
            &["user=a password=secret x password=b", "ip=10.1", "nothing"],
            &[("", "user=a password=*** x password=***", ""), ("", "ip=<10>.1", "ip=<10>"), ("", "nothing", "")],
        ),
        (
            r#"{ regex = { expression = '(?P<a>\w+) (?P<b>\w+)' } },
               { template = { source = "new", template = '{{ .a | ToUpper }}-{{ .b }}{{ if eq .a "x" }}!{{ end }}' } },
               { template = { source = "a", template = '' } },
               { labels = { new = "", a = "" } },
               { template = { source = "whole", template = '{{ .Entry | len }}' } }, { output = { source = "whole" } }"#,
            &["x y", "foo bar"],
            &[("new=X-y!", "3", ""), ("new=FOO-bar", "7", "")],
        ),
        (
            r#"{ static_labels = { env = "prod", none = "" } }, { labeldrop = ["filename"] }, { decolorize = {} }"#,
            &["\u{1b}[31mred\u{1b}[0m", "plain é"],
            &[("env=prod", "red", ""), ("env=prod", "plain é", "")],
        ),
        (r#"{ static_labels = { a = "1", b = "2" } }, { labelallow = ["b", "test"] }"#, &["x"], &[("b=2", "x", "")]),
        (
            r#"{ regex = { expression = 'id=(?P<id>\d+)' } }, { labels = { kind = "id" } },
               { structured_metadata = { kind = "" } }"#,
            &["id=7", "none"],
            &[("", "id=7", "kind=7"), ("", "none", "")],
        ),
    ]);
}

#[test]
fn stages_that_choose() {
    check(&[
        (
            r#"{ drop = { expression = 'GET /health', drop_counter_reason = "health" } },
               { drop = { longer_than = 20 } }, { drop = { value = "exactly" } }"#,
            &["GET /health 200", "GET /", "exactly", "exactly this", "a line that is longer than it may be"],
            &[("", "GET /", ""), ("", "exactly this", "")],
        ),
        (
            r#"{ logfmt = { mapping = { a = "", b = "" } } }, { drop = { source = ["a", "b"], value = "1;2" } },
               { drop = { source = "b", expression = "^9" } }"#,
            &["a=1 b=2", "a=1", "a=12 b=3", "b=99"],
            &[("", "a=1", ""), ("", "a=12 b=3", "")],
        ),
        (
            r#"{ match = { selector = '{test="row2"} |= "secret" !~ "[0-9]"', stages = [
                   { regex = { expression = '(?P<word>secret)' } }, { labels = { word = "" } } ] } },
               { match = { selector = '{test!="row2"}', stages = [{ static_labels = { no = "1" } }] } },
               { match = { selector = '{word="secret"} |= "drop"', action = "drop" } }"#,
            &["a secret", "a secret 1", "drop a secret", "drop"],
            &[("word=secret", "a secret", ""), ("", "a secret 1", ""), ("", "drop", "")],
        ),
        (
            "{ limit = { rate = 0.001, burst = 2, drop = true } }",
            &["1", "2", "3", "4"],
            &[("", "1", ""), ("", "2", "")],
        ),
        (
            r#"{ regex = { expression = '(?P<who>\w)' } }, { labels = { who = "" } },
               { limit = { rate = 0.001, burst = 1, drop = true, by_label_name = "who" } }"#,
            &["a", "a", "b", "-", "-"],
            &[("who=a", "a", ""), ("who=b", "b", ""), ("", "-", ""), ("", "-", "")],
        ),
        ("{ sampling = { rate = 1 } }", &["1", "2"], &[("", "1", ""), ("", "2", "")]),
    ]);
}

/// The time that a stage finds is the entry's, with the zone and the year that it may lack.
#[test]
fn times_that_stages_find() {
    let found = "{ regex = { expression = '^(?P<t>.*) \\|' } }, ";
    let ms = |text: &str| i64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_nanosecond()).unwrap();
    let rows = [
        ("format = 'RFC3339'", "2026-11-22T10:00:00.5+01:00", "2026-11-22T09:00:00.5Z"),
        ("format = 'RFC3339', location = 'Europe/Berlin'", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        (
            "format = '2006-01-02 15:04:05', location = 'Europe/Berlin'",
            "2026-07-22 10:00:00,25",
            "2026-07-22T08:00:00.25Z",
        ),
        ("format = '%d/%b/%Y:%H:%M:%S %z'", "22/Nov/2026:10:00:00 -0130", "2026-11-22T11:30:00Z"),
        ("format = 'Unix'", "1795341600.25", "2026-11-22T10:00:00.25Z"),
        ("format = 'UnixMs'", "1795341600250", "2026-11-22T10:00:00.25Z"),
        ("format = 'RFC3339', fallback_formats = ['UnixNs']", "1795341600000000001", "2026-11-22T10:00:00.000000001Z"),
        (
            "format = '2006-01-02 03:04:05 PM MST', location = 'Europe/Berlin'",
            "2026-11-22 11:00:00 AM CET",
            "2026-11-22T10:00:00Z",
        ),
        ("format = '2006 002 15:04', location = 'UTC'", "2026 326 10:00", "2026-11-22T10:00:00Z"),
    ];
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").is_ok();
    let mut logs = Logs::with("store.retention = '0'", "");
    let mut config = logs.config.clone();
    for (number, (format, time, _)) in rows.iter().enumerate() {
        // Behind the time that fits comes one that does not: it goes on by a nanosecond, or has the time of reading.
        logs.write(&format!("{number}.txt"), format!("{time} | a\nnever | b\n"));
        let path = logs.path(&format!("{number}.txt"));
        writeln!(
            config,
            "[[scrape_configs]]\njob_name = 'row{number}'\npaths = ['{}']\n\
             pipeline_stages = [{found} {{ timestamp = {{ source = 't', {format} }} }}]",
            path.display()
        )
        .unwrap();
        if format.contains("Berlin") && !zone {
            return crate::support::skip("times_that_stages_find", "there is no tz database");
        }
    }
    logs.config = config;
    logs.up();
    for (number, (format, time, expected)) in rows.iter().enumerate() {
        let query = format!("{{job=\"row{number}\"}}");
        logs.narvi().lines_once(&query, 2);
        let entries = logs.narvi().entries(&query);
        let times: Vec<_> = entries.iter().map(|entry| (entry.line.ends_with('a'), entry.timestamp_ns)).collect();
        assert_eq!(times, [(true, ms(expected)), (false, ms(expected) + 1)], "{format}: {time}");
    }
    logs.narvi().counts("collector_stage_errors_total{job=\"row0\",stage=\"2 timestamp\"}", 1);
    logs.down();
}

#[test]
fn blocks_of_lines_are_joined() {
    check(&[
        (
            r#"{ multiline = { firstline = '^\d', max_wait_time = "100ms" } }"#,
            &["before", "1 a", "  x", "  y", "2 b", "3 c", "  z"],
            &[("", "before", ""), ("", "1 a\n  x\n  y", ""), ("", "2 b", ""), ("", "3 c\n  z", "")],
        ),
        (
            r#"{ multiline = { firstline = '^\d', max_wait_time = "100ms", max_lines = 3 } }"#,
            &["1", "a", "b", "c", "2"],
            &[("", "1\na\nb", ""), ("", "c", ""), ("", "2", "")],
        ),
        (
            r#"{ regex = { expression = '^(?P<t>[AB])' } }, { labels = { t = "" } },
               { multiline = { firstline = ' first', max_wait_time = "100ms" } },
               { replace = { expression = '(\n)', replace = '|' } }"#,
            &["A first", "B first", "A 2", "B 2", "A first again", "B 3"],
            &[("t=A", "A first|A 2", ""), ("t=B", "B first|B 2|B 3", ""), ("t=A", "A first again", "")],
        ),
    ]);
}
