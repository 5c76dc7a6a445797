//! Why a question to a server has no answer, in sentences for the person who asked.

use std::{fmt, io};

/// What went wrong.
#[derive(Debug)]
pub enum Error {
    /// "`ftp://x` is no URL of a server: it does not begin with http://"
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// "a header cannot hold `a\nb`"
    Header {
        /// The value.
        value: String,
    },
    /// "cannot reach SERVER: Connection refused (os error 111); is the server running?"
    Unreachable {
        /// The server.
        server: String,
        /// Why not.
        source: io::Error,
    },
    /// "the connection to SERVER was lost: ..."
    Lost {
        /// The server.
        server: String,
        /// How.
        source: io::Error,
    },
    /// "the answer of SERVER ended after 512 bytes, before it was complete"
    Truncated {
        /// The server.
        server: String,
        /// Bytes of the body that came.
        bytes: usize,
    },
    /// "SERVER does not speak HTTP: ..."
    NotHttp {
        /// The server.
        server: String,
        /// What it does instead.
        why: String,
    },
    /// "the answer of SERVER is larger than 268435456 bytes; ask for less, or lower --batch"
    TooLarge {
        /// The server.
        server: String,
        /// The bound, `ANSWER_BYTES_MAX`.
        bytes_max: usize,
    },
    /// "SERVER answers 400: parse error at line 1, col 1: ..."
    Status {
        /// The server.
        server: String,
        /// Its status.
        status: u16,
        /// Its text.
        text: String,
        /// What to do; may be empty.
        hint: &'static str,
    },
    /// "the answer of SERVER is not that of a Loki: expected value at line 1 column 1; is it the right URL?"
    NotLoki {
        /// The server.
        server: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// "SERVER gives the same entries again and again at 2026-01-05T08:00:00Z; raise --batch"
    Stuck {
        /// The server.
        server: String,
        /// Where, as text.
        time: String,
    },
    /// What was found cannot be written.
    Output(io::Error),
}

/// What an error means for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The question cannot be asked.
    Usage,
    /// There is no server, or it went away.
    Unreachable,
    /// The server does not answer this person.
    Forbidden,
    /// Nobody reads the output any more.
    Unread,
    /// The server refuses, or its answer makes no sense.
    Failed,
}

impl Error {
    /// What it means for who asked.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Url { .. } | Self::Header { .. } => Kind::Usage,
            Self::Unreachable { .. } | Self::Lost { .. } | Self::Truncated { .. } => Kind::Unreachable,
            Self::Status { status: 401 | 403, .. } => Kind::Forbidden,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Kind::Unread,
            _ => Kind::Failed,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { url, why } => write!(f, "`{url}` is no URL of a server: {why}"),
            Self::Header { value } => write!(f, "a header cannot hold {value:?}"),
            Self::Unreachable { server, source } => {
                write!(f, "cannot reach {server}: {source}; is the server running?")
            }
            Self::Lost { server, source } => write!(f, "the connection to {server} was lost: {source}"),
            Self::Truncated { server, bytes } => {
                write!(f, "the answer of {server} ended after {bytes} bytes, before it was complete")
            }
            Self::NotHttp { server, why } => write!(f, "{server} does not speak HTTP: {why}"),
            Self::TooLarge { server, bytes_max } => {
                write!(f, "the answer of {server} is larger than {bytes_max} bytes; ask for less, or lower --batch")
            }
            Self::Status { server, status, text, hint } => {
                write!(f, "{server} answers {status}: {}", text.trim_end())?;
                if hint.is_empty() { Ok(()) } else { write!(f, "\n{hint}") }
            }
            Self::NotLoki { server, why } => {
                write!(f, "the answer of {server} is not that of a Loki: {why}; is it the right URL?")
            }
            Self::Stuck { server, time } => {
                write!(f, "{server} gives the same entries again and again at {time}; raise --batch")
            }
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } | Self::Lost { source, .. } | Self::Output(source) => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    /// Only writing the output gives an error without a server.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
