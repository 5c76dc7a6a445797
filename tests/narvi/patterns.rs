//! The patterns of lines: `/loki/api/v1/patterns`.

use serde_json::json;

use crate::support::{Directory, Narvi, Stream};

/// 2026-01-05T10:00:00Z
const START_S: i64 = 1_767_607_200;

#[test]
fn a_pattern_is_counted_in_steps_and_works_as_a_filter() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let mut stream = Stream::new(&[("app", "kernel")]);
    for n in 0..30 {
        let level = if n % 10 == 0 { "error" } else { "info" };
        let at_ns = (START_S + n) * 1_000_000_000;
        stream = stream.with(at_ns, format!("level={level} usb 2-{n}: new device number {n}"));
    }
    stream = stream.with(START_S * 1_000_000_000, "level=info something else");
    narvi.push(&[stream]);
    let (start, end) = (START_S.to_string(), (START_S + 30).to_string());
    let range = [("start", &*start), ("end", &*end)];
    let params = [("query", "{app=\"kernel\"}"), ("step", "10s"), range[0], range[1]];
    let answer = narvi.get("/loki/api/v1/patterns", &params).ok();
    let counts = |each: u64, count: i64| (0..count).map(|n| json!([START_S + 10 * n, each])).collect::<Vec<_>>();
    let want = json!({"status": "success", "data": [
        {"pattern": "level=info usb <_>: new device number <_>", "level": "info", "samples": counts(9, 3)},
        {"pattern": "level=error usb <_>: new device number <_>", "level": "error", "samples": counts(1, 3)},
        {"pattern": "level=info something else", "level": "info", "samples": counts(1, 1)},
    ]});
    assert_eq!(answer, want);
    for pattern in want["data"].as_array().unwrap() {
        let query = format!("{{app=\"kernel\"}} |> {}", pattern["pattern"]);
        let lines: u64 = pattern["samples"].as_array().unwrap().iter().map(|sample| sample[1].as_u64().unwrap()).sum();
        assert_eq!(narvi.lines(&query).len() as u64, lines, "{query}");
    }
    let none = narvi.get("/loki/api/v1/patterns", &[("query", "{app=\"none\"}")]).ok();
    assert_eq!(none, json!({"status": "success", "data": []}));
    let limits = narvi.get("/loki/api/v1/drilldown-limits", &[]).ok();
    let enabled = (&limits["pattern_ingester_enabled"], &limits["limits"]["volume_enabled"]);
    assert_eq!(enabled, (&json!(true), &json!(true)));
}
