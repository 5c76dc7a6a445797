//! How much is stored: `/loki/api/v1/index/stats`, `volume` and `volume_range`.

use serde_json::{Value, json};

use crate::support::{Directory, Narvi, Stream};

const SECOND_NS: i64 = 1_000_000_000;
/// 2026-01-05T10:00:00Z
const START_S: i64 = 1_767_607_200;

/// Streams of a line of ten bytes each second for a minute, and half of that.
fn push(narvi: &Narvi) {
    let stream = |app: &str, env: &str, seconds: i64| {
        let stream = Stream::new(&[("app", app), ("env", env)]);
        (0..seconds).fold(stream, |stream, n| stream.with((START_S + n) * SECOND_NS, format!("line {n:05}")))
    };
    narvi.push(&[stream("a", "x", 60), stream("b", "x", 30), stream("c", "y", 1)]);
}

fn ask(narvi: &Narvi, path: &str, params: &[(&str, &str)]) -> Value {
    let (start, end) = (START_S.to_string(), (START_S + 60).to_string());
    // The first of equal names counts.
    let params: Vec<_> = params.iter().copied().chain([("start", &*start), ("end", &*end)]).collect();
    narvi.get(&format!("/loki/api/v1/index/{path}"), &params).ok()
}

#[test]
fn counts_are_exact_in_memory_and_in_blocks() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    push(&narvi);
    for pass in ["from memory", "sealed"] {
        for (params, streams, entries) in [
            (&[("query", "{env=\"x\"}")][..], 2, 90),
            (&[("query", "{app=\"a\"}"), ("start", "1767607210"), ("end", "1767607225")], 1, 15),
            (&[("query", "{env=\"x\"}"), ("start", "1767607240")], 1, 20),
            (&[("query", "{env=\"none\"}")], 0, 0),
        ] {
            let mut stats = ask(&narvi, "stats", params);
            assert_eq!(stats["chunks"].take().as_u64().unwrap() > 0, streams > 0, "{params:?} {pass}");
            let want = json!({"streams": streams, "chunks": null, "bytes": entries * 10, "entries": entries});
            assert_eq!(stats, want, "{params:?} {pass}");
        }
        let by_app = ask(&narvi, "volume", &[("query", "{env=~\".+\"}"), ("targetLabels", "app"), ("limit", "2")]);
        let end = START_S + 60;
        assert_eq!(
            by_app["data"]["result"],
            json!([{"metric": {"app": "a"}, "value": [end, "600"]}, {"metric": {"app": "b"}, "value": [end, "300"]}]),
            "{pass}"
        );
        let steps = ask(&narvi, "volume_range", &[("query", "{env=\"x\"}"), ("step", "20")]);
        // A step has the time of its last millisecond.
        let time = |offset_s: i64| -> Value { format!("{}.999", START_S + offset_s - 1).parse().unwrap() };
        assert_eq!(steps["data"]["resultType"], "matrix");
        assert_eq!(
            steps["data"]["result"],
            json!([{"metric": {"env": "x"}, "values": [[time(20), "400"], [time(40), "300"], [end, "200"]]}]),
            "{pass}"
        );
        narvi.flush();
    }
    for (path, query, want) in [
        ("stats", "{app=\"a\"} |= \"x\"", "only label matchers are supported"),
        ("volume", "", "syntax error: unexpected $end"),
    ] {
        let reply = narvi.get(&format!("/loki/api/v1/index/{path}"), &[("query", query)]);
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains(want), "{}", reply.text());
    }
}
