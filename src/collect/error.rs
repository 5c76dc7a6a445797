//! Why the collector cannot start or take new options.

use std::{fmt, io};

use super::PatternError;

/// Why the collector cannot start or take new options. Files never cause one: whatever is wrong with
/// a file is a warning, a number in [`super::Stats`] and a retry.
#[derive(Debug)]
pub enum Error {
    /// "job `nginx`: pattern `/var/log/[x`: column 10: unclosed `[`; close it with `]`, ..."
    Pattern {
        /// The job's name.
        job: String,
        /// The pattern as it was written.
        pattern: String,
        /// What is wrong with it.
        source: PatternError,
    },
    /// "job `nginx`: location: unknown time zone `Europe/Berlni`: ...; write an IANA name ..."
    Zone {
        /// The job's name.
        job: String,
        /// What is wrong with the name.
        what: String,
    },
    /// "cannot start the collector: Too many open files; raise the limit on descriptors or threads"
    Start(io::Error),
    /// "the collector has ended; see the messages before"
    Ended,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern { job, pattern, source } => write!(f, "job `{job}`: pattern `{pattern}`: {source}"),
            Self::Zone { job, what } => write!(f, "job `{job}`: location: {what}"),
            Self::Start(error) => {
                write!(f, "cannot start the collector: {error}; raise the limit on descriptors or threads")
            }
            Self::Ended => write!(f, "the collector has ended; see the messages before"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pattern { source, .. } => Some(source),
            Self::Start(source) => Some(source),
            Self::Zone { .. } | Self::Ended => None,
        }
    }
}
