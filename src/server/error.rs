//! Errors of the API and the status that each kind is answered with.

use std::{fmt, io, time::Duration};

use crate::logql::ParseError;
use crate::query;
use crate::store;

/// How long a client should wait before it comes back when the server is busy.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request is refused. The Display is the body of the answer.
#[derive(Debug)]
pub(super) enum Error {
    /// A parameter or body that no repetition makes right.
    BadRequest(String),
    /// Credentials are missing or wrong.
    Unauthorized(String),
    /// There are tenants, and the request names none. Loki's status and words.
    NoTenant,
    /// A user without the right, or a web page of another site that asks through the user's browser.
    Forbidden(String),
    /// "404 page not found" and a newline: Grafana looks for these words.
    NotFound,
    /// What is named does not exist, while the path does.
    Unknown(String),
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// A body above its limit.
    TooLarge(String),
    /// A push without anything in it.
    Unprocessable(String),
    /// Too much at once; the client comes back.
    Busy(String),
    /// Starting, stopping, or the disk does not take more.
    Unavailable(String),
    /// The body broke off or came too slowly.
    Body(io::Error),
    /// A query without an answer.
    Query(query::Error),
    /// The store failed.
    Store(store::Error),
}

impl Error {
    /// A parameter or body that no repetition makes right.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::BadRequest(text.into())
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Unauthorized(_) | Self::NoTenant => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound | Self::Unknown(_) => 404,
            Self::MethodNotAllowed => 405,
            Self::Body(error) if error.kind() == io::ErrorKind::TimedOut => 408,
            Self::TooLarge(_) => 413,
            Self::Unprocessable(_) => 422,
            Self::Busy(_) => 429,
            Self::Query(query::Error::Canceled) => 499,
            // What the disk refuses or the system lacks passes: shippers keep and repeat on 503, and drop on 500.
            Self::Unavailable(_) | Self::Store(_) | Self::Query(query::Error::Store(_)) => 503,
            // Loki's answer; all else that is wrong with a query is 400.
            Self::Query(query::Error::ApproxTopkDisabled) => 500,
            Self::Query(query::Error::TimedOut { .. }) => 504,
            Self::BadRequest(_) | Self::Body(_) | Self::Query(_) => 400,
        }
    }

    /// When the client should come back, for conditions that pass.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        matches!(self.status(), 429 | 503).then_some(RETRY_AFTER)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(text)
            | Self::Unauthorized(text)
            | Self::Unknown(text)
            | Self::Forbidden(text)
            | Self::TooLarge(text)
            | Self::Unprocessable(text)
            | Self::Busy(text)
            | Self::Unavailable(text) => f.write_str(text),
            Self::NoTenant => f.write_str("no org id\n"),
            Self::NotFound => f.write_str("404 page not found\n"),
            Self::MethodNotAllowed => Ok(()),
            Self::Body(error) => write!(f, "the request's body ended early: {error}"),
            Self::Query(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            Self::Query(error) => Some(error),
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::BadRequest(error.to_string())
    }
}

impl From<query::Error> for Error {
    fn from(error: query::Error) -> Self {
        Self::Query(error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}
