//! Stages that choose which entries are stored, or pass further stages.

use std::sync::Arc;

use toml::{Spanned, de::DeValue};

use super::{DEPTH_MAX, Reader, expression};
use crate::collect::stage::{self, Bucket, DropCondition, Expression, Selector, Stage};
use crate::config::{
    keys::{Key, Kind, NO_LIMIT, Zero, count, duration, size},
    report::Problem,
    section::{Section, wrong_type},
};

const DROP: &[Key] = &[
    Key::shown("source", Kind::Text, "", "a value that was found before, or a list of them; without it, the line"),
    Key::new("separator", Kind::Text, r#"";""#, "between the values of several sources"),
    Key::shown("expression", Kind::Text, "", "what it matches"),
    Key::shown("value", Kind::Text, "", "what it equals"),
    Key::new("older_than", duration(1, Zero::Means("of any age")), r#""0""#, "how long ago the entry's time is"),
    Key::new("longer_than", size(0, NO_LIMIT), r#""0""#, "bytes of the line or the value"),
    Key::new("drop_counter_reason", Kind::Text, r#""drop_stage""#, "the reason in collector_dropped_total"),
];

const MATCH: &[Key] = &[
    Key::shown("selector", Kind::Text, "", "as in {job=\"x\"} |= \"y\""),
    Key::new("stages", Kind::Tables, "[]", "what happens to these lines"),
    Key::new("action", Kind::Choice(&["keep", "drop"]), r#""keep""#, "drop: they are not stored"),
    Key::new("pipeline_name", Kind::Text, "''", "promtail's; has no effect"),
    Key::new("drop_counter_reason", Kind::Text, r#""match_stage""#, "the reason in collector_dropped_total"),
];

const LIMIT: &[Key] = &[
    Key::shown("rate", Kind::Text, "", "lines per second"),
    Key::shown("burst", Kind::Text, "", "lines at once"),
    Key::new("drop", Kind::Flag, "false", "drop what is more; else reading waits"),
    Key::shown("by_label_name", Kind::Text, "", "limit each value of this label apart"),
    Key::new("max_distinct_labels", count(1), "10000", "values that are told apart"),
];

const SAMPLING: &[Key] = &[
    Key::shown("rate", Kind::Text, "", "the share that is stored, 0 to 1"),
    Key::new("drop_counter_reason", Kind::Text, r#""sampling_stage""#, "the reason in collector_dropped_total"),
];

pub(super) fn drop(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `drop`", DROP, value)?;
    let source = match section.value("source") {
        Some(value) if value.get_ref().is_array() => {
            section.texts("source").into_iter().map(|text| text.value).collect()
        }
        Some(_) => section.parsed("source", |text| Ok(text.value.clone())).into_iter().collect(),
        None => Vec::new(),
    };
    let condition = match (section.value("expression"), section.value("value")) {
        (Some(expression), Some(_)) => {
            reader.report(Problem::error(expression.span(), "`expression` and `value` exclude each other"));
            return None;
        }
        (Some(_), None) => Some(DropCondition::Matches(expression(&section, "expression", Expression::new)?)),
        (None, Some(_)) => Some(DropCondition::Equals(section.parsed("value", |text| Ok(text.value.clone()))?)),
        (None, None) => None,
    };
    let (older_than, longer_than) = (section.duration_or_off("older_than"), section.size_or_off("longer_than"));
    if source.is_empty() && condition.is_none() && older_than.is_none() && longer_than.is_none() {
        let problem = Problem::error(value.span(), "`drop` without a condition would drop everything");
        reader.report(problem.hint("write `expression`, `value`, `source`, `older_than` or `longer_than`"));
        return None;
    }
    let separator = section.parsed("separator", |text| Ok(text.value.clone())).unwrap_or_default();
    Some(Stage::Drop(stage::Drop { source, separator, condition, older_than, longer_than, reason: reason(&section) }))
}

fn reason(section: &Section<'_>) -> Arc<str> {
    Arc::from(section.parsed("drop_counter_reason", |text| Ok(text.value.clone())).unwrap_or_default())
}

pub(super) fn matching(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `match`", MATCH, value)?;
    if section.value("selector").is_none() {
        section.report_missing("selector");
    }
    let selector = section.parsed("selector", |text| {
        Selector::new(&text.value).map_err(|error| {
            Problem::error(text.span.clone(), error).hint("write labels and line filters, as in {job=\"x\"} |= \"y\"")
        })
    })?;
    let inner = Reader { document: reader.document, depth: reader.depth + 1 };
    if inner.depth > DEPTH_MAX {
        reader.report(Problem::error(value.span(), format!("more than {DEPTH_MAX} stages within each other")));
        return None;
    }
    let stages: Vec<_> = section.tables("stages").iter().filter_map(|(_, table)| inner.stage(table)).collect();
    let drop = (section.choice("action") == "drop").then(|| reason(&section));
    if let Some(span) = section.span("stages").filter(|_| drop.is_some() && section.says("stages")) {
        reader.report(Problem::error(span, "stages of lines that are dropped do nothing"));
    }
    if drop.is_none() && !section.says("stages") {
        section.report_missing("stages");
    }
    Some(Stage::Match(stage::Match { selector, stages, drop }))
}

/// A number, whole or not, above zero.
fn rate(section: &Section<'_>, name: &str, max: f64) -> Option<f64> {
    let Some(value) = section.value(name) else {
        section.report_missing(name);
        return None;
    };
    let number = match value.get_ref() {
        DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        _ => {
            section.document.report(wrong_type(value, "a number"));
            return None;
        }
    };
    let sound = number.filter(|number| *number > 0.0 && *number <= max);
    if sound.is_none() {
        section.document.report(Problem::error(value.span(), format!("`{name}` must be above 0 and at most {max}")));
    }
    sound
}

pub(super) fn limit(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `limit`", LIMIT, value)?;
    let (rate_per_s, burst) = (rate(&section, "rate", 1e9), rate(&section, "burst", 1e9));
    let by_label = section.parsed("by_label_name", |text| Ok(text.value.clone()));
    let drop = section.flag("drop");
    if let Some(span) = section.span("by_label_name").filter(|_| !drop) {
        let problem = Problem::error(span, "a limit by label can only drop: reading waits for a file, not for a label");
        reader.report(problem.hint("add `drop = true`"));
    }
    Some(Stage::Limit(stage::Limit {
        rate: rate_per_s?,
        burst: burst?.max(1.0),
        drop,
        by_label,
        values_max: section.count("max_distinct_labels").max(10_000),
        bucket: Bucket::default(),
    }))
}

pub(super) fn sampling(reader: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Stage> {
    let section = reader.section("in stage `sampling`", SAMPLING, value)?;
    Some(Stage::Sampling(stage::Sampling { rate: rate(&section, "rate", 1.0)?, reason: reason(&section) }))
}
