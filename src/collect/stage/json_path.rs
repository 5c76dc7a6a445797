//! Where in a JSON object a value is: the part of `JMESPath` that leads to one place.
//! Source: <https://jmespath.org/specification.html>.

use std::fmt;

use super::json::is_key;
use crate::logql::{JsonValue, Scanner};

/// How deep a path may lead.
const STEPS_MAX: usize = 64;

/// A path such as `a.b[0]."any key"[-1]`.
#[derive(Clone, PartialEq)]
pub struct JsonPath {
    text: String,
    /// The member of the outermost object.
    pub(super) first: String,
    rest: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// Negative: from the end, the last is -1.
    Index(i64),
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    /// The byte at which the text is no path any more.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let (first, mut at) = field(text, 0).ok_or(0_usize)?;
        let mut rest = Vec::new();
        while at < text.len() {
            let (step, end) = match text.as_bytes()[at] {
                b'.' => field(text, at + 1).map(|(name, end)| (Step::Field(name), end)),
                b'[' => index(text, at + 1).map(|(index, end)| (Step::Index(index), end)),
                _ => None,
            }
            .ok_or(at)?;
            rest.push(step);
            at = end;
            if rest.len() >= STEPS_MAX {
                return Err(at);
            }
        }
        Ok(Self { text: text.to_owned(), first, rest })
    }

    /// The value in a text; of equal keys the last counts.
    pub(in crate::collect) fn find<'t>(&self, text: &'t str) -> Option<JsonValue<'t>> {
        self.follow(member(text, &self.first)?)
    }

    /// The value that the path leads to, from that of its first member on. `None` if there is none.
    pub(super) fn follow<'t>(&self, value: JsonValue<'t>) -> Option<JsonValue<'t>> {
        self.rest.iter().try_fold(value, |value, step| match (step, value) {
            (Step::Field(name), JsonValue::Object(text)) => member(text, name),
            (Step::Index(index), JsonValue::Array(text)) => element(text, *index),
            _ => None,
        })
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// The name at a place, bare or in quotes, and where it ends.
fn field(text: &str, at: usize) -> Option<(String, usize)> {
    if let Some(quoted) = text[at..].strip_prefix('"') {
        let name = &quoted[..quoted.find('"')?];
        return Some((name.to_owned(), at + name.len() + 2));
    }
    let rest = &text[at..];
    let length = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let sound = length > 0 && !rest.starts_with(|c: char| c.is_ascii_digit());
    sound.then(|| (rest[..length].to_owned(), at + length))
}

fn index(text: &str, at: usize) -> Option<(i64, usize)> {
    let number = &text[at..at + text[at..].find(']')?];
    Some((number.parse().ok()?, at + number.len() + 1))
}

fn member<'t>(object: &'t str, name: &str) -> Option<JsonValue<'t>> {
    let mut scanner = Scanner::new(object);
    let mut found = None;
    scanner.eat(b'{');
    while let Some(key) = scanner.key().ok()? {
        let value = scanner.value().ok()?;
        if is_key(key, name) {
            found = Some(value);
        }
        scanner.separator(b'}').ok()?;
    }
    found
}

fn element(array: &str, index: i64) -> Option<JsonValue<'_>> {
    let mut scanner = Scanner::new(array);
    let mut elements = Vec::new();
    scanner.eat(b'[');
    while !scanner.eat(b']') {
        elements.push(scanner.value().ok()?);
        if i64::try_from(elements.len()).is_ok_and(|length| length > index && index >= 0) {
            return elements.pop();
        }
        scanner.separator(b']').ok()?;
    }
    let from_end = usize::try_from(index.unsigned_abs()).ok().filter(|_| index < 0)?;
    elements.get(elements.len().checked_sub(from_end)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_to_one_place() {
        let text = r#"{"a":{"b":[1,{"c d":"x"},3]},"e":null}"#;
        for (path, expected) in [
            ("a.b[0]", Some(JsonValue::Plain("1"))),
            ("a.b[-1]", Some(JsonValue::Plain("3"))),
            ("a.b[1].\"c d\"", Some(JsonValue::String("x"))),
            ("a.b[3]", None),
            ("a.b[-4]", None),
            ("a.b.c", None),
            ("a[0]", None),
            ("e", Some(JsonValue::Null)),
        ] {
            let parsed = JsonPath::parse(path).unwrap();
            assert_eq!(parsed.find(text), expected, "{path}");
        }
    }

    #[test]
    fn says_where_it_is_no_path() {
        for (text, at) in
            [("", 0), ("a.", 1), ("a[*]", 1), ("a|b", 1), ("a.b[1:2]", 3), ("@", 0), ("a b", 1), ("1a", 0)]
        {
            assert_eq!(JsonPath::parse(text), Err(at), "{text}");
        }
    }
}
