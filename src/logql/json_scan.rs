//! A JSON scanner that reads values where they lie: nothing is copied, numbers keep their source
//! text. Lenient where Loki's parser is (a comma before a closing brace, text after the end).

/// Why a text could not be read on; the texts are what clients see as `__error_details__`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// An object without an end, or something in it that is no member.
    Object,
    /// An array without an end.
    Array,
    /// A string without an end.
    String,
    /// Something that starts no value.
    Value,
}

impl Malformed {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Object => "Value looks like object, but can't find closing '}' symbol",
            Self::Array => "Value is array, but can't find closing ']' symbol",
            Self::String => "Value is string, but can't find closing '\"' symbol",
            Self::Value => "Unknown value type",
        }
    }
}

/// What the scanner stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'t> {
    /// A string, without its quotes, its escapes not resolved.
    String(&'t str),
    /// A number, `true` or `false`, as written.
    Plain(&'t str),
    /// `null`
    Null,
    /// The start of an object, or the whole of it.
    Object(&'t str),
    /// The whole of an array.
    Array(&'t str),
}

/// Reads a JSON text from front to back.
#[derive(Clone, Debug)]
pub struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    /// A scanner at the start of `text`.
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// The next byte that is no white space; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        while let Some(byte) = self.bytes().get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return *byte,
            }
        }
        0
    }

    /// Moves past `symbol` if it is next, white space aside.
    pub fn eat(&mut self, symbol: u8) -> bool {
        let found = self.peek() == symbol;
        self.at += usize::from(found);
        found
    }

    /// The key of the next member of an object; the scanner stands behind its colon then. `None` at
    /// the end of the object, which is passed.
    pub fn key(&mut self) -> Result<Option<&'t str>, Malformed> {
        if self.eat(b'}') {
            return Ok(None);
        }
        if self.peek() != b'"' {
            return Err(Malformed::Object);
        }
        let key = self.string()?;
        if self.eat(b':') { Ok(Some(key)) } else { Err(Malformed::Object) }
    }

    /// Moves past what separates members or elements, which may be missing before the `end`.
    pub fn separator(&mut self, end: u8) -> Result<(), Malformed> {
        if self.eat(b',') || self.peek() == end {
            return Ok(());
        }
        Err(if end == b'}' { Malformed::Object } else { Malformed::Array })
    }

    /// A value, an object as a whole.
    pub fn value(&mut self) -> Result<Value<'t>, Malformed> {
        let first = self.peek();
        let start = self.at;
        Ok(match first {
            b'"' => Value::String(self.string()?),
            b'{' => Value::Object(self.enclosed(start, Malformed::Object)?),
            b'[' => Value::Array(self.enclosed(start, Malformed::Array)?),
            b'-' | b'0'..=b'9' => Value::Plain(self.run()),
            b't' | b'f' | b'n' => match self.run() {
                word @ ("true" | "false") => Value::Plain(word),
                "null" => Value::Null,
                _ => return Err(Malformed::Value),
            },
            _ => return Err(Malformed::Value),
        })
    }

    /// Everything up to something that ends a plain value.
    fn run(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let length = rest.find([',', '}', ']', ':', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// The string that starts here, without its quotes.
    fn string(&mut self) -> Result<&'t str, Malformed> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            let rest = self.bytes().get(at..).ok_or(Malformed::String)?;
            at += memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed::String)?;
            if self.bytes()[at] == b'"' {
                self.at = at + 1;
                return Ok(&self.text[start..at]);
            }
            at += 2;
        }
    }

    /// The object or array that starts at `start`, found by counting braces outside strings.
    fn enclosed(&mut self, start: usize, malformed: Malformed) -> Result<&'t str, Malformed> {
        let mut depth = 0_usize;
        loop {
            match self.bytes().get(self.at) {
                None => return Err(malformed),
                Some(b'"') => {
                    self.string().map_err(|_| malformed)?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(&self.text[start..self.at]);
            }
        }
    }
}

/// Appends a string's text to `out`, its escapes resolved. U+FFFD becomes a space; a string with a
/// malformed escape adds nothing.
pub(super) fn append_string(raw: &str, out: &mut String) {
    let start = out.len();
    if append_unescaped(raw, out).is_none() {
        out.truncate(start);
    }
    if out[start..].contains('\u{fffd}') {
        let cleaned = out[start..].replace('\u{fffd}', " ");
        out.truncate(start);
        out.push_str(&cleaned);
    }
}

/// Appends `raw` with its JSON escapes resolved; `None` if one is malformed.
pub fn append_unescaped(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let kind = *rest.as_bytes().get(at + 1)?;
        let mut length = 2;
        out.push(match kind {
            b'"' | b'\\' | b'/' | b'\'' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (c, escape_length) = unicode_escape(&rest[at..])?;
                length = escape_length;
                c
            }
            _ => return None,
        });
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(())
}

/// The character that `\uXXXX`, or a pair of them for one surrogate pair, at the start of `text`
/// stands for, and how many bytes that is.
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        let sound = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        sound.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_values_where_they_lie() {
        let mut scanner = Scanner::new(r#" {"a":1.50 , "b":{"x":["}"]},"c":[1,[2]],"d":null,"e":"q\"","f":true,}"#);
        assert!(scanner.eat(b'{'));
        let mut found = Vec::new();
        while let Some(key) = scanner.key().unwrap() {
            found.push((key, scanner.value().unwrap()));
            scanner.separator(b'}').unwrap();
        }
        let expected = [
            ("a", Value::Plain("1.50")),
            ("b", Value::Object(r#"{"x":["}"]}"#)),
            ("c", Value::Array("[1,[2]]")),
            ("d", Value::Null),
            ("e", Value::String("q\\\"")),
            ("f", Value::Plain("true")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn resolves_escapes() {
        for (raw, text) in [
            (r"plain é", "plain é"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u00e9\ud83d\ude80", "é🚀"),
            (r"a\ud83d", ""),
            (r"a\q", ""),
            ("a\u{fffd}b", "a b"),
            ("a\\", ""),
        ] {
            let mut out = String::from("before ");
            append_string(raw, &mut out);
            assert_eq!(out, format!("before {text}"), "{raw}");
        }
    }

    #[test]
    fn says_what_does_not_end() {
        for (text, malformed) in [
            (r#""a"#, Malformed::String),
            (r#"{"a":1"#, Malformed::Object),
            ("[1,[2]", Malformed::Array),
            (r#"["a]"#, Malformed::Array),
            ("nul", Malformed::Value),
            ("", Malformed::Value),
            ("\"a\\", Malformed::String),
        ] {
            assert_eq!(Scanner::new(text).value(), Err(malformed), "{text}");
        }
    }
}
