//! Patterns such as `<_> - <method> <path>`: literals and captures. As a line filter a pattern
//! says whether a line has this shape; the `pattern` parser takes its captures as labels.

use memchr::memmem::Finder;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Part {
    /// Text that stands there.
    Literal(String),
    /// `<name>`, or `<_>` without a name.
    Capture(Option<String>),
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Capture(name) => format!("<{}>", name.as_deref().unwrap_or("_")),
        }
    }
}

/// Splits a pattern; no two captures may touch. The error is Loki's.
pub(in super::super) fn pattern_parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut literal_start = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find('<') {
        let open = at + open;
        let Some(name) = capture_name(&text[open..]) else {
            at = open + 1;
            continue;
        };
        if open > literal_start {
            parts.push(Part::Literal(text[literal_start..open].to_owned()));
        }
        parts.push(Part::Capture((name != "_").then(|| name.to_owned())));
        at = open + name.len() + 2;
        literal_start = at;
    }
    if literal_start < text.len() {
        parts.push(Part::Literal(text[literal_start..].to_owned()));
    }
    for pair in parts.windows(2) {
        if let [Part::Capture(_), Part::Capture(_)] = pair {
            let (first, second) = (pair[0].text(), pair[1].text());
            return Err(format!("found consecutive capture '{first}{second}': invalid expression"));
        }
    }
    Ok(parts)
}

/// The name in the `<name>` that `text` starts with.
fn capture_name(text: &str) -> Option<&str> {
    let name = text[1..].split_once('>')?.0;
    let mut bytes = name.bytes();
    let sound = bytes.next().is_some_and(|first| first == b'_' || first.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    sound.then_some(name)
}

/// A pattern as a line filter.
#[derive(Debug)]
pub(in super::super) struct PatternTest {
    literals: Vec<Finder<'static>>,
    starts_with_literal: bool,
    ends_with_capture: bool,
}

impl PatternTest {
    /// Compiles a pattern without named captures. The error is Loki's.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let parts = pattern_parts(text)?;
        if let Some(part) = parts.iter().find(|part| matches!(part, Part::Capture(Some(_)))) {
            return Err(format!("named captures are not allowed: found '{}'", part.text()));
        }
        let literal = |part: &Part| match part {
            Part::Literal(text) => Some(Finder::new(text.as_bytes()).into_owned()),
            Part::Capture(_) => None,
        };
        Ok(Self {
            literals: parts.iter().filter_map(literal).collect(),
            starts_with_literal: matches!(parts.first(), Some(Part::Literal(_))),
            ends_with_capture: matches!(parts.last(), Some(Part::Capture(_))),
        })
    }

    /// The literals, all of which every matching line holds.
    pub(super) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().map(Finder::needle)
    }

    /// Whether `line` has the shape. A leading literal may stand anywhere; a capture is never empty.
    pub(super) fn is_match(&self, line: &[u8]) -> bool {
        let mut rest = line;
        for (at, literal) in self.literals.iter().enumerate() {
            let Some(found) = literal.find(rest) else {
                return false;
            };
            let leads = at == 0 && self.starts_with_literal;
            if found == 0 && !leads {
                return false;
            }
            rest = &rest[found + literal.needle().len()..];
        }
        rest.is_empty() != self.ends_with_capture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_that_is_no_capture_is_literal() {
        let literal = |text: &str| Part::Literal(text.to_owned());
        let capture = |name: &str| Part::Capture(Some(name.to_owned()));
        assert_eq!(
            pattern_parts("<ip> <1x> < <> <a b><_>é").unwrap(),
            [capture("ip"), literal(" <1x> < <> <a b>"), Part::Capture(None), literal("é")]
        );
        assert_eq!(pattern_parts("<<a>").unwrap(), [literal("<"), capture("a")]);
        assert_eq!(pattern_parts("").unwrap(), []);
        assert_eq!(pattern_parts("x<a><_>").unwrap_err(), "found consecutive capture '<a><_>': invalid expression");
    }

    #[test]
    fn tells_the_shape_of_a_line() {
        for (line, pattern, expected) in [
            ("10.0.0.1 - GET /x 200", "<_> - <_>", true),
            ("10.0.0.1 - GET /x 200", "GET<_>", true),
            ("10.0.0.1 - GET /x 200", "<_>GET<_>", true),
            ("10.0.0.1 - GET /x 200", "<_>200", true),
            ("10.0.0.1 - GET /x 200", "<_>GET", false),
            ("GET /x", "<_>GET<_>", false),
            ("GET /x", "GET<_>", true),
            ("no", "no", true),
            ("no", "n", false),
            ("no", "<_>o", true),
            ("no", "<_>", true),
            ("", "", true),
            ("x", "", false),
            ("", "<_>", false),
        ] {
            assert_eq!(PatternTest::new(pattern).unwrap().is_match(line.as_bytes()), expected, "{pattern} on {line}");
        }
        assert_eq!(PatternTest::new("a <ip> b").unwrap_err(), "named captures are not allowed: found '<ip>'");
    }
}
