//! Entry points for fuzzing what clients send: each takes any bytes and panics where a promise is broken.

use super::{
    http,
    push::{self, BodyLimits, Push, PushError, otlp},
};
use crate::ingest::Limits;

const NOW_NS: i64 = 1_767_607_200_000_000_000;
/// Small, so that a body which grows is refused soon.
const BODY: BodyLimits = BodyLimits { sent_bytes_max: 1 << 20, plain_bytes_max: 4 << 20, memory_bytes_max: 8 << 20 };

/// A push in JSON, by either of its forms.
pub fn push_json(data: &[u8]) {
    check(decode("application/json", None, data));
}

/// A push in protobuf: any bytes, and any bytes as the message within snappy.
pub fn push_protobuf(data: &[u8]) {
    check(decode("application/x-protobuf", None, data));
    if let Ok(snapped) = snap::raw::Encoder::new().compress_vec(data) {
        check(decode("application/x-protobuf", None, &snapped));
    }
}

/// A compressed push; the first byte chooses how.
pub fn push_compressed(data: &[u8]) {
    if let Some((first, body)) = data.split_first() {
        check(decode("application/json", Some(["gzip", "deflate", "snappy"][usize::from(first % 3)]), body));
    }
}

/// An export of OpenTelemetry in JSON.
pub fn otlp_json(data: &[u8]) {
    check(export("application/json", data));
}

/// An export of OpenTelemetry in protobuf.
pub fn otlp_protobuf(data: &[u8]) {
    check(export("application/x-protobuf", data));
}

/// The head of a request.
pub fn http_head(data: &[u8]) {
    http::fuzz_head(data);
}

fn decode(content_type: &str, content_encoding: Option<&str>, mut body: &[u8]) -> Result<Push, PushError> {
    push::decode(Some(content_type), content_encoding, &mut body, &BODY, &Limits::default(), NOW_NS)
}

fn export(content_type: &str, mut body: &[u8]) -> Result<Push, PushError> {
    otlp::decode(Some(content_type), None, &mut body, &BODY, &Limits::default(), NOW_NS)
}

/// What was accepted keeps to the limits; what was refused has a reason.
fn check(decoded: Result<Push, PushError>) {
    let limits = Limits::default();
    match decoded {
        Ok(push) => {
            for stream in &push.streams {
                assert!(!stream.entries.is_empty(), "a stream without entries: {}", stream.labels);
                for at in 0..stream.entries.len() {
                    assert!(stream.entries.line(at).len() <= limits.max_line_size, "a line above its limit");
                }
            }
            if !push.rejections.is_empty() {
                assert!(!push.rejections.to_string().is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
