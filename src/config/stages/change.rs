//! Stages that change the entry: its labels, line, time and metadata.

use toml::{Spanned, de::DeValue};

use super::{Reader, expression, source};
use crate::collect::stage::{self, Expression, LineTemplate, Stage, TimeFormat};
use crate::config::{
    keys::{Key, Kind, Zero, count, duration},
    report::Problem,
    section::{Section, Text},
};

const MULTILINE: &[Key] = &[
    Key::shown("firstline", Kind::Text, "", "what the first line of a block matches"),
    Key::new("max_wait_time", duration(1, Zero::Refused), r#""3s""#, "how long a block waits for its next line"),
    Key::new("max_lines", count(1), "128", "lines of a block"),
];

const OUTPUT: &[Key] = &[Key::shown("source", Kind::Text, "", "the value that becomes the line")];

const REPLACE: &[Key] = &[
    Key::shown("expression", Kind::Text, "", "with groups: what they match is replaced"),
    Key::new("replace", Kind::Text, "''", "a template; .Value is what the group matched"),
    Key::shown("source", Kind::Text, "", "a value that was found before; without it, the line"),
];

const TEMPLATE: &[Key] = &[
    Key::shown("source", Kind::Text, "", "the value that is made or changed"),
    Key::shown("template", Kind::Text, "", "what it becomes; .Value is what it was"),
];

const TIMESTAMP: &[Key] = &[
    Key::shown("source", Kind::Text, "", "the value that is a time"),
    Key::shown("format", Kind::Text, "", "how it is written: RFC3339, Unix, a layout of Go's or of strftime"),
    Key::new("fallback_formats", Kind::Texts, "[]", "other ways"),
    Key::shown("location", Kind::Text, "", "zone of times that carry none; without it, the job's"),
    Key::new("action_on_failure", Kind::Choice(&["fudge", "skip"]), r#""fudge""#, "the last time again, or none"),
];

/// Names whose values are many: as labels, each would make a stream of its own.
const MANY_VALUED: &[&str] =
    &["path", "uri", "url", "msg", "message", "password", "ip", "user_agent", "session", "trace", "user"];

pub(super) fn labels(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let pairs = reader.pairs(value, "a table of labels and the names of their values")?;
    for (name, source) in &pairs {
        reader.label(name);
        no_template(reader, source);
        let lower = name.value.to_ascii_lowercase();
        let is_many = MANY_VALUED.contains(&lower.as_str())
            || lower.ends_with("id")
            || lower.ends_with("_ip")
            || ["session", "trace", "duration"].iter().any(|start| lower.starts_with(start));
        if is_many {
            let what = format!("each value of `{}` makes a stream of its own", name.value);
            let hint = "if there are many, write the stage `structured_metadata`: queries find it all the same";
            reader.report(Problem::warning(name.span.clone(), what).hint(hint));
        }
    }
    Some(Stage::Labels(stage::Labels { labels: plain(pairs) }))
}

/// What is meant for the stage `template`.
fn no_template(reader: &Reader<'_>, source: &Text) {
    if source.value.contains("{{") {
        let what = "the name of a found value stands here, no template";
        let hint = "make the value in a stage before: { template = { source = \"x\", template = \"...\" } }";
        reader.report(Problem::error(source.span.clone(), what).hint(hint));
    }
}

fn plain(pairs: Vec<(Text, Text)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, value)| (name.value, value.value)).collect()
}

pub(super) fn structured_metadata(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let pairs = reader.pairs(value, "a table of names and the names of their values")?;
    for (name, source) in &pairs {
        reader.label(name);
        no_template(reader, source);
    }
    Some(Stage::StructuredMetadata(stage::StructuredMetadata { metadata: plain(pairs) }))
}

pub(super) fn static_labels(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let table = reader.document.table(value, "a table of labels")?;
    let mut labels = Vec::new();
    for (name, value) in table {
        let name = Text::of_key(name);
        reader.label(&name);
        match reader.document.text(value) {
            Ok(text) if text.value.is_empty() => {}
            Ok(text) => labels.push((name.value, text.value)),
            Err(problem) => reader.report(problem),
        }
    }
    Some(Stage::StaticLabels(stage::StaticLabels { labels }))
}

pub(super) fn label_drop(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let names = reader.list(value)?.into_iter().map(|name| name.value).collect();
    Some(Stage::LabelDrop(stage::LabelDrop { names }))
}

pub(super) fn label_allow(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let names = reader.list(value)?.into_iter().map(|name| name.value).collect();
    Some(Stage::LabelAllow(stage::LabelAllow { names }))
}

pub(super) fn multiline(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `multiline`", MULTILINE, value)?;
    let firstline = expression(&section, "firstline", Expression::new)?;
    Some(Stage::Multiline(stage::Multiline {
        firstline,
        max_wait: section.duration("max_wait_time"),
        lines_max: section.count("max_lines"),
    }))
}

pub(super) fn output(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `output`", OUTPUT, value)?;
    Some(Stage::Output(stage::Output { source: needed(&section, "source")? }))
}

/// A text that must be there.
pub(super) fn needed(section: &Section<'_>, name: &str) -> Option<String> {
    let text = section.parsed(name, |text| Ok(text.value.clone())).filter(|text| !text.is_empty());
    if text.is_none() {
        section.report_missing(name);
    }
    text
}

pub(super) fn replace(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `replace`", REPLACE, value)?;
    let compiled = expression(&section, "expression", Expression::new)?;
    if compiled.groups().0 == 0 {
        let problem =
            Problem::error(section.span("expression")?, "the expression has no group, so that nothing is replaced");
        reader.report(problem.hint("put the part to replace in ( )"));
        return None;
    }
    let replace = section.parsed("replace", line_template)?;
    Some(Stage::Replace(stage::Replace { expression: compiled, replace, source: source(&section) }))
}

fn line_template(text: &Text) -> Result<LineTemplate, Problem> {
    LineTemplate::new(&text.value).map_err(|error| {
        let what = error
            .trim_start_matches("template: pipeline_template:")
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == ':' || c == ' ');
        let problem = Problem::error(text.span.clone(), format!("the template cannot be used: {what}"));
        if what.contains("not defined") {
            problem.hint("the functions are those of line_format in LogQL")
        } else {
            problem
        }
    })
}

pub(super) fn template(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `template`", TEMPLATE, value)?;
    let source = needed(&section, "source")?;
    if section.value("template").is_none() {
        section.report_missing("template");
    }
    let template = section.parsed("template", line_template)?;
    Some(Stage::Template(stage::Template { source, template }))
}

pub(super) fn timestamp(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `timestamp`", TIMESTAMP, value)?;
    let source = needed(&section, "source")?;
    if section.value("format").is_none() {
        section.report_missing("format");
    }
    let mut formats: Vec<_> = section.parsed("format", |text| time_format(reader, text)).into_iter().collect();
    for text in section.texts("fallback_formats") {
        match time_format(reader, &text) {
            Ok(format) => formats.push(format),
            Err(problem) => reader.report(problem),
        }
    }
    let location = section.parsed("location", |text| match jiff::tz::TimeZone::get(&text.value) {
        _ if text.value == "Local" => Ok(text.value.clone()),
        Ok(_) => Ok(text.value.clone()),
        Err(_) => Err(Problem::error(text.span.clone(), format!("unknown time zone `{}`", text.value))
            .hint("write a name as in \"Europe/Berlin\", \"UTC\" or \"Local\"; names are in /usr/share/zoneinfo")),
    });
    Some(Stage::Timestamp(stage::Timestamp {
        source,
        formats,
        location,
        fudge: section.choice("action_on_failure") == "fudge",
    }))
}

fn time_format(reader: &Reader<'_>, text: &Text) -> Result<TimeFormat, Problem> {
    let format = TimeFormat::new(&text.value).map_err(|what| {
        Problem::error(text.span.clone(), format!("not the format of a time: {what}"))
            .hint("write RFC3339, Unix, UnixMs, a layout as in \"2006-01-02 15:04:05\" or in \"%Y-%m-%d %H:%M:%S\"")
    })?;
    for month in ["Jan 02", "January 02"] {
        if let Some(at) = text.value.find(month) {
            let at = text.part(at..at + month.len());
            let what = "`02` needs two digits: syslog and ctime write a blank before the days 1 to 9";
            reader.report(Problem::warning(at, what).label("`_2` reads both"));
        }
    }
    Ok(format)
}
