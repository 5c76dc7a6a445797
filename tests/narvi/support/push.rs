//! Bodies of pushes, in each form that shippers send.

use std::time::SystemTime;

use miniz_oxide::deflate::compress_to_vec;
use prost::Message;
use serde_json::{Value, json};

/// Names and values.
type Pairs = Vec<(String, String)>;

/// A stream to push.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    labels: Pairs,
    /// Time, line and metadata.
    entries: Vec<(i64, String, Pairs)>,
}

impl Stream {
    pub(crate) fn new(labels: &[(&str, &str)]) -> Self {
        Self { labels: owned(labels), entries: Vec::new() }
    }

    pub(crate) fn with(self, timestamp_ns: i64, line: impl Into<String>) -> Self {
        self.with_metadata(timestamp_ns, line, &[])
    }

    pub(crate) fn with_metadata(
        mut self,
        timestamp_ns: i64,
        line: impl Into<String>,
        metadata: &[(&str, &str)],
    ) -> Self {
        self.entries.push((timestamp_ns, line.into(), owned(metadata)));
        self
    }

    /// One JSON body of these streams.
    pub(crate) fn json(streams: &[Self]) -> Vec<u8> {
        let object = |pairs: &[(String, String)]| -> Value {
            pairs.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect()
        };
        let streams: Vec<_> = streams
            .iter()
            .map(|stream| {
                let values = stream.entries.iter().map(|(timestamp_ns, line, metadata)| {
                    let mut value = vec![Value::from(timestamp_ns.to_string()), Value::from(line.clone())];
                    if !metadata.is_empty() {
                        value.push(object(metadata));
                    }
                    Value::from(value)
                });
                json!({"stream": object(&stream.labels), "values": values.collect::<Vec<_>>()})
            })
            .collect();
        json!({"streams": streams}).to_string().into_bytes()
    }

    /// One protobuf body of these streams, in a snappy block.
    pub(crate) fn protobuf(streams: &[Self]) -> Vec<u8> {
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| PairMessage { name: name.clone(), value: value.clone() }).collect()
        };
        let streams = streams
            .iter()
            .map(|stream| StreamMessage {
                labels: {
                    let labels = stream.labels.iter().map(|(name, value)| format!("{name}={value:?}"));
                    format!("{{{}}}", labels.collect::<Vec<_>>().join(", "))
                },
                entries: stream
                    .entries
                    .iter()
                    .map(|(timestamp_ns, line, metadata)| EntryMessage {
                        timestamp: Some(TimestampMessage {
                            seconds: timestamp_ns.div_euclid(1_000_000_000),
                            nanos: i32::try_from(timestamp_ns.rem_euclid(1_000_000_000)).unwrap(),
                        }),
                        line: line.clone(),
                        structured_metadata: pairs(metadata),
                    })
                    .collect(),
            })
            .collect();
        let message = PushMessage { streams }.encode_to_vec();
        snap::raw::Encoder::new().compress_vec(&message).unwrap()
    }
}

fn owned(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// `logproto.PushRequest` of Loki's protocol.
#[derive(Message)]
struct PushMessage {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<StreamMessage>,
}

#[derive(Message)]
struct StreamMessage {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryMessage>,
}

#[derive(Message)]
struct EntryMessage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<TimestampMessage>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<PairMessage>,
}

#[derive(Message)]
struct TimestampMessage {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Message)]
struct PairMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// A body as one gzip member (RFC 1952).
pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(compress_to_vec(body, 6));
    out.extend(crc32fast::hash(body).to_le_bytes());
    out.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    out
}

/// The present in nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_nanos()).unwrap()
}
