//! Log exports of OpenTelemetry: `/otlp/v1/logs`.

use serde_json::{Value, json};

use crate::support::{Directory, Entry, Narvi, gzip, now_ns};

const PATH: &str = "/otlp/v1/logs";
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn export(narvi: &Narvi, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Vec<u8>) {
    let reply = narvi.client().request("POST", PATH, headers, body).unwrap();
    (reply.status, reply.header("content-type").unwrap_or("").to_owned(), reply.body)
}

fn body(timestamp_ns: i64, line: &str) -> Vec<u8> {
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "host.name", "value": {"stringValue": "a1"}},
        ]},
        "scopeLogs": [{"scope": {"name": "lib"}, "logRecords": [
            {"timeUnixNano": timestamp_ns.to_string(), "severityText": "WARN", "body": {"stringValue": line}},
        ]}],
    }]})
    .to_string()
    .into_bytes()
}

#[test]
fn exports_are_stored_as_streams_and_survive_the_process() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "store.commit_interval = '0s'\n");
    let at_ns = now_ns() - 10;
    assert_eq!(export(&narvi, &[JSON], &body(at_ns, "first")), (204, String::new(), Vec::new()));
    let zipped = gzip(&body(at_ns + 1, "second"));
    assert_eq!(export(&narvi, &[JSON, ("Content-Encoding", "gzip")], &zipped).0, 204);
    // A collector that lost the answer sends its export again.
    assert_eq!(export(&narvi, &[JSON, ("Content-Encoding", "gzip")], &zipped).0, 204);
    narvi.kill();
    let narvi = Narvi::start(&directory);
    let streams = narvi.query("{service_name=\"shop\"}", &[("direction", "forward")]);
    assert_eq!(streams[0]["stream"], json!({"service_name": "shop"}));
    let metadata = json!({"detected_level": "warn", "host_name": "a1", "scope_name": "lib", "severity_text": "WARN"});
    assert_eq!(streams[0]["values"][0][2]["structuredMetadata"], metadata);
    let lines: Vec<String> = Entry::of_streams(&streams).into_iter().map(|entry| entry.line).collect();
    assert_eq!(lines, ["first", "second"]);
}

#[test]
fn refusals_are_status_messages_in_the_encoding_of_the_export() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let (status, content_type, answer) = export(&narvi, &[JSON], b"{}");
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, content_type.as_str(), &answer["code"]), (422, "application/json", &json!(3)));
    assert!(answer["message"].as_str().unwrap().contains("at least one valid stream"), "{answer}");
    let protobuf = [("Content-Type", "application/x-protobuf")];
    for (headers, body, status, want) in [
        (&protobuf[..], &b"\x0a\x05"[..], 400, "cannot read the protobuf body"),
        (&[("Content-Type", "text/plain")], b"{}", 400, "content type: text/plain is not supported"),
        (&[protobuf[0], ("Content-Encoding", "br")], b"", 400, "\"br\" not supported"),
    ] {
        let (got, content_type, answer) = export(&narvi, headers, body);
        assert_eq!((got, content_type.as_str()), (status, "application/x-protobuf"));
        // Field 2, a text; its length takes one byte.
        assert_eq!((answer[0], usize::from(answer[1])), (0x12, answer.len() - 2));
        let text = String::from_utf8_lossy(&answer[2..]);
        assert!(text.contains(want), "{text}");
    }
    assert_eq!(narvi.get(PATH, &[]).status, 405);
}
