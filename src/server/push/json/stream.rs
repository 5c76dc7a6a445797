//! One stream of a JSON body: its labels and its entries, in either order.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::labels::LabelSet;
use crate::server::push::PushError;
use crate::server::push::streams::{StreamAt, parse_labels};

use super::entry::ValueElement;
use super::legacy::LegacyEntry;
use super::{Element, ListSeed, Sink};

/// One stream: its labels and its entries.
pub(super) struct StreamElement;

impl<'de> Element<'de> for StreamElement {
    const LIST: &'static str = "a list of streams";

    fn read_next<A: SeqAccess<'de>>(&self, sink: &mut Sink<'_, '_>, list: &mut A) -> Result<bool, A::Error> {
        Ok(list.next_element_seed(StreamSeed(sink))?.is_some())
    }
}

struct StreamSeed<'r, 's, 'l>(&'r mut Sink<'s, 'l>);

#[derive(Clone, Copy, Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum StreamKey {
    Stream,
    Labels,
    Values,
    Entries,
    #[serde(other)]
    Other,
}

impl<'de> DeserializeSeed<'de> for StreamSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StreamSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `stream` and `values`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Outer: whether labels came; inner: the stream they opened, unless it is refused.
        let mut stream: Option<Option<StreamAt>> = None;
        let mut entries_before_labels: Vec<(StreamKey, &RawValue)> = Vec::new();
        while let Some(key) = map.next_key()? {
            match (key, stream) {
                (StreamKey::Stream, _) => {
                    let labels = map.next_value_seed(LabelsSeed(self.0))?;
                    stream = Some(self.0.stream(Labels::Set(labels))?);
                }
                (StreamKey::Labels, _) => {
                    stream = Some(self.0.stream(Labels::Text(map.next_value()?))?);
                }
                (StreamKey::Values, Some(Some(stream))) => {
                    map.next_value_seed(ListSeed(self.0, ValueElement(stream)))?;
                }
                (StreamKey::Entries, Some(Some(stream))) => {
                    map.next_value_seed(ListSeed(self.0, LegacyEntry(stream)))?;
                }
                (StreamKey::Values | StreamKey::Entries, None) => {
                    entries_before_labels.push((key, map.next_value()?));
                }
                (StreamKey::Values | StreamKey::Entries, Some(None)) | (StreamKey::Other, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(stream) = stream else {
            return Err(A::Error::custom("a stream needs its labels, as the object `stream`"));
        };
        let Some(stream) = stream else { return Ok(()) };
        for (key, entries) in entries_before_labels {
            let read = match key {
                StreamKey::Values => ListSeed(self.0, ValueElement(stream)).deserialize(entries),
                _ => ListSeed(self.0, LegacyEntry(stream)).deserialize(entries),
            };
            read.map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// The labels of a stream, an object of texts. Numbers and booleans count as they are written, `null` as absent.
struct LabelsSeed<'r, 's, 'l>(&'r mut Sink<'s, 'l>);

impl<'de> DeserializeSeed<'de> for LabelsSeed<'_, '_, '_> {
    type Value = LabelSet;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<LabelSet, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LabelsSeed<'_, '_, '_> {
    type Value = LabelSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelSet, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            let value = match value.get() {
                "null" => String::new(),
                text if text.starts_with(['{', '[']) => {
                    return Err(A::Error::custom("a label's value must be a text"));
                }
                text if text.starts_with('"') => serde_json::from_str(text).map_err(A::Error::custom)?,
                text => text.to_owned(),
            };
            self.0.charge_pair(&name, &value)?;
            pairs.push((name, value));
        }
        Ok(LabelSet::new(pairs))
    }
}

/// The labels of a stream: an object, or text as in the old API.
pub(super) enum Labels {
    Set(LabelSet),
    Text(String),
}

/// A name that is no label name refuses the body. The error is the one that Loki gets by writing the
/// labels as text and parsing that, so they are written only when there is one.
pub(super) fn check_names(labels: &LabelSet) -> Result<(), PushError> {
    let Some((name, _)) = labels.iter().find(|(name, _)| !LabelSet::is_name(name)) else {
        return Ok(());
    };
    let error = match parse_labels(&labels.to_string()) {
        Err(error) => error,
        Ok(_) => format!("invalid label name {name:?}"),
    };
    Err(PushError::Labels(error))
}

#[cfg(test)]
mod tests {
    use crate::server::push::tests::shown;

    fn stream(text: &str) -> String {
        shown("application/json", None, format!(r#"{{"streams":[{text}]}}"#).as_bytes())
    }

    #[test]
    fn streams() {
        for (text, expected) in [
            (r#"{"stream":{"a":"b"}}"#, ""),
            (r#"{"stream":{"a":"b"},"values":[]}"#, ""),
            (r#"{"stream":{},"values":[["1","x"]]}"#, "{}\n  1 \"x\" {}\n"),
            (
                r#"{"stream":{"n":5,"b":true,"f":-1.50e3,"z":null,"e":""},"values":[["1"]]}"#,
                "{b=\"true\", f=\"-1.50e3\", n=\"5\"}\n  1 \"\" {}\n",
            ),
            (r#"{"stream":{"a":"b","a":"c"},"values":[["1"]]}"#, "{a=\"c\"}\n  1 \"\" {}\n"),
            (r#"{"stream":{"a":"\u65e5\"\n"},"values":[["1"]]}"#, "{a=\"日\\\"\\n\"}\n  1 \"\" {}\n"),
            (
                r#"{"stream":{"__private__":"v","_a":"w","__name__":"n"},"values":[["1"]]}"#,
                "{__name__=\"n\", __private__=\"v\", _a=\"w\"}\n  1 \"\" {}\n",
            ),
            (
                r#"{"stream":null,"values":[["1"]]}"#,
                "cannot read the JSON body: invalid type: null, expected an object of labels at",
            ),
            (r#"{"stream":{"a":{}},"values":[["1"]]}"#, "cannot read the JSON body: a label's value must be a text at"),
            (
                r#"{"values":[["1"]]}"#,
                "cannot read the JSON body: a stream needs its labels, as the object `stream` at",
            ),
            ("{}", "cannot read the JSON body: a stream needs its labels, as the object `stream` at"),
            (
                "1",
                "cannot read the JSON body: invalid type: integer `1`, expected an object with `stream` and `values` at",
            ),
        ] {
            let shown = stream(text);
            assert!(shown.starts_with(expected) && shown.is_empty() == expected.is_empty(), "{text}: {shown}");
        }
    }

    #[test]
    fn a_bad_label_name_refuses_the_whole_body() {
        for (labels, position) in [
            (r#""ds":"p","bad-name":"x""#, "1:5: parse error: unexpected character inside braces: '-'"),
            (r#""a.b":"x""#, "1:3: "),
            (r#""1a":"x""#, ""),
            (r#""é":"x""#, ""),
            (r#""":"x""#, ""),
        ] {
            let shown = stream(&format!(
                r#"{{"stream":{{"a":"b"}},"values":[["1","x"]]}},{{"stream":{{{labels}}},"values":[["1","x"]]}}"#
            ));
            assert!(shown.starts_with(&format!("couldn't parse labels: {position}")), "{labels}: {shown}");
        }
    }
}
