//! What the configuration takes from its surroundings: environment variables inside string values, the host's name,
//! and the default places of file and store.

use std::{collections::BTreeMap, ops::Range, path::PathBuf};

/// The surroundings, apart from the process so that a test can choose them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Environment variables by name; those that are not UTF-8 are left out.
    pub variables: BTreeMap<String, String>,
    /// What `%H` stands for.
    pub host_name: String,
    /// Whether the process runs as root, which decides the default store.
    pub is_root: bool,
}

impl Environment {
    /// The surroundings of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    /// Where the store is unless the file says so: `/var/lib/narvi` for root, else `narvi` in the user's directory
    /// for state. `None` if neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
    /// Source: <https://specifications.freedesktop.org/basedir-spec/latest/>.
    pub(super) fn default_store(&self) -> Option<PathBuf> {
        if self.is_root {
            return Some(PathBuf::from("/var/lib/narvi"));
        }
        let absolute = |name: &str| self.variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(state.join("narvi"))
    }

    /// Replaces `${NAME}` and `${NAME:-default}`, and `$${` by `${`. A name is capitals, digits and `_` and begins with
    /// no digit; what is no name stays as it is, so that `${1}` can be part of a value. As in a shell, `:-` also
    /// replaces an empty value.
    pub(super) fn expand(&self, text: &str) -> Result<String, Unset> {
        let mut expanded = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(found) = text[at..].find('$') {
            let dollar = at + found;
            expanded.push_str(&text[at..dollar]);
            let behind = &text[dollar..];
            if behind.starts_with("$${") {
                expanded.push_str("${");
                at = dollar + 3;
            } else if let Some(reference) = Reference::at_start(behind) {
                let value = self.variables.get(reference.name);
                match (value, reference.default) {
                    (Some(value), default) if !value.is_empty() || default.is_none() => {
                        expanded.push_str(value);
                    }
                    (_, Some(default)) => expanded.push_str(default),
                    (_, None) => {
                        let span = dollar..dollar + reference.length;
                        return Err(Unset { name: reference.name.to_owned(), span });
                    }
                }
                at = dollar + reference.length;
            } else {
                expanded.push('$');
                at = dollar + 1;
            }
        }
        expanded.push_str(&text[at..]);
        Ok(expanded)
    }
}

/// A variable without value and default, and its bytes within the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unset {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// `${NAME}` or `${NAME:-default}`.
struct Reference<'t> {
    name: &'t str,
    default: Option<&'t str>,
    /// Bytes from `$` to `}`.
    length: usize,
}

impl<'t> Reference<'t> {
    /// The reference that a text begins with, if it does.
    fn at_start(text: &'t str) -> Option<Self> {
        let inner = text.strip_prefix("${")?;
        let inner = &inner[..inner.find('}')?];
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let is_name = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit());
        is_name.then_some(Self { name, default, length: inner.len() + 3 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            ..Environment::default()
        }
    }

    #[test]
    fn expands_variables() {
        let environment = environment(&[("SITE", "north"), ("EMPTY", ""), ("A_1", "x")]);
        let rows = [
            ("plain", Ok("plain")),
            ("${SITE}", Ok("north")),
            ("a-${SITE}-${A_1}é", Ok("a-north-xé")),
            ("${OTHER:-south}", Ok("south")),
            ("${SITE:-south}", Ok("north")),
            ("${OTHER:-}", Ok("")),
            ("[${EMPTY}]", Ok("[]")),
            ("${EMPTY:-e}", Ok("e")),
            ("$${SITE}", Ok("${SITE}")),
            ("$$$", Ok("$$$")),
            ("${1} ${site} ${SITE $x", Ok("${1} ${site} ${SITE $x")),
            ("ab${OTHER}", Err(("OTHER", 2..10))),
        ];
        for (text, expected) in rows {
            let expected = expected.map(str::to_owned).map_err(|(name, span)| Unset { name: name.to_owned(), span });
            assert_eq!(environment.expand(text), expected, "{text}");
        }
    }

    #[test]
    fn the_store_is_in_the_directory_for_state() {
        type Row<'a> = (bool, &'a [(&'a str, &'a str)], Option<&'a str>);
        let rows: &[Row<'_>] = &[
            (true, &[("HOME", "/root")], Some("/var/lib/narvi")),
            (false, &[("HOME", "/home/u")], Some("/home/u/.local/state/narvi")),
            (false, &[("HOME", "/home/u"), ("XDG_STATE_HOME", "/s")], Some("/s/narvi")),
            (false, &[("HOME", "/home/u"), ("XDG_STATE_HOME", "rel")], Some("/home/u/.local/state/narvi")),
            (false, &[("HOME", "")], None),
            (false, &[], None),
        ];
        for (is_root, variables, expected) in rows {
            let environment = Environment { is_root: *is_root, ..environment(variables) };
            assert_eq!(environment.default_store(), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
