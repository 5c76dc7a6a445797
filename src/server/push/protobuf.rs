//! Protobuf bodies, after snappy: logproto's `PushRequest`. Unknown fields are skipped.
//!
//! | message | fields that are read |
//! | --- | --- |
//! | `PushRequest` | 1: streams |
//! | `Stream` | 1: labels (text), 2: entries |
//! | `Entry` | 1: timestamp (1: seconds, 2: nanoseconds), 2: line, 3: structured metadata |
//! | `LabelPair` | 1: name, 2: value |

use super::PushError;
use super::streams::{StreamAt, Streams};
use super::wire::{Fields, Value, WireError};

/// Reads a message into the streams. After an error the streams hold a part of it and are of no use.
pub(super) fn decode(message: &[u8], streams: &mut Streams<'_>) -> Result<(), PushError> {
    for field in Fields::new(message) {
        if let (1, Value::Bytes(stream)) = field.map_err(malformed)? {
            decode_stream(stream, streams)?;
        }
    }
    Ok(())
}

fn decode_stream(message: &[u8], streams: &mut Streams<'_>) -> Result<(), PushError> {
    let mut labels: &[u8] = b"";
    for field in Fields::new(message) {
        if let (1, Value::Bytes(text)) = field.map_err(malformed)? {
            labels = text;
        }
    }
    let Some(stream) = streams.stream_of_text(&String::from_utf8_lossy(labels))? else {
        return Ok(());
    };
    for field in Fields::new(message) {
        if let (2, Value::Bytes(entry)) = field.map_err(malformed)? {
            decode_entry(entry, stream, streams)?;
        }
    }
    Ok(())
}

fn decode_entry(message: &[u8], stream: StreamAt, streams: &mut Streams<'_>) -> Result<(), PushError> {
    let mut timestamp_ns = 0;
    let mut line: &[u8] = b"";
    let mut metadata = Vec::new();
    for field in Fields::new(message) {
        match field.map_err(malformed)? {
            (1, Value::Bytes(timestamp)) => timestamp_ns = decode_timestamp(timestamp)?,
            (2, Value::Bytes(bytes)) => line = bytes,
            (3, Value::Bytes(pair)) => metadata.push(decode_pair(pair, streams)?),
            _ => {}
        }
    }
    streams.extend_line(stream, line)?;
    streams.end_entry(stream, timestamp_ns, metadata)
}

/// Nanoseconds since 1970; a time that 64 bits cannot hold becomes the nearest they can.
fn decode_timestamp(message: &[u8]) -> Result<i64, PushError> {
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i64);
    for field in Fields::new(message) {
        match field.map_err(malformed)? {
            (1, Value::Varint(bits)) => seconds = bits.cast_signed(),
            (2, Value::Varint(bits)) => nanoseconds = bits.cast_signed(),
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

fn decode_pair(message: &[u8], streams: &mut Streams<'_>) -> Result<(String, String), PushError> {
    let (mut name, mut value): (&[u8], &[u8]) = (b"", b"");
    for field in Fields::new(message) {
        match field.map_err(malformed)? {
            (1, Value::Bytes(bytes)) => name = bytes,
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    streams.charge_pair(name, value)?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(name), text(value)))
}

fn malformed(error: WireError) -> PushError {
    PushError::malformed("protobuf", &error)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use crate::server::push::tests::shown;

    #[derive(Clone, PartialEq, Message)]
    struct PushRequest {
        #[prost(message, repeated, tag = "1")]
        streams: Vec<Stream>,
        #[prost(string, tag = "2")]
        format: String,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Stream {
        #[prost(string, tag = "1")]
        labels: String,
        #[prost(message, repeated, tag = "2")]
        entries: Vec<Entry>,
        #[prost(uint64, tag = "3")]
        hash: u64,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Entry {
        #[prost(message, optional, tag = "1")]
        timestamp: Option<Timestamp>,
        #[prost(bytes = "vec", tag = "2")]
        line: Vec<u8>,
        #[prost(message, repeated, tag = "3")]
        metadata: Vec<LabelPair>,
        #[prost(message, repeated, tag = "4")]
        parsed: Vec<LabelPair>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    struct Timestamp {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    #[derive(Clone, PartialEq, Message)]
    struct LabelPair {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        value: String,
    }

    fn entry(seconds: i64, nanos: i32, line: &[u8], metadata: &[(&str, &str)]) -> Entry {
        let pair = |(name, value): &(&str, &str)| LabelPair { name: (*name).to_owned(), value: (*value).to_owned() };
        Entry {
            timestamp: Some(Timestamp { seconds, nanos }),
            line: line.to_vec(),
            metadata: metadata.iter().map(pair).collect(),
            parsed: vec![pair(&("ignored", "x"))],
        }
    }

    fn stream(labels: &str, entries: Vec<Entry>) -> Stream {
        Stream { labels: labels.to_owned(), entries, hash: 42 }
    }

    fn snapped(message: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(message).unwrap()
    }

    fn pushed(streams: Vec<Stream>) -> String {
        let message = PushRequest { streams, format: "loki".to_owned() }.encode_to_vec();
        shown("application/x-protobuf", None, &snapped(&message))
    }

    #[test]
    fn streams_and_entries() {
        let none = Entry { timestamp: None, ..entry(0, 0, b"", &[]) };
        for (streams, expected) in [
            (
                vec![
                    stream(r#"{a="b", c="d"}"#, vec![entry(1, 5, b"x", &[]), entry(-1, 7, b"a\xffb", &[("k.k", "v")])]),
                    stream(r#"{ a = "1" , }"#, vec![entry(i64::MIN, 0, b"min", &[])]),
                ],
                "{a=\"b\", c=\"d\"}\n  1000000005 \"x\" {}\n  -999999993 \"a\u{fffd}b\" {k_k=\"v\"}\n\
                 {a=\"1\"}\n  -9223372036854775808 \"min\" {}\n",
            ),
            (vec![stream("", vec![none])], "{}\n  0 \"\" {}\n"),
            (vec![stream("{}", vec![entry(0, 1, b"", &[])])], "{}\n  1 \"\" {}\n"),
            (vec![stream(r#"{a="b"}"#, vec![])], ""),
            (vec![], "error at least one valid stream is required for ingestion"),
            (
                vec![stream(r#"{a-b="c"}"#, vec![entry(1, 0, b"x", &[])]), stream("{}", vec![entry(0, 1, b"", &[])])],
                "{}\n  1 \"\" {}\nError parsing labels '{a-b=\"c\"}' with error: \
                 1:3: parse error: unexpected character inside braces: '-'",
            ),
        ] {
            assert_eq!(pushed(streams), expected);
        }
    }

    #[test]
    fn labels_may_follow_their_entries_and_unknown_fields_are_skipped() {
        let entries = Stream { labels: String::new(), ..stream("", vec![entry(0, 9, b"x", &[])]) }.encode_to_vec();
        let labels = stream(r#"{a="b"}"#, vec![]).encode_to_vec();
        let unknown = [0xa0, 0x06, 0x01, 0xaa, 0x06, 0x01, b'u']; // fields 100 (varint) and 101 (bytes)
        let body = [&entries[..], &unknown, &labels].concat();
        let length = u8::try_from(body.len()).unwrap();
        let message = [&unknown[..], &[0x0a, length], &body, &unknown].concat();
        assert_eq!(shown("application/x-protobuf", Some("snappy"), &snapped(&message)), "{a=\"b\"}\n  9 \"x\" {}\n");
    }

    /// A cut message is refused, or it ends between two fields and is whole in itself; never a panic.
    #[test]
    fn a_message_cut_anywhere_is_refused_or_whole() {
        let streams = vec![stream(r#"{a="b"}"#, vec![entry(1, 5, b"x", &[("k", "v")])])];
        let message = PushRequest { streams, format: "loki".to_owned() }.encode_to_vec();
        let first_field = 2 + usize::from(message[1]);
        for cut in 0..message.len() {
            let shown = shown("application/x-protobuf", None, &snapped(&message[..cut]));
            let expected = match cut {
                0 => "error at least one valid stream is required for ingestion",
                _ if cut == first_field => "{a=\"b\"}\n  1000000005 \"x\" {k=\"v\"}\n",
                _ => "cannot read the protobuf body: bad or cut field",
            };
            assert!(shown.starts_with(expected), "cut at byte {cut}: {shown}");
        }
        let block = snapped(&message);
        for cut in 0..block.len() {
            let shown = shown("application/x-protobuf", None, &block[..cut]);
            assert!(shown.starts_with("cannot read the snappy body: "), "cut at byte {cut}: {shown}");
        }
    }
}
