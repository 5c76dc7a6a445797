//! What tells an operator, and other programs, that the server is well.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use crate::support::{Directory, Narvi, Stream, now_ns, program, skip};

#[test]
fn it_says_that_it_is_ready_and_what_it_is() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let ready = narvi.get("/ready", &[]);
    assert_eq!((ready.status, ready.text().as_str()), (200, "ready\n"));
    let info = narvi.get("/loki/api/v1/status/buildinfo", &[]).ok();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    for key in ["revision", "branch", "buildUser", "buildDate", "goVersion"] {
        assert!(info[key].is_string(), "{key}: {info}");
    }
    assert_eq!(narvi.get("/", &[]).status, 200);
    assert_eq!(narvi.get("/prometheus/api/v1/rules", &[]).ok()["status"], "success");
}

/// A server that has done a little of everything.
fn busy(directory: &Directory) -> Narvi {
    let narvi = Narvi::start(directory);
    narvi.push(&[Stream::new(&[("app", "quote \" and \\")]).with(now_ns(), "12345")]);
    narvi.flush();
    assert_eq!(narvi.lines("{app=~\"quote.*\"}"), ["12345"]);
    assert_eq!(narvi.get("/nowhere", &[]).status, 404);
    narvi
}

#[test]
fn metrics_count_what_happened() {
    let directory = Directory::new();
    let narvi = busy(&directory);
    let metrics = narvi.metrics();
    for (name, value) in [
        ("loki_distributor_lines_received_total", 1),
        ("loki_distributor_bytes_received_total", 5),
        ("loki_ingester_memory_streams", 1),
        ("narvi_store_entries_appended_total", 1),
        ("narvi_store_blocks_written_total", 1),
        ("narvi_store_damaged_blocks_total", 0),
        ("narvi_store_fault", 0),
        ("narvi_http_panics_total", 0),
    ] {
        assert_eq!(metrics.get(name), value, "{name}");
    }
    let push = r#"{method="POST",route="/loki/api/v1/push",status_code="204"}"#;
    assert_eq!(metrics.get(&format!("loki_request_duration_seconds_count{push}")), 1);
    assert!(metrics.get("narvi_store_wal_commits_total") >= 1);
}

/// The text format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details>.
#[test]
fn metrics_are_well_formed() {
    let directory = Directory::new();
    let narvi = busy(&directory);
    let reply = narvi.get("/metrics", &[]);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let page = reply.text();
    assert!(page.ends_with('\n'));
    let mut families: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut current = "";
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(families.insert(name, (help, "")).is_none(), "{name} comes twice");
            current = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current, "help and type belong together");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            families.get_mut(name).unwrap().1 = kind;
        } else {
            check_sample(line, current, families[current].1);
        }
    }
    assert!(families.len() > 15, "{page}");
    assert!(families.values().all(|(help, kind)| help.ends_with('.') && !kind.is_empty()), "{families:?}");
    promtool(&page);
}

/// One sample of a family: its name, its labels, its number.
fn check_sample(line: &str, family: &str, kind: &str) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
    let name = series.split('{').next().unwrap();
    assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'), "{line}");
    let ending = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} stands under {family}"));
    match kind {
        "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&ending), "{line}"),
        _ => assert_eq!(ending, "", "{line}"),
    }
    if kind != "gauge" {
        assert!(value >= 0.0, "{line}");
    }
    if kind == "counter" {
        assert!(family.ends_with("_total"), "{line}");
    }
    if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
        assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
    }
}

/// Prometheus' own opinion.
fn promtool(page: &str) {
    let Some(promtool) = program("promtool") else {
        return skip("promtool check metrics", "promtool is not installed");
    };
    let mut command = Command::new(promtool);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
