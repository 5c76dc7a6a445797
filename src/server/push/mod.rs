//! Push bodies: from the bytes a shipper sent to the streams a store appends. A body is JSON or
//! snappy-compressed protobuf, each perhaps compressed once more, or an export of OpenTelemetry
//! (`otlp`); what it holds is checked by `ingest`. A malformed body is an error and nothing of it is kept; what a limit refuses is kept
//! apart and the rest goes on.

mod encoding;
mod error;
mod inflate;
mod json;
mod media_type;
pub(super) mod otlp;
mod protobuf;
mod streams;
mod wire;

use std::io::Read;

use crate::ingest::{Limits, Rejections};
use crate::store::StreamEntries;

pub use encoding::read_body;
pub use error::PushError;

use media_type::BodyFormat;
use streams::Streams;

/// What bounds the work for one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of a body as it is sent.
    pub sent_bytes_max: usize,
    /// Bytes of a body once it is decompressed.
    pub plain_bytes_max: usize,
    /// Bytes that the streams of one body may occupy in memory.
    pub memory_bytes_max: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { sent_bytes_max: 16 << 20, plain_bytes_max: 64 << 20, memory_bytes_max: 128 << 20 }
    }
}

/// A decoded body.
#[derive(Debug)]
pub struct Push {
    /// The streams with what was accepted of them; none is empty, and equal labels are one stream.
    pub streams: Vec<StreamEntries>,
    /// What a limit refused. Unless empty, its text is the answer (400) although `streams` are kept.
    pub rejections: Rejections,
}

/// Reads and decodes the body of a push. `content_type` and `content_encoding` are the headers as
/// they were sent; `now_ns` is what "too old" and "too new" are measured from.
pub fn decode(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    body: &mut dyn Read,
    body_limits: &BodyLimits,
    limits: &Limits,
    now_ns: i64,
) -> Result<Push, PushError> {
    let plain = read_body(content_encoding, body, body_limits)?;
    let mut streams = Streams::new(limits, now_ns, body_limits.memory_bytes_max, plain.len());
    match BodyFormat::of(content_type, &plain)? {
        BodyFormat::Json => json::decode(&plain, &mut streams)?,
        BodyFormat::SnappyProtobuf => {
            let message = encoding::unsnap(&plain, body_limits.plain_bytes_max)?;
            drop(plain);
            protobuf::decode(&message, &mut streams)?;
        }
    }
    streams.finish()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// 2026-01-05T10:00:00Z.
    pub(super) const NOW_NS: i64 = 1_767_607_200_000_000_000;

    /// A decoded body as text: each stream, below it each entry, and what was refused; or the error.
    pub(super) fn shown(content_type: &str, content_encoding: Option<&str>, body: &[u8]) -> String {
        let limits = Limits { discover_service_name: Vec::new(), discover_log_levels: false, ..Limits::default() };
        shown_push(decode(Some(content_type), content_encoding, &mut &*body, &BodyLimits::default(), &limits, NOW_NS))
    }

    pub(super) fn shown_push(decoded: Result<Push, PushError>) -> String {
        let push = match decoded {
            Ok(push) => push,
            Err(error) => return error.to_string(),
        };
        let mut text = String::new();
        for stream in &push.streams {
            writeln!(text, "{}", stream.labels).unwrap();
            for at in 0..stream.entries.len() {
                let line = String::from_utf8_lossy(stream.entries.line(at));
                let (timestamp_ns, metadata) = (stream.entries.timestamp_ns(at), stream.entries.metadata(at));
                writeln!(text, "  {timestamp_ns} {line:?} {metadata}").unwrap();
            }
        }
        if !push.rejections.is_empty() {
            text += &push.rejections.to_string();
        }
        text
    }

    const ONE: &str = r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]}]}"#;

    #[test]
    fn every_stream_has_a_service_name_and_every_entry_a_level() {
        let body = r#"{"streams":[{"stream":{"app":"sshd"},"values":[["1","an error"],["2","x",{"level":"dbg"}]]}]}"#;
        let decoded =
            decode(Some("application/json"), None, &mut body.as_bytes(), &BodyLimits::default(), &Limits::default(), 0);
        let push = decoded.unwrap();
        assert_eq!(push.streams[0].labels.to_string(), r#"{app="sshd", service_name="sshd"}"#);
        let level = |at| push.streams[0].entries.metadata(at).get("detected_level");
        assert_eq!((level(0), level(1)), (Some("error"), Some("debug")));
    }

    #[test]
    fn what_a_limit_refuses_does_not_affect_the_rest() {
        let in_an_hour = NOW_NS + 3_600_000_000_000;
        let body = format!(
            r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[["1","x"],["{in_an_hour}","new"],["{in_an_hour}","new"],["2","y"]]}},
               {{"stream":{{"a":"{}"}},"values":[["1","z"],["2","z",{{"k":"v"}}]]}},
               {{"stream":{{"a":"c"}},"values":[["3","z"]]}}]}}"#,
            "v".repeat(2049)
        );
        let expected = format!(
            "{{a=\"b\"}}\n  1 \"x\" {{}}\n  2 \"y\" {{}}\n{{a=\"c\"}}\n  3 \"z\" {{}}\n\
             1 errors like: stream '{{a=\"{0}\"}}' has label value too long: '{0}'; \
             2 errors like: entry for stream '{{a=\"b\"}}' has timestamp too new: 2026-01-05T11:00:00Z",
            "v".repeat(2049)
        );
        assert_eq!(shown("application/json", None, body.as_bytes()), expected);
    }

    #[test]
    fn the_content_type_chooses_the_decoder() {
        let accepted = "{a=\"b\"}\n  1 \"x\" {}\n";
        for (content_type, expected) in [
            ("application/json", accepted),
            ("application/x-www-form-urlencoded", accepted),
            ("", accepted),
            ("text/plain", "cannot read the snappy body: snappy: corrupt input (expected "),
            ("application/x-protobuf", "cannot read the snappy body: snappy: corrupt input (expected "),
        ] {
            let shown = shown(content_type, None, ONE.as_bytes());
            assert!(shown.starts_with(expected), "{content_type}: {shown}");
        }
        assert_eq!(shown("", None, b"\x00"), "mime: no media type");
    }

    /// A small body may describe far more than its own size: the budget ends it, whatever it is made of.
    #[test]
    fn the_memory_that_a_body_takes_is_bounded() {
        let list = |element: &dyn Fn(usize) -> String| (0..2000).map(element).collect::<Vec<_>>().join(",");
        let pairs = || list(&|n| format!(r#""k{n}":"""#));
        let streams = |text: String| format!(r#"{{"streams":[{text}]}}"#);
        let entries = |text: String| streams(format!(r#"{{"stream":{{}},"values":[{text}]}}"#));
        let decoded = |body: &str, memory_bytes_max| {
            let body_limits = BodyLimits { memory_bytes_max, ..BodyLimits::default() };
            let limits = Limits::default();
            decode(Some("application/json"), None, &mut body.as_bytes(), &body_limits, &limits, NOW_NS)
        };
        for body in [
            streams(list(&|n| format!(r#"{{"stream":{{"n":{n}}}}}"#))),
            streams(list(&|n| format!(r#"{{"labels":"{{n=\"{n}\"}}"}}"#))),
            streams(format!(r#"{{"stream":{{{}}}}}"#, pairs())),
            entries(list(&|_| r#"["1"]"#.to_owned())),
            entries(list(&|n| format!(r#"["1","",{{"n":"{n}"}}]"#))),
            entries(format!(r#"["1","",{{{}}}]"#, pairs())),
            entries(format!(r#"["1","{}"]"#, "x".repeat(30_000))),
        ] {
            let error = decoded(&body, 20_000).unwrap_err();
            assert_eq!(error.to_string(), "the decoded body is larger than 20000 bytes; send smaller batches");
            let push = decoded(&body, 4_000_000).unwrap();
            let memory: usize = push.streams.iter().map(|stream| stream.entries.memory_bytes()).sum();
            assert!(memory < 4_000_000, "{memory}");
        }
        // Some clients send each line as a stream of its own: labels that were there cost nothing.
        let repeated = list(&|_| r#"{"stream":{"app":"a","host":"b"}},{"labels":"{x=\"y\"}"}"#.to_owned());
        assert!(decoded(&streams(repeated), 20_000).unwrap().streams.is_empty());
    }

    #[test]
    fn labels_that_no_limit_could_let_pass_are_not_even_read() {
        let labels = format!("{{a=\"{}\"}}", "x".repeat(256 * 1024));
        let body = format!(r#"{{"streams":[{{"labels":{labels:?},"values":[["1","x"]]}}]}}"#);
        let shown = shown("application/json", None, body.as_bytes());
        assert!(shown.starts_with("Error parsing labels '{a=\"xxx"), "{}", shown.len());
        assert!(shown.ends_with("xxx...' with error: 262150 bytes of labels; limit 262144"), "{}", shown.len());
    }
}
