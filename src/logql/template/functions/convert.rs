//! Functions that turn texts into something else and back.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::super::json_scan::{Malformed, Scanner, Value as Json, append_unescaped};
use super::super::super::literal::parse_float;
use super::super::super::units::parse_bytes;
use super::super::value::Value;
use super::{Function, Outcome, exactly, text_of};
use crate::labels::duration::parse_go_duration;

/// JSON values nested deeper than this are taken for invalid; they are read recursively.
const JSON_DEPTH_MAX: usize = 32;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly(1, "b64enc", |_, a| Ok(Value::text(base64(text_of(&a[0])?.as_bytes())))),
    exactly(1, "b64dec", |_, a| Ok(Value::text(from_base64(text_of(&a[0])?)))),
    exactly(1, "urlencode", |_, a| Ok(Value::text(url_encoded(text_of(&a[0])?)))),
    exactly(1, "urldecode", |_, a| url_decoded(text_of(&a[0])?)),
    #[expect(clippy::cast_precision_loss, reason = "the function gives a floating-point number")]
    exactly(1, "bytes", |_, a| Ok(Value::Float(parse_bytes(text_of(&a[0])?)? as f64))),
    exactly(1, "duration", |_, a| seconds(text_of(&a[0])?)),
    exactly(1, "duration_seconds", |_, a| seconds(text_of(&a[0])?)),
    exactly(2, "default", |_, a| Ok(if a[1].is_empty() { a[0].clone() } else { a[1].clone() })),
    exactly(1, "fromJson", |_, a| Ok(from_json(text_of(&a[0])?))),
];

fn seconds<'c>(text: &str) -> Outcome<'c> {
    #[expect(clippy::cast_precision_loss, reason = "the function gives a floating-point number")]
    Ok(Value::Float(parse_go_duration(text).map_err(|error| error.to_string())? as f64 / 1e9))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = BASE64[(group >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// The decoded text; for what is no base64 the error, as text.
fn from_base64(text: &str) -> String {
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut group, mut bits) = (0_u32, 0);
    for (at, byte) in digits.bytes().enumerate() {
        let Some(value) = BASE64.iter().position(|digit| *digit == byte) else {
            return corrupt(at);
        };
        group = group << 6 | u32::try_from(value).unwrap_or(0);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((group >> bits & 0xff) as u8);
        }
    }
    if !text.len().is_multiple_of(4) || padding > 2 {
        return corrupt(text.len() - text.len() % 4);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A text as it stands in the query of a URL.
pub(super) fn url_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => {
                let _ = write!(out, "%{byte:02X}"); // a String takes every write
            }
        }
    }
    out
}

fn url_decoded<'c>(text: &str) -> Outcome<'c> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        out.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = tail.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                let Some(digits) = digits.and_then(|digits| std::str::from_utf8(digits).ok()) else {
                    let piece = String::from_utf8_lossy(&tail[..tail.len().min(2)]).into_owned();
                    return Err(format!("invalid URL escape \"%{piece}\""));
                };
                rest = &tail[2..];
                u8::from_str_radix(digits, 16).unwrap_or(b'?')
            }
            byte => *byte,
        });
    }
    Ok(Value::text(String::from_utf8_lossy(&out)))
}

/// The value of a JSON text; nothing if it is none.
fn from_json<'c>(text: &str) -> Value<'c> {
    let mut scanner = Scanner::new(text);
    let value = json_value(&mut scanner, JSON_DEPTH_MAX);
    if scanner.peek() == 0 { value.unwrap_or(Value::Nil) } else { Value::Nil }
}

fn json_value<'c>(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value<'c>, Malformed> {
    let deeper = depth.checked_sub(1).ok_or(Malformed::Value)?;
    if scanner.eat(b'{') {
        let mut members = BTreeMap::new();
        while let Some(key) = scanner.key()? {
            members.insert(plain(key)?, json_value(scanner, deeper)?);
            scanner.separator(b'}')?;
        }
        return Ok(Value::Map(members.into()));
    }
    if scanner.eat(b'[') {
        let mut items = Vec::new();
        while !scanner.eat(b']') {
            items.push(json_value(scanner, deeper)?);
            scanner.separator(b']')?;
        }
        return Ok(Value::List(items.into()));
    }
    Ok(match scanner.value()? {
        Json::String(raw) => Value::text(plain(raw)?),
        Json::Plain("true") => Value::Bool(true),
        Json::Plain("false") => Value::Bool(false),
        Json::Plain(number) => Value::Float(parse_float(number).map_err(|_| Malformed::Value)?),
        Json::Null | Json::Object(_) | Json::Array(_) => Value::Nil,
    })
}

fn plain(raw: &str) -> Result<String, Malformed> {
    let mut text = String::new();
    append_unescaped(raw, &mut text).map(|()| text).ok_or(Malformed::String)
}
