//! `json`: values of a JSON object.

use std::sync::Arc;

use super::{Entry, Flow, JsonPath};
use crate::logql::{Fields, JsonValue, Malformed, Scanner, append_unescaped};

/// Finds values in a JSON object. What is not there, or is null, is not found.
#[derive(Clone, Debug, PartialEq)]
pub struct Json {
    /// Name, and where its value is.
    pub expressions: Vec<(String, JsonPath)>,
    /// What is looked at; `None`: the line.
    pub source: Option<String>,
    /// Do not store what is no JSON object.
    pub drop_malformed: bool,
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Json,
    reason: Arc<str>,
}

impl Step {
    pub(super) fn new(stage: &Json) -> Self {
        Self { stage: stage.clone(), reason: Arc::from("malformed_json") }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let super::entry::Parts { line, fields, next } = entry.parts();
        let text = match &self.stage.source {
            None => line,
            Some(name) => {
                let Some(value) = fields.get(name) else {
                    return Flow::Next;
                };
                next.push_str(value);
                next
            }
        };
        let expressions = &self.stage.expressions;
        remove(fields, expressions);
        if read(text, fields, expressions).is_err() {
            remove(fields, expressions);
            if self.stage.drop_malformed {
                return Flow::Drop(Arc::clone(&self.reason));
            }
            entry.failure = Some("no JSON object");
        }
        Flow::Next
    }
}

/// As if nothing had been found.
fn remove(fields: &mut Fields<'_>, expressions: &[(String, JsonPath)]) {
    for (name, _) in expressions {
        if fields.get(name).is_some() {
            fields.remove(name);
        }
    }
}

/// Reads the values; of equal keys the last counts, as in Go.
fn read(text: &str, fields: &mut Fields<'_>, expressions: &[(String, JsonPath)]) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(text);
    if !scanner.eat(b'{') {
        return Err(Malformed::Object);
    }
    while let Some(key) = scanner.key()? {
        let value = scanner.value()?;
        for (name, path) in expressions.iter().filter(|(_, path)| is_key(key, &path.first)) {
            match path.follow(value) {
                None | Some(JsonValue::Null) => {}
                Some(value) => fields.set(name, |out| append_value(value, out)),
            }
        }
        scanner.separator(b'}')?;
    }
    Ok(())
}

/// Whether a key, as it stands in the text, is this name.
pub(super) fn is_key(raw: &str, name: &str) -> bool {
    if !raw.contains('\\') {
        return raw == name;
    }
    let mut plain = String::new();
    append_unescaped(raw, &mut plain).is_some() && plain == name
}

/// Appends a value as text: a string without quotes and escapes, a number without exponent, objects and
/// arrays as JSON without blanks.
pub(super) fn append_value(value: JsonValue<'_>, out: &mut String) {
    match value {
        JsonValue::String(raw) => {
            let start = out.len();
            if append_unescaped(raw, out).is_none() {
                out.truncate(start);
            }
        }
        JsonValue::Plain(text)
            if text.contains(['e', 'E', '.'])
                && text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) =>
        {
            match text.parse::<f64>() {
                Ok(number) => out.push_str(&number.to_string()),
                Err(_) => out.push_str(text),
            }
        }
        JsonValue::Plain(text) => out.push_str(text),
        JsonValue::Null => {}
        JsonValue::Object(text) | JsonValue::Array(text) => append_compact(text, out),
    }
}

/// Appends JSON without the blanks between its tokens.
fn append_compact(text: &str, out: &mut String) {
    let mut in_string = false;
    let mut escaped = false;
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
}
