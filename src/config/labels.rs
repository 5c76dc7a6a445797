//! Tables of labels, and promtail's habit of writing the paths between them.

use toml::{Spanned, de::DeValue};

use super::{
    report::Problem,
    section::{Section, Text, wrong_type},
};
use crate::ingest;
use crate::labels::LabelSet;

/// Keys of a job that end up among the labels when they are written below `[scrape_configs.labels]`.
const MISPLACED: &[&str] = &["exclude", "labels", "paths", "pipeline_stages", "relabel_configs", "static_configs"];

/// What a table of labels holds.
#[derive(Default)]
pub(super) struct Labels {
    pub(super) pairs: Vec<(String, String)>,
    /// Whether there is a `__path__`, even if it is wrong.
    pub(super) has_path: bool,
    /// The pattern named `__path__`.
    pub(super) path: Option<Text>,
    /// The pattern named `__path_exclude__`.
    pub(super) path_exclude: Option<Text>,
}

/// Reads the key `labels`; what is wrong in it is recorded and left out.
pub(super) fn read(section: &Section<'_>, limits: &ingest::Limits) -> Labels {
    read_table(section, limits, false)
}

/// Reads the key `labels` of a group, where promtail has the patterns too.
pub(super) fn read_with_paths(section: &Section<'_>, limits: &ingest::Limits) -> Labels {
    read_table(section, limits, true)
}

fn read_table(section: &Section<'_>, limits: &ingest::Limits, with_paths: bool) -> Labels {
    let mut labels = Labels::default();
    let document = section.document;
    let Some(table) = section.value("labels").and_then(|value| document.table(value, "a table of labels")) else {
        return labels;
    };
    labels.has_path = with_paths && table.contains_key("__path__");
    for (name, value) in table {
        if let Some(problem) = misplaced(name).or_else(|| unless_scalar(value)) {
            document.report(problem);
            continue;
        }
        let text = match document.text(value) {
            Ok(text) => text,
            Err(problem) => {
                document.report(problem);
                continue;
            }
        };
        match name.get_ref().as_ref() {
            "__path__" if with_paths => labels.path = Some(text),
            "__path_exclude__" if with_paths => labels.path_exclude = Some(text),
            plain => match check(name, &text, limits) {
                Some(problem) => document.report(problem),
                None => labels.pairs.push((plain.to_owned(), text.value)),
            },
        }
    }
    labels
}

/// A key of the job that was meant to stand in front of the table.
fn misplaced(name: &Spanned<impl AsRef<str>>) -> Option<Problem> {
    let key = name.get_ref().as_ref();
    MISPLACED.contains(&key).then(|| {
        Problem::error(name.span(), format!("`{key}` is a key of the job, but stands among the labels"))
            .hint("a key below a [table] header belongs to that table: move this line above the header")
    })
}

/// A value that cannot have been meant as a label's.
fn unless_scalar(value: &Spanned<DeValue<'_>>) -> Option<Problem> {
    let nested = value.get_ref().is_array() || value.get_ref().is_table();
    nested.then(|| wrong_type(value, "a string as the label's value"))
}

/// What is wrong with a label.
fn check(name: &Spanned<impl AsRef<str>>, value: &Text, limits: &ingest::Limits) -> Option<Problem> {
    let text = name.get_ref().as_ref();
    let problem = |what: String| Some(Problem::error(name.span(), what));
    if !LabelSet::is_name(text) {
        let valid: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        return problem(format!("`{text}` is not a label name"))
            .map(|problem| problem.hint("a name is letters, digits and `_`, and begins with no digit"))
            .map(
                |problem| {
                    if LabelSet::is_name(&valid) { problem.label(format!("write `{valid}`")) } else { problem }
                },
            );
    }
    if text == "__path__" || text == "__path_exclude__" {
        let key = if text == "__path__" { "paths" } else { "exclude" };
        return problem(format!("`{text}` is no label here"))
            .map(|problem| problem.hint(format!("write `{key} = [{:?}]` in [[scrape_configs]]", value.value)));
    }
    if text.starts_with("__") {
        return problem(format!("`{text}`: names that begin with `__` are internal and never stored"));
    }
    if exceeds(text.len(), limits.max_label_name_length) {
        let what = format!(
            "a label name of {} bytes; `max_label_name_length` is {}",
            text.len(),
            limits.max_label_name_length
        );
        return problem(what);
    }
    if exceeds(value.value.len(), limits.max_label_value_length) {
        let (length, max) = (value.value.len(), limits.max_label_value_length);
        let what = format!("a label value of {length} bytes; `max_label_value_length` is {max}");
        return Some(Problem::error(value.span.clone(), what));
    }
    None
}

/// Whether a size or count passes a limit of `[limits]`, where zero is no limit.
pub(super) fn exceeds(size: usize, limit: usize) -> bool {
    limit > 0 && size > limit
}
