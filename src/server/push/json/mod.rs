//! JSON bodies, `{"streams":[{"stream":{..},"values":[["ns","line",{..}],..]}]}`, read straight into
//! the streams: a line without escapes is copied once, from the body to where the store takes it.
//! Keys may come in any order and unknown ones are ignored; what follows the closing brace is too.

mod entry;
mod legacy;
mod stream;

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use stream::{Labels, StreamElement};

use super::PushError;
use super::streams::{StreamAt, Streams};

/// Reads a body into the streams. After an error the streams hold a part of it and are of no use.
pub(super) fn decode(body: &[u8], streams: &mut Streams<'_>) -> Result<(), PushError> {
    let mut sink = Sink { streams, failure: None };
    let read = BodySeed(&mut sink).deserialize(&mut serde_json::Deserializer::from_slice(body));
    match (read, sink.failure) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(failure)) => Err(failure),
        (Err(error), None) => Err(PushError::malformed("JSON", &error)),
    }
}

/// Where what is read goes. An error that is not about JSON waits here, since serde's errors carry
/// nothing but a text.
struct Sink<'s, 'l> {
    streams: &'s mut Streams<'l>,
    failure: Option<PushError>,
}

impl Sink<'_, '_> {
    /// Appends to the line of the next entry.
    fn extend_line<E: Error>(&mut self, stream: StreamAt, bytes: &[u8]) -> Result<(), E> {
        let extended = self.streams.extend_line(stream, bytes);
        self.checked(extended)
    }

    /// Ends the entry whose line was written.
    fn end_entry<E: Error>(
        &mut self,
        stream: StreamAt,
        timestamp_ns: i64,
        metadata: Vec<(String, String)>,
    ) -> Result<(), E> {
        let ended = self.streams.end_entry(stream, timestamp_ns, metadata);
        self.checked(ended)
    }

    /// Accounts for a pair of labels or metadata, before it is kept.
    fn charge_pair<E: Error>(&mut self, name: &str, value: &str) -> Result<(), E> {
        let charged = self.streams.charge_pair(name.as_bytes(), value.as_bytes());
        self.checked(charged)
    }

    fn checked<T, E: Error>(&mut self, result: Result<T, PushError>) -> Result<T, E> {
        result.map_err(|failure| {
            self.failure = Some(failure);
            E::custom("refused")
        })
    }

    /// Opens the stream with these labels; `None` if it is refused.
    fn stream<E: Error>(&mut self, labels: Labels) -> Result<Option<StreamAt>, E> {
        let opened = match labels {
            Labels::Text(text) => self.streams.stream_of_text(&text),
            Labels::Set(set) => stream::check_names(&set).and_then(|()| self.streams.stream(set)),
        };
        self.checked(opened)
    }
}

/// The body: an object with a list of streams.
struct BodySeed<'r, 's, 'l>(&'r mut Sink<'s, 'l>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum BodyKey {
    Streams,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for BodySeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BodySeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `streams`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key()? {
            match key {
                BodyKey::Streams => map.next_value_seed(ListSeed(self.0, StreamElement))?,
                BodyKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// What a list holds.
trait Element<'de> {
    /// What a list of them is called in an error.
    const LIST: &'static str;

    /// Reads the next element; `false` if there is none.
    fn read_next<A: SeqAccess<'de>>(&self, sink: &mut Sink<'_, '_>, list: &mut A) -> Result<bool, A::Error>;
}

/// A list, or `null` for an empty one.
struct ListSeed<'r, 's, 'l, T>(&'r mut Sink<'s, 'l>, T);

impl<'de, T: Element<'de>> DeserializeSeed<'de> for ListSeed<'_, '_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Element<'de>> Visitor<'de> for ListSeed<'_, '_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::LIST)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while self.1.read_next(self.0, &mut list)? {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::server::push::tests::shown;

    #[test]
    fn bodies() {
        let one = "{a=\"b\"}\n  1 \"x\" {}\n";
        for (body, expected) in [
            (r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]}]}"#, one),
            (r#" { "streams" : [ { "stream" : { "a" : "b" } , "values" : [ [ "1" , "x" ] ] } ] } "#, one),
            (r#"{"n":1,"streams":[{"m":{},"stream":{"a":"b"},"values":[["1","x"]],"k":[2]}],"l":null}"#, one),
            (r#"{"streams":[{"values":[["1","x"]],"stream":{"a":"b"}}]}"#, one),
            (r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]}]} and more"#, one),
            (r#"{"streams":[{"stream":{"a":"b"},"values":null},{"stream":{"a":"b"},"values":[["1","x"]]}]}"#, one),
            (
                r#"{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]},{"stream":{},"values":[["3","z"]]},{"stream":{"a":"b"},"values":[["2","y"]]}]}"#,
                "{a=\"b\"}\n  1 \"x\" {}\n  2 \"y\" {}\n{}\n  3 \"z\" {}\n",
            ),
            ("{}", "error at least one valid stream is required for ingestion"),
            (r#"{"streams":[]}"#, "error at least one valid stream is required for ingestion"),
            (r#"{"streams":null}"#, "error at least one valid stream is required for ingestion"),
            ("", "cannot read the JSON body: EOF while parsing a value at line 1 column 0"),
            (
                "[]",
                "cannot read the JSON body: invalid type: sequence, expected an object with `streams` at line 1 column 0",
            ),
            (
                r#"{"streams":{}}"#,
                "cannot read the JSON body: invalid type: map, expected a list of streams at line 1 column 13",
            ),
        ] {
            assert_eq!(shown("application/json", None, body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_refused() {
        let body = r#"{"k":[{}],"streams":[{"stream":{"a":"b","n":1.5},"values":[["1","x\u00e9\n",{"k":"v"},0]]},{"values":[["2"]],"stream":{}}]}"#;
        assert!(shown("application/json", None, body.as_bytes()).starts_with('{'));
        for cut in 0..body.len() {
            let shown = shown("application/json", None, &body.as_bytes()[..cut]);
            assert!(shown.starts_with("cannot read the JSON body: "), "cut at byte {cut}: {shown}");
        }
    }
}
