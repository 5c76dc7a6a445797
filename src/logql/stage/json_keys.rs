//! Where a label that `| json` made comes from: the keys that lead to its value.

use super::super::json_scan::{Scanner, Value, append_unescaped};
use super::json::append_key;

/// The keys that lead to the member of the JSON object `line` that becomes the label `label`; `None`
/// if no member does.
pub fn json_keys_of(line: &str, label: &str) -> Option<Vec<String>> {
    let mut scanner = Scanner::new(line);
    scanner.eat(b'{').then_some(())?;
    let mut name = String::new();
    // The keys of the objects that are open, and how long the name was before each.
    let mut outer: Vec<(&str, usize)> = Vec::new();
    loop {
        let Some(key) = scanner.key().ok()? else {
            name.truncate(outer.pop()?.1);
            scanner.separator(b'}').ok()?;
            continue;
        };
        let length = name.len();
        append_key(&mut name, key);
        if scanner.eat(b'{') {
            outer.push((key, length));
            continue;
        }
        let value = scanner.value().ok()?;
        if name == label && matches!(value, Value::String(_) | Value::Plain(_)) {
            return outer.iter().map(|(key, _)| *key).chain([key]).map(plain).collect();
        }
        name.truncate(length);
        scanner.separator(b'}').ok()?;
    }
}

fn plain(key: &str) -> Option<String> {
    let mut text = String::new();
    append_unescaped(key, &mut text)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_object() {
        let line = r#"{"a":1,"b":{"c-d":"x","e":{"f\"g":true,"n":null},"h":[{"i":1}]},"b_e":2,"k":{"l":3}}"#;
        for (label, want) in [
            ("a", Some(&["a"][..])),
            ("b_c_d", Some(&["b", "c-d"])),
            ("b_e_f_g", Some(&["b", "e", "f\"g"])),
            ("b_e", Some(&["b_e"])),
            ("k_l", Some(&["k", "l"])),
            ("b_e_n", None),
            ("b_h", None),
            ("b", None),
            ("none", None),
        ] {
            let want = want.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect());
            assert_eq!(json_keys_of(line, label), want, "{label}");
        }
        for line in ["", "[1]", "{\"a\":", "{\"a\"", "plain"] {
            assert_eq!(json_keys_of(line, "a"), None, "{line}");
        }
    }
}
