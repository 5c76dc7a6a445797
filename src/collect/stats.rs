//! The collector's numbers, for `/metrics` and the status line.

use std::{collections::BTreeMap, ops::AddAssign};

use super::{lines::LineCounts, timestamp};

/// Counters since the start, and what is the case now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By name of the job; a job that was taken out of the configuration stays.
    pub jobs: BTreeMap<String, JobStats>,
    /// The followed files with most to read, at most [`Stats::LAGS_MAX`]: path and unread bytes.
    pub lags: Vec<(String, u64)>,
    /// Unread bytes of all files.
    pub lag_bytes: u64,
    /// Files now, by state.
    pub files: FileStats,
    /// Bytes that were seen in a file and were gone before they were read.
    pub lost: LostStats,
    /// Truncations of followed files.
    pub truncations: u64,
    /// Followed names that came to lead to another file.
    pub rotations: u64,
    /// Files under a known inode that are not the known file.
    pub reused_inodes: u64,
    /// Looks at all directories.
    pub rescans: u64,
    /// Files and directories that could not be watched and are polled.
    pub watch_fallbacks: u64,
    /// Times that the collector's thread woke.
    pub wakeups: u64,
    /// Entries that a limit refused, of all jobs.
    pub dropped_limit: u64,
    /// Lines and entries that stages did not store, by job and reason.
    pub dropped_by_stage: BTreeMap<(String, String), u64>,
    /// Lines on which stages failed, by job and stage.
    pub stage_failures: BTreeMap<(String, String), u64>,
    /// Lines cut by a container runtime whose rest did not come.
    pub joins_timed_out: u64,
    /// Times that `journalctl` ended and was started again, by job.
    pub source_restarts: BTreeMap<String, u64>,
    /// Appends that the store refused and that were tried again.
    pub append_failures: u64,
    /// Files that could not be read for another reason than permission, each time.
    pub read_errors: u64,
}

impl Stats {
    /// How many files [`Stats::lags`] names.
    pub const LAGS_MAX: usize = 100;
}

/// Counters of one job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobStats {
    /// Lines read, stored or not.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Entries appended.
    pub entries: u64,
    /// Lines not stored, because they are older than the store's retention.
    pub dropped_old: u64,
    /// Lines not stored, because they are longer than the limit.
    pub dropped_too_long: u64,
    /// Lines not stored, because more than half of them is zero bytes.
    pub dropped_binary: u64,
    /// Empty lines not stored.
    pub dropped_empty: u64,
    /// Lines of which the head was stored.
    pub truncated: u64,
    /// Lines with bytes that are not of the file's character set.
    pub invalid: u64,
    /// Zero bytes skipped before text.
    pub zero_bytes: u64,
    /// Last lines stored without their newline.
    pub partials: u64,
    /// Entries with the line's own time.
    pub stamped_auto: u64,
    /// Entries with the time of the line before.
    pub stamped_previous: u64,
    /// Entries with the time of reading.
    pub stamped_read: u64,
    /// Times in the future that were not believed.
    pub rejected_future: u64,
    /// Times before 2000 that were not believed.
    pub rejected_past: u64,
}

/// Files now, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStats {
    /// Followed and read to the end.
    pub live: u64,
    /// Followed, with more to read.
    pub backlog: u64,
    /// Rotated away, and still read.
    pub rotated: u64,
    /// No text.
    pub binary: u64,
    /// May not be read.
    pub unreadable: u64,
    /// Older than `ignore_older`.
    pub old: u64,
    /// Further names of followed files.
    pub alias: u64,
    /// Left out by their name.
    pub excluded: u64,
    /// Links that lead nowhere.
    pub dangling: u64,
}

/// Bytes lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostStats {
    /// In a truncated file of which no copy was found.
    pub truncated: u64,
    /// In a file that was gone before it was read to its end.
    pub deleted: u64,
    /// In a file that was rotated while nobody read it, and was not found again.
    pub rotated_while_down: u64,
}

impl AddAssign<LineCounts> for JobStats {
    fn add_assign(&mut self, counts: LineCounts) {
        self.lines += counts.lines;
        self.truncated += counts.truncated;
        self.dropped_too_long += counts.too_long;
        self.invalid += counts.invalid;
        self.dropped_binary += counts.binary;
        self.dropped_empty += counts.empty;
        self.zero_bytes += counts.zero_bytes;
        self.partials += counts.partial;
    }
}

impl JobStats {
    /// Adds what a clock counted since an earlier look.
    pub(super) fn add_stamps(&mut self, before: timestamp::Stats, after: timestamp::Stats) {
        self.stamped_auto += after.auto - before.auto;
        self.stamped_previous += after.previous - before.previous;
        self.stamped_read += after.read - before.read;
        self.rejected_future += after.rejected_future - before.rejected_future;
        self.rejected_past += after.rejected_past - before.rejected_past;
        self.dropped_old += after.old - before.old;
    }
}
