//! What is refused: with which status and words, and that nothing of it is kept.

use crate::support::{Directory, Narvi, Params, Stream, gzip, now_ns};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A push that is malformed is refused as a whole, in words that name what is wrong.
#[test]
fn malformed_pushes_leave_nothing_behind() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let at = now_ns();
    let json = |labels: &str, values: &str| {
        let good = format!(r#"{{"stream":{{"app":"good"}},"values":[["{at}","good"]]}}"#);
        format!(r#"{{"streams":[{good},{{"stream":{labels},"values":{values}}}]}}"#).into_bytes()
    };
    let entry = format!(r#"[["{at}","x"]]"#);
    let rows: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("empty", JSON, Vec::new(), 400, "JSON"),
        ("no JSON", JSON, b"hello".to_vec(), 400, "JSON"),
        ("cut JSON", JSON, json("{\"a\":\"b\"}", &entry)[..40].to_vec(), 400, "JSON"),
        ("no stream", JSON, b"{\"streams\":[]}".to_vec(), 422, "at least one valid stream is required"),
        ("no streams", JSON, b"{}".to_vec(), 422, "at least one valid stream is required"),
        ("list as label", JSON, json("{\"a\":[]}", &entry), 400, ""),
        ("label name", JSON, json("{\"a-b\":\"c\"}", &entry), 400, "'-'"),
        ("number as time", JSON, json("{\"a\":\"b\"}", "[[17.5,\"x\"]]"), 400, ""),
        ("word as time", JSON, json("{\"a\":\"b\"}", "[[\"soon\",\"x\"]]"), 400, "soon"),
        ("date as time", JSON, json("{\"a\":\"b\"}", "[[\"2026-01-05T10:00:00Z\",\"x\"]]"), 400, ""),
        ("time beyond 64 bits", JSON, json("{\"a\":\"b\"}", "[[\"99999999999999999999\",\"x\"]]"), 400, ""),
        ("metadata as list", JSON, json("{\"a\":\"b\"}", &format!("[[\"{at}\",\"x\",[]]]")), 400, ""),
        ("not snappy", PROTOBUF, b"{\"streams\":[]}x".to_vec(), 400, ""),
        ("snappy of no message", PROTOBUF, snap::raw::Encoder::new().compress_vec(b"\xff\xff\xff").unwrap(), 400, ""),
        ("no media type", "", b"hello".to_vec(), 400, "media type"),
    ];
    for (name, content_type, body, status, text) in rows {
        let headers = [("Content-Type", content_type)];
        let headers = if content_type.is_empty() { &[][..] } else { &headers[..] };
        let reply = narvi.post(headers, &body);
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        assert!(reply.text().contains(text) && !reply.text().is_empty(), "{name}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"), "{name}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert_eq!(stored(&narvi), 0, "{name}");
    }
    let reply = narvi.post(&[("Content-Type", JSON), ("Content-Encoding", "br")], b"{}");
    assert_eq!((reply.status, stored(&narvi)), (400, 0), "{}", reply.text());
}

/// Labels that come as text are read stream by stream: one that cannot be read is refused alone, as Loki does it.
#[test]
fn a_stream_with_unreadable_labels_is_refused_alone() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let at = now_ns();
    let protobuf = |labels: &str| {
        let stream = Stream::new(&[("app", "good")]).with(at, "good");
        let whole = snap::raw::Decoder::new().decompress_vec(&Stream::protobuf(&[stream])).unwrap();
        let labels = labels.as_bytes();
        let length = u8::try_from(labels.len()).unwrap();
        let more = [&[0x0a, length + 2, 0x0a, length], labels].concat();
        snap::raw::Encoder::new().compress_vec(&[whole, more].concat()).unwrap()
    };
    for labels in ["{a=\"b\", a=\"c\"}", "{a=\"b", "{a=~\"b\"}", "{a-b=\"c\"}", "a"] {
        let reply = narvi.post(&[("Content-Type", PROTOBUF)], &protobuf(labels));
        assert_eq!(reply.status, 400, "{labels}: {}", reply.text());
        assert!(reply.text().contains(labels), "{labels}: {}", reply.text());
        assert_eq!(stored(&narvi), 1, "{labels}");
    }
}

/// Bodies that are compressed badly, or cut, are refused as a whole.
#[test]
fn damaged_compression_leaves_nothing_behind() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let body = Stream::json(&[Stream::new(&[("app", "x")]).with(now_ns(), "line")]);
    let whole = gzip(&body);
    let mut flipped = whole.clone();
    let checksum = flipped.len() - 6;
    flipped[checksum] ^= 1;
    let cut = whole[..whole.len() - 3].to_vec();
    for (encoding, body) in [("gzip", flipped), ("gzip", cut), ("gzip", body.clone()), ("deflate", body)] {
        let reply = narvi.post(&[("Content-Type", JSON), ("Content-Encoding", encoding)], &body);
        assert_eq!((reply.status, stored(&narvi)), (400, 0), "{encoding}: {}", reply.text());
    }
}

/// What only passes a limit is refused alone: the rest of the push is kept, as Loki does it.
#[test]
fn entries_beyond_a_limit_are_refused_alone() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "limits.max_line_size = '1KiB'\n");
    let at_ns = now_ns();
    let stream = |app: &str| Stream::new(&[("app", app)]).with(at_ns, "kept");
    let too_many: Vec<_> = (0..16).map(|number| format!("l{number}")).collect();
    let too_many: Vec<_> = too_many.iter().map(|name| (name.as_str(), "x")).collect();
    let rows = [
        (stream("long").with(at_ns, "x".repeat(1025)), "Max entry size '1024' bytes exceeded"),
        (stream("new").with(at_ns + 660_000_000_000, "x"), "has timestamp too new"),
        (stream("large").with_metadata(at_ns, "x", &[("k", &"v".repeat(65_536))]), "structured metadata too large"),
        (Stream::new(&too_many).with(at_ns, "x"), "has 16 label names; limit 15"),
        (Stream::new(&[("v", &"x".repeat(2049))]).with(at_ns, "x"), "label value too long"),
    ];
    for (number, (stream, text)) in rows.into_iter().enumerate() {
        let other = Stream::new(&[("app", "other")]).with(at_ns + i64::try_from(number).unwrap(), "other");
        let reply = narvi.post(&[("Content-Type", JSON)], &Stream::json(&[stream, other]));
        assert_eq!(reply.status, 400, "{}", reply.text());
        assert!(reply.text().contains(text), "{text}: {}", reply.text());
        assert_eq!(narvi.lines("{app=\"other\"}").len(), number + 1, "{text}");
    }
    assert_eq!(narvi.lines("{app=~\"long|new|large\"}"), ["kept"; 3]);
    assert_eq!(stored(&narvi), 8);
}

/// A bad question is answered with 400 and a text that says where.
#[test]
fn bad_questions_are_refused_in_words() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let (range, instant, labels, series) = ("query_range", "query", "labels", "series");
    let good = "{app=\"x\"}";
    let rows: &[(&str, Params<'_>, &str)] = &[
        (range, &[], "parse error"),
        (range, &[("query", "{app=}")], "parse error at line 1, col 6: "),
        (range, &[("query", "{app=\"x\"")], "parse error at line 1, col "),
        (range, &[("query", "{app=\"x\"} |= ")], "parse error at line 1, col "),
        (range, &[("query", "{app=~\"(\"}")], "("),
        (range, &[("query", "{app=\"x\"} |~ \"[z-a]\"")], "[z-a]"),
        (range, &[("query", "{}")], "at least one"),
        (range, &[("query", "{app=~\".*\"}")], "at least one"),
        (range, &[("query", good), ("start", "yesterday")], "yesterday"),
        (range, &[("query", good), ("end", "2026-13-01T00:00:00Z")], "2026-13-01T00:00:00Z"),
        (range, &[("query", good), ("start", "10"), ("end", "5")], "end timestamp must not be before"),
        (range, &[("query", good), ("since", "1.5h")], "1.5h"),
        (range, &[("query", good), ("limit", "0")], "limit must be a positive value"),
        (range, &[("query", good), ("limit", "many")], "many"),
        (range, &[("query", good), ("direction", "sideways")], "sideways"),
        (instant, &[("query", "vector(")], "parse error"),
        (labels, &[("query", "{app=\"x\"} |= \"y\"")], ""),
        (series, &[("match[]", "{app")], "parse error"),
        ("format_query", &[("query", "{app")], "parse error"),
    ];
    for (endpoint, params, text) in rows {
        let reply = narvi.get(&format!("/loki/api/v1/{endpoint}"), params);
        assert_eq!(reply.status, 400, "{endpoint} {params:?}: {}", reply.text());
        let message = match reply.header("content-type") {
            Some("text/plain; charset=utf-8") => reply.text(),
            _ => reply.json()["error"].as_str().map(str::to_owned).unwrap_or_default(),
        };
        assert!(message.contains(text) && !message.is_empty(), "{endpoint} {params:?}: {message:?}");
    }
}

#[test]
fn other_paths_and_methods_are_refused() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let rows = [
        ("GET", "/nowhere", 404, "404 page not found\n"),
        ("GET", "/loki/api/v1/rules", 404, "404 page not found\n"),
        ("GET", "/loki/api/v1/labels/", 404, "404 page not found\n"),
        ("GET", "/loki/api/v1/push", 405, ""),
        ("PUT", "/loki/api/v1/push", 405, ""),
        ("DELETE", "/loki/api/v1/labels", 405, ""),
    ];
    for (method, target, status, text) in rows {
        let reply = narvi.client().request(method, target, &[], b"").unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (status, text), "{method} {target}");
    }
    let foreign = [("Origin", "https://example.com"), ("User-Agent", "Mozilla/5.0")];
    assert_eq!(narvi.client().request("GET", "/loki/api/v1/labels", &foreign, b"").unwrap().status, 403);
}

/// Entries of all streams, the newest and the oldest.
fn stored(narvi: &Narvi) -> usize {
    let params = [("query", "{service_name=~\".+\"}"), ("start", "0"), ("end", "4000000000"), ("limit", "1000")];
    let answer = narvi.get("/loki/api/v1/query_range", &params).ok();
    let streams = answer["data"]["result"].as_array().unwrap();
    streams.iter().map(|stream| stream["values"].as_array().unwrap().len()).sum()
}
