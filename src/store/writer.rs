//! The store's one background thread: commits at the interval, seals heads, removes what retention
//! says. It sleeps until the next of these is due; a store that nothing is written to never wakes it.
//!
//! Lock order: tidying, chunks, log, state. The state lock is never held across I/O or compression.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    block::{BLOCK_BYTES_TARGET, Encoder},
    chunk::{Chunks, Written},
    clock::Watch,
    disk::Disk,
    error::Error,
    head::Run,
    label_log::LabelLog,
    options::Options,
    retention::RETENTION_INTERVAL,
    state::{Duty, Fault, State},
    tidy::Tidying,
    wal::{SEGMENT_BYTES, Wal},
};
use crate::labels::Entries;

/// Records are written, though not synced, once there are so many bytes of them.
pub(super) const PENDING_BYTES_TARGET: usize = 64 << 10;
/// An append waits for the log once so many bytes of records wait to be written.
pub(super) const PENDING_BYTES_MAX: usize = 1 << 20;
/// One round of sealing takes so many bytes of lines, so that commits stay due in time.
const SEAL_BYTES_MAX: usize = 4 << 20;
/// Waits between tries to write to a disk that fails.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What all handles of a store and its thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    /// Segments that the log may have.
    pub(super) segments_max: u64,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) state: Mutex<State>,
    pub(super) log: Mutex<Log>,
    pub(super) chunks: Mutex<Chunks>,
    /// What is believed of the clock.
    pub(super) watch: Mutex<Watch>,
    /// Taken before all other locks.
    pub(super) tidying: Mutex<Tidying>,
    /// The thread has something to do sooner than it knew.
    pub(super) wake: Condvar,
    /// Heads have become smaller, a flush is done, or there is a fault.
    pub(super) room: Condvar,
    /// Numbers that `/metrics` shows without taking the log or the chunks.
    pub(super) chunk_bytes: AtomicU64,
}

/// Segments that the log may have: what the heads hold, twice, so that a quiet stream is not sealed in tiny
/// pieces because of a loud one; but an eighth of the disk at most.
pub(super) fn segments_max(options: &Options, disk: &dyn Disk) -> u64 {
    let for_heads = 2 * options.head_memory / SEGMENT_BYTES + 2;
    let for_disk = disk.space(&options.path).map_or(u64::MAX, |space| space.total / SEGMENT_BYTES / 8);
    for_heads.min(for_disk.max(2))
}

/// What is written to before blocks are.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) wal: Wal,
    pub(super) labels: LabelLog,
}

/// A lock that a panic cannot poison for good: what it guards is changed in steps that are each whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Commit,
    Seal(Why),
    Retention,
    Tidy,
    Close,
}

impl Due {
    fn duty(self) -> Duty {
        match self {
            Self::Commit | Self::Close => Duty::Commit,
            Self::Seal(_) => Duty::Seal,
            Self::Retention => Duty::Retention,
            Self::Tidy => Duty::Tidy,
        }
    }
}

/// Which heads to seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Those that fill a block.
    Full,
    /// The largest, until the memory suffices.
    Memory,
    /// Those that hold entries older than the age.
    Age,
    /// Those that keep the oldest segments of the log.
    Log,
    /// All.
    Flush,
}

/// Heads that are being sealed.
struct Chosen {
    numbers: Vec<u32>,
    /// Bytes of their lines.
    text_bytes: usize,
    /// Others of the kind are left.
    more: bool,
}

impl Shared {
    /// The thread's life.
    pub(super) fn run(&self) {
        loop {
            let due = self.wait();
            let done = match due {
                Due::Commit => self.commit(),
                Due::Seal(why) => self.seal(why),
                Due::Retention => self.retain(0),
                Due::Tidy => {
                    self.tidy();
                    continue;
                }
                Due::Close => break,
            };
            self.note(due.duty(), done);
        }
        self.stop_tidying();
        if let Err(error) = self.commit() {
            log::error!("the last commit failed: {error}; followed files will be read again, pushed lines are lost");
        }
    }

    /// Remembers what fails until it succeeds, and says both once.
    fn note(&self, duty: Duty, done: Result<(), Error>) {
        let mut state = lock(&self.state);
        let known = state.fault.as_ref().filter(|fault| fault.duty == duty);
        match done {
            Ok(()) => {
                if known.is_some() {
                    log::info!("the store can be written again");
                    state.fault = None;
                    self.room.notify_all();
                }
            }
            Err(error) => {
                let reason = error.to_string();
                if duty == Duty::Retention && state.fault.is_some() && known.is_none() {
                    // That nothing can be written weighs more, and has its own next try.
                    log::error!("{reason}; it is tried again in a minute");
                    state.retention_at = Some(Instant::now() + RETENTION_INTERVAL);
                    return;
                }
                if known.is_none_or(|fault| fault.reason != reason) {
                    log::error!("{reason}; it is tried again until it works");
                }
                let retry_after = known.map_or(RETRY_FIRST, |fault| (fault.retry_after * 2).min(RETRY_MAX));
                let now = Instant::now();
                let disk_full = error.is_disk_full();
                state.fault = Some(Fault { duty, reason, disk_full, retry_at: now + retry_after, retry_after });
                // Perhaps the disk is full: what may be removed makes room until the next try.
                if duty != Duty::Retention {
                    state.retention_at = Some(now);
                }
                self.room.notify_all();
            }
        }
    }

    fn wait(&self) -> Due {
        let mut state = lock(&self.state);
        loop {
            if state.closing {
                return Due::Close;
            }
            let now = Instant::now();
            let until = match self.next(&state, now) {
                Ok(due) => return due,
                Err(until) => until,
            };
            state = match until {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let timeout = until.saturating_duration_since(now);
                    self.wake.wait_timeout(state, timeout).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// What is due, or when the next thing will be.
    fn next(&self, state: &State, now: Instant) -> Result<Due, Option<Instant>> {
        let commit_at = state.dirty_since.map(|since| since + self.options.commit_interval);
        let age_at = state.ages.since().map(|since| since + self.options.max_chunk_age);
        let seal_now = [
            (!state.full.is_empty(), Why::Full),
            (state.head_bytes > self.head_bytes_max(), Why::Memory),
            (state.segment.saturating_sub(state.oldest_segment_needed()) > self.segments_max, Why::Log),
            (state.flushes_done < state.flushes_asked, Why::Flush),
        ];
        let seal = seal_now.into_iter().find(|(due, _)| *due).map(|(_, why)| (now, why));
        let seal = seal.or(age_at.map(|at| (at, Why::Age)));
        let candidates = [
            commit_at.map(|at| (at, Due::Commit)),
            state.retention_at.map(|at| (at, Due::Retention)),
            seal.map(|(at, why)| (at, Due::Seal(why))),
            // Last: while a large file is written anew, appends must not have to wait for that.
            state.tidy_at.map(|at| (at, Due::Tidy)),
        ];
        let mut earliest: Option<Instant> = None;
        for (at, due) in candidates.into_iter().flatten() {
            // What failed is not due before its next try; nor is sealing, which begins with a commit.
            let waits =
                |fault: &&Fault| fault.duty == due.duty() || (fault.duty, due.duty()) == (Duty::Commit, Duty::Seal);
            let retry_at = state.fault.as_ref().filter(waits).map(|fault| fault.retry_at);
            let at = retry_at.map_or(at, |retry_at| at.max(retry_at));
            if at <= now {
                return Ok(due);
            }
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        Err(earliest)
    }

    pub(super) fn head_bytes_max(&self) -> usize {
        usize::try_from(self.options.head_memory).unwrap_or(usize::MAX)
    }

    /// Makes everything that was appended durable.
    pub(super) fn commit(&self) -> Result<(), Error> {
        let mut log = lock(&self.log);
        self.write_pending(&mut log)?;
        log.wal.sync()?;
        drop(log);
        let mut state = lock(&self.state);
        state.dirty_since = (!state.pending.is_empty()).then(Instant::now);
        Ok(())
    }

    /// Writes what waits to the log, without making it durable.
    pub(super) fn write_pending(&self, log: &mut Log) -> Result<(), Error> {
        let mut pending = std::mem::take(&mut lock(&self.state).pending);
        if pending.is_empty() {
            return Ok(());
        }
        let mut write = || -> Result<(), Error> {
            if !pending.new_streams.is_empty() {
                log.labels.append(&pending.new_streams)?;
                pending.new_streams.clear();
            }
            log.wal.write(&mut pending.records, &pending.positions)
        };
        let written = write();
        let mut state = lock(&self.state);
        match written {
            Ok(()) => {
                state.segment = log.wal.current_number();
                // The buffer goes back for the next records, unless one append made it huge.
                if state.pending.records.is_empty() && pending.records.capacity() <= PENDING_BYTES_MAX {
                    pending.records.clear();
                    state.pending.records = pending.records;
                }
                Ok(())
            }
            Err(error) => {
                state.pending.put_back(pending);
                Err(error)
            }
        }
    }

    /// Called by an append that left many records waiting: writes them, if nobody does so already,
    /// and waits for the log only when there are too many.
    pub(super) fn relieve_pending(&self, pending_bytes: usize) -> Result<(), Error> {
        if pending_bytes < PENDING_BYTES_TARGET {
            return Ok(());
        }
        let mut log = if pending_bytes < PENDING_BYTES_MAX {
            match self.log.try_lock() {
                Ok(log) => log,
                Err(_) => return Ok(()),
            }
        } else {
            lock(&self.log)
        };
        self.write_pending(&mut log)?;
        if log.wal.wants_sync() { log.wal.sync() } else { Ok(()) }
    }

    /// Seals heads: makes the log durable up to them (or a power cut could keep a block and lose the
    /// positions that belong to it), writes and syncs their blocks, and only then forgets heads and log.
    fn seal(&self, why: Why) -> Result<(), Error> {
        // Whoever asks later may have appended what is not chosen now.
        let flushes_asked = lock(&self.state).flushes_asked;
        let Chosen { numbers, text_bytes, more } = self.choose(why);
        if !numbers.is_empty() {
            let room = || self.make_room(text_bytes as u64);
            let done = self.commit().and_then(|()| room()).and_then(|()| self.write_blocks(&numbers));
            self.take_blocks(&numbers, done)?;
        }
        if why == Why::Flush && !more {
            lock(&self.state).flushes_done = flushes_asked;
            self.room.notify_all();
        }
        Ok(())
    }

    /// Forgets the heads whose blocks are written, and what the log kept for them; or takes them back.
    fn take_blocks(&self, numbers: &[u32], written: Result<Vec<Written>, Error>) -> Result<(), Error> {
        let mut state = lock(&self.state);
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                for number in numbers {
                    state.undo_sealing(*number);
                }
                return Err(error);
            }
        };
        for number in numbers {
            state.finish_sealing(*number);
        }
        let now = Instant::now();
        for Written { stream, block } in written {
            state.counts.blocks_written += 1;
            state.counts.block_bytes_written += u64::from(block.block_bytes);
            let tidy_at = now + self.tidy_after(&block);
            state.tidy_at = Some(state.tidy_at.map_or(tidy_at, |known| known.min(tidy_at)));
            if let Some(stream) = state.streams.get_mut(&stream) {
                stream.blocks.push(block);
            }
        }
        let oldest = state.oldest_segment_needed();
        drop(state);
        self.room.notify_all();
        if let Err(error) = lock(&self.log).wal.release(oldest) {
            log::warn!("{error}; the log keeps a segment longer than it needs");
        }
        let retention_at = now + if self.is_too_large() { Duration::ZERO } else { RETENTION_INTERVAL };
        let mut state = lock(&self.state);
        state.retention_at = Some(state.retention_at.map_or(retention_at, |known| known.min(retention_at)));
        Ok(())
    }

    /// Moves heads to `sealing`.
    fn choose(&self, why: Why) -> Chosen {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let mut numbers: Vec<u32> = match why {
            Why::Full => std::mem::take(&mut state.full),
            Why::Log => {
                let oldest_kept = state.segment.saturating_sub(self.segments_max / 2);
                state.ages.streams_while(|segment, _| segment < oldest_kept)
            }
            Why::Age => state.ages.streams_while(|_, since| since + self.options.max_chunk_age <= now),
            Why::Memory | Why::Flush => state.ages.streams_while(|_, _| true),
        };
        numbers.retain(|number| state.streams.get(number).is_some_and(|stream| !stream.head.is_empty()));
        if why == Why::Memory {
            numbers.sort_by_key(|number| std::cmp::Reverse(state.streams[number].head.memory_bytes));
        }
        // Under pressure of memory a quarter is freed, so that the next append does not ask again.
        let enough = if why == Why::Memory { state.head_bytes - self.head_bytes_max() / 4 * 3 } else { usize::MAX };
        let (mut freed, mut text_bytes, mut taken) = (0, 0, 0);
        for number in &numbers {
            if freed >= enough || text_bytes >= SEAL_BYTES_MAX {
                break;
            }
            let (memory, text) = state.start_sealing(*number);
            freed += memory;
            text_bytes += text;
            taken += 1;
        }
        let left = numbers.split_off(taken);
        if why == Why::Full {
            state.full.clone_from(&left);
        }
        Chosen { numbers, text_bytes, more: !left.is_empty() }
    }

    fn write_blocks(&self, numbers: &[u32]) -> Result<Vec<Written>, Error> {
        let heads: BTreeMap<u32, Vec<Run>> = {
            let state = lock(&self.state);
            let runs = |number: &u32| Some((*number, state.streams.get(number)?.sealing.runs.clone()));
            numbers.iter().filter_map(runs).collect()
        };
        let mut chunks = lock(&self.chunks);
        let mut written = Vec::new();
        // Its tables are a few megabytes, which a store at rest does not keep.
        let mut encoder = Encoder::new();
        let mut block = Vec::new();
        let write = || -> Result<(), Error> {
            for (number, runs) in heads {
                for (first_entry, entries) in blocks_of(runs) {
                    block.clear();
                    let header = encoder.encode(number, first_entry, &entries, &mut block);
                    written.push(chunks.append(&header, &block)?);
                }
            }
            chunks.sync()
        };
        let done = write();
        if let Err(error) = done {
            chunks.undo(&written);
            return Err(error);
        }
        self.note_chunk_bytes(&chunks);
        Ok(written)
    }

    pub(super) fn note_chunk_bytes(&self, chunks: &Chunks) {
        self.chunk_bytes.store(chunks.bytes(), Ordering::Relaxed);
    }
}

/// Runs cut into blocks: as many as they fill, of about equal size, none across a gap in the numbers.
fn blocks_of(runs: Vec<Run>) -> Vec<(u64, Arc<Entries>)> {
    let mut blocks = Vec::new();
    let mut together: Vec<Run> = Vec::new();
    for run in runs {
        let continues =
            together.last().is_none_or(|last| last.first_entry + last.entries.len() as u64 == run.first_entry);
        if !continues {
            cut(&together, &mut blocks);
            together.clear();
        }
        together.push(run);
    }
    cut(&together, &mut blocks);
    blocks
}

fn cut(runs: &[Run], blocks: &mut Vec<(u64, Arc<Entries>)>) {
    let Some(first) = runs.first() else { return };
    let bytes: usize = runs.iter().map(|run| run.entries.text().len()).sum();
    let count = ((bytes + BLOCK_BYTES_TARGET / 2) / BLOCK_BYTES_TARGET).max(1);
    if count == 1 && runs.len() == 1 {
        blocks.push((first.first_entry, Arc::clone(&first.entries)));
        return;
    }
    let target = bytes.div_ceil(count);
    let (mut first_entry, mut block) = (first.first_entry, Entries::new());
    for run in runs {
        let mut from = 0;
        for at in 0..run.entries.len() {
            let gathered = block.text().len() + run.entries.ends()[at] as usize + 1 - run.entries.start(from);
            if gathered >= target {
                block.extend_from(&run.entries, from..at + 1);
                from = at + 1;
                let entries = std::mem::take(&mut block);
                let next_entry = first_entry + entries.len() as u64;
                blocks.push((first_entry, Arc::new(entries)));
                first_entry = next_entry;
            }
        }
        block.extend_from(&run.entries, from..run.entries.len());
    }
    if !block.is_empty() {
        blocks.push((first_entry, Arc::new(block)));
    }
}
