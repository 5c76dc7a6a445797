//! `| logfmt`: `key=value key="quoted value"` pairs become labels. A malformed pair is skipped, or
//! with `--strict` ends the parsing and is an error. With `| logfmt a="b"` only the named keys.

use super::super::ast::FieldExpr;
use super::super::entry::{Entry, Labels, append_sanitized};
use super::super::json_scan::append_unescaped;
use super::super::regex::readable;
use super::{Compiled, Worker};

const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// `| logfmt`
#[derive(Debug)]
pub(super) struct Logfmt {
    strict: bool,
    keep_empty: bool,
    /// Label and key; empty for all keys.
    fields: Vec<(String, String)>,
}

impl Logfmt {
    /// Compiles the stage; the error is Loki's.
    pub(super) fn new(strict: bool, keep_empty: bool, fields: &[FieldExpr]) -> Result<Self, String> {
        for FieldExpr { path, .. } in fields {
            let bad = path
                .char_indices()
                .find(|(at, c)| *c != '_' && !c.is_ascii_alphabetic() && !(*at > 0 && c.is_ascii_digit()));
            if let Some((_, c)) = bad {
                return Err(format!("cannot parse expression [{path}]: unexpected char {c}"));
            }
            if path.is_empty() {
                return Err(format!("cannot parse expression [{path}]: syntax error: unexpected $end, expecting KEY"));
            }
        }
        let fields = fields.iter().map(|field| (field.label.clone(), field.path.clone())).collect();
        Ok(Self { strict, keep_empty, fields })
    }
}

impl Compiled for Logfmt {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(LogfmtWorker { stage: self, key: String::new(), unescaped: String::new() })
    }
}

struct LogfmtWorker<'p> {
    stage: &'p Logfmt,
    key: String,
    unescaped: String,
}

impl Worker for LogfmtWorker<'_> {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let (line, labels) = entry.parts();
        let line = readable(line);
        for (label, _) in &self.stage.fields {
            if !labels.collides(label) {
                labels.extract(label, true, |_| {});
            }
        }
        let mut pairs = Pairs { line: &line, at: 0 };
        while !labels.has_all_wanted() || !self.stage.fields.is_empty() {
            let Some(pair) = pairs.next() else { break };
            match pair.and_then(|pair| self.take(&pair, labels)) {
                Ok(()) => {}
                Err(problem) if self.stage.strict => {
                    labels.set_parser_error(LOGFMT_ERROR, &problem.text());
                    break;
                }
                Err(problem) => pairs.skip_from(problem.at),
            }
        }
        true
    }
}

impl LogfmtWorker<'_> {
    fn take(&mut self, pair: &Pair<'_>, labels: &mut Labels<'_>) -> Result<(), Problem> {
        let value = if pair.escaped {
            self.unescaped.clear();
            let invalid = Problem { at: pair.value_at, kind: Kind::InvalidQuoted };
            append_unescaped(pair.value, &mut self.unescaped).ok_or(invalid)?;
            self.unescaped.as_str()
        } else {
            pair.value
        };
        let all_keys = self.stage.fields.is_empty();
        if all_keys && value.is_empty() && !self.stage.keep_empty {
            return Ok(());
        }
        self.key.clear();
        append_sanitized(&mut self.key, pair.key);
        if self.key.is_empty() {
            return Ok(());
        }
        if all_keys {
            labels.extract(&self.key, false, |out| append_value(value, out));
        }
        for (label, key) in &self.stage.fields {
            if *key == self.key {
                labels.extract(label, true, |out| append_value(value, out));
            }
        }
        Ok(())
    }
}

/// Calls `take` with every key of a line and its value, up to the first pair that is malformed.
/// Returns whether there is none.
pub fn logfmt_pairs(line: &str, mut take: impl FnMut(&str, &str)) -> bool {
    let mut pairs = Pairs { line, at: 0 };
    let mut unescaped = String::new();
    while let Some(pair) = pairs.next() {
        let Ok(pair) = pair else { return false };
        if pair.escaped {
            unescaped.clear();
            if append_unescaped(pair.value, &mut unescaped).is_none() {
                return false;
            }
            take(pair.key, &unescaped);
        } else {
            take(pair.key, pair.value);
        }
    }
    true
}

/// Appends a value; what stands for a broken character becomes a space.
fn append_value(value: &str, out: &mut String) {
    if value.contains('\u{fffd}') {
        out.extend(value.chars().map(|c| if c == '\u{fffd}' { ' ' } else { c }));
    } else {
        out.push_str(value);
    }
}

struct Pair<'t> {
    key: &'t str,
    value: &'t str,
    /// Where the value starts in the line.
    value_at: usize,
    /// Whether the value has escapes to resolve.
    escaped: bool,
}

/// A malformed pair: where, and in which way.
#[derive(Clone, Copy)]
struct Problem {
    at: usize,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Unexpected(char),
    Unterminated,
    InvalidQuoted,
    InvalidKey,
}

impl Problem {
    fn text(self) -> String {
        let what = match self.kind {
            Kind::Unexpected(c) => format!("unexpected '{c}'"),
            Kind::Unterminated => "unterminated quoted value".to_owned(),
            Kind::InvalidQuoted => "invalid quoted value".to_owned(),
            Kind::InvalidKey => "invalid key".to_owned(),
        };
        format!("logfmt syntax error at pos {} : {what}", self.at + 1)
    }
}

/// The pairs of a line.
struct Pairs<'t> {
    line: &'t str,
    at: usize,
}

impl<'t> Pairs<'t> {
    fn next(&mut self) -> Option<Result<Pair<'t>, Problem>> {
        let bytes = self.line.as_bytes();
        self.at += bytes[self.at..].iter().position(|byte| *byte > b' ')?;
        Some(self.pair())
    }

    fn pair(&mut self) -> Result<Pair<'t>, Problem> {
        let start = self.at;
        let key_end = self.until(start, |byte| byte <= b' ' || byte == b'=' || byte == b'"');
        let key = &self.line[start..key_end];
        match self.line.as_bytes().get(key_end) {
            Some(b'"') => {
                return Err(Problem { at: key_end, kind: Kind::Unexpected('"') });
            }
            Some(b'=') if key.is_empty() => {
                return Err(Problem { at: key_end, kind: Kind::Unexpected('=') });
            }
            Some(b'=') => {}
            _ => {
                self.at = key_end;
                return Ok(Pair { key, value: "", value_at: key_end, escaped: false });
            }
        }
        if key.contains('\u{fffd}') {
            return Err(Problem { at: start, kind: Kind::InvalidKey });
        }
        let value_at = key_end + 1;
        if self.line[value_at..].starts_with('"') {
            return self.quoted(key, value_at + 1);
        }
        let value_end = self.until(value_at, |byte| byte <= b' ' || byte == b'=' || byte == b'"');
        if let Some(byte @ (b'=' | b'"')) = self.line.as_bytes().get(value_end) {
            let kind = Kind::Unexpected(char::from(*byte));
            return Err(Problem { at: value_end, kind });
        }
        self.at = value_end;
        let value = &self.line[value_at..value_end];
        Ok(Pair { key, value, value_at, escaped: false })
    }

    /// The pair whose value starts behind a quote at `start`.
    fn quoted(&mut self, key: &'t str, start: usize) -> Result<Pair<'t>, Problem> {
        let bytes = self.line.as_bytes();
        let (mut at, mut escaped) = (start, false);
        loop {
            let next = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest));
            let Some(next) = next else {
                return Err(Problem { at: bytes.len(), kind: Kind::Unterminated });
            };
            at += next;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return Ok(Pair { key, value: &self.line[start..at], value_at: start - 1, escaped });
            }
            escaped = true;
            at += 2;
        }
    }

    fn until(&self, start: usize, ends: impl Fn(u8) -> bool) -> usize {
        let rest = &self.line.as_bytes()[start..];
        start + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
    }

    /// Leaves a malformed pair: goes on behind the next separator.
    fn skip_from(&mut self, at: usize) {
        self.at = self.until(at.max(self.at), |byte| byte <= b' ');
    }
}
