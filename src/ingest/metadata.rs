//! Structured metadata as it is stored: names that a query can write, no empty values, no name twice.

use std::borrow::Cow;

use crate::labels::LabelSet;

/// The stored form of pairs as a client sent them. Pairs whose name cannot be written at all are
/// dropped; of names that become equal the first stays.
pub(super) fn normalized(mut pairs: Vec<(String, String)>) -> LabelSet {
    pairs.retain_mut(|(name, value)| {
        if value.is_empty() {
            return false;
        }
        match normalized_name(name) {
            None => return false,
            Some(Cow::Borrowed(_)) => {}
            Some(Cow::Owned(changed)) => *name = changed,
        }
        true
    });
    pairs.reverse(); // a label set lets the last of equal names win, metadata the first
    LabelSet::new(pairs)
}

/// A name with each run of characters outside `[A-Za-z0-9_]` replaced by one underscore and with
/// `key_` in front of a leading digit. `None` if nothing but underscores would remain.
pub fn normalized_name(name: &str) -> Option<Cow<'_, str>> {
    let plain = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if !name.chars().any(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    if !digit_first && name.chars().all(plain) {
        return Some(Cow::Borrowed(name));
    }
    let mut changed = String::with_capacity(name.len() + 4);
    if digit_first {
        changed.push_str("key_");
    }
    let mut in_run = false;
    for c in name.chars() {
        if plain(c) {
            changed.push(c);
        } else if !in_run {
            changed.push('_');
        }
        in_run = !plain(c);
    }
    Some(Cow::Owned(changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_a_query_can_write() {
        for (sent, stored) in [
            ("trace_id", Some("trace_id")),
            ("a.b", Some("a_b")),
            ("c-d", Some("c_d")),
            ("sp ace", Some("sp_ace")),
            ("a...b", Some("a_b")),
            ("a_.b", Some("a__b")),
            ("9x", Some("key_9x")),
            ("9.x", Some("key_9_x")),
            ("ünï", Some("_n_")),
            (".9", Some("_9")),
            ("", None),
            ("_", None),
            ("...", None),
            ("日本", None),
        ] {
            assert_eq!(normalized_name(sent).as_deref(), stored, "{sent:?}");
        }
    }

    #[test]
    fn the_first_of_equal_names_stays_and_empty_values_go() {
        let pairs = [("b", "1"), ("a.b", "x"), ("a-b", "y"), ("c", ""), ("..", "z"), ("d", ""), ("d", "2")];
        let set = normalized(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        assert_eq!(set.to_string(), r#"{a_b="x", b="1", d="2"}"#);
    }
}
