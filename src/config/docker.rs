//! Docker's containers as the source of a job, `[scrape_configs.docker]`: their files, and what their labels are
//! taken from.

use toml::de::DeTable;

use super::{
    keys::{Key, Kind},
    report::Problem,
    section::{Document, Section},
};
use crate::collect::{Container, Fact};
use crate::labels::LabelSet;

pub(super) const KEYS: &[Key] = &[
    Key::new("path", Kind::Text, r#""/var/lib/docker/containers""#, "Docker's directory of containers"),
    Key::new(
        "labels",
        Kind::Texts,
        r#"["container", "compose_project", "compose_service"]"#,
        "of container, compose_project, compose_service, image, id",
    ),
    Key::new("container_labels", Kind::Labels, "{}", "our label = label of the container"),
];

/// The pattern of the files, and where their labels come from.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>) -> (String, Container) {
    let section = Section::new(document, "in [scrape_configs.docker]", KEYS, Some(table));
    let path = section.parsed("path", |text| match text.value.as_str() {
        path if path.starts_with('/') => Ok(path.trim_end_matches('/').to_owned()),
        path => Err(Problem::error(text.span.clone(), format!("`{path}` is not an absolute path"))),
    });
    let mut container = Container { facts: Vec::new(), labels: Vec::new() };
    for text in section.texts("labels") {
        if let Some(fact) = Fact::ALL.into_iter().find(|fact| fact.label() == text.value) {
            container.facts.push(fact);
        } else {
            let problem = Problem::error(text.span, format!("`{}` is none of a container's labels", text.value));
            let known = Fact::ALL.map(Fact::label).join(", ");
            document.report(problem.hint(format!("write some of {known}; others go into `container_labels`")));
        }
    }
    let labels = section.value("container_labels").and_then(|value| document.table(value, "a table of labels"));
    for (name, value) in labels.into_iter().flatten() {
        match document.text(value) {
            Ok(_) if !LabelSet::is_name(name.get_ref()) || name.get_ref().starts_with("__") => {
                document.report(Problem::error(name.span(), format!("`{}` is not a label name", name.get_ref())));
            }
            Ok(text) => container.labels.push((name.get_ref().to_string(), text.value)),
            Err(problem) => document.report(problem),
        }
    }
    (format!("{}/*/*-json.log", path.unwrap_or_default()), container)
}
