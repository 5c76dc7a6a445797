//! An export in JSON. Each value stays the text that it was sent as until it is asked for, so that
//! keys may come in any order and nothing lies in memory twice.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::server::push::PushError;

use super::encoded::{Encoded, Field};

/// A value as it was sent.
#[derive(Clone, Copy)]
pub(super) struct Json<'m>(&'m str);

impl<'m> Json<'m> {
    /// The document that a body is.
    pub(super) fn text(body: &'m [u8]) -> Result<Self, PushError> {
        let document: &RawValue = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        Ok(Self(document.get()))
    }

    fn parse<T: Deserialize<'m>>(self) -> Result<T, PushError> {
        serde_json::from_str(self.0).map_err(|error| malformed(&error))
    }

    /// A number, or a text that holds one: 64 bits do not fit into every reader's numbers.
    fn number<T: Deserialize<'m> + std::str::FromStr>(self) -> Result<T, PushError> {
        if !self.0.starts_with('"') {
            return self.parse();
        }
        let text: Text<'m> = self.parse()?;
        text.0.parse().map_err(|_| malformed(&format!("{:?} is not the number that is expected", text.0)))
    }
}

fn malformed(error: &(impl fmt::Display + ?Sized)) -> PushError {
    PushError::malformed("JSON", error)
}

/// A text, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'m>(#[serde(borrow)] Cow<'m, str>);

impl<'m> Encoded<'m> for Json<'m> {
    fn fields<F: Copy>(
        self,
        table: &[Field<F>],
        visit: &mut dyn FnMut(F, Self) -> Result<(), PushError>,
    ) -> Result<(), PushError> {
        let mut members = Members { table, visit, failure: None };
        let read = serde_json::Deserializer::from_str(self.0).deserialize_map(&mut members);
        match (read, members.failure) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(failure)) => Err(failure),
            (Err(error), None) => Err(malformed(&error)),
        }
    }

    fn text(self) -> Result<Cow<'m, [u8]>, PushError> {
        Ok(match self.parse::<Text<'m>>()?.0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    fn unsigned(self) -> Result<u64, PushError> {
        self.number()
    }

    fn signed(self) -> Result<i64, PushError> {
        self.number()
    }

    fn double(self) -> Result<f64, PushError> {
        self.number() // the texts `NaN` and `Infinity` of protobuf's JSON are Rust's, too
    }

    fn boolean(self) -> Result<bool, PushError> {
        self.parse()
    }

    fn base64(self) -> Result<Cow<'m, str>, PushError> {
        self.parse::<Text<'m>>().map(|text| text.0)
    }

    fn hexadecimal(self) -> Result<String, PushError> {
        let text = self.parse::<Text<'m>>()?.0;
        if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(malformed(&format!("{text:?} is not hexadecimal")));
        }
        Ok(text.to_ascii_lowercase())
    }
}

/// Visits the members of an object and, where a member is a list, its elements.
struct Members<'v, 'm, F> {
    table: &'v [Field<F>],
    visit: &'v mut dyn FnMut(F, Json<'m>) -> Result<(), PushError>,
    /// Why a visit failed: serde's errors carry nothing but a text.
    failure: Option<PushError>,
}

impl<'m, F: Copy> Members<'_, 'm, F> {
    fn member<E: Error>(&mut self, field: F, value: &'m RawValue) -> Result<(), E> {
        let text = value.get();
        let visited = match text.as_bytes().first() {
            Some(b'n') => Ok(()), // null: as if it were not there
            Some(b'[') => {
                let mut elements = Elements { field, members: self };
                return serde_json::Deserializer::from_str(text).deserialize_seq(&mut elements).map_err(E::custom);
            }
            _ => (self.visit)(field, Json(text)),
        };
        visited.map_err(|failure| {
            self.failure = Some(failure);
            E::custom("refused")
        })
    }
}

impl<'m, F: Copy> Visitor<'m> for &mut Members<'_, 'm, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the OpenTelemetry protocol")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(known) = map.next_key_seed(KeySeed(self.table))? {
            match known {
                Some(field) => self.member(field, map.next_value()?)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The elements of a list that stands for a repeated field.
struct Elements<'e, 'v, 'm, F> {
    field: F,
    members: &'e mut Members<'v, 'm, F>,
}

impl<'m, F: Copy> Visitor<'m> for &mut Elements<'_, '_, 'm, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'m>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<&'m RawValue>()? {
            // No field is a list of lists.
            if element.get().starts_with('[') {
                return Err(A::Error::custom("a list in a list"));
            }
            self.members.member(self.field, element)?;
        }
        Ok(())
    }
}

/// A key: what stands for it in the table, if it is there.
struct KeySeed<'v, F>(&'v [Field<F>]);

impl<'m, F: Copy> DeserializeSeed<'m> for KeySeed<'_, F> {
    type Value = Option<F>;

    fn deserialize<D: Deserializer<'m>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<F: Copy> Visitor<'_> for KeySeed<'_, F> {
    type Value = Option<F>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|known| known.1 == key).map(|known| known.2))
    }
}
