//! Which chunk files have to go: those past their age, and the oldest ones while the store is too
//! large or the disk too full. When a write found no space and no limit says what has to go, it is the
//! oldest file.

use std::time::Duration;

use super::{chunk::Chunks, disk::Space, options::Options};
use crate::labels::duration::nanoseconds;

/// What a chunk file counts for.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) key: (String, String),
    pub(super) max_ns: i64,
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// Why it has to go.
    pub(super) reason: &'static str,
}

/// The files to remove now, oldest first. `other_bytes` is what the store occupies beside them;
/// `disk_full` says that a write failed for want of space: then there is one at least, unless it
/// would be the newest.
pub(super) fn due(
    options: &Options,
    chunks: &Chunks,
    other_bytes: u64,
    space: Option<Space>,
    disk_full: bool,
    now_ns: i64,
) -> Vec<Candidate> {
    let mut files: Vec<Candidate> = chunks
        .files()
        .map(|(key, state)| Candidate {
            key: key.clone(),
            max_ns: state.max_ns,
            bytes: state.bytes,
            entries: state.entries,
            reason: "age",
        })
        .collect();
    files.sort_by(|a, b| (a.max_ns, &a.key).cmp(&(b.max_ns, &b.key)));
    let oldest_ns = options.retention.map_or(i64::MIN, |age| now_ns.saturating_sub(nanoseconds(age)));
    let mut stored = chunks.bytes() + other_bytes;
    let mut free = space.map_or(u64::MAX, |space| space.free);
    let free_min = match (options.free_disk_min, space) {
        (Some(min), Some(space)) => min.bytes_of(space.total),
        _ => 0,
    };
    let size_max = options.retention_size.unwrap_or(u64::MAX);
    let mut due = Vec::new();
    let newest = files.len().saturating_sub(1);
    for (place, mut file) in files.into_iter().enumerate() {
        file.reason = if file.max_ns < oldest_ns {
            "age"
        } else if stored > size_max {
            "size"
        } else if free < free_min {
            "free disk"
        } else if disk_full && due.is_empty() && place < newest {
            "full disk"
        } else {
            break;
        };
        stored -= file.bytes;
        free = free.saturating_add(file.bytes);
        due.push(file);
    }
    due
}

/// How long until the oldest file is past its age; `None` without files or without an age.
pub(super) fn next_due(options: &Options, chunks: &Chunks, now_ns: i64) -> Option<Duration> {
    let oldest_ns = chunks.files().map(|(_, state)| state.max_ns).min()?;
    let due_ns = oldest_ns.saturating_add(nanoseconds(options.retention?));
    Some(Duration::from_nanos(u64::try_from(due_ns.saturating_sub(now_ns)).unwrap_or(0)))
}
