//! Exports in both encodings, and what becomes of them.

use prost::Message;

use crate::ingest::Limits;
use crate::server::push::{
    BodyLimits,
    tests::{NOW_NS, shown_push},
};

#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    severity_number: i32,
    #[prost(string, tag = "3")]
    severity_text: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "7")]
    dropped_attributes_count: u32,
    #[prost(fixed32, tag = "8")]
    flags: u32,
    #[prost(bytes = "vec", tag = "9")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    span_id: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "One", tags = "1, 2, 3, 4, 5, 6, 7")]
    one: Option<One>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum One {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(Array),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
struct Array {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

fn any(one: One) -> AnyValue {
    AnyValue { one: Some(one) }
}

fn text(text: &str) -> One {
    One::String(text.to_owned())
}

fn pair(key: &str, one: One) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(one)) }
}

fn map(pairs: Vec<KeyValue>) -> One {
    One::Map(KeyValueList { values: pairs })
}

fn list(values: Vec<One>) -> One {
    One::Array(Array { values: values.into_iter().map(any).collect() })
}

/// An export of one resource, one scope and one record.
fn export(resource: Vec<KeyValue>, scope: Option<Scope>, record: LogRecord) -> Export {
    Export {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: resource }),
            scope_logs: vec![ScopeLogs { scope, log_records: vec![record] }],
            schema_url: "https://opentelemetry.io/schemas/1.21.0".to_owned(),
        }],
    }
}

/// A record with nothing but a time and a body.
fn record(body: One) -> LogRecord {
    LogRecord { time_unix_nano: 5, body: Some(any(body)), ..LogRecord::default() }
}

fn taken(content_type: &str, content_encoding: Option<&str>, body: &[u8]) -> String {
    let limits = Limits { discover_log_levels: false, ..Limits::default() };
    let body_limits = BodyLimits::default();
    shown_push(super::decode(Some(content_type), content_encoding, &mut &*body, &body_limits, &limits, NOW_NS))
}

fn taken_protobuf(export: &Export) -> String {
    taken("application/x-protobuf", None, &export.encode_to_vec())
}

fn taken_json(body: &str) -> String {
    taken("application/json; charset=utf-8", None, body.as_bytes())
}

/// What stands in an export of every field that is read is the same in both encodings.
#[test]
fn every_field_is_read_in_both_encodings() {
    let whole = export(
        vec![
            pair("service.name", text("shop")),
            pair("k8s.pod.name", text("pod-1")),
            pair("host.name", text("a1")),
            pair("process.pid", One::Int(-7)),
        ],
        Some(Scope {
            name: "lib".to_owned(),
            version: "1.2".to_owned(),
            attributes: vec![pair("sc.a", One::Bool(true))],
            dropped_attributes_count: 3,
        }),
        LogRecord {
            time_unix_nano: 1_767_607_200_000_000_000,
            severity_number: 13,
            severity_text: "WARN".to_owned(),
            body: Some(any(text("a \"line\""))),
            attributes: vec![
                pair("req", map(vec![pair("path", text("/a")), pair("size", One::Int(5))])),
                pair("tags", list(vec![text("p"), One::Double(0.5), map(vec![pair("k", One::Bool(false))])])),
                pair("raw", One::Bytes(b"\xff\x00".to_vec())),
                KeyValue { key: "none".to_owned(), value: None },
            ],
            dropped_attributes_count: 2,
            flags: 1,
            trace_id: vec![0x5b, 0x8e, 0xff],
            span_id: vec![0xee, 0x01],
            observed_time_unix_nano: 1_767_607_200_000_000_007,
            event_name: "ignored".to_owned(),
        },
    );
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{
        "timeUnixNano":"1767607200000000000","observedTimeUnixNano":1767607200000000007,
        "severityNumber":13,"severityText":"WARN","body":{"stringValue":"a \"line\""},"eventName":"ignored",
        "attributes":[
            {"key":"req","value":{"kvlistValue":{"values":[
                {"key":"path","value":{"stringValue":"/a"}},{"key":"size","value":{"intValue":"5"}}]}}},
            {"key":"tags","value":{"arrayValue":{"values":[
                {"stringValue":"p"},{"doubleValue":0.5},{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}}]}}]}}},
            {"key":"raw","value":{"bytesValue":"/wA="}},{"key":"none","value":null}],
        "droppedAttributesCount":2,"flags":1,"traceId":"5B8EFF","spanId":"ee01"}],
      "scope":{"name":"lib","version":"1.2","droppedAttributesCount":"3","attributes":[{"key":"sc.a","value":{"boolValue":true}}]}}],
      "resource":{"attributes":[{"value":{"stringValue":"shop"},"key":"service.name"},
        {"key":"k8s.pod.name","value":{"stringValue":"pod-1"}},{"key":"host.name","value":{"stringValue":"a1"}},
        {"key":"process.pid","value":{"intValue":-7}}],"droppedAttributesCount":9},
      "unknown":[[1]]}]}"#;
    let expected = "{k8s_pod_name=\"pod-1\", service_name=\"shop\"}\n  1767607200000000000 \"a \\\"line\\\"\" \
                    {dropped_attributes_count=\"2\", flags=\"1\", host_name=\"a1\", \
                    observed_timestamp=\"1767607200000000007\", process_pid=\"-7\", raw=\"/wA=\", req_path=\"/a\", \
                    req_size=\"5\", sc_a=\"true\", scope_dropped_attributes_count=\"3\", scope_name=\"lib\", \
                    scope_version=\"1.2\", severity_number=\"13\", severity_text=\"WARN\", span_id=\"ee01\", \
                    tags=\"[\\\"p\\\",0.5,{\\\"k\\\":false}]\", trace_id=\"5b8eff\"}\n";
    assert_eq!(taken_protobuf(&whole), expected);
    assert_eq!(taken_json(json), expected);
}

#[test]
fn bodies_become_lines() {
    for (body, expected) in [
        (text("as it is"), "as it is"),
        (One::Bool(true), "true"),
        (One::Int(i64::MIN), "-9223372036854775808"),
        (One::Double(1.5), "1.5"),
        (One::Double(3.0), "3"),
        (One::Double(-0.0), "-0"),
        (One::Double(1e300), "1e+300"),
        (One::Double(-1e21), "-1e+21"),
        (One::Double(2.5e-7), "2.5e-7"),
        (One::Double(f64::NEG_INFINITY), "-Inf"),
        (One::Bytes(b"foob".to_vec()), "Zm9vYg=="),
        (map(vec![]), "{}"),
        (list(vec![]), "[]"),
        (
            map(vec![pair("a", text("x\n")), pair("b", list(vec![One::Int(2), One::Double(f64::NAN)]))]),
            r#"{"a":"x\n","b":[2,"NaN"]}"#,
        ),
    ] {
        let expected = format!("{{service_name=\"unknown_service\"}}\n  5 {expected:?} {{}}\n");
        assert_eq!(taken_protobuf(&export(vec![], None, record(body))), expected);
    }
    let without = LogRecord { time_unix_nano: 5, ..LogRecord::default() };
    let expected = "{service_name=\"unknown_service\"}\n  5 \"\" {}\n";
    assert_eq!(taken_protobuf(&export(vec![], None, without)), expected);
}

#[test]
fn the_time_is_that_of_the_event_or_of_its_observation_or_now() {
    for (time, observed, expected) in
        [(5, 7, "5 \"x\" {observed_timestamp=\"7\"}"), (5, 0, "5 \"x\" {}"), (0, 7, "7 \"x\" {}")]
    {
        let record = LogRecord { time_unix_nano: time, observed_time_unix_nano: observed, ..record(text("x")) };
        let shown = taken_protobuf(&export(vec![], None, record));
        assert!(shown.ends_with(&format!("\n  {expected}\n")), "{shown}");
    }
    let shown = taken_protobuf(&export(vec![], None, LogRecord { time_unix_nano: 0, ..record(text("x")) }));
    assert!(shown.contains(&format!("\n  {NOW_NS} \"x\"")), "{shown}");
    let far = LogRecord { time_unix_nano: u64::MAX, ..record(text("x")) };
    assert!(taken_protobuf(&export(vec![], None, far)).contains("too new"));
}

#[test]
fn service_names_are_derived_and_zero_ids_left_out() {
    for (attributes, labels) in [
        (vec![pair("service.name", text(""))], r#"{service_name="unknown_service"}"#),
        (
            vec![pair("k8s.container.name", text("c")), pair("k8s.job.name", text("j"))],
            r#"{k8s_container_name="c", k8s_job_name="j", service_name="c"}"#,
        ),
        (
            vec![pair("service.name", map(vec![pair("a-b", text("x"))]))],
            r#"{service_name="unknown_service", service_name_a_b="x"}"#,
        ),
    ] {
        let record = LogRecord { trace_id: vec![0; 16], span_id: vec![0; 8], ..record(text("x")) };
        assert_eq!(taken_protobuf(&export(attributes, None, record)), format!("{labels}\n  5 \"x\" {{}}\n"));
    }
}

#[test]
fn what_is_no_export_is_refused() {
    for (content_type, body, expected) in [
        ("text/plain", "{}", "content type: text/plain is not supported"),
        ("application/json", "{}", "error at least one valid stream is required for ingestion"),
        (
            "application/json",
            r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[]}]}]}"#,
            "error at least one valid stream is required for ingestion",
        ),
        ("application/json", "", "cannot read the JSON body: "),
        ("application/json", "[]", "cannot read the JSON body: "),
        ("application/json", r#"{"resourceLogs":[[{}]]}"#, "cannot read the JSON body: a list in a list"),
        (
            "application/json",
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"}]}]}]}"#,
            "cannot read the JSON body: \"x\" is not the number that is expected",
        ),
        (
            "application/json",
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}"#,
            "cannot read the JSON body: \"xyz\" is not hexadecimal",
        ),
        ("application/x-protobuf", "\x0a\x05", "cannot read the protobuf body: bad or cut field"),
        ("application/x-protobuf", "\x08\x05", "cannot read the protobuf body: a field of another type"),
    ] {
        let shown = taken(content_type, None, body.as_bytes());
        assert!(shown.starts_with(expected), "{body}: {shown}");
    }
    let nested = |depth: usize| (0..depth).fold(text("x"), |inner, _| list(vec![inner]));
    for (depth, fits) in [(16, true), (17, false)] {
        let line = export(vec![], None, record(nested(depth)));
        let attribute = export(vec![pair("a", nested(depth))], None, record(text("x")));
        for export in [line, attribute] {
            assert_eq!(!taken_protobuf(&export).contains("nested deeper than 16 levels"), fits, "{depth} levels");
        }
    }
}

/// A cut export is refused, or it ends between two fields and is whole in itself; never a panic.
#[test]
fn an_export_cut_anywhere_is_refused_or_whole() {
    let one = export(vec![pair("service.name", text("s"))], None, record(list(vec![text("x"), One::Double(1.5)])));
    let body = one.encode_to_vec();
    for cut in 0..body.len() {
        let shown = taken("application/x-protobuf", None, &body[..cut]);
        let expected = if cut == 0 { "error at least one valid stream" } else { "cannot read the protobuf body: " };
        assert!(shown.starts_with(expected), "cut at byte {cut}: {shown}");
    }
}

#[test]
fn a_body_may_be_compressed() {
    let body = export(vec![], None, record(text("x"))).encode_to_vec();
    let block = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    let deflated = miniz_oxide::deflate::compress_to_vec(&body, 6);
    let expected = "{service_name=\"unknown_service\"}\n  5 \"x\" {}\n";
    for (encoding, body) in [(None, &body), (Some("snappy"), &block), (Some("deflate"), &deflated)] {
        assert_eq!(taken("application/x-protobuf", encoding, body), expected);
    }
    assert!(taken("application/x-protobuf", Some("lz4"), &body).contains("not supported"));
}

/// Attributes of a resource go to each of its records: a small body must not become a large one.
#[test]
fn what_records_inherit_counts_against_the_memory_of_a_body() {
    let mut large = export(vec![pair("a", text(&"x".repeat(1000)))], None, record(text("x")));
    let records = &mut large.resource_logs[0].scope_logs[0].log_records;
    records.extend(vec![records[0].clone(); 999]);
    let decoded = |memory_bytes_max| {
        let body_limits = BodyLimits { memory_bytes_max, ..BodyLimits::default() };
        let body = large.encode_to_vec();
        let limits = Limits::default();
        shown_push(super::decode(Some("application/x-protobuf"), None, &mut &*body, &body_limits, &limits, NOW_NS))
    };
    assert_eq!(decoded(1_000_000), "the decoded body is larger than 1000000 bytes; send smaller batches");
    assert_eq!(decoded(2_000_000).lines().count(), 1001);
}
