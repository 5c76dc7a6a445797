//! The journal as the source of a job, `[scrape_configs.journal]`.

use std::time::Duration;

use toml::de::DeTable;

use super::{
    keys::{Key, Kind, Zero, duration},
    report::Problem,
    section::{Document, Section, Text},
};
use crate::collect::source::Journal;
use crate::labels::LabelSet;

pub(super) const KEYS: &[Key] = &[
    Key::new("path", Kind::Text, r#""""#, "directory of the journal; \"\": where journalctl looks"),
    Key::new("matches", Kind::Texts, "[]", "fields with values, as in \"_TRANSPORT=kernel\"; all must hold"),
    Key::new("max_age", Kind::Text, r#""retention""#, "how far back at the first start"),
    Key::new("json", Kind::Flag, "false", "the whole entry is the line, as JSON"),
    Key::new(
        "labels",
        Kind::Labels,
        r#"{ unit = "unit" }"#,
        "label = field; `unit` is the unit without running numbers",
    ),
    Key::new("metadata", Kind::Labels, r#"{ priority = "PRIORITY" }"#, "stored with the entry: name = field"),
];

/// Bounds of `max_age`, which may be the word `retention` as well.
const MAX_AGE: &[Key] = &[Key::new("max_age", duration(1, Zero::Means("all there is")), r#""0""#, "")];

/// What is read of the journal. `retention` is the store's.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>, retention: Option<Duration>) -> Journal {
    let section = Section::new(document, "in [scrape_configs.journal]", KEYS, Some(table));
    let mut matches = Vec::new();
    for text in section.texts("matches") {
        match text.value.split_once('=') {
            Some((field, value)) if is_field(field) && !value.is_empty() => {
                matches.push((field.to_owned(), value.to_owned()));
            }
            _ => {
                let problem = Problem::error(text.span, format!("`{}` is no field with a value", text.value));
                document
                    .report(problem.hint("write one as in \"_SYSTEMD_UNIT=ssh.service\"; each is a text of its own"));
            }
        }
    }
    let path = section.parsed("path", |text| match text.value.as_str() {
        "" => Ok(None),
        path if path.starts_with('/') => Ok(Some(path.to_owned())),
        path => Err(Problem::error(text.span.clone(), format!("`{path}` is not an absolute path"))),
    });
    let max_age = section.read("max_age", |value| {
        if value.get_ref().as_str() == Some("retention") {
            return Ok(retention);
        }
        let bounds = Section::new(document, "", MAX_AGE, None);
        let age = bounds.bounded_duration("max_age", value)?;
        Ok(Some(age).filter(|age| !age.is_zero()))
    });
    Journal {
        path: path.flatten(),
        matches,
        max_age: max_age.flatten(),
        json: section.flag("json"),
        labels: fields(&section, "labels"),
        metadata: fields(&section, "metadata"),
    }
}

/// Names, and the fields that they are taken from.
fn fields(section: &Section<'_>, key: &str) -> Vec<(String, String)> {
    let document = section.document;
    let read = section.read(key, |value| {
        let mut pairs = Vec::new();
        for (name, value) in value.get_ref().as_table().into_iter().flatten() {
            let (name, field) = (Text::of_key(name), document.text(value)?);
            if !LabelSet::is_name(&name.value) || name.value.starts_with("__") {
                return Err(Problem::error(name.span, format!("`{}` is not a label name", name.value)));
            }
            if field.value != "unit" && !is_field(&field.value) {
                let what = format!("`{}` is no field of the journal", field.value);
                return Err(
                    Problem::error(field.span, what).hint("fields are capitals, digits and `_`; or write \"unit\"")
                );
            }
            pairs.push((name.value, field.value));
        }
        Ok(pairs)
    });
    read.unwrap_or_default()
}

/// Whether a text may be the name of a field: systemd.journal-fields(7).
fn is_field(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
