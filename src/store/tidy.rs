//! What the writer does with files to which nothing is being added any more: it joins the small blocks
//! that quiet streams left there, and closes them with a footer. And deletion on request, which writes
//! files anew in the same way.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use super::{
    Error, StreamId,
    block::Header,
    chunk::{BlockInfo, CLOSE_AFTER, ChunkFile, Doomed, Replaced, Rewrite, until_closed},
    snapshot::Columns,
    state::State,
    tenant::Scope,
    wal::put_gone,
    writer::{Shared, lock},
};
use crate::labels::{Entries, LabelSet, Literal, Matcher, time};

/// A start has better things to do at first.
pub(super) const FIRST_AFTER: Duration = Duration::from_mins(1);
/// After something failed, files are looked at again after so long.
const RETRY: Duration = Duration::from_hours(1);
/// How often a deletion follows files that are written anew under its hands.
const MOVES_MAX: usize = 10;

/// The file that is being written anew, and those that are to be.
#[derive(Default)]
pub(super) struct Tidying {
    rewrite: Option<(Rewrite, Option<Deletion>)>,
    deletions: VecDeque<Deletion>,
}

impl Tidying {
    fn is_idle(&self) -> bool {
        self.rewrite.is_none() && self.deletions.is_empty()
    }
}

impl std::fmt::Debug for Tidying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tidying").field("deletions", &self.deletions.len()).finish_non_exhaustive()
    }
}

/// Entries to be deleted from one file.
struct Deletion {
    file: Arc<ChunkFile>,
    /// Where the blocks lie that hold some of them.
    offsets: HashSet<u64>,
    doomed: Arc<Doomed>,
    /// Is told when it is done: `false` if the file was another by then.
    done: mpsc::Sender<Result<bool, Error>>,
}

/// Says of each of the entries of a stream whether it is to be deleted.
pub type Verdict = dyn Fn(&LabelSet, &Entries) -> Vec<bool> + Send + Sync;

impl Shared {
    /// Does the next piece of work, and finds out when there is more.
    pub(super) fn tidy(&self) {
        let mut tidying = lock(&self.tidying);
        let mut after = self.tidy_next(&mut tidying).unwrap_or_else(|error| {
            log::warn!("{error}; nothing is lost, and it is tried again in an hour");
            Some(RETRY)
        });
        if !tidying.is_idle() {
            after = Some(Duration::ZERO);
        }
        // Whoever asks for a deletion from now on waits for `tidying`, and sets an earlier time after this one.
        lock(&self.state).tidy_at = after.map(|after| Instant::now() + after);
    }

    fn tidy_next(&self, tidying: &mut Tidying) -> Result<Option<Duration>, Error> {
        if tidying.rewrite.is_none() {
            tidying.rewrite = match tidying.deletions.pop_front() {
                Some(deletion) => self.begin_deletion(deletion),
                None => self.begin_closing()?.map(|rewrite| (rewrite, None)),
            };
        }
        if let Some((mut rewrite, deletion)) = tidying.rewrite.take() {
            match rewrite.step() {
                Ok(false) => tidying.rewrite = Some((rewrite, deletion)),
                Ok(true) => {
                    let replaced = self.finish(rewrite);
                    report(deletion, replaced)?;
                }
                Err(error) => {
                    rewrite.abandon();
                    report(deletion, Err(error))?;
                }
            }
        }
        let chunks = lock(&self.chunks);
        Ok(chunks.next_to_close(self.options.max_chunk_age, self.disk.now_ns()).map(|(after, _)| after))
    }

    /// Leaves what is not finished undone; who waits for it is told.
    pub(super) fn stop_tidying(&self) {
        let Tidying { rewrite, .. } = std::mem::take(&mut *lock(&self.tidying));
        if let Some((rewrite, _)) = rewrite {
            rewrite.abandon();
        }
    }

    /// Closes the next file that is due; or, if it is worth joining blocks first, begins with that.
    fn begin_closing(&self) -> Result<Option<Rewrite>, Error> {
        let mut chunks = lock(&self.chunks);
        let next = chunks.next_to_close(self.options.max_chunk_age, self.disk.now_ns());
        let Some(key) = next.filter(|(after, _)| after.is_zero()).map(|(_, key)| key.clone()) else {
            return Ok(None);
        };
        let Some(placed) = chunks.placed(&key)? else {
            chunks.leave_open(&key);
            return Ok(None);
        };
        if self.has_room_for(&placed) {
            let unsealed = lock(&self.state).unsealed(&placed);
            if let Some(rewrite) = Rewrite::to_join(&chunks, &key, &placed, &unsealed)? {
                return Ok(Some(rewrite));
            }
        }
        chunks.close(&key, placed.iter().map(|(_, header)| header))?;
        self.note_chunk_bytes(&chunks);
        Ok(None)
    }

    /// Whether the disk has room for a second copy, without retention having to make some.
    fn has_room_for(&self, placed: &[(u64, Header)]) -> bool {
        let bytes: u64 = placed.iter().map(|(_, header)| header.block_bytes()).sum();
        let Ok(space) = self.disk.space(&self.options.path) else { return false };
        let kept_free = self.options.free_disk_min.map_or(0, |min| min.bytes_of(space.total));
        space.free.saturating_sub(kept_free) > bytes
    }

    fn begin_deletion(&self, deletion: Deletion) -> Option<(Rewrite, Option<Deletion>)> {
        let chunks = lock(&self.chunks);
        let begin = || -> Result<Option<Rewrite>, Error> {
            let found = chunks.files().find(|(_, state)| Arc::ptr_eq(&state.file, &deletion.file));
            let Some((key, _)) = found else { return Ok(None) };
            let what = "another part of this file is damaged, so that nothing can be deleted from it";
            let placed = chunks.placed(key)?.ok_or_else(|| Error::Damaged {
                path: deletion.file.path.clone(),
                offset: 0,
                what,
            })?;
            Rewrite::to_delete(&chunks, key, &placed, &deletion.offsets, Arc::clone(&deletion.doomed))
        };
        match begin() {
            Ok(Some(rewrite)) => Some((rewrite, Some(deletion))),
            // Nobody waits any more if it cannot be sent.
            Ok(None) => {
                drop(deletion.done.send(Ok(false)));
                None
            }
            Err(error) => {
                drop(deletion.done.send(Err(error)));
                None
            }
        }
    }

    /// Puts the new file in the place of the old one. Says whether it could, and then durably.
    fn finish(&self, rewrite: Rewrite) -> Result<bool, Error> {
        let mut chunks = lock(&self.chunks);
        let Some(replaced) = chunks.replace(rewrite)? else { return Ok(false) };
        let Replaced { old, streams, written, synced } = replaced;
        let mut state = lock(&self.state);
        for number in &streams {
            if let Some(stream) = state.streams.get_mut(number) {
                stream.blocks.retain(|block| !Arc::ptr_eq(&block.file, &old));
            }
        }
        for written in written {
            if let Some(stream) = state.streams.get_mut(&written.stream) {
                stream.blocks.push(written.block);
            }
        }
        for number in &streams {
            if let Some(stream) = state.streams.get_mut(number) {
                stream.blocks.sort_by_key(|block| block.first_entry);
            }
        }
        drop(state);
        self.note_chunk_bytes(&chunks);
        synced.map(|()| true)
    }

    /// Deletes, from the streams that fulfil all matchers, the entries in the range (nanoseconds, both
    /// ends inclusive) of which `verdict` says so. Returns how many there were, once that is durable.
    pub(super) fn delete(
        &self,
        scope: &Scope,
        matchers: &[Matcher],
        start_ns: i64,
        end_ns: i64,
        required: &[Vec<Literal>],
        verdict: &Arc<Verdict>,
    ) -> Result<u64, Error> {
        self.forget_in_log(scope, matchers)?;
        let mut deleted = 0;
        for _ in 0..MOVES_MAX {
            let (targets, labels) = {
                let state = lock(&self.state);
                let streams = state.select(scope, matchers, start_ns, end_ns);
                let labels: HashMap<u32, Arc<LabelSet>> =
                    streams.iter().map(|stream| (stream.id.0, Arc::clone(&stream.labels))).collect();
                let blocks = |id: StreamId| state.streams.get(&id.0).map(|stream| stream.blocks.clone());
                let blocks = streams.iter().filter_map(|stream| Some((stream.id.0, blocks(stream.id)?)));
                (blocks.collect::<Vec<(u32, Vec<BlockInfo>)>>(), labels)
            };
            let verdict = Arc::clone(verdict);
            let doomed: Arc<Doomed> = Arc::new(move |stream, entries| {
                let mut doomed = labels.get(&stream).map(|labels| verdict(labels, entries)).unwrap_or_default();
                for (at, doomed) in doomed.iter_mut().enumerate() {
                    *doomed &= (start_ns..=end_ns).contains(&entries.timestamp_ns(at));
                }
                doomed
            });
            let mut waiting = Vec::new();
            for (file, found) in self.find_doomed(&targets, start_ns, end_ns, required, &*doomed) {
                let (done, result) = mpsc::channel();
                let deletion = Deletion { file, offsets: found.offsets, doomed: Arc::clone(&doomed), done };
                lock(&self.tidying).deletions.push_back(deletion);
                waiting.push((result, found.entries));
            }
            if waiting.is_empty() {
                // An earlier try may have failed with nothing but this left to do.
                lock(&self.chunks).sync_names()?;
                return Ok(deleted);
            }
            {
                let mut state = lock(&self.state);
                if state.closing {
                    return Err(Error::Closing);
                }
                state.tidy_at = Some(Instant::now());
            }
            self.wake.notify_one();
            for (result, entries) in waiting {
                if result.recv().map_err(|_| Error::Closing)?? {
                    deleted += entries;
                }
            }
        }
        Err(Error::Full { reason: "files are written anew faster than entries can be deleted from them".into() })
    }

    /// Sees to it that a start takes no entry of the streams from the log that is in a block now.
    fn forget_in_log(&self, scope: &Scope, matchers: &[Matcher]) -> Result<(), Error> {
        let mut state = lock(&self.state);
        for stream in state.select(scope, matchers, i64::MIN, i64::MAX) {
            let Some(end) = state.sealed_end(stream.id.0) else { continue };
            put_gone(&mut state.pending.records, stream.id.0, end);
        }
        drop(state);
        self.commit()
    }

    /// The blocks that hold entries to be deleted, by file.
    fn find_doomed(
        &self,
        streams: &[(u32, Vec<BlockInfo>)],
        start_ns: i64,
        end_ns: i64,
        required: &[Vec<Literal>],
        doomed: &Doomed,
    ) -> Vec<(Arc<ChunkFile>, Found)> {
        let mut files: HashMap<*const ChunkFile, (Arc<ChunkFile>, Found)> = HashMap::new();
        for (stream, blocks) in streams {
            for block in blocks.iter().filter(|block| block.min_ns <= end_ns && block.max_ns >= start_ns) {
                let entries = match block.read_where(&*self.disk, Columns::ALL, required) {
                    Ok(Some(entries)) => entries,
                    Ok(None) => continue,
                    Err(error) => {
                        log::warn!("{error}; nothing was deleted from there, and nobody can read it");
                        continue;
                    }
                };
                let count = doomed(*stream, &entries).iter().filter(|doomed| **doomed).count();
                if count > 0 {
                    let file = files.entry(Arc::as_ptr(&block.file));
                    let (_, found) = file.or_insert_with(|| (Arc::clone(&block.file), Found::default()));
                    found.offsets.insert(block.offset);
                    found.entries += count as u64;
                }
            }
        }
        let mut files: Vec<_> = files.into_values().collect();
        files.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        files
    }

    /// When a file to which a block was added has to be looked at.
    pub(super) fn tidy_after(&self, block: &BlockInfo) -> Duration {
        let day = time::utc_day(block.max_ns);
        until_closed(&day, self.options.max_chunk_age, self.disk.now_ns()).max(CLOSE_AFTER)
    }
}

#[derive(Default)]
struct Found {
    offsets: HashSet<u64>,
    entries: u64,
}

/// Tells who waits for a deletion; what nobody waits for is returned.
fn report(deletion: Option<Deletion>, result: Result<bool, Error>) -> Result<(), Error> {
    match deletion {
        Some(deletion) => drop(deletion.done.send(result)),
        None => drop(result?),
    }
    Ok(())
}

impl State {
    /// The lowest number, of the streams of these blocks, that is in no block yet.
    fn unsealed(&self, placed: &[(u64, Header)]) -> HashMap<u32, u64> {
        let numbers: BTreeSet<u32> = placed.iter().map(|(_, header)| header.stream).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.lowest_unsealed(number)?))).collect()
    }

    fn lowest_unsealed(&self, number: u32) -> Option<u64> {
        let stream = self.streams.get(&number)?;
        stream.sealing.runs.iter().chain(&stream.head.runs).map(|run| run.first_entry).min()
    }

    /// The number below which all entries of a stream are in blocks.
    fn sealed_end(&self, number: u32) -> Option<u64> {
        let next_entry = self.streams.get(&number)?.next_entry;
        Some(self.lowest_unsealed(number).unwrap_or(next_entry))
    }
}
