//! Which chunk files have to go: those past their age, and the oldest ones while the store is too
//! large or the disk too full. When a write found no space and no limit says what has to go, it is the
//! oldest file.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    chunk::{ChunkFile, Chunks, Key},
    disk::Space,
    error::Error,
    options::Options,
    wal::SEGMENT_BYTES,
    writer::{Shared, lock},
};
use crate::labels::duration::nanoseconds;

/// Retention by size and free space is checked no more often than this.
pub(super) const RETENTION_INTERVAL: Duration = Duration::from_mins(1);

impl Shared {
    /// Removes old files if `bytes` more would leave less of the disk free than configured.
    pub(super) fn make_room(&self, bytes: u64) -> Result<(), Error> {
        let Some(min) = self.options.free_disk_min else { return Ok(()) };
        match self.disk.space(&self.options.path) {
            Ok(space) if space.free < min.bytes_of(space.total).saturating_add(bytes) => self.retain(bytes),
            _ => Ok(()),
        }
    }

    /// Whether the store is larger than it may be.
    pub(super) fn is_too_large(&self) -> bool {
        let chunk_bytes = self.chunk_bytes.load(Ordering::Relaxed);
        self.options.retention_size.is_some_and(|max| chunk_bytes + self.other_bytes() > max)
    }

    /// What the store occupies beside the chunk files.
    fn other_bytes(&self) -> u64 {
        let log = lock(&self.log);
        log.wal.segments() as u64 * SEGMENT_BYTES + log.labels.bytes()
    }

    /// Removes the files that retention says, given that `bytes` are about to be written, and finds out when
    /// to look again.
    pub(super) fn retain(&self, bytes: u64) -> Result<(), Error> {
        let mut chunks = lock(&self.chunks);
        let other_bytes = self.other_bytes();
        let now_ns = lock(&self.watch).reckon(Instant::now(), self.disk.now_ns());
        let space = self.disk.space(&self.options.path).ok();
        let space = space.map(|space| Space { free: space.free.saturating_sub(bytes), ..space });
        // One file for each write that failed: a file system may take its time to give the space back.
        let disk_full = lock(&self.state).fault.as_ref().is_some_and(|fault| fault.disk_full);
        let due = due(&self.options, &chunks, other_bytes, space, disk_full, now_ns);
        self.forget_blocks(&chunks, &due);
        for file in due {
            chunks.remove(&file.key)?;
            log::info!(
                "retention ({}) removed {}/{} with {} entries, {} bytes",
                file.reason,
                file.key.0,
                file.key.1,
                file.entries,
                file.bytes
            );
        }
        self.note_chunk_bytes(&chunks);
        let next = next_due(&self.options, &chunks, now_ns);
        let mut state = lock(&self.state);
        state.retention_at = next.map(|after| Instant::now() + after.max(RETENTION_INTERVAL));
        Ok(())
    }

    /// Takes the blocks of files that are to be removed from what queries see.
    fn forget_blocks(&self, chunks: &Chunks, due: &[Candidate]) {
        let gone: HashSet<&Key> = due.iter().map(|file| &file.key).collect();
        let files = chunks.files().filter(|(key, _)| gone.contains(key));
        let files: HashSet<*const ChunkFile> = files.map(|(_, state)| Arc::as_ptr(&state.file)).collect();
        if files.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        for stream in state.streams.values_mut() {
            stream.blocks.retain(|block| !files.contains(&Arc::as_ptr(&block.file)));
        }
        state.counts.files_dropped += due.len() as u64;
        state.counts.entries_dropped += due.iter().map(|file| file.entries).sum::<u64>();
    }
}

/// What a chunk file counts for.
#[derive(Clone, Debug)]
struct Candidate {
    key: Key,
    max_ns: i64,
    bytes: u64,
    entries: u64,
    /// Why it has to go.
    reason: &'static str,
}

/// The files to remove now, oldest first. `other_bytes` is what the store occupies beside them;
/// `disk_full` says that a write failed for want of space: then there is one at least, unless it
/// would be the newest.
fn due(
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
            bytes: state.bytes(),
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
fn next_due(options: &Options, chunks: &Chunks, now_ns: i64) -> Option<Duration> {
    let oldest_ns = chunks.files().map(|(_, state)| state.max_ns).min()?;
    let due_ns = oldest_ns.saturating_add(nanoseconds(options.retention?));
    Some(Duration::from_nanos(u64::try_from(due_ns.saturating_sub(now_ns)).unwrap_or(0)))
}
