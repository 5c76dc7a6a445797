//! What the collector is told: the jobs, and the bounds that hold for all of them.

use std::{path::PathBuf, time::Duration};

use super::{
    container::Container,
    relabel::Rule,
    source::SourceJob,
    stage::{Expression, Stage},
};
use crate::labels::LabelSet;

/// What happens to a line that is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongLines {
    /// Keep the head, skip to the newline.
    Truncate,
    /// Pieces of the limit's size, all with the same time stamp.
    Split,
    /// Skip the line.
    Drop,
}

/// How a job learns that a file has grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// inotify where the file system reports events, else polling.
    Auto,
    /// inotify, whatever the file system.
    Inotify,
    /// Polling.
    Poll,
}

/// Where reading starts in files that are present when a job runs for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the first byte.
    Beginning,
    /// Behind the last newline.
    End,
}

/// Where an entry's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampSource {
    /// A well-known form at the line's start, else the time of reading.
    Auto,
    /// The time of reading.
    Read,
}

/// The character set of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8; a byte order mark at the start may say otherwise.
    Utf8,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
    /// UTF-16, the byte order mark decides; without one, little-endian.
    Utf16,
    /// windows-1252, of which latin1 is a part.
    Windows1252,
}

/// One `[[scrape_configs]]` table: which files, which labels.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the keys of the configuration file, one by one")]
pub struct Job {
    /// Unique name; the label `job` unless `labels` has one.
    pub name: String,
    /// Absolute glob patterns.
    pub paths: Vec<String>,
    /// Absolute glob patterns of files that are left out.
    pub exclude: Vec<String>,
    /// Leave out archives, rotated copies, accounting databases, journal files, editors' files.
    pub default_excludes: bool,
    /// Match names that begin with a dot.
    pub hidden: bool,
    /// Labels of every stream of the job.
    pub labels: LabelSet,
    /// The files' character set.
    pub encoding: Encoding,
    /// Read files that hold bytes no text has.
    pub binary_as_text: bool,
    /// Where to start in files present at the first run.
    pub start_at: StartAt,
    /// Do not open files last changed longer ago than this. `None`: open all.
    pub ignore_older: Option<Duration>,
    /// At the first run read at most this much from the end of each file. `None`: all.
    pub backlog_limit: Option<u64>,
    /// Where time stamps come from.
    pub timestamp: TimestampSource,
    /// IANA name of the zone of times that carry none. `None`: the host's.
    pub location: Option<String>,
    /// How growth is noticed.
    pub watch: Watch,
    /// Do not store empty lines.
    pub drop_empty: bool,
    /// Take files that an earlier job has as well.
    pub allow_overlap: bool,
    /// Groups with names in it, matched to a file's path, are labels.
    pub path_labels: Option<Expression>,
    /// The files are Docker's: labels are taken from what lies beside them.
    pub container: Option<Container>,
    /// Which files are left out, and how their labels are changed.
    pub relabel: Vec<Rule>,
    /// What happens to each line.
    pub stages: Vec<Stage>,
    /// Skip the job while one of these paths exists.
    pub unless_exists: Vec<PathBuf>,
}

/// What the collector is told at start and on reload.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The jobs, in order of the file.
    pub jobs: Vec<Job>,
    /// The jobs whose lines come from no files, in order of the file.
    pub sources: Vec<SourceJob>,
    /// Labels of every collected stream; `%H` is already replaced by the host's name.
    pub labels: LabelSet,
    /// Full look at all directories, behind inotify.
    pub rescan: Duration,
    /// Fastest look at a file that must be polled.
    pub poll_interval: Duration,
    /// Slowest look at a file that must be polled.
    pub poll_interval_max: Duration,
    /// From an event to reading.
    pub coalesce: Duration,
    /// When a last line without newline is stored. Zero: never while the file may grow.
    pub partial_flush: Duration,
    /// How long a renamed or deleted file is kept open once it is quiet.
    pub rotate_wait: Duration,
    /// Bytes of one line after decoding.
    pub max_line_size: usize,
    /// What happens to longer lines.
    pub max_line_action: LongLines,
    /// Files held open at once.
    pub max_open_files: usize,
    /// Files that one job may follow.
    pub max_files: usize,
    /// Bytes per second while catching up. `None`: no limit.
    pub backlog_rate: Option<u64>,
    /// How long the store keeps entries: a line with an older time is not stored. `None`: for ever.
    pub retention: Option<Duration>,
    /// The store's directory, which is never collected.
    pub store_path: PathBuf,
}
