//! Entries of the old API, `{"ts":"2026-01-05T10:00:00Z","line":"..","structuredMetadata":{..}}`.
//! Accepted on both push paths.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::server::push::streams::StreamAt;

use super::entry::{LineSeed, MetadataSeed};
use super::{Element, Sink};

/// One entry of the old API.
pub(super) struct LegacyEntry(pub(super) StreamAt);

impl<'de> Element<'de> for LegacyEntry {
    const LIST: &'static str = "a list of entries";

    fn read_next<A: SeqAccess<'de>>(&self, sink: &mut Sink<'_, '_>, list: &mut A) -> Result<bool, A::Error> {
        Ok(list.next_element_seed(EntrySeed(sink, self.0))?.is_some())
    }
}

struct EntrySeed<'r, 's, 'l>(&'r mut Sink<'s, 'l>, StreamAt);

#[derive(Deserialize)]
#[serde(field_identifier)]
enum EntryKey {
    #[serde(rename = "ts")]
    Time,
    #[serde(rename = "line")]
    Line,
    #[serde(rename = "structuredMetadata")]
    Metadata,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for EntrySeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry: an object with `ts` and `line`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut timestamp_ns = None;
        let mut metadata = Vec::new();
        while let Some(key) = map.next_key()? {
            match key {
                EntryKey::Time => timestamp_ns = Some(map.next_value_seed(TimeSeed)?),
                EntryKey::Line => map.next_value_seed(LineSeed(self.0, self.1))?,
                EntryKey::Metadata => metadata = map.next_value_seed(MetadataSeed(self.0))?,
                EntryKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let timestamp_ns = timestamp_ns.ok_or_else(|| A::Error::missing_field("ts"))?;
        self.0.end_entry(self.1, timestamp_ns, metadata)
    }
}

/// A time as RFC 3339 writes it.
struct TimeSeed;

impl<'de> DeserializeSeed<'de> for TimeSeed {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TimeSeed {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as in 2026-01-05T10:00:00.5Z, between the years 1678 and 2261")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        let time = text.parse::<Timestamp>().ok();
        time.and_then(|time| i64::try_from(time.as_nanosecond()).ok())
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use crate::server::push::tests::shown;

    fn stream(text: &str) -> String {
        shown("application/json", None, format!(r#"{{"streams":[{text}]}}"#).as_bytes())
    }

    #[test]
    fn streams_of_the_old_api() {
        for (text, expected) in [
            (
                r#"{"labels":"{a=\"b\"}","entries":[{"ts":"2026-01-05T10:00:00.000000001Z","line":"x"}]}"#,
                "{a=\"b\"}\n  1767607200000000001 \"x\" {}\n",
            ),
            (
                r#"{"entries":[{"structuredMetadata":{"k":"v"},"line":"x","ts":"2026-01-05T11:00:00+01:00","z":[]},{"ts":"1970-01-01T00:00:00Z"}],"labels":"{a=\"b\"}"}"#,
                "{a=\"b\"}\n  1767607200000000000 \"x\" {k=\"v\"}\n  0 \"\" {}\n",
            ),
            (r#"{"labels":"","entries":[{"ts":"1970-01-01T00:00:00Z","line":"x"}]}"#, "{}\n  0 \"x\" {}\n"),
            (r#"{"labels":"{a=\"b\"}","values":[["1","x"]]}"#, "{a=\"b\"}\n  1 \"x\" {}\n"),
            (r#"{"stream":{"a":"b"},"entries":[{"ts":"1970-01-01T00:00:00Z"}]}"#, "{a=\"b\"}\n  0 \"\" {}\n"),
            (r#"{"labels":"{a=\"b\"}","entries":null}"#, ""),
        ] {
            assert_eq!(stream(text), expected, "{text}");
        }
    }

    #[test]
    fn labels_that_cannot_be_read_refuse_their_stream_only() {
        let text = r#"{"labels":"{a-b=\"c\"}","entries":[{"ts":"x"}]},{"labels":"{a=\"b\"}","values":[["1","x"]]}"#;
        let shown = stream(text);
        assert!(
            shown.starts_with("{a=\"b\"}\n  1 \"x\" {}\nError parsing labels '{a-b=\"c\"}' with error: 1:3: "),
            "{shown}"
        );
    }

    #[test]
    fn entries_without_a_time_refuse_the_body() {
        for entry in [
            r#"{"line":"x"}"#,
            r#"{"timestamp":"2026-01-05T10:00:00Z","line":"x"}"#,
            r#"{"ts":"1767607200000000000","line":"x"}"#,
            r#"{"ts":"1500-01-01T00:00:00Z","line":"x"}"#,
            r#"{"ts":5,"line":"x"}"#,
            r#"["1","x"]"#,
        ] {
            let shown = stream(&format!(r#"{{"labels":"{{a=\"b\"}}","entries":[{entry}]}}"#));
            assert!(shown.starts_with("cannot read the JSON body: "), "{entry}: {shown}");
        }
    }
}
