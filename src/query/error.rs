//! Why a query has no answer.

use std::{fmt, time::Duration};

use crate::logql::ParseError;
use crate::store;

/// Why a query has no answer.
#[derive(Debug)]
pub enum Error {
    /// The query does not parse or does not compile; Loki's words.
    Parse(ParseError),
    /// "max entries limit per query exceeded, limit > `max_entries_limit_per_query` (5001 > 5000)"
    TooManyEntries {
        /// What the query asked for.
        limit: usize,
        /// What it may ask for.
        limit_max: usize,
    },
    /// "the answer would be larger than 33554432 bytes (`limits.max_query_bytes_returned`); ask for fewer entries or a shorter time range"
    TooManyBytes {
        /// The limit.
        bytes_max: usize,
    },
    /// "metric queries over logs are not available in this version; only expressions of constants such as vector(1)+vector(1) are"
    MetricUnsupported,
    /// "the query timed out after 60s (`limits.query_timeout`); ask for a shorter time range or a narrower selector"
    TimedOut {
        /// The time that the query had.
        timeout: Duration,
    },
    /// "the client went away before the query was done"
    Canceled,
    /// The store cannot be read.
    Store(store::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::TooManyEntries { limit, limit_max } => write!(
                f,
                "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {limit_max})"
            ),
            Self::TooManyBytes { bytes_max } => write!(
                f,
                "the answer would be larger than {bytes_max} bytes (limits.max_query_bytes_returned); \
                 ask for fewer entries or a shorter time range"
            ),
            Self::MetricUnsupported => f.write_str(
                "metric queries over logs are not available in this version; \
                 only expressions of constants such as vector(1)+vector(1) are",
            ),
            Self::TimedOut { timeout } => write!(
                f,
                "the query timed out after {timeout:?} (limits.query_timeout); \
                 ask for a shorter time range or a narrower selector"
            ),
            Self::Canceled => f.write_str("the client went away before the query was done"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Parse(error) => Some(error),
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}
