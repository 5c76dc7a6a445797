//! `service_name`: the label that every stream has, taken from the first label that names a
//! service. It is a real label: selectors, series and the Logs Drilldown are built on it.

use crate::labels::LabelSet;

/// The label that every stream has.
pub const SERVICE_NAME: &str = "service_name";

/// Its value where no label names a service.
const UNKNOWN: &str = "unknown_service";

/// The labels it is taken from by default, in order of preference.
pub(super) const SOURCES: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// Adds `service_name` to a stream that has none; without `sources` it is never added.
pub(super) fn add(labels: &mut LabelSet, sources: &[String]) {
    if sources.is_empty() || labels.get(SERVICE_NAME).is_some() {
        return;
    }
    let service = sources.iter().find_map(|name| labels.get(name)).unwrap_or(UNKNOWN).to_owned();
    labels.set(SERVICE_NAME, &service);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_taken_from_the_first_label_that_names_a_service() {
        for (pairs, expected) in [
            (&[("app", "a"), ("job", "j")][..], "a"),
            (&[("container", "c"), ("service", "s"), ("job", "j")], "s"),
            (&[("k8s_job_name", "k")], "k"),
            (&[("app", ""), ("job", "j")], "j"),
            (&[("service_name", "given"), ("app", "a")], "given"),
            (&[("pod", "p")], "unknown_service"),
            (&[], "unknown_service"),
        ] {
            let mut labels = LabelSet::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
            add(&mut labels, &SOURCES.map(str::to_owned));
            assert_eq!(labels.get(SERVICE_NAME), Some(expected), "{pairs:?}");
        }
    }

    #[test]
    fn is_never_added_without_sources() {
        let mut labels = LabelSet::new(vec![("app".into(), "a".into())]);
        add(&mut labels, &[]);
        assert_eq!(labels.get(SERVICE_NAME), None);
    }
}
