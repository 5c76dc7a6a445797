//! What is in memory, under one lock: the index, every stream's head and blocks, what waits for the
//! next commit, and the readers of live entries. An entry is at every moment in exactly one of head,
//! sealing and blocks of its stream.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Append, Piece, Snapshot, StreamEntries, StreamId, StreamInfo, StreamSnapshot,
    ages::Ages,
    block::BLOCK_BYTES_TARGET,
    chunk::BlockInfo,
    disk::Disk,
    head::Head,
    index::Index,
    subscribe::Subscribers,
    tenant::Scope,
    wal::{PositionUpdates, put_entries},
};
use crate::labels::{Entries, LabelSet, Matcher};

/// A stream in memory.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) labels: Arc<LabelSet>,
    pub(super) head: Head,
    /// What is being sealed: still read from here, until its blocks are durable.
    pub(super) sealing: Head,
    /// In order of arrival.
    pub(super) blocks: Vec<BlockInfo>,
    /// Number of the next entry.
    pub(super) next_entry: u64,
}

/// What waits to be written to the log.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) records: Vec<u8>,
    pub(super) positions: PositionUpdates,
    pub(super) new_streams: Vec<(u32, Arc<LabelSet>)>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.positions.is_empty() && self.new_streams.is_empty()
    }

    /// Puts back, in front, what could not be written.
    pub(super) fn put_back(&mut self, mut failed: Pending) {
        failed.records.append(&mut self.records);
        failed.positions.append(&mut self.positions);
        failed.new_streams.append(&mut self.new_streams);
        *self = failed;
    }
}

/// Everything under the lock.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) index: Index,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) subscribers: Subscribers,
    pub(super) pending: Pending,
    /// Number of the log segment that the next commit goes to, or to one after it.
    pub(super) segment: u64,
    /// Memory of all heads and of what is being sealed, in bytes.
    pub(super) head_bytes: usize,
    /// Streams whose heads have reached the size of a block.
    pub(super) full: Vec<u32>,
    /// Heads, and what is being sealed, by age.
    pub(super) ages: Ages,
    /// When the oldest append came that is not durable.
    pub(super) dirty_since: Option<Instant>,
    /// What does not work at present.
    pub(super) fault: Option<Fault>,
    /// How often all heads were asked to be sealed, and how often they were.
    pub(super) flushes_asked: u64,
    pub(super) flushes_done: u64,
    pub(super) retention_at: Option<Instant>,
    /// When files may be closed, or something is to be deleted.
    pub(super) tidy_at: Option<Instant>,
    pub(super) closing: bool,
    pub(super) counts: Counts,
}

/// A kind of work of the background thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    Commit,
    Seal,
    Retention,
    Tidy,
}

/// Work that fails at present.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) duty: Duty,
    pub(super) reason: String,
    /// There is no space left on the disk.
    pub(super) disk_full: bool,
    pub(super) retry_at: Instant,
    /// The wait before the next try, which doubles.
    pub(super) retry_after: Duration,
}

/// Counters since start.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) entries_appended: u64,
    pub(super) bytes_appended: u64,
    pub(super) duplicates_dropped: u64,
    pub(super) blocks_written: u64,
    pub(super) block_bytes_written: u64,
    pub(super) damaged_blocks: u64,
    pub(super) files_dropped: u64,
    pub(super) entries_dropped: u64,
}

impl State {
    /// Adds entries and positions to heads and pending records; cannot fail, so it is all or nothing.
    pub(super) fn append(&mut self, append: &Append, scope: &Scope, now: Instant) {
        for StreamEntries { labels, entries } in &append.streams {
            if !entries.is_empty() {
                let number = self.number_of(&scope.stored(labels));
                self.append_to(number, entries, append.drop_duplicates, now);
            }
        }
        for (key, value) in &append.positions {
            self.pending.positions.insert(key.clone(), value.clone());
        }
        if !self.pending.is_empty() {
            self.dirty_since.get_or_insert(now);
        }
    }

    fn number_of(&mut self, labels: &LabelSet) -> u32 {
        if let Some(number) = self.index.get(labels) {
            return number;
        }
        let number = self.index.next_number();
        let labels = Arc::new(labels.clone());
        self.enter(number, &labels);
        self.pending.new_streams.push((number, labels));
        number
    }

    /// Enters a stream without entries.
    pub(super) fn enter(&mut self, number: u32, labels: &Arc<LabelSet>) {
        self.index.insert(number, labels);
        self.streams.insert(
            number,
            Stream {
                labels: Arc::clone(labels),
                head: Head::default(),
                sealing: Head::default(),
                blocks: Vec::new(),
                next_entry: 0,
            },
        );
    }

    fn append_to(&mut self, number: u32, entries: &Entries, drop_duplicates: bool, now: Instant) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let before = (stream.head.memory_bytes, stream.head.text_bytes);
        let all = 0..entries.len();
        let ranges = if drop_duplicates { stream.head.new_ranges(entries) } else { Vec::from([all]) };
        let wanted = self.subscribers.len() > 0 && self.subscribers.want(number, &stream.labels);
        let mut live = Entries::new();
        let mut stored = 0;
        for range in ranges {
            put_entries(&mut self.pending.records, number, stream.next_entry, entries, range.clone());
            let was_empty = stream.head.is_empty();
            stream.head.append(stream.next_entry, entries, range.clone(), self.segment, now);
            if was_empty {
                self.ages.enter(&stream.head, number);
            }
            stream.next_entry += range.len() as u64;
            stored += range.len();
            if wanted {
                live.extend_from(entries, range);
            }
        }
        if !live.is_empty() {
            self.subscribers.deliver(number, &stream.labels, &Arc::new(live));
        }
        self.counts.entries_appended += stored as u64;
        self.counts.duplicates_dropped += (entries.len() - stored) as u64;
        self.head_bytes += stream.head.memory_bytes - before.0;
        self.counts.bytes_appended += (stream.head.text_bytes - before.1) as u64;
        if before.1 < BLOCK_BYTES_TARGET && stream.head.text_bytes >= BLOCK_BYTES_TARGET {
            self.full.push(number);
        }
    }

    /// The streams that fulfil all matchers and hold entries in the range, both ends inclusive, by label set.
    pub(super) fn select(&self, scope: &Scope, matchers: &[Matcher], start_ns: i64, end_ns: i64) -> Vec<StreamInfo> {
        let (matchers, of_tenant) = scope.split(matchers);
        let mut found: Vec<StreamInfo> = self
            .index
            .select(&matchers)
            .into_iter()
            .filter_map(|number| {
                let stream = self.streams.get(&number)?;
                let labels =
                    if stream.overlaps(start_ns, end_ns) { scope.shown(&stream.labels)? } else { return None };
                let is_meant = of_tenant.iter().all(|matcher| matcher.matches_set(&labels));
                is_meant.then_some(StreamInfo { id: StreamId(number), labels })
            })
            .collect();
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        found
    }

    pub(super) fn snapshot(
        &self,
        scope: &Scope,
        matchers: &[Matcher],
        start_ns: i64,
        end_ns: i64,
        disk: &Arc<dyn Disk>,
    ) -> Snapshot {
        let streams = self.select(scope, matchers, start_ns, end_ns).into_iter().filter_map(|info| {
            let stream = self.streams.get(&info.id.0)?;
            let blocks = stream.blocks.iter().map(|block| Piece::block(block, disk));
            let runs = stream.sealing.runs.iter().chain(&stream.head.runs).map(Piece::head);
            let overlaps = |piece: &Piece| {
                let (min_ns, max_ns) = piece.time_span_ns();
                min_ns <= end_ns && max_ns >= start_ns
            };
            let pieces = blocks.chain(runs).filter(overlaps).collect();
            Some(StreamSnapshot { id: info.id, labels: info.labels, pieces })
        });
        Snapshot { streams: streams.collect() }
    }

    /// How many streams there are.
    pub(super) fn count(&self, scope: &Scope) -> usize {
        match scope {
            Scope::Everything => self.streams.len(),
            scope => self.streams.values().filter(|stream| scope.holds(&stream.labels)).count(),
        }
    }

    /// Why nothing can be appended now, if so. While only sealing fails, the heads take what they have room for.
    pub(super) fn refusal(&self, heads_are_full: bool) -> Option<&str> {
        let fault = self.fault.as_ref()?;
        (heads_are_full || fault.duty == Duty::Commit).then_some(&*fault.reason)
    }

    /// Number of the oldest log segment that holds entries which are not in durable blocks.
    pub(super) fn oldest_segment_needed(&self) -> u64 {
        self.ages.oldest_segment().unwrap_or(self.segment)
    }

    /// Streams with entries, and the last one: its number must not be given out again.
    pub(super) fn streams_to_remember(&self) -> impl Iterator<Item = (u32, &LabelSet)> {
        let last = self.streams.last_key_value().map(|(number, _)| *number);
        let all = self.streams.iter().map(|(number, stream)| (*number, stream));
        let kept = all.filter(move |(number, stream)| stream.holds_entries() || Some(*number) == last);
        kept.map(|(number, stream)| (number, &*stream.labels))
    }

    /// Moves the head of a stream to what is being sealed; returns its bytes in memory and of text.
    pub(super) fn start_sealing(&mut self, number: u32) -> (usize, usize) {
        let Some(stream) = self.streams.get_mut(&number) else { return (0, 0) };
        stream.sealing = stream.head.take();
        (stream.sealing.memory_bytes, stream.sealing.text_bytes)
    }

    /// Forgets what was sealed: its blocks are durable.
    pub(super) fn finish_sealing(&mut self, number: u32) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let sealed = stream.sealing.take();
        self.ages.leave(&sealed, number);
        self.head_bytes -= sealed.memory_bytes;
    }

    /// Puts back what could not be sealed.
    pub(super) fn undo_sealing(&mut self, number: u32) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let sealing = stream.sealing.take();
        self.ages.leave(&stream.head, number);
        stream.head.put_back(sealing);
        if stream.head.text_bytes >= BLOCK_BYTES_TARGET {
            self.full.push(number);
        }
    }
}

impl Stream {
    fn holds_entries(&self) -> bool {
        !(self.blocks.is_empty() && self.head.is_empty() && self.sealing.is_empty())
    }

    fn overlaps(&self, start_ns: i64, end_ns: i64) -> bool {
        let blocks = self.blocks.iter().rev().map(|block| (block.min_ns, block.max_ns));
        let runs = self.head.runs.iter().chain(&self.sealing.runs).map(|run| (run.min_ns, run.max_ns));
        runs.chain(blocks).any(|(min_ns, max_ns)| min_ns <= end_ns && max_ns >= start_ns)
    }
}
