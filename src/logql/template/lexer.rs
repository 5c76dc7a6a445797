//! Cuts a template into text and actions, and actions into tokens.
//! Source: <https://pkg.go.dev/text/template>.

use super::super::literal::{parse_float, unescape};

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Text between actions; never inside one.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    Identifier(String),
    /// `.name`
    Field(String),
    /// `.` alone
    Dot,
    /// `$name`, or `$` alone as the empty name
    Variable(String),
    String(String),
    Int(i64),
    Float(f64),
    /// `|`, `(`, `)`, `,`, `=` or `:=`
    Symbol(&'static str),
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    /// Byte at which it starts.
    pub(super) at: usize,
    /// Whether white space stands before it.
    pub(super) spaced: bool,
}

/// All tokens of a template, [`Token::End`] last. The error is where and what, in Go's words.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, (usize, String)> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    lexer.run()?;
    lexer.push(Token::End, text.len(), false);
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Placed>,
}

type Lexed<T> = Result<T, (usize, String)>;

impl<'t> Lexer<'t> {
    fn push(&mut self, token: Token, at: usize, spaced: bool) {
        self.tokens.push(Placed { token, at, spaced });
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn run(&mut self) -> Lexed<()> {
        let mut trim_start = false;
        loop {
            let start = self.at;
            let open = self.rest().find("{{");
            let mut between = &self.rest()[..open.unwrap_or(self.rest().len())];
            self.at += between.len();
            if trim_start {
                between = between.trim_start_matches([' ', '\t', '\r', '\n']);
            }
            let trims = open.is_some() && starts_trim(&self.rest()[2..]);
            if trims {
                between = between.trim_end_matches([' ', '\t', '\r', '\n']);
            }
            if !between.is_empty() {
                self.push(Token::Text(between.to_owned()), start, false);
            }
            if open.is_none() {
                return Ok(());
            }
            let opened = self.at;
            self.at += if trims { 3 } else { 2 };
            trim_start = match self.comment(opened)? {
                Some(trim) => trim,
                None => self.action(opened)?,
            };
        }
    }

    /// `/* ... */` that fills an action; whether the text behind it is trimmed.
    fn comment(&mut self, opened: usize) -> Lexed<Option<bool>> {
        let rest = self.rest().trim_start();
        let Some(body) = rest.strip_prefix("/*") else {
            return Ok(None);
        };
        let end = body.find("*/").ok_or((opened, "unclosed comment".to_owned()))?;
        self.at = self.text.len() - body.len() + end + 2;
        let tail = self.rest();
        for (close, trim) in [("}}", false), (" -}}", true)] {
            if tail.starts_with(close) {
                self.at += close.len();
                return Ok(Some(trim));
            }
        }
        Err((opened, "comment ends before closing delimiter".to_owned()))
    }

    /// The tokens up to `}}`; whether the text behind it is trimmed.
    fn action(&mut self, opened: usize) -> Lexed<bool> {
        self.push(Token::Open, opened, false);
        loop {
            let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.at += blanks;
            let spaced = blanks > 0;
            let rest = self.rest();
            for (close, trim) in [("}}", false), ("-}}", true)] {
                if rest.starts_with(close) && (!trim || spaced) {
                    self.push(Token::Close, self.at, spaced);
                    self.at += close.len();
                    return Ok(trim);
                }
            }
            let at = self.at;
            let Some(first) = rest.chars().next() else {
                return Err((opened, "unclosed action".to_owned()));
            };
            let token = self.token(first).map_err(|message| (at, message))?;
            self.push(token, at, spaced);
        }
    }

    fn token(&mut self, first: char) -> Result<Token, String> {
        let rest = self.rest();
        if let Some(symbol) = [":=", "|", "(", ")", ",", "="].iter().find(|symbol| rest.starts_with(**symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        match first {
            '"' => self.quoted(),
            '`' => {
                let body = &rest[1..];
                let end = body.find('`').ok_or("unterminated raw quoted string")?;
                self.at += end + 2;
                Ok(Token::String(body[..end].to_owned()))
            }
            '\'' => self.character(),
            '$' => {
                self.at += 1;
                Ok(Token::Variable(self.name()))
            }
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += 1;
                let name = self.name();
                Ok(if name.is_empty() { Token::Dot } else { Token::Field(name) })
            }
            '0'..='9' | '+' | '-' | '.' => self.number(),
            c if c == '_' || c.is_alphabetic() => Ok(Token::Identifier(self.name())),
            c => Err(format!("unexpected {c:?} in command").replace('\'', "\"")),
        }
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }

    fn quoted(&mut self) -> Result<Token, String> {
        let body = &self.rest()[1..];
        let mut escaped = false;
        let end = body.find(|c| {
            let ends = (c == '"' && !escaped) || c == '\n';
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.filter(|end| body[*end..].starts_with('"')).ok_or("unterminated quoted string")?;
        self.at += end + 2;
        unescape(&body[..end]).map(Token::String).ok_or_else(|| "invalid syntax".to_owned())
    }

    /// A character in single quotes is its number.
    fn character(&mut self) -> Result<Token, String> {
        let body = &self.rest()[1..];
        let skip = if body.starts_with('\\') { 2 } else { 0 };
        let end = body.get(skip..).and_then(|tail| tail.find('\'')).ok_or("unterminated character constant")? + skip;
        self.at += end + 2;
        let text = if &body[..end] == "\\'" { Some("'".to_owned()) } else { unescape(&body[..end]) };
        let mut chars = text.as_deref().unwrap_or("").chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Ok(Token::Int(i64::from(u32::from(only)))),
            _ => Err("malformed character constant".to_owned()),
        }
    }

    fn number(&mut self) -> Result<Token, String> {
        let rest = self.rest();
        let mut length = 0;
        for (at, c) in rest.char_indices() {
            let exponent_sign = matches!(c, '+' | '-')
                && (at == 0 || (rest[..at].ends_with(['e', 'E', 'p', 'P']) && !rest[..at].contains(['x', 'X'])));
            if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
                break;
            }
            length = at + c.len_utf8();
        }
        let text = &rest[..length];
        self.at += length;
        if let Some(value) = parse_int(text) {
            return Ok(Token::Int(value));
        }
        parse_float(text).map(Token::Float).map_err(|_| format!("bad number syntax: {text:?}"))
    }
}

/// Whether `-` and a blank follow an opening delimiter.
fn starts_trim(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n']))
}

/// An integer as Go writes it: `0x`, `0o` and `0b` prefixes, a leading 0 for octal, `_` between digits.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) || unsigned.ends_with('_') || unsigned.contains("__") {
        return None;
    }
    let digits = unsigned.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    i64::from_str_radix(&signed, radix).ok()
}
