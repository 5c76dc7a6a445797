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
    /// "maximum number of series (500) reached for a single query; consider reducing query cardinality ..."
    TooManySeries {
        /// The limit.
        series_max: usize,
    },
    /// "the query would need more than 67108864 bytes for its series and their values; ask for fewer series, ..."
    TooMuchMemory {
        /// The limit.
        bytes_max: usize,
    },
    /// "pipeline error: '`JSONParserErr`' for series: '{...}'." and how to skip it: a metric counts lines that a stage failed on.
    Pipeline {
        /// What the stage noted.
        error: String,
        /// All labels of the line.
        series: String,
    },
    /// "multiple matches for labels: ...": an operator finds several samples where it needs one.
    Matching(&'static str),
    /// "`label_replace` gives several series the labels {...}": they cannot be told apart any more.
    SameLabels(String),
    /// "`approx_topk` is not enabled. See `-limits.shard_aggregations`"
    ApproxTopkDisabled,
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
            Self::TooManySeries { series_max } => write!(
                f,
                "maximum number of series ({series_max}) reached for a single query; consider reducing query \
                 cardinality by adding more specific stream selectors, reducing the time range, or aggregating \
                 results with functions like sum(), count() or topk()"
            ),
            Self::TooMuchMemory { bytes_max } => write!(
                f,
                "the query would need more than {bytes_max} bytes for its series and their values; ask for fewer \
                 series (sum by a few labels), a larger step or a shorter time range"
            ),
            Self::Pipeline { error, series } => write!(
                f,
                "pipeline error: '{error}' for series: '{series}'.\n\
                 Use a label filter to intentionally skip this error. (e.g | __error__!=\"{error}\").\n\
                 To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
                 The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
            ),
            Self::Matching(text) => f.write_str(text),
            Self::SameLabels(labels) => write!(
                f,
                "label_replace gives several series the labels {labels}; keep a label that tells them apart, or sum them"
            ),
            Self::ApproxTopkDisabled => f.write_str("approx_topk is not enabled. See -limits.shard_aggregations"),
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
