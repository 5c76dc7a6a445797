//! `| unpack`: takes apart what promtail's `pack` stage made: a JSON object whose `_entry` becomes
//! the line and whose other strings become labels.

use super::super::entry::{Entry, Labels};
use super::super::json_scan::{Malformed, Scanner, Value, append_string};
use super::super::regex::readable;
use super::json::{JSON_ERROR, append_key};
use super::{Compiled, Worker};

/// The member that holds the line.
const LINE_KEY: &str = "_entry";

/// `| unpack`
#[derive(Debug)]
pub(super) struct Unpack;

impl Compiled for Unpack {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(UnpackWorker { key: String::new(), line: String::new() })
    }
}

struct UnpackWorker {
    key: String,
    line: String,
}

impl Worker for UnpackWorker {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        entry.rewrite(|line, labels, out| {
            if line.is_empty() {
                return false;
            }
            let line = readable(line);
            if !line.starts_with('{') {
                labels.set_parser_error(JSON_ERROR, "expecting json object(6), but it is not");
                return false;
            }
            match find_line(&line) {
                Ok(None) => false,
                Ok(Some(raw)) => {
                    self.take_labels(&line, labels);
                    self.line.clear();
                    append_string(raw, &mut self.line);
                    out.extend_from_slice(self.line.as_bytes());
                    true
                }
                Err(malformed) => {
                    labels.set_parser_error(JSON_ERROR, malformed.text());
                    false
                }
            }
        });
        true
    }
}

impl UnpackWorker {
    /// Makes labels of the strings of an object that is known to be sound.
    fn take_labels(&mut self, line: &str, labels: &mut Labels<'_>) {
        let _ = each_string(line, |key, raw| {
            self.key.clear();
            append_key(&mut self.key, key);
            if key != LINE_KEY && !self.key.is_empty() {
                labels.extract(&self.key, true, |out| append_string(raw, out));
            }
        });
    }
}

/// The member that holds the line, if there is one; the whole object is checked.
fn find_line(text: &str) -> Result<Option<&str>, Malformed> {
    let mut found = None;
    each_string(text, |key, raw| {
        if key == LINE_KEY {
            found = Some(raw);
        }
    })?;
    Ok(found)
}

/// Calls `take` with key and value of every member that is a string.
fn each_string<'t>(text: &'t str, mut take: impl FnMut(&'t str, &'t str)) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.eat(b'{');
    while let Some(key) = scanner.key()? {
        if let Value::String(raw) = scanner.value()? {
            take(key, raw);
        }
        scanner.separator(b'}')?;
    }
    Ok(())
}
