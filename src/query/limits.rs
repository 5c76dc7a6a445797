//! What one query may ask for and use. Names and meanings are Loki's where Loki has the limit.

use std::time::Duration;

/// Bounds of queries and tails. The greatest value of a type means "no limit".
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Entries that one log query may ask for.
    pub max_entries_limit_per_query: usize,
    /// Series that one metric query may answer.
    pub max_query_series: usize,
    /// Longest time range of a query, in nanoseconds.
    pub max_query_length_ns: i64,
    /// Time that one query may take from its start to its result.
    pub query_timeout: Duration,
    /// Log queries that run at the same time; the others wait.
    pub max_concurrent_queries: usize,
    /// Bytes of lines and labels that one log query may answer: they lie in memory until they are sent.
    pub max_query_bytes_returned: u64,
    /// Tails that run at the same time.
    pub max_tails: usize,
    /// How long one tail may last.
    pub tail_max_duration: Duration,
}

impl Default for Limits {
    /// Loki's defaults; one query at a time for each core.
    fn default() -> Self {
        Self {
            max_entries_limit_per_query: 5000,
            max_query_series: 500,
            max_query_length_ns: 721 * 3600 * 1_000_000_000,
            query_timeout: Duration::from_mins(1),
            max_concurrent_queries: cores(),
            max_query_bytes_returned: 32 << 20,
            max_tails: 10,
            tail_max_duration: Duration::from_hours(1),
        }
    }
}

impl Limits {
    /// `max_query_bytes_returned`, as far as this machine can hold it.
    pub(super) fn bytes_max(&self) -> usize {
        usize::try_from(self.max_query_bytes_returned).unwrap_or(usize::MAX)
    }
}

/// The processor cores that this process may use; one if the system does not tell.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
