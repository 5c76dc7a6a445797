//! Opening a data directory: what the label log, the chunk files and the write-ahead log say
//! together, and a word about everything that was not as it should be.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use super::{
    block::BLOCK_BYTES_TARGET,
    chunk::{Chunks, Written},
    disk::{Disk, Open},
    error::Error,
    label_log::LabelLog,
    state::State,
    wal::{Record, Replay, Wal, replay},
};
use crate::labels::{Entries, LabelSet};

/// The contents of the file that says what the directory is.
const FORMAT: &str = "narvi store 1\n";

/// An open data directory.
pub(super) struct Recovered {
    pub(super) state: State,
    pub(super) wal: Wal,
    pub(super) label_log: LabelLog,
    pub(super) chunks: Chunks,
    /// One sentence for each thing that was not as it should be.
    pub(super) findings: Vec<String>,
    /// Entries that were not yet in blocks.
    pub(super) entries_replayed: u64,
}

/// Entries of the log, before it is known which of them are in blocks already.
struct Replayed {
    segment: u64,
    first_entry: u64,
    entries: Entries,
}

/// Opens or creates the store at `path`.
pub(super) fn recover(disk: &Arc<dyn Disk>, path: &Path) -> Result<Recovered, Error> {
    check_format(disk, path)?;
    let (wal_dir, chunk_dir) = (path.join("wal"), path.join("chunks"));
    for dir in [&wal_dir, &chunk_dir] {
        disk.create_dir(dir).map_err(|source| Error::io("create", dir, source))?;
    }
    let labels = LabelLog::open(disk, &path.join("streams.log"))?;
    disk.sync_dir(path).map_err(|source| Error::io("sync", path, source))?;
    let mut findings = labels.findings;
    let mut state = State::default();
    for (number, labels) in labels.streams {
        state.enter(number, &Arc::new(labels));
    }

    let mut logged: BTreeMap<u32, Vec<Replayed>> = BTreeMap::new();
    let mut gone: BTreeMap<u32, u64> = BTreeMap::new();
    let mut log = replay(&**disk, &wal_dir, |segment, record| match record {
        Record::Entries { stream, first_entry, entries } => {
            logged.entry(stream).or_default().push(Replayed { segment, first_entry, entries });
        }
        Record::Gone { stream, end } => drop(gone.insert(stream, end)),
        Record::Position { .. } | Record::PositionForgotten { .. } | Record::PositionsComplete => {}
    })?;
    findings.append(&mut log.findings);

    let in_log = |header: &super::block::Header| {
        let oldest = logged.get(&header.stream).and_then(|runs| runs.iter().map(|run| run.first_entry).min());
        oldest.is_some_and(|oldest| header.entry_numbers().end > oldest)
    };
    let opened = Chunks::open(disk, &chunk_dir, &in_log)?;
    findings.extend(opened.findings);
    state.counts.damaged_blocks = opened.damaged;
    enter_blocks(&mut state, opened.blocks);
    let wal = Wal::new(Arc::clone(disk), wal_dir, &log);
    let entries_replayed = enter_log(&mut state, logged, &gone);
    state.segment = wal.current_number();
    let Replay { commits, .. } = log;
    log::debug!("replayed {commits} commits with {entries_replayed} entries that were not yet in blocks");
    Ok(Recovered { state, wal, label_log: labels.log, chunks: opened.chunks, findings, entries_replayed })
}

fn check_format(disk: &Arc<dyn Disk>, path: &Path) -> Result<(), Error> {
    disk.create_dir(path).map_err(|source| Error::io("create", path, source))?;
    let marker = path.join("FORMAT");
    let file = disk.open(&marker, Open::Create).map_err(|source| Error::io("open", &marker, source))?;
    let len = file.len().map_err(|source| Error::io("read", &marker, source))?;
    let mut found = vec![0; usize::try_from(len.min(64)).unwrap_or(0)];
    file.read_exact_at(&mut found, 0).map_err(|source| Error::io("read", &marker, source))?;
    if found == FORMAT.as_bytes() {
        return Ok(());
    }
    if len > 0 && !FORMAT.as_bytes().starts_with(&found) {
        let what = format!("it says {:?}, this program knows {FORMAT:?}", String::from_utf8_lossy(&found));
        return Err(Error::Format { path: marker, what });
    }
    file.write_all_at(FORMAT.as_bytes(), 0).map_err(|source| Error::io("write", &marker, source))?;
    file.sync().map_err(|source| Error::io("sync", &marker, source))
}

fn enter_blocks(state: &mut State, blocks: Vec<Written>) {
    for Written { stream, block } in blocks {
        enter_unnamed(state, stream);
        if let Some(stream) = state.streams.get_mut(&stream) {
            stream.next_entry = stream.next_entry.max(block.entry_numbers().end);
            stream.blocks.push(block);
        }
    }
    for stream in state.streams.values_mut() {
        stream.blocks.sort_by_key(|block| block.first_entry);
    }
}

/// A stream whose labels were lost with a damaged record is still shown, under a label that says so.
fn enter_unnamed(state: &mut State, number: u32) {
    if !state.streams.contains_key(&number) {
        let labels = LabelSet::new(vec![("narvi_lost_labels_of_stream".into(), number.to_string())]);
        state.enter(number, &Arc::new(labels));
    }
}

/// Puts the entries of the log that no block holds, and that are not gone, into the heads.
fn enter_log(state: &mut State, logged: BTreeMap<u32, Vec<Replayed>>, gone: &BTreeMap<u32, u64>) -> u64 {
    let (now, mut count) = (Instant::now(), 0);
    for (number, end) in gone {
        // No number is given out twice while the log may still hold what it stood for.
        if let Some(stream) = state.streams.get_mut(number) {
            stream.next_entry = stream.next_entry.max(*end);
        }
    }
    for (number, runs) in logged {
        enter_unnamed(state, number);
        let Some(stream) = state.streams.get_mut(&number) else { continue };
        let blocks = stream.blocks.iter().map(super::chunk::BlockInfo::entry_numbers);
        let sealed: Vec<_> = blocks.chain(gone.get(&number).map(|end| 0..*end)).collect();
        for Replayed { segment, first_entry, entries } in runs {
            let end = first_entry + entries.len() as u64;
            let mut at = first_entry;
            while at < end {
                if let Some(block) = sealed.iter().find(|block| block.contains(&at)) {
                    at = block.end;
                    continue;
                }
                let next_sealed = sealed.iter().map(|block| block.start).filter(|start| *start > at).min();
                let until = next_sealed.unwrap_or(end).min(end);
                let place = |number: u64| usize::try_from(number - first_entry).unwrap_or(usize::MAX);
                stream.head.append(at, &entries, place(at)..place(until), segment, now);
                count += until - at;
                at = until;
            }
            stream.next_entry = stream.next_entry.max(end);
        }
        state.ages.enter(&stream.head, number);
        state.head_bytes += stream.head.memory_bytes;
        if stream.head.text_bytes >= BLOCK_BYTES_TARGET {
            state.full.push(number);
        }
    }
    count
}

/// Who wrote its number into the lock file.
pub(super) fn owner_of(lock: File) -> String {
    let mut owner = String::new();
    drop(lock.take(32).read_to_string(&mut owner));
    if owner.is_empty() { "of an unknown process".into() } else { format!("process {}", owner.trim()) }
}

/// Holds the data directory against a second process, for as long as it lives.
#[derive(Debug)]
pub(super) struct DirLock {
    _file: File,
}

impl DirLock {
    pub(super) fn take(path: &Path) -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        created.map_err(|source| Error::io("create", path, source))?;
        let file_path = path.join("LOCK");
        let error = |action| move |source| Error::io(action, path.join("LOCK"), source);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file_path)
            .map_err(error("open"))?;
        let locked = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        if locked.is_err() {
            return Err(Error::Locked { path: path.into(), owner: owner_of(file) });
        }
        file.set_len(0).map_err(error("write"))?;
        file.rewind().map_err(error("write"))?;
        writeln!(file, "{}", std::process::id()).map_err(error("write"))?;
        Ok(Self { _file: file })
    }
}
