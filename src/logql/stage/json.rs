//! `| json`: every member of a JSON object becomes a label, members of inner objects under the
//! joined names of the path to them. With `| json a="b.c"` only the named values.

use super::super::ast::FieldExpr;
use super::super::entry::{Entry, Labels, append_sanitized};
use super::super::json_scan::{Malformed, Scanner, Value, append_string, append_unescaped};
use super::super::regex::readable;
use super::json_path::{Step, parse_path};
use super::{Compiled, Worker};

/// The error that malformed JSON is noted as.
pub(super) const JSON_ERROR: &str = "JSONParserErr";

/// `| json`
#[derive(Debug)]
pub(super) struct Json;

impl Compiled for Json {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(JsonWorker { key: String::new(), outer: Vec::new() })
    }
}

/// The stack of one thread's walk through objects.
struct JsonWorker {
    /// The label's name so far.
    key: String,
    /// How long it was before each object that is open.
    outer: Vec<usize>,
}

impl Worker for JsonWorker {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let (line, labels) = entry.parts();
        let line = readable(line);
        if let Err(malformed) = self.members(&line, labels) {
            labels.set_parser_error(JSON_ERROR, malformed.text());
        }
        true
    }
}

impl JsonWorker {
    fn members(&mut self, line: &str, labels: &mut Labels<'_>) -> Result<(), Malformed> {
        let mut scanner = Scanner::new(line);
        if !scanner.eat(b'{') {
            return Err(Malformed::Object);
        }
        self.key.clear();
        self.outer.clear();
        loop {
            let Some(key) = scanner.key()? else {
                let Some(length) = self.outer.pop() else {
                    return Ok(());
                };
                self.key.truncate(length);
                scanner.separator(b'}')?;
                continue;
            };
            let length = self.key.len();
            append_key(&mut self.key, key);
            if scanner.eat(b'{') {
                self.outer.push(length);
                continue;
            }
            let value = scanner.value()?;
            if !self.key.is_empty() {
                match value {
                    Value::String(raw) => {
                        labels.extract(&self.key, false, |out| append_string(raw, out));
                    }
                    Value::Plain(text) => {
                        labels.extract(&self.key, false, |out| out.push_str(text));
                    }
                    Value::Null | Value::Object(_) | Value::Array(_) => {}
                }
            }
            if labels.has_all_wanted() {
                return Ok(());
            }
            self.key.truncate(length);
            scanner.separator(b'}')?;
        }
    }
}

/// Appends a member's key, its escapes resolved, as a part of a label's name.
pub(super) fn append_key(name: &mut String, key: &str) {
    if !key.contains('\\') {
        append_sanitized(name, key);
        return;
    }
    let mut plain = String::new();
    if append_unescaped(key, &mut plain).is_some() {
        append_sanitized(name, &plain);
    }
}

/// `| json a="b.c[0]", d`
#[derive(Debug)]
pub(super) struct JsonFields {
    fields: Vec<(String, Vec<Step>)>,
}

impl JsonFields {
    /// Compiles the paths; the error is Loki's.
    pub(super) fn new(fields: &[FieldExpr]) -> Result<Self, String> {
        let compile = |field: &FieldExpr| Ok((field.label.clone(), parse_path(&field.path)?));
        Ok(Self { fields: fields.iter().map(compile).collect::<Result<_, String>>()? })
    }
}

impl Compiled for JsonFields {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }
}

impl Worker for &JsonFields {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let (line, labels) = entry.parts();
        let line = readable(line);
        match line.as_bytes().first() {
            None => return true,
            Some(b'{' | b'[' | b'"') => {}
            Some(_) => {
                labels.set_parser_error(JSON_ERROR, "");
                return true;
            }
        }
        for (label, path) in &self.fields {
            let found = find(&mut Scanner::new(&line), path).unwrap_or_else(|malformed| {
                // What is broken in another way reads as "not there".
                if malformed == Malformed::String {
                    labels.set_parser_error(JSON_ERROR, "Malformed JSON error");
                }
                None
            });
            match found {
                None if labels.collides(label) => {}
                None | Some(Value::Null) => labels.extract(label, true, |_| {}),
                Some(Value::String(raw)) => {
                    labels.extract(label, true, |out| append_string(raw, out));
                }
                Some(Value::Plain(text) | Value::Object(text) | Value::Array(text)) => {
                    labels.extract(label, true, |out| out.push_str(text));
                }
            }
        }
        true
    }
}

/// The value at the end of `path`; the first of equal keys counts.
fn find<'t>(scanner: &mut Scanner<'t>, path: &[Step]) -> Result<Option<Value<'t>>, Malformed> {
    let [step, rest @ ..] = path else {
        return scanner.value().map(Some);
    };
    match step {
        Step::Field(name) if scanner.eat(b'{') => {
            while let Some(key) = scanner.key()? {
                if is_key(key, name) {
                    return find(scanner, rest);
                }
                scanner.value()?;
                scanner.separator(b'}')?;
            }
        }
        Step::Index(index) if scanner.eat(b'[') => {
            let mut at = 0;
            while !scanner.eat(b']') {
                if at == *index {
                    return find(scanner, rest);
                }
                scanner.value()?;
                scanner.separator(b']')?;
                at += 1;
            }
        }
        _ => {}
    }
    Ok(None)
}

fn is_key(raw: &str, name: &str) -> bool {
    if !raw.contains('\\') {
        return raw == name;
    }
    let mut plain = String::new();
    append_unescaped(raw, &mut plain).is_some() && plain == name
}
