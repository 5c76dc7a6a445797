//! The stages of a job, `pipeline_stages`: a list of tables with one key each, as promtail's YAML has them.

mod advice;
mod change;
mod choose;
mod find;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    keys::Key,
    report::Problem,
    section::{Document, Section, Text, wrong_type},
    suggest,
};
use crate::collect::stage::{Expression, Stage};
use crate::labels::LabelSet;

pub(super) use advice::Known;

/// Stages may stand this deep in each other.
const DEPTH_MAX: usize = 8;

/// How a stage is read. `None`: something is wrong with it, and was recorded.
type Read = fn(&Reader<'_>, &Spanned<DeValue<'_>>) -> Option<Stage>;

/// The stages by name.
const STAGES: &[(&str, Read)] = &[
    ("cri", |reader, value| reader.empty(value, Stage::Cri)),
    ("decolorize", |reader, value| reader.empty(value, Stage::Decolorize)),
    ("docker", |reader, value| reader.empty(value, Stage::Docker)),
    ("drop", choose::drop),
    ("json", find::json),
    ("labelallow", change::label_allow),
    ("labeldrop", change::label_drop),
    ("labels", change::labels),
    ("limit", choose::limit),
    ("logfmt", find::logfmt),
    ("match", choose::matching),
    ("multiline", change::multiline),
    ("output", change::output),
    ("regex", find::regex),
    ("replace", change::replace),
    ("sampling", choose::sampling),
    ("static_labels", change::static_labels),
    ("structured_metadata", change::structured_metadata),
    ("template", change::template),
    ("timestamp", change::timestamp),
];

/// Stages of promtail that there are not, and why.
const ABSENT: &[(&str, &str)] = &[
    ("pack", "labels need no packing here: what makes too many streams goes into `structured_metadata`"),
    ("tenant", "there is one tenant"),
    ("geoip", "its database and its labels are too large for one small machine"),
    ("eventlogmessage", "there are no Windows events here"),
    ("metrics", "count with a query instead, as in `sum by (job) (count_over_time({job=\"x\"} |= \"y\" [5m]))`"),
    ("non_indexed_labels", "write `structured_metadata`"),
];

/// Reads the list under a job's key; what is wrong in it is recorded and left out. `known` are the labels
/// that the job's lines begin with.
pub(super) fn read(section: &Section<'_>, format: Option<&Stage>, mut known: Known) -> Vec<Stage> {
    let reader = Reader { document: section.document, depth: 0 };
    let mut stages: Vec<Stage> = format.cloned().into_iter().collect();
    let tables = section.tables("pipeline_stages");
    for (_, table) in &tables {
        stages.extend(reader.stage(table));
    }
    known.advise(section.document, &tables);
    stages
}

/// Reads stages of one document.
struct Reader<'d> {
    document: &'d Document<'d>,
    depth: usize,
}

impl Reader<'_> {
    /// One table with one key.
    fn stage(&self, table: &DeTable<'_>) -> Option<Stage> {
        let mut keys = table.iter();
        let (name, value) = keys.next()?;
        if let Some((second, _)) = keys.next() {
            let what = format!("`{}` is a second stage in one table", second.get_ref());
            self.report(
                Problem::error(second.span(), what).hint("write each stage in braces of its own: [{ ... }, { ... }]"),
            );
            return None;
        }
        let word = name.get_ref().as_ref();
        if let Some((_, read)) = STAGES.iter().find(|(known, _)| *known == word) {
            return read(self, value);
        }
        let problem = Problem::error(name.span(), format!("unknown stage `{word}`"));
        let absent = ABSENT.iter().find(|(known, _)| *known == word);
        self.report(match (absent, suggest::nearest(word, STAGES.iter().map(|(known, _)| *known))) {
            (Some((_, why)), _) => problem.hint(*why),
            (None, Some(near)) => problem.label(format!("did you mean `{near}`?")),
            (None, None) => problem,
        });
        None
    }

    fn report(&self, problem: Problem) {
        self.document.report(problem);
    }

    /// A stage that is told nothing.
    fn empty(&self, value: &Spanned<DeValue<'_>>, stage: Stage) -> Option<Stage> {
        let table = self.document.table(value, "an empty table")?;
        for key in table.keys() {
            self.document.unknown_key(key, "in a stage without keys", std::iter::empty());
        }
        Some(stage)
    }

    /// The keys of a stage.
    fn section<'v>(
        &'v self,
        place: &str,
        keys: &'static [Key],
        value: &'v Spanned<DeValue<'v>>,
    ) -> Option<Section<'v>> {
        let table = self.document.table(value, "a table")?;
        Some(Section::new(self.document, place, keys, Some(table)).at(value.span()))
    }

    /// Names and texts, in order of their names. An empty text stands for the name.
    fn pairs(&self, value: &Spanned<DeValue<'_>>, what: &str) -> Option<Vec<(Text, Text)>> {
        let table = self.document.table(value, what)?;
        let mut pairs = Vec::new();
        for (name, value) in table {
            match self.document.text(value) {
                Ok(mut text) => {
                    let name = Text::of_key(name);
                    if text.value.is_empty() {
                        text.value.clone_from(&name.value);
                    }
                    pairs.push((name, text));
                }
                Err(problem) => self.report(problem),
            }
        }
        Some(pairs)
    }

    /// A list of texts that is a stage's only value.
    fn list(&self, value: &Spanned<DeValue<'_>>) -> Option<Vec<Text>> {
        let Some(list) = value.get_ref().as_array() else {
            self.report(wrong_type(value, "a list of names"));
            return None;
        };
        let text = |item| self.document.text(item).map_err(|problem| self.report(problem)).ok();
        Some(list.iter().filter_map(text).collect())
    }

    /// Checks the name of a label that a stage sets.
    fn label(&self, name: &Text) {
        if !LabelSet::is_name(&name.value) {
            let problem = Problem::error(name.span.clone(), format!("`{}` is not a label name", name.value));
            self.report(problem.hint("a name is letters, digits and `_`, and begins with no digit"));
        } else if name.value.starts_with("__") {
            let what = format!("`{}`: names that begin with `__` are internal and never stored", name.value);
            self.report(Problem::error(name.span.clone(), what));
        }
    }
}

/// The source of a stage; `None`: the line.
fn source(section: &Section<'_>) -> Option<String> {
    section.parsed("source", |text| Ok(text.value.clone())).filter(|source| !source.is_empty())
}

/// Reads a regular expression; what is wrong is shown where it stands, as far as that is known.
pub(super) fn expression(
    section: &Section<'_>,
    name: &str,
    compile: fn(&str) -> Result<Expression, String>,
) -> Option<Expression> {
    let compiled = section.parsed(name, |text| {
        let compiled = compile(&text.value).map_err(|error| not_an_expression(text, &error))?;
        if let Some(at) = doubled_escape(&text.value) {
            let what = "a backslash, then a letter: in single quotes nothing has to be doubled";
            section.document.report(Problem::warning(text.part(at..at + 3), what).label("probably one `\\` is meant"));
        }
        Ok(compiled)
    });
    if section.value(name).is_none() {
        section.report_missing(name);
    }
    compiled
}

/// "regular expression: missing closing )", at the part that Go's message quotes.
pub(super) fn not_an_expression(text: &Text, error: &str) -> Problem {
    let message = error.trim_start_matches("error parsing regexp: ");
    let (what, part) = match message.split_once(": `") {
        Some((what, part)) => (what, part.trim_end_matches('`')),
        None => (message, ""),
    };
    let at = text.value.find(part).filter(|_| !part.is_empty());
    let span = at.map_or(text.span.clone(), |at| text.part(at..at + part.len()));
    Problem::error(span, format!("the regular expression does not compile: {what}"))
}

/// Where an expression has `\\d` and the like, which matches a backslash.
fn doubled_escape(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        if bytes.get(at + 1) == Some(&b'\\') && bytes.get(at + 2).is_some_and(|byte| b"dswbDSWB.".contains(byte)) {
            return Some(at);
        }
        at += 2;
        if at > bytes.len() {
            break;
        }
    }
    None
}
