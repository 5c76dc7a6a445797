//! Values of attributes and bodies, which may be nested, as the texts that are stored.

use std::borrow::Cow;

use crate::server::{
    json,
    push::{
        PushError,
        streams::{StreamAt, Streams},
    },
};

use super::{
    Pairs,
    encoded::{Encoded, Field},
    push,
};

/// How deep values may be nested in one another.
const DEPTH_MAX: usize = 16;

#[derive(Clone, Copy)]
enum KeyValueField {
    Key,
    Value,
}
const KEY_VALUE: &[Field<KeyValueField>] = &[(1, "key", KeyValueField::Key), (2, "value", KeyValueField::Value)];

#[derive(Clone, Copy)]
enum AnyValueField {
    String,
    Bool,
    Int,
    Double,
    Array,
    KeyValueList,
    Bytes,
}
const ANY_VALUE: &[Field<AnyValueField>] = &[
    (1, "stringValue", AnyValueField::String),
    (2, "boolValue", AnyValueField::Bool),
    (3, "intValue", AnyValueField::Int),
    (4, "doubleValue", AnyValueField::Double),
    (5, "arrayValue", AnyValueField::Array),
    (6, "kvlistValue", AnyValueField::KeyValueList),
    (7, "bytesValue", AnyValueField::Bytes),
];

#[derive(Clone, Copy)]
enum ListField {
    Values,
}
/// Both of a list of values and of a list of keys and values.
const LIST: &[Field<ListField>] = &[(1, "values", ListField::Values)];

/// A key and its value.
pub(super) struct KeyValue<'m, E> {
    pub(super) key: Cow<'m, str>,
    /// `None`: no value at all.
    pub(super) value: Option<E>,
}

impl<'m, E: Encoded<'m>> KeyValue<'m, E> {
    /// Reads the message.
    pub(super) fn of(message: E) -> Result<Self, PushError> {
        let mut pair = Self { key: Cow::Borrowed(""), value: None };
        message.fields(KEY_VALUE, &mut |field, value| {
            match field {
                KeyValueField::Key => pair.key = readable(value.text()?),
                KeyValueField::Value => pair.value = Some(value),
            }
            Ok(())
        })?;
        Ok(pair)
    }
}

fn readable(text: Cow<'_, [u8]>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A value: a text, or a list or map that holds more.
enum Content<'m, E> {
    Nothing,
    Text(Cow<'m, [u8]>),
    /// A number or a boolean, as JSON writes it.
    Plain(String),
    List(E),
    Map(E),
}

fn content<'m, E: Encoded<'m>>(value: E) -> Result<Content<'m, E>, PushError> {
    let mut content = Content::Nothing;
    value.fields(ANY_VALUE, &mut |field, value| {
        content = match field {
            AnyValueField::String => Content::Text(value.text()?),
            AnyValueField::Bool => Content::Plain(value.boolean()?.to_string()),
            AnyValueField::Int => Content::Plain(value.signed()?.to_string()),
            AnyValueField::Double => double(value.double()?),
            AnyValueField::Array => Content::List(value),
            AnyValueField::KeyValueList => Content::Map(value),
            AnyValueField::Bytes => Content::Text(match value.base64()? {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }),
        };
        Ok(())
    })?;
    Ok(content)
}

/// A number as JavaScript writes it, with an exponent where the digits would be many; what JSON has
/// no number for is a text.
fn double<'m, E>(value: f64) -> Content<'m, E> {
    if !value.is_finite() {
        let name = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Content::Text(Cow::Borrowed(name.as_bytes()));
    }
    let size = value.abs();
    if value == 0.0 || (1e-6..1e21).contains(&size) {
        return Content::Plain(value.to_string());
    }
    let text = format!("{value:e}");
    Content::Plain(if size > 1.0 { text.replace('e', "e+") } else { text })
}

/// Adds an attribute to pairs: the members of a map under joined keys, a list as JSON.
pub(super) fn flatten<'m, E: Encoded<'m>>(
    key: &str,
    value: Option<E>,
    to: &mut Pairs,
    streams: &mut Streams<'_>,
) -> Result<(), PushError> {
    flatten_below(key, value, to, streams, 0)
}

fn flatten_below<'m, E: Encoded<'m>>(
    key: &str,
    value: Option<E>,
    to: &mut Pairs,
    streams: &mut Streams<'_>,
    depth: usize,
) -> Result<(), PushError> {
    check_depth(depth)?;
    let Some(value) = value else { return Ok(()) };
    let text = match content(value)? {
        Content::Nothing => return Ok(()),
        Content::Text(text) => readable(text).into_owned(),
        Content::Plain(text) => text,
        Content::List(list) => {
            let mut text = Vec::new();
            write_list(&mut text, list, depth)?;
            readable(Cow::Owned(text)).into_owned()
        }
        Content::Map(map) => {
            return map.fields(LIST, &mut |ListField::Values, pair| {
                let pair = KeyValue::of(pair)?;
                flatten_below(&format!("{key}_{}", pair.key), pair.value, to, streams, depth + 1)
            });
        }
    };
    push(key.to_owned(), text, to, streams)
}

/// Writes a body as the line of the next entry: a text as it is, a map or list as JSON.
pub(super) fn append_line<'m, E: Encoded<'m>>(
    body: E,
    stream: StreamAt,
    streams: &mut Streams<'_>,
) -> Result<(), PushError> {
    let mut text = Vec::new();
    match content(body)? {
        Content::Nothing => {}
        Content::Text(text) => return streams.extend_line(stream, &text),
        Content::Plain(plain) => text = plain.into_bytes(),
        Content::List(list) => write_list(&mut text, list, 0)?,
        Content::Map(map) => write_map(&mut text, map, 0)?,
    }
    streams.extend_line(stream, &text)
}

/// Compact JSON.
fn write<'m, E: Encoded<'m>>(out: &mut Vec<u8>, value: Option<E>, depth: usize) -> Result<(), PushError> {
    check_depth(depth)?;
    match value.map_or(Ok(Content::Nothing), content)? {
        Content::Nothing => out.extend_from_slice(b"null"),
        Content::Text(text) => json::string(out, &text),
        Content::Plain(text) => out.extend_from_slice(text.as_bytes()),
        Content::List(list) => write_list(out, list, depth)?,
        Content::Map(map) => write_map(out, map, depth)?,
    }
    Ok(())
}

fn write_list<'m, E: Encoded<'m>>(out: &mut Vec<u8>, list: E, depth: usize) -> Result<(), PushError> {
    let mut separator: &[u8] = b"[";
    list.fields(LIST, &mut |ListField::Values, value| {
        out.extend_from_slice(std::mem::replace(&mut separator, b","));
        write(out, Some(value), depth + 1)
    })?;
    out.extend_from_slice(if separator == b"[" { b"[]" } else { b"]" });
    Ok(())
}

fn write_map<'m, E: Encoded<'m>>(out: &mut Vec<u8>, map: E, depth: usize) -> Result<(), PushError> {
    let mut separator: &[u8] = b"{";
    map.fields(LIST, &mut |ListField::Values, pair| {
        out.extend_from_slice(std::mem::replace(&mut separator, b","));
        let pair = KeyValue::of(pair)?;
        json::string(out, &*pair.key);
        out.push(b':');
        write(out, pair.value, depth + 1)
    })?;
    out.extend_from_slice(if separator == b"{" { b"{}" } else { b"}" });
    Ok(())
}

/// Bounds the stack, and in JSON, where each level is read anew, the time.
fn check_depth(depth: usize) -> Result<(), PushError> {
    if depth > DEPTH_MAX {
        return Err(PushError::malformed("OTLP", &format!("values are nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(())
}
