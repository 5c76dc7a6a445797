//! The labels of a series as one run of bytes, by which it is found without an allocation per line:
//! names and values in order of the names, each ended by a byte that no UTF-8 text holds.

use crate::query::ResultLabels;

/// Ends each name and each value.
const END: u8 = 0xff;

/// Which labels a series has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyLabels {
    /// These, as far as a line has them; sorted, none twice.
    By(Vec<String>),
    /// All but these; sorted, none twice.
    Without(Vec<String>),
}

impl KeyLabels {
    /// Exactly these labels.
    pub(super) fn by(names: &[String]) -> Self {
        Self::By(sorted(names))
    }

    /// All labels but these.
    pub(super) fn without(names: &[String]) -> Self {
        Self::Without(sorted(names))
    }

    /// What is left of the labels of a series.
    pub(super) fn of(&self, labels: &ResultLabels) -> ResultLabels {
        match self {
            Self::By(names) => {
                ResultLabels::new(names.iter().filter_map(|name| Some((name.as_str(), labels.get(name)?))))
            }
            Self::Without(names) => ResultLabels::new(labels.iter().filter(|(name, _)| !holds(names, name))),
        }
    }

    /// Writes the key of a line whose labels `get` finds by name and `all` lists in any order.
    pub(super) fn write<'l, I>(&self, key: &mut Key, get: impl Fn(&str) -> Option<&'l str>, all: impl FnOnce() -> I)
    where
        I: Iterator<Item = (&'l str, &'l str)>,
    {
        key.bytes.clear();
        match self {
            Self::By(names) => {
                for name in names {
                    if let Some(value) = get(name) {
                        key.push(name, value);
                    }
                }
            }
            Self::Without(names) => {
                // The vector's memory serves line after line, though each line's texts live shorter.
                let mut pairs: Vec<(&str, &str)> = std::mem::take(&mut key.scratch);
                pairs.extend(all().filter(|(name, _)| !holds(names, name)));
                pairs.sort_unstable();
                for (name, value) in &pairs {
                    key.push(name, value);
                }
                pairs.clear();
                key.scratch = pairs.into_iter().map(|_| ("", "")).collect();
            }
        }
    }
}

fn holds(sorted: &[String], name: &str) -> bool {
    sorted.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

/// A key that is being written, again and again in the same memory.
#[derive(Debug, Default)]
pub(super) struct Key {
    bytes: Vec<u8>,
    scratch: Vec<(&'static str, &'static str)>,
}

impl Key {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn push(&mut self, name: &str, value: &str) {
        for text in [name, value] {
            self.bytes.extend_from_slice(text.as_bytes());
            self.bytes.push(END);
        }
    }
}

/// The labels that a key was written of.
pub(super) fn labels_of(key: &[u8]) -> ResultLabels {
    let mut texts = key.split(|byte| *byte == END).map(|text| std::str::from_utf8(text).unwrap_or_default());
    ResultLabels::new(std::iter::from_fn(|| Some((texts.next()?, texts.next()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_the_labels_that_were_asked_for_in_order() {
        let pairs = [("b", "2"), ("a", ""), ("c", "say \"é\"")];
        let get = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut key = Key::default();
        for (labels, want) in [
            (KeyLabels::by(&[]), "{}"),
            (KeyLabels::by(&names(&["c", "nope", "a", "c"])), r#"{a="", c="say \"é\""}"#),
            (KeyLabels::without(&names(&["b", "nope"])), r#"{a="", c="say \"é\""}"#),
            (KeyLabels::without(&[]), r#"{a="", b="2", c="say \"é\""}"#),
        ] {
            labels.write(&mut key, get, || pairs.into_iter());
            assert_eq!(labels_of(key.bytes()).to_string(), want, "{labels:?}");
            assert_eq!(labels.of(&ResultLabels::new(pairs)).to_string(), want, "{labels:?}");
        }
    }
}
