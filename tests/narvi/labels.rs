//! Labels, their values, and series.

use serde_json::{Value, json};

use crate::support::{Directory, Narvi, Params, Stream, now_ns};

const HOUR_NS: i64 = 3_600_000_000_000;

#[test]
fn labels_values_and_series_are_those_of_the_range() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let now_ns = now_ns();
    narvi.push(&[
        Stream::new(&[("app", "web"), ("host", "a")]).with(now_ns, "1"),
        Stream::new(&[("app", "web"), ("host", "b")]).with(now_ns, "2"),
        Stream::new(&[("app", "db"), ("role", "first"), ("service_name", "store")]).with(now_ns, "3"),
        Stream::new(&[("old", "yes")]).with(now_ns - 30 * HOUR_NS, "4"),
    ]);
    let yesterday = (now_ns - 31 * HOUR_NS).to_string();
    let (web_a, web_b) = (
        json!({"app": "web", "host": "a", "service_name": "web"}),
        json!({"app": "web", "host": "b", "service_name": "web"}),
    );
    let db = json!({"app": "db", "role": "first", "service_name": "store"});
    let old = json!({"old": "yes", "service_name": "unknown_service"});
    let (labels, series) = ("/loki/api/v1/labels", "/loki/api/v1/series");
    let rows: &[(&str, Params<'_>, Value)] = &[
        (labels, &[], json!(["app", "host", "role", "service_name"])),
        ("/loki/api/v1/label", &[], json!(["app", "host", "role", "service_name"])),
        (labels, &[("start", &yesterday)], json!(["app", "host", "old", "role", "service_name"])),
        (labels, &[("since", "32h")], json!(["app", "host", "old", "role", "service_name"])),
        (labels, &[("query", "{app=\"web\"}")], json!(["app", "host", "service_name"])),
        ("/loki/api/v1/label/host/values", &[], json!(["a", "b"])),
        ("/loki/api/v1/label/host/values", &[("query", "{host!=\"a\", app=\"web\"}")], json!(["b"])),
        ("/loki/api/v1/label/service_name/values", &[("since", "32h")], json!(["store", "unknown_service", "web"])),
        (series, &[], json!([db, web_a, web_b])),
        (series, &[("match[]", "{app=\"db\"}")], json!([db])),
        (series, &[("match", "{host=\"a\"}"), ("match", "{app=\"db\"}")], json!([db, web_a])),
        (series, &[("match[]", "{host=\"a\"}"), ("match[]", "{app=\"web\"}")], json!([web_a, web_b])),
        (series, &[("match[]", "{}"), ("start", &yesterday)], json!([db, web_a, web_b, old])),
        (series, &[("match[]", "{app=\"nobody\"}")], json!([])),
    ];
    for pass in ["from memory", "sealed"] {
        for (path, params, want) in rows {
            let mut data = narvi.get(path, params).ok()["data"].take();
            if *path == series {
                data.as_array_mut().unwrap().sort_by_key(ToString::to_string);
            }
            assert_eq!(data, *want, "{pass}: {path} {params:?}");
        }
        narvi.flush();
    }
}

/// Nothing found is a success, with an empty list or without any.
#[test]
fn an_empty_store_has_no_labels() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    for path in ["labels", "label/app/values", "series"] {
        let answer = narvi.get(&format!("/loki/api/v1/{path}"), &[]).ok();
        assert_eq!(answer["status"], "success");
        assert!(answer["data"].as_array().is_none_or(Vec::is_empty), "{path}: {answer}");
    }
}
