//! What an unknown name was probably meant to be: a known one within two edits, or what became of a name that
//! promtail's and Loki's files have.

/// Edits within which a name counts as a slip of the pen.
const EDITS_MAX: usize = 2;

/// Names of promtail's and Loki's files that mean something else here, and what to do instead.
const ELSEWHERE: &[(&str, &str)] = &[
    ("positions", "delete it: positions are kept in the store, together with the lines"),
    ("clients", "delete it: lines go straight to the store of this process; external labels are `labels` in [collect]"),
    ("client", "delete it: lines go straight to the store of this process; external labels are `labels` in [collect]"),
    ("external_labels", "write `labels` in [collect]"),
    ("limits_config", "write [limits]"),
    ("target_config", "write `rescan` in [collect]"),
    ("sync_period", "write `rescan`"),
    ("file_watch_config", "write `poll_interval` and `poll_interval_max` in [collect]"),
    ("min_poll_frequency", "write `poll_interval`"),
    ("max_poll_frequency", "write `poll_interval_max`"),
    ("http_listen_port", "write `listen = \"127.0.0.1:3100\"`"),
    ("http_listen_address", "write `listen = \"127.0.0.1:3100\"`"),
    ("grpc_listen_port", "delete it: there is no gRPC here"),
    ("password", "write `password_hash`, as `narvi hash-password` prints it, or `password_file`"),
    ("auth_enabled", "write `tenants = true` in [server] if it was true, or delete it"),
    ("schema_config", "delete it: the store has one format"),
    ("storage_config", "write `path` in [store]"),
    ("common", "write `path` in [store]"),
    ("compactor", "write `retention` in [store]"),
    ("retention_period", "write `retention` in [store]"),
    ("max_line_size_truncate", "write `max_line_action = \"truncate\"` in [collect]"),
    ("__path__", "write `paths = [\"...\"]` in [[scrape_configs]]"),
    ("__path_exclude__", "write `exclude = [\"...\"]` in [[scrape_configs]]"),
    ("decompression", "delete it: archives are not read"),
];

/// Names that other collectors have and this version does not.
const NOT_IN_THIS_VERSION: &[&str] =
    &["docker_sd_configs", "file_sd_configs", "forward", "kubernetes_sd_configs", "loki_push_api", "max_streams"];

/// Advice about an unknown name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// One of the known names, most likely.
    DidYouMean(&'static str),
    /// A sentence for the operator.
    Hint(&'static str),
    /// Nothing is like it.
    Nothing,
}

/// Advice about a name that is none of the known ones.
pub(super) fn advice(unknown: &str, known: impl Iterator<Item = &'static str>) -> Advice {
    if NOT_IN_THIS_VERSION.contains(&unknown) {
        return Advice::Hint("this version does not have it yet");
    }
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(name, _)| *name == unknown) {
        return Advice::Hint(hint);
    }
    match nearest(unknown, known) {
        Some(name) => Advice::DidYouMean(name),
        None => Advice::Nothing,
    }
}

/// The known name within [`EDITS_MAX`] edits that needs the fewest; of equals the first.
/// A name of up to four letters may differ in one only: otherwise everything short is like everything else.
pub(super) fn nearest(unknown: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let edits_max = if unknown.len() <= 4 { 1 } else { EDITS_MAX };
    known
        .map(|name| (edits(&unknown.to_lowercase(), name), name))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// The edit distance with transpositions of neighbours (optimal string alignment), up to [`EDITS_MAX`];
/// anything further is `usize::MAX`.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > EDITS_MAX {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let mut least = (above[j] + usize::from(from != to)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let known = ["retention", "retention_size", "path", "listen", "job_name"];
        let rows = [
            ("retenton", Some("retention")),
            ("retnetion", Some("retention")),
            ("Retention", Some("retention")),
            ("retention_sz", Some("retention_size")),
            ("pahts", Some("path")),
            ("paht", Some("path")),
            ("jobname", Some("job_name")),
            ("log", None),
            ("completely_other", None),
            ("", None),
        ];
        for (unknown, expected) in rows {
            assert_eq!(nearest(unknown, known.into_iter()), expected, "{unknown}");
        }
    }

    #[test]
    fn knows_the_names_of_others() {
        assert_eq!(advice("forward", [].into_iter()), Advice::Hint("this version does not have it yet"));
        assert!(
            matches!(advice("clients", ["clients_"].into_iter()), Advice::Hint(text) if text.starts_with("delete"))
        );
        assert_eq!(advice("xyzzy", ["listen"].into_iter()), Advice::Nothing);
    }
}
