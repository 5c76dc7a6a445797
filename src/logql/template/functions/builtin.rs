//! The functions that Go's templates have themselves.

use std::cmp::Ordering;
use std::fmt::Write;

use super::super::printf::printf as format_values;
use super::super::value::Value;
use super::{Call, Function, Outcome, between, exactly, int_of};

const MANY: usize = usize::MAX;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "and", min: 1, max: MANY, call: Call::And },
    Function { name: "or", min: 1, max: MANY, call: Call::Or },
    exactly(1, "not", |_, a| Ok(Value::Bool(!a[0].is_true()))),
    exactly(1, "len", |_, a| length(&a[0])),
    between(1, MANY, "index", |_, a| index(a)),
    between(1, 4, "slice", |_, a| slice(a)),
    between(0, MANY, "print", |_, a| Ok(Value::text(print(a)))),
    between(0, MANY, "println", |_, a| Ok(Value::text(println(a)))),
    between(1, MANY, "printf", |_, a| Ok(Value::text(format_values(super::text_of(&a[0])?, &a[1..])))),
    between(1, MANY, "html", |_, a| Ok(Value::text(html(&print(a))))),
    between(1, MANY, "js", |_, a| Ok(Value::text(js(&print(a))))),
    between(1, MANY, "urlquery", |_, a| Ok(Value::text(super::convert::url_encoded(&print(a))))),
    between(1, MANY, "call", |_, a| Err(format!("non-function of type {}", a[0].type_name()))),
    between(1, MANY, "eq", |_, a| eq(a)),
    exactly(2, "ne", |_, a| equal(&a[0], &a[1]).map(|equal| Value::Bool(!equal))),
    exactly(2, "lt", |_, a| ordered(a, Ordering::is_lt)),
    exactly(2, "le", |_, a| ordered(a, Ordering::is_le)),
    exactly(2, "gt", |_, a| ordered(a, Ordering::is_gt)),
    exactly(2, "ge", |_, a| ordered(a, Ordering::is_ge)),
];

fn length<'c>(value: &Value<'c>) -> Outcome<'c> {
    let count = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(members) => members.len(),
        Value::Labels(labels) => labels.all().count(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn index<'c>(arguments: &[Value<'c>]) -> Outcome<'c> {
    let mut value = arguments[0].clone();
    for key in &arguments[1..] {
        value = match (&value, key) {
            (Value::Labels(labels), Value::Text(name)) => Value::Text(labels.get(name).unwrap_or("").into()),
            (Value::Map(members), Value::Text(name)) => members.get(name.as_ref()).cloned().unwrap_or(Value::Nil),
            (Value::List(items), Value::Int(at)) => {
                let item = usize::try_from(*at).ok().and_then(|at| items.get(at));
                item.cloned().ok_or_else(|| format!("index out of range: {at}"))?
            }
            (Value::Text(text), Value::Int(at)) => {
                let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at).copied());
                Value::Int(byte.map(i64::from).ok_or_else(|| format!("index out of range: {at}"))?)
            }
            (Value::Nil, _) => return Err("index of untyped nil".to_owned()),
            (value, Value::Nil) => {
                return Err(format!("cannot index {} with nil", value.type_name()));
            }
            (value, _) => return Err(format!("can't index item of type {}", value.type_name())),
        };
    }
    Ok(value)
}

fn slice<'c>(arguments: &[Value<'c>]) -> Outcome<'c> {
    let length = match &arguments[0] {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let bound = |at: usize, missing: usize| match arguments.get(at) {
        None => Ok(missing),
        Some(value) => {
            let bound = int_of(value)?;
            let bound = usize::try_from(bound).ok().filter(|bound| *bound <= length);
            bound.ok_or_else(|| format!("index out of range: {}", value.printed()))
        }
    };
    let (start, end) = (bound(1, 0)?, bound(2, length)?);
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    Ok(match &arguments[0] {
        Value::Text(text) => Value::text(super::text::byte_slice(text, start, end)),
        Value::List(items) => Value::List(items[start..end].to_vec().into()),
        other => other.clone(),
    })
}

/// A blank stands only between two values neither of which is a text.
fn print(values: &[Value<'_>]) -> String {
    let mut out = String::new();
    for (at, value) in values.iter().enumerate() {
        let is_text = |value: &Value<'_>| matches!(value, Value::Text(_));
        if at > 0 && !is_text(value) && !is_text(&values[at - 1]) {
            out.push(' ');
        }
        value.print_inner(&mut out);
    }
    out
}

fn println(values: &[Value<'_>]) -> String {
    let texts: Vec<String> = values.iter().map(Value::printed).collect();
    texts.join(" ") + "\n"
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => out.extend(['\\', c]),
            c if "<>&=".contains(c) || c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c)); // a String takes every write
            }
            c => out.push(c),
        }
    }
    out
}

fn eq<'c>(arguments: &[Value<'c>]) -> Outcome<'c> {
    if arguments.len() == 1 {
        return Err("missing argument for comparison".to_owned());
    }
    for other in &arguments[1..] {
        if equal(&arguments[0], other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn equal(left: &Value<'_>, right: &Value<'_>) -> Result<bool, String> {
    #[expect(clippy::float_cmp, reason = "the template asks for exact equality")]
    Ok(match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Time(left), Value::Time(right)) => left.nanoseconds() == right.nanoseconds(),
        (Value::Nil, other) | (other, Value::Nil) => matches!(other, Value::Nil),
        _ => return Err("incompatible types for comparison".to_owned()),
    })
}

fn ordered<'c>(arguments: &[Value<'c>], holds: fn(Ordering) -> bool) -> Outcome<'c> {
    let ordering = match (&arguments[0], &arguments[1]) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".to_owned()),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(Value::Bool(ordering.is_some_and(holds)))
}
