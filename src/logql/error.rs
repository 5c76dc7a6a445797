//! The error of this room: why a text is no query, or a query cannot be run. Its `Display` is the
//! whole text that a client of the HTTP API sees, in the words Loki uses.

use std::fmt;

/// Why a query, selector or label set was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// "parse error at line 1, col 16: syntax error: unexpected IDENTIFIER"
    At {
        /// Line of the offending token, from 1; 0 where Loki loses count (see `lexer`).
        line: u32,
        /// Column of its first character, in characters from 1.
        column: u32,
        /// What is wrong there.
        message: String,
    },
    /// "parse error : grouping not allowed for rate aggregation": true of the whole query.
    Whole(String),
    /// "parse error : stage '|~ "["' : error parsing regexp: ...": found when a stage is compiled.
    Stage {
        /// The stage in canonical print.
        stage: String,
        /// What is wrong with it.
        message: String,
    },
    /// "multi variant queries are disabled for this instance": a query that is understood and not served.
    Refused(String),
    /// "1:5: parse error: unexpected character inside braces: '-'": a label set is malformed.
    LabelSet {
        /// Line of the offending character, from 1.
        line: u32,
        /// Its column, in bytes from 1 as Prometheus counts.
        column: u32,
        /// What is wrong there.
        message: String,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { line, column, message } => {
                write!(f, "parse error at line {line}, col {column}: {message}")
            }
            Self::Whole(message) => write!(f, "parse error : {message}"),
            Self::Stage { stage, message } => {
                write!(f, "parse error : stage '{stage}' : {message}")
            }
            Self::Refused(message) => f.write_str(message),
            Self::LabelSet { line, column, message } => {
                write!(f, "{line}:{column}: parse error: {message}")
            }
        }
    }
}

impl std::error::Error for ParseError {}
