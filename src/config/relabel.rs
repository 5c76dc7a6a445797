//! The rules of a job, `relabel_configs`.

use std::ops::Range;

use toml::de::DeTable;

use super::{
    keys::{Key, Kind},
    report::Problem,
    section::{Document, Section, Text},
    stages,
};
use crate::collect::{Action, Rule, stage::Expression};
use crate::labels::LabelSet;

const KEYS: &[Key] = &[
    Key::new("source_labels", Kind::Texts, "[]", "the labels that are looked at"),
    Key::new("separator", Kind::Text, r#"";""#, "between their values"),
    Key::new("regex", Kind::Text, r#""(.*)""#, "what the values have to match as a whole"),
    Key::shown("modulus", Kind::Text, "", "of the action hashmod, which is not supported"),
    Key::new("target_label", Kind::Text, "''", "the label that is set"),
    Key::new("replacement", Kind::Text, r#""$1""#, "what it becomes"),
    Key::shown("action", Kind::Text, "", "what is done"),
];

/// Actions by name, and the keys besides `action` that each may have.
const ACTIONS: &[(&str, Action, &[&str])] = &[
    ("replace", Action::Replace, &["source_labels", "separator", "regex", "target_label", "replacement"]),
    ("keep", Action::Keep, &["source_labels", "separator", "regex"]),
    ("drop", Action::Drop, &["source_labels", "separator", "regex"]),
    ("keepequal", Action::KeepEqual, &["source_labels", "separator", "target_label"]),
    ("dropequal", Action::DropEqual, &["source_labels", "separator", "target_label"]),
    ("labelmap", Action::LabelMap, &["regex", "replacement"]),
    ("labeldrop", Action::LabelDrop, &["regex"]),
    ("labelkeep", Action::LabelKeep, &["regex"]),
    ("lowercase", Action::Lowercase, &["source_labels", "separator", "target_label"]),
    ("uppercase", Action::Uppercase, &["source_labels", "separator", "target_label"]),
];

/// Labels that only service discovery gives.
const DISCOVERED: &[&str] = &["__meta_kubernetes_", "__meta_docker_", "__meta_consul_", "__meta_filepath"];

/// Reads the rules; what is wrong in them is recorded and left out. `internal` begins the names of the labels
/// that the job's source has for its rules.
pub(super) fn read(section: &Section<'_>, internal: &[&str]) -> Vec<Rule> {
    section
        .tables("relabel_configs")
        .iter()
        .filter_map(|(span, table)| rule(section.document, table, span, internal))
        .collect()
}

fn rule(document: &Document<'_>, table: &DeTable<'_>, span: &Range<usize>, internal: &[&str]) -> Option<Rule> {
    let section = Section::new(document, "in relabel_configs", KEYS, Some(table));
    let action = match section.value("action").map(|value| document.text(value).and_then(|text| action(&text))) {
        None => Action::Replace,
        Some(Ok(action)) => action,
        Some(Err(problem)) => {
            document.report(problem);
            return None;
        }
    };
    let (name, action, allowed) = ACTIONS.iter().find(|(_, known, _)| *known == action)?;
    for key in table.keys().filter(|key| KEYS.iter().any(|known| known.name == key.get_ref() && known.name != "action"))
    {
        if !allowed.contains(&key.get_ref().as_ref()) {
            let what = format!("`{}` has no meaning for the action `{name}`", key.get_ref());
            document.report(Problem::error(key.span(), what).hint(format!("it takes {}", allowed.join(", "))));
        }
    }
    let sources = section.texts("source_labels");
    for source in &sources {
        check_source(document, source, internal);
    }
    let needs_source = allowed.contains(&"source_labels") && *action != Action::Replace;
    if needs_source && sources.is_empty() {
        let problem = Problem::error(span.clone(), format!("the action `{name}` needs `source_labels`"));
        document.report(problem);
    }
    let text = |name| section.parsed(name, |text| Ok(text.clone())).unwrap_or_default();
    let (target, replacement) = (text("target_label"), text("replacement"));
    if allowed.contains(&"target_label") && target.value.is_empty() {
        document.report(Problem::error(span.clone(), format!("the action `{name}` needs `target_label`")));
    } else if !target.value.contains('$') && !target.value.is_empty() && !LabelSet::is_name(&target.value) {
        let problem = Problem::error(target.span.clone(), format!("`{}` is not a label name", target.value));
        document.report(problem.hint("a name is letters, digits and `_`, and begins with no digit"));
    }
    let regex = section.parsed("regex", |text| {
        Ok((text.clone(), Expression::whole(&text.value).map_err(|error| stages::not_an_expression(text, &error))?))
    });
    let (pattern, regex) = regex?;
    if section.value("regex").is_some() && (pattern.value.starts_with('^') || pattern.value.ends_with('$')) {
        let what = "`^` and `$` are not needed: the expression has to match the whole value";
        document.report(Problem::warning(pattern.span.clone(), what));
    }
    if section.value("replacement").is_some() {
        warn_of_missing_group(document, &replacement, &regex);
    }
    Some(Rule {
        source_labels: sources.into_iter().map(|text| text.value).collect(),
        separator: text("separator").value,
        regex,
        target_label: target.value,
        replacement: replacement.value,
        action: *action,
    })
}

fn action(text: &Text) -> Result<Action, Problem> {
    let lower = text.value.to_lowercase();
    if let Some((_, action, _)) = ACTIONS.iter().find(|(name, ..)| *name == lower) {
        return Ok(*action);
    }
    let problem = Problem::error(text.span.clone(), format!("unknown action `{}`", text.value));
    if lower == "hashmod" {
        return Err(problem.hint("it shares targets among several collectors; there is one here"));
    }
    Err(match super::suggest::nearest(&lower, ACTIONS.iter().map(|(name, ..)| *name)) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem
            .hint(format!("write one of {}", ACTIONS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", "))),
    })
}

fn check_source(document: &Document<'_>, source: &Text, internal: &[&str]) {
    let name = source.value.as_str();
    if !name.starts_with("__")
        || internal.iter().any(|known| name == *known || (known.ends_with('_') && name.starts_with(known)))
    {
        return;
    }
    let what = format!("`{name}` is never there");
    let problem = if DISCOVERED.iter().any(|start| name.starts_with(start)) {
        Problem::error(source.span.clone(), what)
            .hint("it comes from service discovery, which there is not; use `path_labels` or [scrape_configs.docker]")
    } else {
        Problem::warning(source.span.clone(), what).hint(format!("this job's rules see {}", internal.join(", ")))
    };
    document.report(problem);
}

/// `$1x` is the group called `1x`, which there is not.
fn warn_of_missing_group(document: &Document<'_>, replacement: &Text, regex: &Expression) {
    let mut rest = replacement.value.as_str();
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        let word: String = rest.chars().take_while(|c| *c == '_' || c.is_ascii_alphanumeric()).collect();
        let is_number = word.parse::<usize>().is_ok_and(|number| number <= regex.groups().0);
        if !word.is_empty() && !is_number && !regex.names().any(|name| name == word) {
            let digits: String = word.chars().take_while(char::is_ascii_digit).collect();
            let what = format!("`${word}` is no group of the expression");
            let problem = Problem::warning(replacement.span.clone(), what);
            document.report(if digits.is_empty() || digits == word {
                problem
            } else {
                problem.hint(format!("write `${{{digits}}}{}`", &word[digits.len()..]))
            });
        }
    }
}
