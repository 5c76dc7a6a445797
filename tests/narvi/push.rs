//! Pushes in every form that shippers send them.

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

use crate::support::{Directory, Entry, Narvi, Stream, gzip, now_ns};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

/// Compresses a body, or does not.
type Encode = fn(&[u8]) -> Vec<u8>;

/// The same entries come back whatever their form; each form has a stream of its own.
#[test]
fn every_form_of_body_is_stored_alike() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let base_ns = now_ns() - 1_000_000_000;
    let lines =
        ["plain", "", "quotes \" and \\ and \u{1} and \u{fffd} and ü and 🦀", "{\"level\":\"error\"}", " blanks  "];
    let entries: Vec<_> = (base_ns..).zip(lines).collect();
    let stream = |form: &str| {
        let stream = Stream::new(&[("form", form), ("quoted", "a\"b\\c")]);
        [entries.iter().fold(stream, |stream, (timestamp_ns, line)| stream.with(*timestamp_ns, *line))]
    };
    let rows: [(&str, (&str, &str), &str, Encode); 12] = [
        ("json", JSON, "", <[u8]>::to_vec),
        ("json-charset", ("Content-Type", "Application/JSON; charset=utf-8"), "", <[u8]>::to_vec),
        ("json-form", ("Content-Type", "application/x-www-form-urlencoded"), "", <[u8]>::to_vec),
        ("json-gzip", JSON, "gzip", gzip),
        ("json-zlib", JSON, "deflate", |body| compress_to_vec_zlib(body, 6)),
        ("json-deflate", JSON, "deflate", |body| compress_to_vec(body, 6)),
        ("json-identity", JSON, "identity", <[u8]>::to_vec),
        ("protobuf", PROTOBUF, "", <[u8]>::to_vec),
        ("protobuf-snappy", PROTOBUF, "snappy", <[u8]>::to_vec),
        ("protobuf-gzip", PROTOBUF, "gzip", gzip),
        ("protobuf-deflate", PROTOBUF, "deflate", |body| compress_to_vec(body, 6)),
        ("protobuf-other", ("Content-Type", "application/octet-stream"), "", <[u8]>::to_vec),
    ];
    for (form, content_type, encoding, encode) in rows {
        let streams = stream(form);
        let body = if form.starts_with("json") { Stream::json(&streams) } else { Stream::protobuf(&streams) };
        let mut headers = vec![content_type];
        if !encoding.is_empty() {
            headers.push(("Content-Encoding", encoding));
        }
        let reply = narvi.post(&headers, &encode(&body));
        assert_eq!((reply.status, reply.text().as_str()), (204, ""), "{form}");
        let stored = narvi.entries(&format!("{{form=\"{form}\", quoted=`a\"b\\c`}}"));
        let want =
            entries.iter().map(|(timestamp_ns, line)| Entry { timestamp_ns: *timestamp_ns, line: (*line).into() });
        assert_eq!(stored, want.collect::<Vec<_>>(), "{form}");
    }
    assert_eq!(narvi.metrics().get("loki_distributor_lines_received_total"), 12 * 5);
}

#[test]
fn a_body_may_come_in_chunks() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let body = Stream::json(&[Stream::new(&[("app", "x")]).with(now_ns(), "in pieces")]);
    let mut chunked = Vec::new();
    for piece in body.chunks(7) {
        chunked.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut client = narvi.client();
    let headers = [JSON, ("Transfer-Encoding", "chunked")];
    let reply = client.request_without_length("POST", "/loki/api/v1/push", &headers, &chunked).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (204, ""));
    assert_eq!(narvi.lines("{app=\"x\"}"), ["in pieces"]);
}

/// What is sent again after a lost answer is there once; the same moment with another line is another entry.
#[test]
fn a_repeated_push_is_stored_once() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let at_ns = now_ns();
    let first =
        Stream::new(&[("app", "x")]).with(at_ns, "one").with(at_ns, "two").with_metadata(at_ns, "two", &[("k", "v")]);
    for _ in 0..3 {
        narvi.push(std::slice::from_ref(&first));
    }
    assert_eq!(narvi.lines("{app=\"x\"}").len(), 3);
    assert_eq!(narvi.metrics().get("narvi_store_duplicates_dropped_total"), 6);
}

/// The path of old clients: labels as text, times as dates.
#[test]
fn the_legacy_form_is_taken() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "store.retention = '0'\n");
    let body = br#"{"streams":[{"labels":"{app=\"old\"}","entries":[{"ts":"2026-01-05T10:00:00.000000001Z","line":"hello"}]}]}"#;
    let reply = narvi.client().request("POST", "/api/prom/push", &[JSON], body).unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (204, ""));
    let want = Entry { timestamp_ns: 1_767_607_200_000_000_001, line: "hello".into() };
    assert_eq!(narvi.entries("{app=\"old\"}"), [want]);
}
