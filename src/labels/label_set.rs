//! A label set: the sorted name and value pairs that name a stream, or that one entry carries as
//! structured metadata.

use std::fmt;

/// Sorted pairs of name and value; no name twice, no empty value.
///
/// Names are not checked here: a stream's names must match `[a-zA-Z_][a-zA-Z0-9_]*`, which the
/// place that takes them from outside verifies with [`LabelSet::is_name`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelSet(Vec<(String, String)>);

impl LabelSet {
    /// Sorts the pairs, drops empty values, and lets the last of several equal names win.
    pub fn new(mut pairs: Vec<(String, String)>) -> Self {
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            pairs.sort_by(|a, b| a.0.cmp(&b.0)); // stable: the last of equals stays last
            pairs.reverse();
            pairs.dedup_by(|later, kept| later.0 == kept.0);
            pairs.reverse();
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Self(pairs)
    }

    /// The value of a name; `None` if the set has no such name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|pair| pair.0.as_str().cmp(name)).ok().map(|at| self.0[at].1.as_str())
    }

    /// Sets a value; an empty one removes the name.
    pub fn set(&mut self, name: &str, value: &str) {
        match (self.0.binary_search_by(|pair| pair.0.as_str().cmp(name)), value.is_empty()) {
            (Ok(at), true) => drop(self.0.remove(at)),
            (Ok(at), false) => value.clone_into(&mut self.0[at].1),
            (Err(_), true) => {}
            (Err(at), false) => self.0.insert(at, (name.to_owned(), value.to_owned())),
        }
    }

    /// The pairs in order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many pairs the set holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set holds no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of all names and values.
    pub fn text_bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Whether a text may be a label's name: `[a-zA-Z_][a-zA-Z0-9_]*`.
    pub fn is_name(text: &str) -> bool {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
            && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    }
}

/// The canonical text, as in `{a="1", b="two"}`; a value is quoted as Go's `%q` does it, so it can be read back.
impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={}", if at > 0 { ", " } else { "" }, Quoted(value))?;
        }
        f.write_str("}")
    }
}

/// A text in double quotes, escaped as a Go or `LogQL` string literal.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\u{c}' => f.write_str("\\f")?,
                '\u{b}' => f.write_str("\\v")?,
                c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                c if c.is_control() => write!(f, "\\u{:04x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn sorts_drops_empty_values_and_lets_the_last_win() {
        let labels = set(&[("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!((labels.get("b"), labels.get("c")), (Some("3"), None));
    }

    #[test]
    fn setting_an_empty_value_removes_the_name() {
        let mut labels = set(&[("a", "1")]);
        labels.set("b", "2");
        labels.set("a", "");
        assert_eq!(labels.to_string(), r#"{b="2"}"#);
    }

    #[test]
    fn prints_values_as_string_literals() {
        assert_eq!(set(&[("q", "say \"hi\"\n\u{1}é")]).to_string(), r#"{q="say \"hi\"\n\x01é"}"#);
    }
}
