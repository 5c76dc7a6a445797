//! The text form of a label set, `{a="b", c="d"}`, as a push carries it. The grammar and the
//! words of the errors are those of Prometheus, whose parser Loki uses here.

use super::super::error::ParseError;
use super::super::literal::unescape;
use crate::labels::LabelSet;

/// Parses a label set. Spaces and a comma at the end are tolerated; a name may not occur twice.
pub fn parse_label_set(text: &str) -> Result<LabelSet, ParseError> {
    let mut reader = Reader { text, at: 0 };
    let mut pairs: Vec<(String, String)> = Vec::new();
    reader.symbol('{', "\"{\"")?;
    loop {
        reader.skip_space();
        if reader.eat('}') {
            break;
        }
        let name_at = reader.at;
        let name = reader.name()?;
        reader.symbol('=', "\"=\"")?;
        let value = reader.string()?;
        if pairs.iter().any(|(known, _)| known == name) {
            return Err(reader.error_at(name_at, format!("duplicate label name: '{name}'")));
        }
        pairs.push((name.to_owned(), value));
        reader.skip_space();
        if !reader.eat(',') && reader.peek() != Some('}') {
            return Err(reader.unexpected("\",\" or \"}\""));
        }
    }
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.unexpected("end of input"));
    }
    Ok(LabelSet::new(pairs))
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn eat(&mut self, symbol: char) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len_utf8();
        }
        found
    }

    fn symbol(&mut self, symbol: char, expected: &str) -> Result<(), ParseError> {
        self.skip_space();
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn name(&mut self) -> Result<&'t str, ParseError> {
        let rest = self.rest();
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..end];
        if !LabelSet::is_name(name) {
            return Err(self.unexpected("identifier or \"}\""));
        }
        self.at += end;
        Ok(name)
    }

    fn string(&mut self) -> Result<String, ParseError> {
        self.skip_space();
        let rest = self.rest();
        let Some(quote @ ('"' | '\'' | '`')) = self.peek() else {
            return Err(self.unexpected("string"));
        };
        let body = &rest[1..];
        let mut escaped = false;
        let end = body.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped && quote != '`';
            ends
        });
        let end = end.ok_or_else(|| self.error_at(self.at, "unterminated quoted string".to_owned()))?;
        let body = &body[..end];
        let value = match quote {
            '`' => Some(body.to_owned()),
            '\'' => unescape(&body.replace("\\'", "'")),
            _ => unescape(body),
        };
        let value = value.ok_or_else(|| self.error_at(self.at, "unknown escape sequence".to_owned()))?;
        self.at += end + 2;
        Ok(value)
    }

    fn unexpected(&self, expected: &str) -> ParseError {
        let message = match self.peek() {
            None => "unexpected end of input inside braces".to_owned(),
            Some(c) if c.is_alphanumeric() || "_{}=,!\"'`~".contains(c) => {
                format!("unexpected \"{c}\" in label set, expected {expected}")
            }
            Some(c) => format!("unexpected character inside braces: '{c}'"),
        };
        self.error_at(self.at, message)
    }

    fn error_at(&self, at: usize, message: String) -> ParseError {
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        ParseError::LabelSet { line: count(line), column: count(at - line_start + 1), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_shippers_write() {
        for (text, canonical) in [
            (r#"{a="b", c="d"}"#, r#"{a="b", c="d"}"#),
            (r#" { c = "d" ,a="b", } "#, r#"{a="b", c="d"}"#),
            ("{}", "{}"),
            ("{a='b', c=`\\d`}", r#"{a="b", c="\\d"}"#),
            (r#"{a="x\"y\n", e=""}"#, r#"{a="x\"y\n"}"#),
            (r#"{by="kept"}"#, r#"{by="kept"}"#),
        ] {
            assert_eq!(parse_label_set(text).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn says_where_it_cannot_read_on() {
        for (text, message) in [
            (r#"{bad-name="x"}"#, "1:5: parse error: unexpected character inside braces: '-'"),
            (r#"{a="x" b="y"}"#, "1:8: parse error: unexpected \"b\" in label set, expected \",\" or \"}\""),
            (r#"{="x"}"#, "1:2: parse error: unexpected \"=\" in label set, expected identifier or \"}\""),
            ("{a", "1:3: parse error: unexpected end of input inside braces"),
            ("{a=\"x}", "1:4: parse error: unterminated quoted string"),
            ("{a=1}", "1:4: parse error: unexpected \"1\" in label set, expected string"),
            ("{a=\"1\",\n a=\"2\"}", "2:2: parse error: duplicate label name: 'a'"),
            (r#"{a="\q"}"#, "1:4: parse error: unknown escape sequence"),
            (r#"{a="1"} x"#, "1:9: parse error: unexpected \"x\" in label set, expected end of input"),
            ("", "1:1: parse error: unexpected end of input inside braces"),
        ] {
            assert_eq!(parse_label_set(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
