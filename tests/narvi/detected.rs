//! What Logs Drilldown asks for: `/loki/api/v1/detected_labels`, `detected_fields`, `detected_field/{name}/values`.

use serde_json::{Value, json};

use crate::support::{Directory, Narvi, Stream, now_ns};

fn ask(narvi: &Narvi, path: &str, query: &str) -> Value {
    let mut answer = narvi.get(&format!("/loki/api/v1/{path}"), &[("query", query)]).ok();
    // Fields come in no particular order.
    if let Some(fields) = answer["fields"].as_array_mut() {
        fields.sort_by_key(|field| field["label"].as_str().unwrap().to_owned());
    } else {
        answer.as_object_mut().unwrap().remove("fields");
    }
    answer
}

#[test]
fn labels_and_fields_are_found() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let at_ns = now_ns() - 10;
    narvi.push(&[
        Stream::new(&[("app", "shop"), ("id", "17")])
            .with(at_ns, r#"{"status":200,"user":{"id":"u1"}}"#)
            .with_metadata(at_ns + 1, "status=404 took=1.5s size=\"10 KB\"", &[("trace", "t1")]),
        Stream::new(&[("app", "kernel")]).with(at_ns, "usb 2-4: new device"),
    ]);
    assert_eq!(
        ask(&narvi, "detected_labels", ""),
        json!({"detectedLabels": [{"label": "app", "cardinality": 2}, {"label": "service_name", "cardinality": 2}]})
    );
    assert_eq!(ask(&narvi, "detected_labels", "{app=\"none\"}"), json!({}));
    let field = |label: &str, kind: &str, cardinality: u64, parsers: Value| json!({"label": label, "type": kind, "cardinality": cardinality, "parsers": parsers});
    let with_path = |mut field: Value, path: Value| {
        field["jsonPath"] = path;
        field
    };
    assert_eq!(
        ask(&narvi, "detected_fields", "{app=\"shop\"}"),
        json!({"limit": 1000, "fields": [
            field("detected_level", "string", 1, Value::Null),
            field("size", "bytes", 1, json!(["logfmt"])),
            with_path(field("status", "int", 2, json!(["json", "logfmt"])), json!(["status"])),
            field("took", "duration", 1, json!(["logfmt"])),
            field("trace", "string", 1, Value::Null),
            with_path(field("user_id", "string", 1, json!(["json"])), json!(["user", "id"])),
        ]})
    );
    for (name, query, want) in [
        ("status", "{app=\"shop\"} | logfmt", json!({"values": ["200", "404"], "limit": 1000})),
        ("size", "{app=\"shop\"}", json!({"values": ["10KB"], "limit": 1000})),
        ("none", "{app=\"shop\"}", json!({})),
        ("status", "{app=\"none\"}", json!({})),
    ] {
        assert_eq!(ask(&narvi, &format!("detected_field/{name}/values"), query), want, "{name} {query}");
    }
    for (query, want) in [("count_over_time({app=\"shop\"}[5m])", "only log queries"), ("{", "parse error")] {
        let reply = narvi.get("/loki/api/v1/detected_fields", &[("query", query)]);
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains(want), "{}", reply.text());
    }
}
