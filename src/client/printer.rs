//! What was found, as text: entries with their time and labels, only their lines, or as JSON; metrics and statistics.

use std::{
    hash::BuildHasher,
    io::{self, Write},
    rc::Rc,
};

use foldhash::fast::FixedState;
use serde_json::{Value, json, value::RawValue};

use super::{answer::Entry, times::Zone};
use crate::labels::LabelSet;

/// Colours of label sets, so that streams can be told apart: those of a terminal that are readable on black and white.
const COLORS: [u8; 6] = [31, 32, 33, 34, 35, 36];
const TIME_COLOR: u8 = 34;
/// Bytes that are gathered before they are written; always whole entries, so that a file that is cut off ends with one.
const OUTPUT_BYTES_TARGET: usize = 64 << 10;

/// What an entry becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Time, labels, line.
    Default,
    /// The line.
    Raw,
    /// A JSON object with the keys `labels`, `line` and `timestamp`.
    JsonLines,
}

/// How entries are written.
#[derive(Clone, Debug)]
pub struct Format {
    /// What an entry becomes.
    pub mode: Mode,
    /// Of the times.
    pub zone: Zone,
    /// Times to the nanosecond instead of the second.
    pub nanoseconds: bool,
    /// With colours.
    pub has_colors: bool,
    /// Control characters of lines are written as `\x1b`, so that a line cannot command the terminal.
    pub is_terminal: bool,
    /// Which labels.
    pub labels: Labels,
}

/// Which labels are written with an entry.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// None at all.
    pub are_hidden: bool,
    /// Only these; all if there are none.
    pub included: Vec<String>,
    /// Not these.
    pub excluded: Vec<String>,
    /// Columns for them; they are as wide as the widest of a page at least.
    pub columns: usize,
    /// Also those that all entries of a page have.
    pub shows_common: bool,
}

/// Writes entries, and keeps them together until [`Printer::flush`].
pub struct Printer<W> {
    out: W,
    format: Format,
    buffer: Vec<u8>,
}

impl<W: Write> Printer<W> {
    /// Writes to `out`.
    pub fn new(out: W, format: Format) -> Self {
        Self { out, format, buffer: Vec::new() }
    }

    /// Writes a page of entries. Gives the labels that all of them have, if they were left out.
    ///
    /// # Errors
    /// Those of the output.
    pub fn page(&mut self, entries: &[Entry]) -> io::Result<Option<LabelSet>> {
        let common = if self.format.mode == Mode::Default
            && !self.format.labels.shows_common
            && !self.format.labels.are_hidden
        {
            common(entries, &self.format.labels.included)
        } else {
            LabelSet::default()
        };
        self.write(entries, &common)?;
        Ok((!common.is_empty()).then_some(common))
    }

    /// Writes entries as they come, with all their labels.
    ///
    /// # Errors
    /// Those of the output.
    pub fn live(&mut self, entries: &[Entry]) -> io::Result<()> {
        self.write(entries, &LabelSet::default())
    }

    /// Writes a text.
    ///
    /// # Errors
    /// Those of the output.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.buffer.extend_from_slice(text.as_bytes());
        self.flush()
    }

    /// Hands over what was kept.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.out.flush()
    }

    fn write(&mut self, entries: &[Entry], common: &LabelSet) -> io::Result<()> {
        // Streams are few; what their labels look like is worked out once for each run of entries.
        let texts: Vec<String> = if self.format.mode == Mode::Default && !self.format.labels.are_hidden {
            entries.iter().map(|entry| self.shown(&entry.labels, common)).collect()
        } else {
            Vec::new()
        };
        let columns = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(self.format.labels.columns);
        for (at, entry) in entries.iter().enumerate() {
            match self.format.mode {
                Mode::Default => self.columns(entry, texts.get(at).map(String::as_str), columns),
                Mode::Raw => self.line(&entry.line, false),
                Mode::JsonLines => self.json(entry),
            }
            self.buffer.push(b'\n');
            if self.buffer.len() >= OUTPUT_BYTES_TARGET {
                self.out.write_all(&self.buffer)?;
                self.buffer.clear();
            }
        }
        Ok(())
    }

    fn columns(&mut self, entry: &Entry, labels: Option<&str>, columns: usize) {
        let time = self.format.zone.format(entry.timestamp_ns, self.format.nanoseconds);
        self.colored(&time, TIME_COLOR);
        self.buffer.push(b' ');
        if let Some(labels) = labels {
            let at = usize::try_from(FixedState::default().hash_one(labels) % COLORS.len() as u64).unwrap_or(0);
            self.colored(labels, COLORS[at]);
            let padding = columns.saturating_sub(labels.chars().count());
            self.buffer.extend(std::iter::repeat_n(b' ', padding + 1));
        }
        self.line(&entry.line, self.format.is_terminal);
    }

    fn colored(&mut self, text: &str, color: u8) {
        if self.format.has_colors {
            self.buffer.extend_from_slice(format!("\x1b[{color}m{text}\x1b[0m").as_bytes());
        } else {
            self.buffer.extend_from_slice(text.as_bytes());
        }
    }

    /// A line without the newline that it may end with.
    fn line(&mut self, line: &str, is_terminal: bool) {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if is_terminal && line.contains(|c: char| c.is_control() && c != '\t' && c != '\n') {
            for c in line.chars() {
                match c {
                    '\t' | '\n' => self.buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    c if c.is_control() => self.buffer.extend_from_slice(format!("\\x{:02x}", u32::from(c)).as_bytes()),
                    c => self.buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        } else {
            self.buffer.extend_from_slice(line.as_bytes());
        }
    }

    fn json(&mut self, entry: &Entry) {
        let labels: serde_json::Map<_, _> = if self.format.labels.are_hidden {
            serde_json::Map::new()
        } else {
            let shown = entry.labels.iter().filter(|(name, _)| self.shows(name));
            shown.map(|(name, value)| (name.to_owned(), value.into())).collect()
        };
        let time = self.format.zone.format(entry.timestamp_ns, true);
        let object = json!({ "labels": labels, "line": entry.line, "timestamp": time });
        self.buffer.extend_from_slice(object.to_string().as_bytes());
    }

    /// Whether a label is among those that were asked for.
    fn shows(&self, name: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|known| known == name);
        (self.format.labels.included.is_empty() || is_in(&self.format.labels.included))
            && !is_in(&self.format.labels.excluded)
    }

    fn shown(&self, labels: &Rc<LabelSet>, common: &LabelSet) -> String {
        let shown = labels.iter().filter(|(name, _)| self.shows(name) && common.get(name).is_none());
        LabelSet::new(shown.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()).to_string()
    }
}

/// The labels that all entries have, but for those that were asked for by name.
fn common(entries: &[Entry], included: &[String]) -> LabelSet {
    let Some(first) = entries.first() else { return LabelSet::default() };
    let is_common = |(name, value): &(&str, &str)| {
        !included.iter().any(|known| known == name)
            && entries
                .iter()
                .all(|entry| Rc::ptr_eq(&entry.labels, &first.labels) || entry.labels.get(name) == Some(value))
    };
    let pairs = first.labels.iter().filter(is_common);
    LabelSet::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The result of a metric query: for people indented, else one series on each line.
pub fn metric_text(result: &RawValue, mode: Mode) -> String {
    let Ok(value) = serde_json::from_str::<Value>(result.get()) else { return result.get().to_owned() + "\n" };
    match (mode, value) {
        (Mode::Raw | Mode::JsonLines, Value::Array(series)) if series.iter().all(Value::is_object) => {
            series.iter().flat_map(|series| [series.to_string(), "\n".to_owned()]).collect()
        }
        (_, value) => format!("{value:#}\n"),
    }
}

/// Statistics of a server as lines of name and value.
pub fn statistics_text(statistics: &Value) -> String {
    let mut text = String::new();
    flatten("", statistics, &mut text);
    text
}

fn flatten(name: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                flatten(&name, value, text);
            }
        }
        Value::Null => {}
        value => text.extend([name, ": ", &value.to_string(), "\n"]),
    }
}
