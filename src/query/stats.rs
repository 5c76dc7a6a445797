//! What a query looked at and found: the numbers behind `data.stats` of an answer.

use std::{ops::AddAssign, time::Duration};

/// Counters of one query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Bytes of the lines that were searched, without newlines.
    pub bytes_processed: u64,
    /// Lines that were searched.
    pub lines_processed: u64,
    /// Bytes of the structured metadata of the lines that ran through the pipeline.
    pub metadata_bytes_processed: u64,
    /// Lines that passed the pipeline.
    pub lines_passed: u64,
    /// Entries in the answer.
    pub entries_returned: u64,
    /// From the start of the query to its result.
    pub exec_time: Duration,
    /// How long the query waited for its turn.
    pub queue_time: Duration,
}

impl AddAssign for Statistics {
    fn add_assign(&mut self, other: Self) {
        self.bytes_processed += other.bytes_processed;
        self.lines_processed += other.lines_processed;
        self.metadata_bytes_processed += other.metadata_bytes_processed;
        self.lines_passed += other.lines_passed;
        self.entries_returned += other.entries_returned;
        self.exec_time += other.exec_time;
        self.queue_time += other.queue_time;
    }
}
