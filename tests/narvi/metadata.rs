//! Structured metadata, in the two forms that clients ask for.

use serde_json::{Value, json};

use crate::support::{Directory, Narvi, Stream, encoded, now_ns};

fn result(narvi: &Narvi, query: &str, flags: &[(&str, &str)]) -> Value {
    let target = format!("/loki/api/v1/query_range{}", encoded(&[("query", query), ("direction", "forward")]));
    let mut data = narvi.client().request("GET", &target, flags, b"").unwrap().ok()["data"].take();
    let streams = data["result"].as_array_mut().unwrap();
    streams.sort_by_key(|stream| stream["values"].to_string());
    data
}

#[test]
fn metadata_join_the_labels_or_stand_with_each_entry() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let at_ns = now_ns() - 10;
    let stream = Stream::new(&[("app", "x")])
        .with_metadata(at_ns, "first level=error", &[("trace.id", "4bf9"), ("empty", "")])
        .with(at_ns + 1, "second");
    narvi.push(&[stream]);
    let time = |offset: i64| (at_ns + offset).to_string();
    for pass in ["from memory", "sealed"] {
        let merged = result(&narvi, "{app=\"x\"}", &[]);
        assert_eq!(merged["encodingFlags"], Value::Null, "{pass}");
        assert_eq!(
            merged["result"],
            json!([
                {
                    "stream": {"app": "x", "service_name": "x", "detected_level": "error", "trace_id": "4bf9"},
                    "values": [[time(0), "first level=error"]],
                },
                {
                    "stream": {"app": "x", "service_name": "x", "detected_level": "unknown"},
                    "values": [[time(1), "second"]],
                },
            ]),
            "{pass}"
        );
        let apart = result(&narvi, "{app=\"x\"}", &[("X-Loki-Response-Encoding-Flags", "categorize-labels")]);
        assert_eq!(apart["encodingFlags"], json!(["categorize-labels"]), "{pass}");
        assert_eq!(
            apart["result"],
            json!([{
                "stream": {"app": "x", "service_name": "x"},
                "values": [
                    [time(0), "first level=error",
                     {"structuredMetadata": {"detected_level": "error", "trace_id": "4bf9"}}],
                    [time(1), "second", {"structuredMetadata": {"detected_level": "unknown"}}],
                ],
            }]),
            "{pass}"
        );
        narvi.flush();
    }
    // Metadata can be asked for, but are no labels.
    assert_eq!(narvi.lines("{app=\"x\"} | trace_id=\"4bf9\""), ["first level=error"]);
    assert_eq!(narvi.lines("{trace_id=\"4bf9\"}"), [""; 0]);
    assert_eq!(narvi.get("/loki/api/v1/labels", &[]).ok()["data"], json!(["app", "service_name"]));
}
