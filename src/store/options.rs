//! What the store is told at start.

use std::{path::PathBuf, time::Duration};

/// Where data lies, how soon it is durable, how much of it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The data directory; created, for its owner only, if it does not exist.
    pub path: PathBuf,
    /// How long an append may wait until it is durable. Zero: a push returns once it is.
    pub commit_interval: Duration,
    /// Bytes that the heads of all streams may occupy in memory.
    pub head_memory: u64,
    /// How long entries stay in memory before they are sealed, even if they fill no block.
    pub max_chunk_age: Duration,
    /// Files whose entries are all older are removed. `None`: none is.
    pub retention: Option<Duration>,
    /// Bytes that the data directory may occupy. `None`: no limit.
    pub retention_size: Option<u64>,
    /// Space to leave free on the file system. `None`: no limit.
    pub free_disk_min: Option<FreeDisk>,
    /// Bytes of one tail's queue between the appends and its reader.
    pub tail_queue_max: usize,
}

impl Options {
    /// The defaults for a data directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            path: path.into(),
            commit_interval: Duration::from_secs(5),
            head_memory: 16 << 20,
            max_chunk_age: Duration::from_hours(2),
            retention: Some(DAY * 30),
            retention_size: Some(1 << 30),
            free_disk_min: Some(FreeDisk::Percent(5.0)),
            tail_queue_max: 1 << 20,
        }
    }
}

/// Space to be left free on a file system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FreeDisk {
    /// So many bytes.
    Bytes(u64),
    /// So many per cent of the file system.
    Percent(f64),
}

impl FreeDisk {
    /// Bytes to be left free on a file system of `total` bytes.
    pub(super) fn bytes_of(self, total: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share of a disk need not be exact"
            )]
            Self::Percent(percent) => (total as f64 / 100.0 * percent) as u64,
        }
    }
}
