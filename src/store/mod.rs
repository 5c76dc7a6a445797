//! Streams on disk; owner of the data directory. It is given label sets, entries and matchers, never
//! a query. What happens to an entry:
//!
//! 1. [`Store::append`] puts it into the head of its stream (`head`), where queries see it at once,
//!    and into the records that wait for the log (`state`).
//! 2. At the commit interval, or sooner when there is much, the records are written to the
//!    write-ahead log (`wal`) and synced, with the positions of the files they were read from.
//! 3. When a head fills a block, is old, or memory is short, it is sealed (`writer`): compressed
//!    (`block`), appended to the chunk file of its stream and day (`chunk`), synced; then the head
//!    and, once nothing else needs it, the log segment are let go.
//! 4. Retention removes whole chunk files, oldest first (`retention`).
//!
//! After a crash `recovery` puts the three together again. Files: docs/format.md.

mod ages;
mod block;
mod chunk;
mod clock;
mod codec;
mod disk;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod head;
mod index;
mod inspect;
mod label_log;
mod options;
mod recovery;
mod retention;
mod snapshot;
mod state;
mod subscribe;
mod tenant;
#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(test), expect(dead_code, reason = "fuzzing needs the disk in memory, and none of its faults"))]
mod testing;
#[cfg(test)]
mod tests;
mod tidy;
mod wal;
mod writer;

pub use clock::now_ns;
pub use error::Error;
pub use inspect::{Inspection, StreamInspection, inspect};
pub use options::{FreeDisk, Options};
pub use snapshot::{Columns, Piece, Snapshot, StreamSnapshot};
pub use subscribe::{Live, Subscription};
pub use tenant::{TENANT_DEFAULT, TENANT_LABEL};
pub use tidy::Verdict;

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use crate::labels::{Entries, LabelSet, Literal, Matcher};
use disk::{Disk, RealDisk};
use recovery::{DirLock, Recovered};
use tenant::Scope;
use writer::{Log, Shared, lock};

/// Number of a stream, the same for the life of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// A stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamInfo {
    /// Its number.
    pub id: StreamId,
    /// Its labels.
    pub labels: Arc<LabelSet>,
}

/// Entries of one stream, as `ingest` lets them pass.
#[derive(Debug, Default)]
pub struct StreamEntries {
    /// The stream's labels.
    pub labels: LabelSet,
    /// Its entries, in any order of time.
    pub entries: Entries,
}

/// Entries to append, and the positions in the sources they were read from: one commit holds both.
#[derive(Debug, Default)]
pub struct Append {
    /// Entries by stream.
    pub streams: Vec<StreamEntries>,
    /// Keys and values of the reader, which mean nothing to the store; `None` forgets the key.
    pub positions: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Leave out an entry that equals one in its stream's head in time stamp, line and metadata, as a
    /// repeated push brings it. Not for followed files: their positions already see to it.
    pub drop_duplicates: bool,
}

/// Counters since start and present sizes.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Streams ever seen, with or without entries.
    pub streams: u64,
    /// Entries stored since start.
    pub entries_appended: u64,
    /// Bytes of their lines.
    pub bytes_appended: u64,
    /// Entries left out because an equal one was there.
    pub duplicates_dropped: u64,
    /// Memory of the heads.
    pub head_bytes: u64,
    /// Blocks sealed since start.
    pub blocks_written: u64,
    /// Their bytes.
    pub block_bytes_written: u64,
    /// Commits made durable since start.
    pub wal_commits: u64,
    /// Bytes written to the log since start.
    pub wal_bytes_written: u64,
    /// Segments that the log has now.
    pub wal_segments: u64,
    /// Bytes of all chunk files.
    pub chunk_bytes: u64,
    /// Damaged blocks found at start.
    pub damaged_blocks: u64,
    /// Files that retention removed since start.
    pub retention_files_dropped: u64,
    /// Entries in them.
    pub retention_entries_dropped: u64,
    /// Readers of live entries.
    pub subscribers: u64,
    /// Why the disk cannot be written now, if so.
    pub fault: Option<String>,
}

/// What the store does now, for a line of status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Streams ever seen, with or without entries.
    pub streams: u64,
    /// Entries stored since start.
    pub entries_appended: u64,
    /// Why the disk cannot be written now, if so.
    pub fault: Option<String>,
}

/// The store, or the part of it that belongs to some tenants. Clones are handles of the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Handle>, Scope);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    _lock: DirLock,
}

impl Store {
    /// Opens or creates the data directory, recovers what a crash left, and starts the writer thread.
    /// What was not as it should be is logged.
    pub fn open(options: Options) -> Result<Self, Error> {
        let lock = DirLock::take(&options.path)?;
        Self::open_on(Arc::new(RealDisk), options, lock)
    }

    fn open_on(disk: Arc<dyn Disk>, options: Options, lock: DirLock) -> Result<Self, Error> {
        let recovered = recovery::recover(&disk, &options.path)?;
        let Recovered { mut state, wal, mut label_log, chunks, findings, entries_replayed } = recovered;
        for finding in &findings {
            log::warn!("recovery: {finding}");
        }
        if entries_replayed > 0 {
            log::info!("recovery: {entries_replayed} entries taken from the log");
        }
        match label_log.compact(&*disk, state.streams_to_remember()) {
            Ok(true) => log::info!("streams whose entries are all gone were taken out of the label log"),
            Ok(false) => {}
            Err(error) => log::warn!("{error}; the label log stays as it is until the next start"),
        }
        // A store that is over its limits is brought under them at once.
        state.retention_at = Some(Instant::now());
        state.tidy_at = Some(Instant::now() + tidy::FIRST_AFTER);
        let shared = Arc::new(Shared {
            segments_max: writer::segments_max(&options, &*disk),
            options,
            disk,
            state: Mutex::new(state),
            log: Mutex::new(Log { wal, labels: label_log }),
            chunk_bytes: AtomicU64::new(chunks.bytes()),
            chunks: Mutex::new(chunks),
            watch: Mutex::default(),
            tidying: Mutex::default(),
            wake: Condvar::new(),
            room: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run())
            .map_err(|source| Error::io("start a thread for", &shared.options.path, source))?;
        Ok(Self(Arc::new(Handle { shared, thread: Mutex::new(Some(thread)), _lock: lock }), Scope::Everything))
    }

    /// A handle that holds only the streams of these tenants, of whom there is at least one: what is
    /// appended is theirs (the first one's, if there are several), and no other stream is seen. The
    /// tenant is shown, as the label [`TENANT_LABEL`], if there are several. Positions, counters and
    /// commits are those of the whole store.
    #[must_use]
    pub fn of_tenants(&self, tenants: &[String]) -> Self {
        Self(Arc::clone(&self.0), Scope::of(tenants))
    }

    /// Adds entries and moves positions, all or nothing. Returns once the entries can be queried;
    /// if `commit_interval` is zero and duplicates are dropped, that is for a push, only once they
    /// are durable. Waits while the heads are full; fails while the disk cannot be written.
    pub fn append(&self, append: &Append) -> Result<(), Error> {
        let shared = &*self.0.shared;
        let mut state = lock(&shared.state);
        loop {
            if state.closing {
                return Err(Error::Closing);
            }
            let slack = shared.head_bytes_max() / 4;
            let full = state.head_bytes > shared.head_bytes_max() + slack;
            if let Some(reason) = state.refusal(full) {
                return Err(Error::Full { reason: reason.into() });
            }
            if !full {
                break;
            }
            state = shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let was_clean = state.dirty_since.is_none();
        state.append(append, &self.1, Instant::now());
        let wanted = (was_clean && state.dirty_since.is_some())
            || !state.full.is_empty()
            || state.head_bytes > shared.head_bytes_max();
        let pending_bytes = state.pending.records.len();
        drop(state);
        if wanted {
            shared.wake.notify_one();
        }
        if shared.options.commit_interval.is_zero() && append.drop_duplicates {
            return shared.commit();
        }
        if let Err(error) = shared.relieve_pending(pending_bytes) {
            // The entries are in the heads and wait for the log: the thread tries again and says so.
            log::debug!("{error}");
            shared.wake.notify_one();
        }
        Ok(())
    }

    /// Makes everything that was appended durable now.
    pub fn commit(&self) -> Result<(), Error> {
        self.0.shared.commit()
    }

    /// Seals all heads to blocks.
    pub fn flush(&self) -> Result<(), Error> {
        let shared = &*self.0.shared;
        let mut state = lock(&shared.state);
        state.flushes_asked += 1;
        let asked = state.flushes_asked;
        shared.wake.notify_one();
        while state.flushes_done < asked {
            if state.closing {
                return Err(Error::Closing);
            }
            if let Some(reason) = state.refusal(true) {
                return Err(Error::Full { reason: reason.into() });
            }
            state = shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Deletes, from the streams that fulfil all matchers, the entries in the range (nanoseconds, both ends
    /// inclusive) of which `verdict` says so, for good: returns how many there were once neither a crash nor
    /// a power cut brings them back. What is appended meanwhile may stay. Queries that run see them or not.
    ///
    /// A block that certainly holds no line with `required`, of which every element is fulfilled by any of its
    /// literals, is not read; one that is damaged is left alone, with a warning. Files are written anew for it,
    /// so the disk needs room for a second copy of the largest of them. It may take minutes.
    ///
    /// # Errors
    /// A disk that cannot be written, or a store that is being closed. What was deleted until then is gone;
    /// the same call may be made again.
    pub fn delete(
        &self,
        matchers: &[Matcher],
        start_ns: i64,
        end_ns: i64,
        required: &[Vec<Literal>],
        verdict: &Arc<Verdict>,
    ) -> Result<u64, Error> {
        self.flush()?;
        self.0.shared.delete(&self.1, matchers, start_ns, end_ns, required, verdict)
    }

    /// The streams that fulfil all matchers and hold entries in the range (nanoseconds, both ends
    /// inclusive), sorted by label set.
    pub fn streams(&self, matchers: &[Matcher], start_ns: i64, end_ns: i64) -> Vec<StreamInfo> {
        lock(&self.0.shared.state).select(&self.1, matchers, start_ns, end_ns)
    }

    /// How many streams there are, with or without entries.
    pub fn stream_count(&self) -> usize {
        lock(&self.0.shared.state).count(&self.1)
    }

    /// What the matching streams hold in the range (nanoseconds, both ends inclusive) at this
    /// moment. A piece may reach beyond the range.
    pub fn snapshot(&self, matchers: &[Matcher], start_ns: i64, end_ns: i64) -> Snapshot {
        lock(&self.0.shared.state).snapshot(&self.1, matchers, start_ns, end_ns, &self.0.shared.disk)
    }

    /// A snapshot, and from that very moment on everything that is appended to the matching streams,
    /// those included that come later.
    pub fn subscribe(&self, matchers: &[Matcher], start_ns: i64, end_ns: i64) -> (Snapshot, Subscription) {
        let shared = &self.0.shared;
        let mut state = lock(&shared.state);
        let snapshot = state.snapshot(&self.1, matchers, start_ns, end_ns, &shared.disk);
        let subscription = state.subscribers.add(&self.1, matchers, shared.options.tail_queue_max);
        (snapshot, subscription)
    }

    /// All positions, by key, as of the last append.
    pub fn positions(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let log = lock(&self.0.shared.log);
        let state = lock(&self.0.shared.state);
        let mut positions = log.wal.positions().clone();
        for (key, value) in &state.pending.positions {
            match value {
                Some(value) => drop(positions.insert(key.clone(), value.clone())),
                None => drop(positions.remove(key)),
            }
        }
        positions.into_iter().collect()
    }

    /// How long entries are kept, as it was configured.
    pub fn options(&self) -> &Options {
        &self.0.shared.options
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        let shared = &self.0.shared;
        let (wal_commits, wal_bytes_written, wal_segments) = {
            let log = lock(&shared.log);
            (log.wal.syncs, log.wal.bytes_written, log.wal.segments() as u64)
        };
        let state = lock(&shared.state);
        let counts = &state.counts;
        Stats {
            streams: state.streams.len() as u64,
            entries_appended: counts.entries_appended,
            bytes_appended: counts.bytes_appended,
            duplicates_dropped: counts.duplicates_dropped,
            head_bytes: state.head_bytes as u64,
            blocks_written: counts.blocks_written,
            block_bytes_written: counts.block_bytes_written,
            wal_commits,
            wal_bytes_written,
            wal_segments,
            chunk_bytes: shared.chunk_bytes.load(Ordering::Relaxed),
            damaged_blocks: counts.damaged_blocks,
            retention_files_dropped: counts.files_dropped,
            retention_entries_dropped: counts.entries_dropped,
            subscribers: state.subscribers.len() as u64,
            fault: state.fault.as_ref().map(|fault| fault.reason.clone()),
        }
    }

    /// What goes on. Unlike [`Store::stats`] it never waits for the disk.
    pub fn activity(&self) -> Activity {
        let state = lock(&self.0.shared.state);
        Activity {
            streams: state.streams.len() as u64,
            entries_appended: state.counts.entries_appended,
            fault: state.fault.as_ref().map(|fault| fault.reason.clone()),
        }
    }

    /// Commits and stops the thread. Later appends fail with [`Error::Closing`]; reads still work.
    pub fn close(&self) -> Result<(), Error> {
        self.0.close();
        let shared = &self.0.shared;
        let committed = { lock(&shared.state).pending.is_empty() } && !lock(&shared.log).wal.is_unsynced();
        if committed { Ok(()) } else { shared.commit() }
    }
}

impl Handle {
    fn close(&self) {
        {
            let mut state = lock(&self.shared.state);
            state.closing = true;
            state.subscribers.close();
        }
        self.shared.wake.notify_all();
        self.shared.room.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            drop(thread.join());
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}
