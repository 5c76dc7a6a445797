//! The words of the language: what the lexer hands to the parser, and how each is named in errors.

use std::fmt;

/// Words that mean something wherever they stand, so that no label can be called by them.
const RESERVED: &[&str] = &[
    "by",
    "without",
    "bool",
    "offset",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "unwrap",
    "json",
    "logfmt",
    "regexp",
    "unpack",
    "pattern",
    "line_format",
    "label_format",
    "decolorize",
    "drop",
    "keep",
    "variants",
    "of",
];

/// Words that mean something only in front of a parenthesis; elsewhere they are identifiers.
const FUNCTIONS: &[&str] = &[
    "rate",
    "rate_counter",
    "count_over_time",
    "bytes_rate",
    "bytes_over_time",
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "stdvar_over_time",
    "stddev_over_time",
    "quantile_over_time",
    "first_over_time",
    "last_over_time",
    "absent_over_time",
    "vector",
    "sum",
    "avg",
    "max",
    "min",
    "count",
    "stddev",
    "stdvar",
    "bottomk",
    "topk",
    "sort",
    "sort_desc",
    "label_replace",
    "approx_topk",
    "bytes",
    "duration",
    "duration_seconds",
    "ip",
];

/// Symbols of two characters; tried before those of one.
pub(super) const SYMBOLS_2: &[&str] = &["!=", "=~", "!~", "|=", "|~", "|>", "!>", "==", ">=", "<="];

/// Symbols of one character.
pub(super) const SYMBOLS_1: &[&str] =
    &["{", "}", "(", ")", ",", ".", "=", "|", ">", "<", "+", "-", "*", "/", "%", "^", "]"];

/// One word of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, in the case it was written.
    Identifier(String),
    /// A string, its escapes resolved.
    String(String),
    /// A number as it was written, without a sign.
    Number(String),
    /// A length of time in nanoseconds; may be negative.
    Duration(i64),
    /// A size in bytes.
    Bytes(u64),
    /// `[5m]`, in nanoseconds.
    Range(i64),
    /// `--strict` or `--keep-empty`.
    Flag(&'static str),
    /// A reserved word, in lower case.
    Word(&'static str),
    /// A function word in front of a parenthesis, in lower case.
    Function(&'static str),
    /// Punctuation or an operator.
    Symbol(&'static str),
    /// Text that is no word; the message says why.
    Invalid(String),
    /// The end of the query.
    End,
}

impl Token {
    /// The reserved word that `text` is, in any case.
    pub(super) fn reserved(text: &str) -> Option<&'static str> {
        RESERVED.iter().copied().find(|word| word.eq_ignore_ascii_case(text))
    }

    /// The function word that `text` is, in any case.
    pub(super) fn function(text: &str) -> Option<&'static str> {
        FUNCTIONS.iter().copied().find(|word| word.eq_ignore_ascii_case(text))
    }
}

/// The name of the token in "unexpected ..." and "expecting ...".
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identifier(_) => "IDENTIFIER",
            Self::String(_) => "STRING",
            Self::Number(_) => "NUMBER",
            Self::Duration(_) => "DURATION",
            Self::Bytes(_) => "BYTES",
            Self::Range(_) => "RANGE",
            Self::Flag(_) => "FUNCTION_FLAG",
            Self::Word(text) | Self::Symbol(text) | Self::Function(text @ "ip") => text,
            Self::Function("bytes") => "BYTES_CONV",
            Self::Function("duration") => "DURATION_CONV",
            Self::Function("duration_seconds") => "DURATION_SECONDS_CONV",
            Self::Function(text) => return f.write_str(&text.to_ascii_uppercase()),
            Self::Invalid(message) => message,
            Self::End => "$end",
        })
    }
}

/// A token and where it starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned {
    /// The word itself.
    pub(super) token: Token,
    /// Line of its first character, from 1; 0 for the kinds whose line Loki forgets.
    pub(super) line: u32,
    /// Column of its first character, in characters from 1.
    pub(super) column: u32,
}
