//! One entry of a JSON stream, `["ns", "line", {metadata}]`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::server::push::streams::StreamAt;

use super::{Element, Sink};

/// One entry; a missing line is empty and further elements are ignored.
pub(super) struct ValueElement(pub(super) StreamAt);

impl<'de> Element<'de> for ValueElement {
    const LIST: &'static str = "a list of entries";

    fn read_next<A: SeqAccess<'de>>(&self, sink: &mut Sink<'_, '_>, list: &mut A) -> Result<bool, A::Error> {
        Ok(list.next_element_seed(ValueSeed(sink, self.0))?.is_some())
    }
}

struct ValueSeed<'r, 's, 'l>(&'r mut Sink<'s, 'l>, StreamAt);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry: a list of time stamp, line and perhaps metadata")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(timestamp_ns) = list.next_element_seed(TimestampSeed)? else {
            return Err(A::Error::invalid_length(0, &self));
        };
        let mut metadata = Vec::new();
        if list.next_element_seed(LineSeed(self.0, self.1))?.is_some()
            && let Some(pairs) = list.next_element_seed(MetadataSeed(self.0))?
        {
            metadata = pairs;
            while list.next_element::<IgnoredAny>()?.is_some() {}
        }
        self.0.end_entry(self.1, timestamp_ns, metadata)
    }
}

/// A time stamp: a text that holds a decimal number of nanoseconds since 1970.
struct TimestampSeed;

impl<'de> DeserializeSeed<'de> for TimestampSeed {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TimestampSeed {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time stamp: a text of decimal nanoseconds since 1970")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// A line, appended to the stream. Read as bytes: a line may hold what is no UTF-8.
pub(super) struct LineSeed<'r, 's, 'l>(pub(super) &'r mut Sink<'s, 'l>, pub(super) StreamAt);

impl<'de> DeserializeSeed<'de> for LineSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for LineSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line: a text")
    }

    fn visit_bytes<E: Error>(self, line: &[u8]) -> Result<(), E> {
        self.0.extend_line(self.1, line)
    }
}

/// Structured metadata: an object whose values are texts.
pub(super) struct MetadataSeed<'r, 's, 'l>(pub(super) &'r mut Sink<'s, 'l>);

impl<'de> DeserializeSeed<'de> for MetadataSeed<'_, '_, '_> {
    type Value = Vec<(String, String)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetadataSeed<'_, '_, '_> {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("structured metadata: an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            self.0.charge_pair(&name, &value)?;
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use crate::server::push::tests::shown;

    fn entry(text: &str) -> String {
        let body = format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[{text}]}}]}}"#);
        shown("application/json", None, body.as_bytes())
    }

    #[test]
    fn entries() {
        for (text, expected) in [
            (r#"["1767607200000000001","x"]"#, "1767607200000000001 \"x\" {}"),
            (r#"["-5","x"]"#, "-5 \"x\" {}"),
            (r#"["1",""]"#, "1 \"\" {}"),
            (r#"["1"]"#, "1 \"\" {}"),
            (r#"["1","a\nb\t\"\\\/\u00e9\ud83d\ude80"]"#, "1 \"a\\nb\\t\\\"\\\\/é🚀\" {}"),
            (r#"["1","naïve 日本 🚀"]"#, "1 \"naïve 日本 🚀\" {}"),
            (r#"["1","lone \ud800."]"#, "1 \"lone \u{fffd}\u{fffd}\u{fffd}.\" {}"),
            (r#"["1","x",{}]"#, "1 \"x\" {}"),
            (r#"["1","x",{"b":"2","a.b":"1","e":""},7,null]"#, "1 \"x\" {a_b=\"1\", b=\"2\"}"),
        ] {
            assert_eq!(entry(text), format!("{{a=\"b\"}}\n  {expected}\n"), "{text}");
        }
        for text in [
            "[]",
            "{}",
            "null",
            r#"[1767607200000000000,"x"]"#,
            r#"["2026-01-05T10:00:00Z","x"]"#,
            r#"["1.5","x"]"#,
            r#"[" 1","x"]"#,
            r#"["","x"]"#,
            r#"["9223372036854775808","x"]"#,
            r#"["1",5]"#,
            r#"["1",null]"#,
            r#"["1",["x"]]"#,
            r#"["1","x",null]"#,
            r#"["1","x",[]]"#,
            r#"["1","x",{"n":5}]"#,
            r#"["1","x",{"n":null}]"#,
            r#"["1","x",{"n":{}}]"#,
            r#"["1","\x"]"#,
            r#"["1" "x"]"#,
        ] {
            let shown = entry(text);
            assert!(shown.starts_with("cannot read the JSON body: "), "{text}: {shown}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_may_stand_in_a_line_only() {
        let body = |line: &[u8], label: &[u8]| {
            [br#"{"streams":[{"stream":{"a":""#, label, br#""},"values":[["1",""#, line, br#""]]}]}"#].concat()
        };
        let shown = |body: &[u8]| shown("application/json", None, body);
        assert_eq!(shown(&body(b"a\xffb", b"b")), "{a=\"b\"}\n  1 \"a\u{fffd}b\" {}\n");
        assert!(shown(&body(b"x", b"\xff")).starts_with("cannot read the JSON body: "));
    }
}
