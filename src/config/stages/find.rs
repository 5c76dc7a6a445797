//! Stages that find values in a line.

use toml::{Spanned, de::DeValue};

use super::{Reader, expression, source};
use crate::collect::stage::{self, Expression, JsonPath, Stage};
use crate::config::{
    keys::{Key, Kind},
    report::Problem,
    section::Text,
};
use crate::labels::LabelSet;

const JSON: &[Key] = &[
    Key::shown("expressions", Kind::Labels, "", "names, and where in the object their values are"),
    Key::shown("source", Kind::Text, "", "a value that was found before; without it, the line"),
    Key::new("drop_malformed", Kind::Flag, "false", "do not store what is no JSON object"),
];

const LOGFMT: &[Key] = &[
    Key::shown("mapping", Kind::Labels, "", "names, and the keys of their values"),
    Key::shown("source", Kind::Text, "", "a value that was found before; without it, the line"),
];

const REGEX: &[Key] = &[
    Key::shown("expression", Kind::Text, "", "with named groups, (?P<name>...)"),
    Key::shown("source", Kind::Text, "", "a value that was found before; without it, the line"),
];

pub(super) fn json(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `json`", JSON, value)?;
    let Some(value) = section.value("expressions") else {
        section.report_missing("expressions");
        return None;
    };
    let mut expressions = Vec::new();
    for (name, path) in reader.pairs(value, "a table of names and paths")? {
        match JsonPath::parse(&path.value) {
            Ok(parsed) => expressions.push((name.value, parsed)),
            Err(at) => reader.report(no_path(&path, at)),
        }
    }
    Some(Stage::Json(stage::Json {
        expressions,
        source: source(&section),
        drop_malformed: section.flag("drop_malformed"),
    }))
}

fn no_path(path: &Text, at: usize) -> Problem {
    let span = if at < path.value.len() { path.part(at..path.value.len()) } else { path.span.clone() };
    Problem::error(span, format!("`{}` leads to no single value", path.value))
        .hint("a path is names, `\"any name\"`, `.` and `[0]` or `[-1]`; of JMESPath nothing else is known")
}

pub(super) fn logfmt(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `logfmt`", LOGFMT, value)?;
    let Some(value) = section.value("mapping") else {
        section.report_missing("mapping");
        return None;
    };
    let mapping = reader.pairs(value, "a table of names and keys")?;
    let mapping = mapping.into_iter().map(|(name, key)| (name.value, key.value)).collect();
    Some(Stage::Logfmt(stage::Logfmt { mapping, source: source(&section) }))
}

pub(super) fn regex(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `regex`", REGEX, value)?;
    let compiled = expression(&section, "expression", Expression::new)?;
    let span = section.span("expression")?;
    if compiled.groups().1 == 0 {
        let problem = Problem::error(span, "the expression has no named group, so that nothing is found");
        reader.report(problem.hint("name what is to be found: (?P<name>...)"));
        return None;
    }
    if let Some(name) = compiled.names().find(|name| !LabelSet::is_name(name)) {
        reader.report(Problem::error(span, format!("`{name}` is no name that stages can use")));
    }
    Some(Stage::Regex(stage::Regex { expression: compiled, source: source(&section) }))
}
