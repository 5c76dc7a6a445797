//! The fields that the newest lines of a query have: their structured metadata, what the query's own
//! pipeline makes, and what the parsers `json` and `logfmt` would find if they stood behind it. A sample,
//! from which Logs Drilldown builds its queries.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use super::{Cancel, Direction, Error, Limits, LogAnswer, LogQuery, ResultEntry, select};
use crate::labels::LabelSet;
use crate::labels::duration::parse_go_duration;
use crate::logql::{LineLabels, LogExpr, ParseError, Pipeline, Runner, Stage, json_keys_of, parse_bytes, readable};
use crate::store::Store;

/// Bytes of values of one field that are told apart; beyond that it has more values than a list can show.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// Which lines are looked at, and for how many fields.
#[derive(Clone, Copy, Debug)]
pub struct FieldsQuery<'q> {
    /// Selector and pipeline.
    pub expr: &'q LogExpr,
    /// Start of the range in nanoseconds since 1970, inclusive.
    pub start_ns: i64,
    /// End of the range, exclusive.
    pub end_ns: i64,
    /// Lines that are looked at, the newest ones.
    pub line_limit: usize,
    /// Fields of the answer.
    pub field_limit: usize,
}

/// What fields there are, by name.
pub type Fields = BTreeMap<String, Field>;

/// A field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What all of its values can be read as.
    pub field_type: FieldType,
    /// The different values.
    pub values: BTreeSet<String>,
    /// Whether `json` finds it, and where: the keys that lead to it, as the first line has them.
    pub json: Option<Vec<String>>,
    /// Whether `logfmt` finds it.
    pub logfmt: bool,
    /// Which of [`TYPES`] every value so far fits.
    fits: [bool; TYPES.len()],
    value_bytes: usize,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A whole number of 64 bits.
    Int,
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// A duration with a unit, `1.5s`.
    Duration,
    /// A size with a unit, `10KB`.
    Bytes,
    /// Anything else.
    String,
}

impl FieldType {
    /// The name, as Loki's API has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }
}

/// The fields of the newest lines. `client_is_gone` is asked now and then on the calling thread.
pub fn detect_fields(
    store: &Store,
    query: &FieldsQuery<'_>,
    limits: &Limits,
    cancel: &Cancel,
    client_is_gone: &dyn Fn() -> bool,
) -> Result<Fields, Error> {
    let lines = LogQuery {
        expr: query.expr,
        start_ns: query.start_ns,
        end_ns: query.end_ns,
        limit: query.line_limit,
        direction: Direction::Backward,
        interval_ns: 0,
        categorize_labels: true,
    };
    let answer = select(store, &lines, limits, cancel, client_is_gone)?;
    fields_of(&answer, query.field_limit, cancel)
}

fn fields_of(answer: &LogAnswer, field_limit: usize, cancel: &Cancel) -> Result<Fields, Error> {
    let parsers = Parsers::compile()?;
    let mut found = Found { fields: Fields::new(), limit: field_limit };
    for stream in &answer.streams {
        let labels = LabelSet::new(stream.labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
        let mut runners = parsers.runners(&labels);
        for entry in &stream.entries {
            cancel.check()?;
            found.take(entry, &mut runners);
        }
    }
    Ok(found.fields)
}

/// The stages that every line is tried with.
struct Parsers {
    json: Pipeline,
    logfmt: Pipeline,
}

impl Parsers {
    fn compile() -> Result<Self, ParseError> {
        let logfmt = Stage::Logfmt { strict: false, keep_empty: false, fields: Vec::new() };
        Ok(Self { json: Pipeline::compile(&[Stage::Json(Vec::new())])?, logfmt: Pipeline::compile(&[logfmt])? })
    }

    fn runners<'a>(&'a self, stream: &'a LabelSet) -> Runners<'a> {
        Runners { json: self.json.runner(stream), logfmt: self.logfmt.runner(stream) }
    }
}

/// The parsers in use on the lines of one stream.
struct Runners<'a> {
    json: Runner<'a>,
    logfmt: Runner<'a>,
}

/// Where a field was found.
#[derive(Clone, Copy)]
enum Origin<'l> {
    /// In metadata or by the query's own stages.
    Given,
    /// By `json` in this line.
    Json(&'l str),
    Logfmt,
}

/// The fields that were found so far.
struct Found {
    fields: Fields,
    limit: usize,
}

impl Found {
    fn take(&mut self, entry: &ResultEntry, runners: &mut Runners<'_>) {
        if let Some(categories) = &entry.categories {
            let given = categories.structured_metadata.iter().chain(categories.parsed.iter());
            for (name, value) in given.filter(|(name, value)| !value.is_empty() && !is_internal(name)) {
                self.add(name, value, Origin::Given);
            }
        }
        let none = LabelSet::default();
        let line = readable(&entry.line);
        let of_json = runners.json.run(entry.timestamp_ns, &entry.line, &none).and_then(|passed| passed.labels);
        match of_json {
            Some(labels) if labels.error().is_none() => self.add_parsed(labels, Origin::Json(&line)),
            None => {} // an object without members
            Some(_) => {
                let passed = runners.logfmt.run(entry.timestamp_ns, &entry.line, &none);
                if let Some(labels) = passed.and_then(|passed| passed.labels) {
                    self.add_parsed(labels, Origin::Logfmt);
                }
            }
        }
    }

    fn add_parsed(&mut self, labels: LineLabels<'_, '_>, origin: Origin<'_>) {
        for (name, value) in labels.parsed().filter(|(name, value)| !value.is_empty() && !is_internal(name)) {
            self.add(name, value, origin);
        }
    }

    fn add(&mut self, name: &str, value: &str, origin: Origin<'_>) {
        let is_full = self.fields.len() >= self.limit;
        let field = match self.fields.get_mut(name) {
            Some(field) => field,
            None if !is_full => self.fields.entry(name.to_owned()).or_insert_with(Field::new),
            None => return,
        };
        field.add(value);
        match origin {
            Origin::Given => {}
            Origin::Logfmt => field.logfmt = true,
            Origin::Json(line) => drop(field.json.get_or_insert_with(|| keys_of(line, name))),
        }
    }
}

/// The keys that lead to a label in a line. A name that a stream label has already carries a suffix
/// that is not in the line.
fn keys_of(line: &str, name: &str) -> Vec<String> {
    let without_suffix = || json_keys_of(line, name.strip_suffix("_extracted")?);
    json_keys_of(line, name).or_else(without_suffix).unwrap_or_default()
}

/// Labels that stages use among themselves.
fn is_internal(name: &str) -> bool {
    matches!(name, "__error__" | "__error_details__" | "__preserve_error__")
}

impl Field {
    fn new() -> Self {
        Self {
            field_type: FieldType::String,
            values: BTreeSet::new(),
            json: None,
            logfmt: false,
            fits: [true; TYPES.len()],
            value_bytes: 0,
        }
    }

    fn add(&mut self, value: &str) {
        if self.values.contains(value) || self.value_bytes > VALUE_BYTES_MAX {
            return;
        }
        for (fits, (_, is_one)) in self.fits.iter_mut().zip(TYPES) {
            *fits = *fits && is_one(value);
        }
        let narrowest = self.fits.iter().position(|fits| *fits);
        self.field_type = narrowest.map_or(FieldType::String, |at| TYPES[at].0);
        self.value_bytes += value.len();
        self.values.insert(value.to_owned());
    }

    /// The values as a list shows them: a size has no blank between number and unit.
    pub fn values_shown(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let is_size = self.field_type == FieldType::Bytes;
        self.values.iter().map(
            move |value| {
                if is_size { Cow::Owned(value.replace(' ', "")) } else { Cow::Borrowed(value.as_str()) }
            },
        )
    }
}

/// Whether a value can be read as something.
type Test = fn(&str) -> bool;

/// What a value can be read as, from narrow to wide. What is none of these is a text.
const TYPES: [(FieldType, Test); 5] = [
    (FieldType::Int, |value| value.parse::<i64>().is_ok()),
    (FieldType::Float, |value| value.parse::<f64>().is_ok()),
    (FieldType::Boolean, is_boolean),
    (FieldType::Duration, |value| parse_go_duration(value).is_ok()),
    (FieldType::Bytes, |value| parse_bytes(value).is_ok()),
];

/// What Go's `ParseBool` takes.
fn is_boolean(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False")
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::query::{Categories, ResultLabels, ResultStream, Statistics};

    /// One stream `{app="a", level="l"}` of these lines and their metadata.
    fn answer(lines: &[&str], metadata: &[(&str, &str)], parsed: &[(&str, &str)]) -> LogAnswer {
        let pairs = |pairs: &[(&'static str, &'static str)]| ResultLabels::new(pairs.iter().copied());
        let entry = |line: &&str| ResultEntry {
            timestamp_ns: 5,
            line: line.as_bytes().into(),
            categories: Some(Categories {
                structured_metadata: Arc::new(ResultLabels::new(metadata.iter().copied())),
                parsed: ResultLabels::new(parsed.iter().copied()),
            }),
        };
        LogAnswer {
            streams: vec![ResultStream {
                labels: pairs(&[("app", "a"), ("level", "l")]),
                entries: lines.iter().map(entry).collect(),
            }],
            statistics: Statistics::default(),
            warnings: Vec::new(),
        }
    }

    fn detected(answer: &LogAnswer, limit: usize) -> Vec<String> {
        let fields = fields_of(answer, limit, &Cancel::after(Duration::MAX)).unwrap();
        let shown = |(name, field): (&String, &Field)| {
            let json = field.json.as_ref().map_or(String::new(), |keys| format!(" json {}", keys.join("/")));
            let logfmt = if field.logfmt { " logfmt" } else { "" };
            let values: Vec<_> = field.values_shown().collect();
            format!("{name}: {} {}{json}{logfmt}", field.field_type.name(), values.join("|"))
        };
        fields.iter().map(shown).collect()
    }

    #[test]
    fn lines_are_tried_as_json_and_else_as_logfmt() {
        for (lines, want) in [
            (
                &[r#"{"status":200,"user":{"id":"u1","tags":["x"]},"none":null}"#, "status=404 user=x"][..],
                &["status: int 200|404 json status logfmt", "user: string x logfmt", "user_id: string u1 json user/id"]
                    [..],
            ),
            (&[r#"{"level":"warn"}"#], &["level_extracted: string warn json level"]),
            (&["level=warn"], &["level_extracted: string warn logfmt"]),
            (&["usb 2-4: new device", "", "{}"], &[]),
            (&[r#"{"a":"b""#, "k="], &[]),
        ] {
            assert_eq!(detected(&answer(lines, &[], &[]), 100), want, "{lines:?}");
        }
    }

    #[test]
    fn metadata_and_what_the_pipeline_made_need_no_parser() {
        let given = answer(&["k=v", "k=w"], &[("trace_id", "t1")], &[("made", "1"), ("__error__", "x"), ("k", "v")]);
        assert_eq!(detected(&given, 100), ["k: string v|w logfmt", "made: int 1", "trace_id: string t1"]);
        assert_eq!(detected(&given, 2), ["k: string v|w logfmt", "trace_id: string t1"]);
    }

    #[test]
    fn a_type_is_one_that_every_value_fits() {
        for (values, want) in [
            (&["1", "-7"][..], FieldType::Int),
            (&["1", "2.5"], FieldType::Float),
            (&["true", "F"], FieldType::Boolean),
            (&["1.5s", "10ms", "0"], FieldType::Duration),
            (&["10KB", "3 MiB", "512"], FieldType::Bytes),
            (&["1", "x"], FieldType::String),
            (&["10ms", "3MiB"], FieldType::String),
        ] {
            let mut field = Field::new();
            for value in values {
                field.add(value);
            }
            assert_eq!(field.field_type, want, "{values:?}");
        }
    }

    #[test]
    fn the_values_of_a_field_have_bounded_bytes() {
        let mut field = Field::new();
        for n in 0..100 {
            field.add(&n.to_string().repeat(VALUE_BYTES_MAX / 20));
        }
        assert!(field.values.len() < 30, "{}", field.values.len());
    }
}
