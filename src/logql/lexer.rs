//! The lexer: text to tokens, one at a time. It never fails: text that is no word becomes a token
//! that says why, so that the parser reports whichever error comes first.
//!
//! Loki prints line 0 for tokens that it finished reading by hand after its scanner had stopped
//! (operators of two characters, durations, sizes, ranges, flags); clients see that, so it is kept.

use super::literal::unescape;
use super::token::{SYMBOLS_1, SYMBOLS_2, Spanned, Token};
use super::units::{parse_bytes, parse_duration};
use crate::labels::duration::parse_prometheus_duration;

/// Characters that may continue a number into a duration.
const DURATION_CHARS: &str = "nuµmshdwy.";
/// Characters that may continue a number into a size.
const BYTES_CHARS: &str = "BikKMGTP.";

/// Reads tokens from a query.
pub(super) struct Lexer<'q> {
    text: &'q str,
    at: usize,
    line: u32,
    column: u32,
}

impl<'q> Lexer<'q> {
    /// A lexer at the start of `text`.
    pub(super) fn new(text: &'q str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// The next token; [`Token::End`] for ever once the text is used up.
    pub(super) fn next(&mut self) -> Spanned {
        let skipped = self.skip_blanks();
        let (line, column, start) = (self.line, self.column, self.at);
        let token = match skipped {
            Ok(()) => self.word().unwrap_or_else(Token::Invalid),
            Err(message) => Token::Invalid(message),
        };
        if matches!(token, Token::Invalid(_)) {
            self.at = self.text.len(); // nothing behind it would be read as it was meant
        }
        let by_hand = match &token {
            Token::Symbol(text) => text.len() == 2,
            Token::Duration(_) | Token::Bytes(_) | Token::Range(_) | Token::Flag(_) => true,
            Token::Invalid(_) => self.text[start..].starts_with('['),
            _ => false,
        };
        Spanned { token, line: if by_hand { 0 } else { line }, column }
    }

    fn rest(&self) -> &'q str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    /// Moves on by `bytes`, a whole number of characters.
    fn advance(&mut self, bytes: usize) {
        let end = self.at + bytes;
        while self.at < end {
            self.bump();
        }
    }

    /// Skips white space and comments.
    fn skip_blanks(&mut self) -> Result<(), String> {
        loop {
            let rest = self.rest();
            let length = if rest.starts_with(['\t', '\n', '\r', ' ']) {
                1
            } else if rest.starts_with('#') || rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if let Some(comment) = rest.strip_prefix("/*") {
                comment.find("*/").map(|end| end + 4).ok_or("comment not terminated")?
            } else {
                return Ok(());
            };
            self.advance(length);
        }
    }

    fn word(&mut self) -> Result<Token, String> {
        let Some(first) = self.peek() else {
            return Ok(Token::End);
        };
        match first {
            '\0' => Err("invalid character NUL".to_owned()),
            '"' => self.quoted_string(),
            '`' => self.raw_string(),
            '\'' => self.char_literal(),
            '[' => self.range(),
            '0'..='9' => self.number(),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            '-' => Ok(self.dash()),
            c if c == '_' || c.is_alphabetic() => Ok(self.name()),
            _ => Ok(self.symbol()),
        }
    }

    fn symbol(&mut self) -> Token {
        let rest = self.rest();
        for symbols in [SYMBOLS_2, SYMBOLS_1] {
            if let Some(symbol) = symbols.iter().find(|symbol| rest.starts_with(**symbol)) {
                self.advance(symbol.len());
                return Token::Symbol(symbol);
            }
        }
        let unknown = self.bump().map(String::from).unwrap_or_default();
        Token::Identifier(unknown)
    }

    fn name(&mut self) -> Token {
        let rest = self.rest();
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        self.advance(length);
        let text = &rest[..length];
        if let Some(word) = Token::reserved(text) {
            return Token::Word(word);
        }
        match Token::function(text) {
            Some(word) if self.call_follows() => Token::Function(word),
            _ => Token::Identifier(text.to_owned()),
        }
    }

    /// Whether `(` follows, perhaps behind `by` or `without`.
    fn call_follows(&self) -> bool {
        let rest = skip_space(self.rest());
        if rest.starts_with('(') {
            return true;
        }
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let word = &rest[..length];
        (word.eq_ignore_ascii_case("by") || word.eq_ignore_ascii_case("without"))
            && skip_space(&rest[length..]).starts_with('(')
    }

    fn quoted_string(&mut self) -> Result<Token, String> {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.advance(at + 1);
                    return unescape(&rest[1..at]).map(Token::String).ok_or_else(|| "invalid char escape".to_owned());
                }
                _ => {}
            }
        }
        Err("literal not terminated".to_owned())
    }

    fn raw_string(&mut self) -> Result<Token, String> {
        let body = &self.rest()[1..];
        let end = body.find('`').ok_or("literal not terminated")?;
        self.advance(end + 2);
        Ok(Token::String(body[..end].to_owned()))
    }

    /// A character in single quotes: no string, but a word no rule uses.
    fn char_literal(&mut self) -> Result<Token, String> {
        let rest = self.rest();
        let body = rest[1..].split('\n').next().unwrap_or("");
        let end = body.find('\'').ok_or("literal not terminated")?;
        if body[..end].chars().count() != 1 {
            return Err("invalid char literal".to_owned());
        }
        self.advance(end + 2);
        Ok(Token::Identifier(rest[..end + 2].to_owned()))
    }

    fn range(&mut self) -> Result<Token, String> {
        let body = &self.rest()[1..];
        let end = body.find(']').ok_or("missing closing ']' in duration")?;
        let range_ns = parse_prometheus_duration(&body[..end]).map_err(|error| error.to_string())?;
        self.advance(end + 2);
        Ok(Token::Range(range_ns))
    }

    /// What starts with a minus: a flag, a negative duration, or the operator.
    fn dash(&mut self) -> Token {
        let rest = self.rest();
        let length = rest.find(|c: char| c != '-' && !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        for flag in ["--strict", "--keep-empty"] {
            if rest[..length].eq_ignore_ascii_case(flag) {
                self.advance(length);
                return Token::Flag(flag);
            }
        }
        let run = run_of(&rest[1..], DURATION_CHARS);
        if run.starts_with(|c: char| c.is_ascii_digit())
            && run.contains(char::is_alphabetic)
            && let Ok(duration_ns) = parse_duration(run)
        {
            self.advance(1 + run.len());
            return Token::Duration(-duration_ns);
        }
        self.advance(1);
        Token::Symbol("-")
    }

    /// A number, or the duration or size it is the start of.
    fn number(&mut self) -> Result<Token, String> {
        let rest = self.rest();
        let length = number_length(rest)?;
        for (chars, is_duration) in [(DURATION_CHARS, true), (BYTES_CHARS, false)] {
            let run = &rest[..length + run_of(&rest[length..], chars).len()];
            if run.len() == length {
                continue;
            }
            let token = if is_duration {
                parse_duration(run).ok().map(Token::Duration)
            } else {
                parse_bytes(run).ok().map(Token::Bytes)
            };
            if let Some(token) = token {
                self.advance(run.len());
                return Ok(token);
            }
        }
        self.advance(length);
        Ok(Token::Number(rest[..length].to_owned()))
    }
}

/// The longest start of `text` made of digits and `chars`.
fn run_of<'q>(text: &'q str, chars: &str) -> &'q str {
    let end = text.find(|c: char| !c.is_ascii_digit() && !chars.contains(c)).unwrap_or(text.len());
    &text[..end]
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(['\t', '\n', '\r', ' '])
}

/// The length of the number literal at the start of `text`, by the rules of Go's scanner; the
/// error is its message. (<https://go.dev/ref/spec#Integer_literals> and the section after it.)
fn number_length(text: &str) -> Result<usize, String> {
    let bytes = text.as_bytes();
    let lower = |at: usize| bytes.get(at).map_or(0, u8::to_ascii_lowercase);
    let (prefix, name, start) = match (lower(0), lower(1)) {
        (b'0', b'x') => (b'x', "hexadecimal", 2),
        (b'0', b'o') => (b'o', "octal", 2),
        (b'0', b'b') => (b'b', "binary", 2),
        (b'0', _) => (b'0', "octal", 1),
        _ => (0, "decimal", 0),
    };
    let digits_from = |mut at: usize| {
        while lower(at).is_ascii_digit() || lower(at) == b'_' || (prefix == b'x' && lower(at).is_ascii_hexdigit()) {
            at += 1;
        }
        at
    };
    let mut at = digits_from(start);
    let whole = &bytes[start..at];
    let is_float = lower(at) == b'.';
    if is_float {
        if matches!(prefix, b'o' | b'b') {
            return Err(format!("invalid radix point in {name} literal"));
        }
        at = digits_from(at + 1);
    }
    if start == 2 && !bytes[start..at].iter().any(u8::is_ascii_hexdigit) {
        return Err(format!("{name} literal has no digits"));
    }
    let exponent = lower(at);
    let mut has_exponent = false;
    if matches!(exponent, b'e' | b'p') && !(exponent == b'e' && prefix == b'x') {
        let written = char::from(bytes[at]);
        if exponent == b'e' && !matches!(prefix, 0 | b'0') {
            return Err(format!("'{written}' exponent requires decimal mantissa"));
        }
        if exponent == b'p' && prefix != b'x' {
            return Err(format!("'{written}' exponent requires hexadecimal mantissa"));
        }
        at += 1;
        if matches!(lower(at), b'+' | b'-') {
            at += 1;
        }
        let end = at + bytes[at..].iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
        if !bytes[at..end].iter().any(u8::is_ascii_digit) {
            return Err("exponent has no digits".to_owned());
        }
        at = end;
        has_exponent = true;
    } else if prefix == b'x' && is_float {
        return Err("hexadecimal mantissa requires a 'p' exponent".to_owned());
    }
    let limit = match prefix {
        b'0' | b'o' => b'8',
        b'b' => b'2',
        _ => u8::MAX,
    };
    if !is_float
        && !has_exponent
        && let Some(digit) = whole.iter().find(|b| **b != b'_' && **b >= limit)
    {
        return Err(format!("invalid digit '{}' in {name} literal", char::from(*digit)));
    }
    let literal = &text[..at];
    if literal.ends_with('_') || literal.contains("__") || literal.contains("_.") || literal.contains("._") {
        return Err("'_' must separate successive digits".to_owned());
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let mut lexer = Lexer::new(text);
        std::iter::from_fn(|| Some(lexer.next().token)).take_while(|token| *token != Token::End).collect()
    }

    #[test]
    fn a_function_word_needs_its_parenthesis() {
        assert_eq!(tokens("sum (")[0], Token::Function("sum"));
        assert_eq!(tokens("SUM BY (x)")[0], Token::Function("sum"));
        assert_eq!(tokens("sum by x (")[0], Token::Identifier("sum".into()));
        assert_eq!(tokens("Count ,")[0], Token::Identifier("Count".into()));
        assert_eq!(tokens("JSON")[0], Token::Word("json"));
    }

    #[test]
    fn numbers_run_into_durations_and_sizes() {
        const S: i64 = 1_000_000_000;
        for (text, expected) in [
            ("5m", vec![Token::Duration(300 * S)]),
            ("5M", vec![Token::Bytes(5_000_000)]),
            ("1.5KiB", vec![Token::Bytes(1536)]),
            ("-5m", vec![Token::Duration(-300 * S)]),
            ("- 5", vec![Token::Symbol("-"), Token::Number("5".into())]),
            (
                "1--1",
                vec![Token::Number("1".into()), Token::Symbol("-"), Token::Symbol("-"), Token::Number("1".into())],
            ),
            ("1.5d", vec![Token::Number("1.5".into()), Token::Identifier("d".into())]),
            ("5kb", vec![Token::Bytes(5_000), Token::Identifier("b".into())]),
            ("0x1p4", vec![Token::Number("0x1p4".into())]),
            ("[1d12h]", vec![Token::Range(129_600 * S)]),
            ("--strict --keep-empty", vec![Token::Flag("--strict"), Token::Flag("--keep-empty")]),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn says_why_a_text_is_no_word() {
        for (text, message) in [
            ("08", "invalid digit '8' in octal literal"),
            ("5PB", "'P' exponent requires hexadecimal mantissa"),
            ("5EB", "exponent has no digits"),
            ("1__0", "'_' must separate successive digits"),
            ("0x", "hexadecimal literal has no digits"),
            ("\"a\nb\"", "literal not terminated"),
            ("`a", "literal not terminated"),
            (r#""\q""#, "invalid char escape"),
            ("'ab'", "invalid char literal"),
            ("[5m", "missing closing ']' in duration"),
            ("[5]", r#"not a valid duration string: "5""#),
            ("/* x", "comment not terminated"),
            ("\0", "invalid character NUL"),
        ] {
            assert_eq!(tokens(text)[0], Token::Invalid(message.into()), "{text}");
        }
    }

    #[test]
    fn skips_comments_and_counts_lines_and_columns() {
        let mut lexer = Lexer::new("# c\n/* d\n */ é // e\n |= [5m]");
        let places: Vec<_> =
            std::iter::from_fn(|| Some(lexer.next())).map(|s| (s.token, s.line, s.column)).take(4).collect();
        assert_eq!(
            places,
            [
                (Token::Identifier("é".into()), 3, 5),
                (Token::Symbol("|="), 0, 2),
                (Token::Range(300_000_000_000), 0, 5),
                (Token::End, 4, 9),
            ]
        );
    }
}
