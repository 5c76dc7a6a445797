//! A chunk file written anew: small blocks of a stream joined to large ones, or entries left out that
//! are to be deleted. The new file takes the name of the old one in one step, so that a crash leaves
//! either of them; whoever reads the old one goes on reading it.
//!
//! It is written a few blocks at a time, so that commits stay due in time meanwhile.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    vec,
};

use super::super::{
    block::{BLOCK_BYTES_TARGET, Encoder, HEADER_BYTES, Header},
    disk::{Disk, DiskFile, Open},
    error::Error,
    snapshot::Columns,
};
use super::{
    BlockInfo, ChunkFile, Chunks, FILE_MAGIC, FileState, Key, Written, file::info, footer::FooterBuilder, walk,
};
use crate::labels::Entries;

/// How the name of a file that is not finished ends; the next start removes it.
pub(super) const UNFINISHED: &str = ".chunk.new";
/// One step takes so many bytes of lines.
const STEP_BYTES: u64 = 4 << 20;

/// Says of each entry of a stream, given by its number, whether it is to be deleted.
pub(in crate::store) type Doomed = dyn Fn(u32, &Entries) -> Vec<bool> + Send + Sync;

/// A file that is being written anew.
pub(in crate::store) struct Rewrite {
    disk: Arc<dyn Disk>,
    key: Key,
    old: Arc<ChunkFile>,
    /// Where the last block lay when this was begun; what was added since is copied at the end.
    old_end: u64,
    groups: vec::IntoIter<Group>,
    doomed: Option<Arc<Doomed>>,
    new: Arc<ChunkFile>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    end: u64,
    footer: FooterBuilder,
    written: Vec<Written>,
    /// Every stream with blocks in the old file.
    streams: Vec<u32>,
    entries: u64,
    encoder: Box<Encoder>,
    buffer: Vec<u8>,
}

/// Blocks of one stream that become one.
struct Group {
    stream: u32,
    blocks: Vec<BlockInfo>,
    /// Entries of it are to be deleted.
    edited: bool,
}

/// The new file, once it has the name.
pub(in crate::store) struct Replaced {
    pub(in crate::store) old: Arc<ChunkFile>,
    /// Every stream with blocks in the old file.
    pub(in crate::store) streams: Vec<u32>,
    pub(in crate::store) written: Vec<Written>,
    /// Whether the exchange is durable.
    pub(in crate::store) synced: Result<(), Error>,
}

impl Rewrite {
    /// Joins the small blocks of a file, if that makes at most half as many of them: so however often
    /// late lines come, a line is written anew only as often as the blocks can be halved.
    ///
    /// A joined block also covers the numbers between those of its blocks. `unsealed` gives the lowest
    /// number of a stream that is in no block yet: what a crash has put back into a head is not covered.
    pub(in crate::store) fn to_join(
        chunks: &Chunks,
        key: &Key,
        placed: &[(u64, Header)],
        unsealed: &HashMap<u32, u64>,
    ) -> Result<Option<Self>, Error> {
        let Some(state) = chunks.files.get(key) else { return Ok(None) };
        let groups = joined(&state.file, placed, unsealed);
        if groups.len() * 2 > placed.len() { Ok(None) } else { Self::begin(chunks, key, state, groups, None).map(Some) }
    }

    /// Deletes entries from the blocks at `offsets`.
    pub(in crate::store) fn to_delete(
        chunks: &Chunks,
        key: &Key,
        placed: &[(u64, Header)],
        offsets: &HashSet<u64>,
        doomed: Arc<Doomed>,
    ) -> Result<Option<Self>, Error> {
        let Some(state) = chunks.files.get(key) else { return Ok(None) };
        let groups = placed.iter().map(|(offset, header)| Group {
            stream: header.stream,
            blocks: vec![info(&state.file, *offset, header)],
            edited: offsets.contains(offset),
        });
        Self::begin(chunks, key, state, groups.collect(), Some(doomed)).map(Some)
    }

    fn begin(
        chunks: &Chunks,
        key: &Key,
        state: &FileState,
        groups: Vec<Group>,
        doomed: Option<Arc<Doomed>>,
    ) -> Result<Self, Error> {
        let old = Arc::clone(&state.file);
        let name = key.1.strip_suffix(".chunk").unwrap_or(&key.1);
        let path = old.path.with_file_name(format!("{name}{UNFINISHED}"));
        let file = chunks.disk.open(&path, Open::Create).map_err(|source| Error::io("create", &path, source))?;
        let started = file.set_len(0).and_then(|()| file.write_all_at(&FILE_MAGIC, 0));
        if let Err(source) = started {
            drop(chunks.disk.remove(&path));
            return Err(Error::io("write", &path, source));
        }
        let mut streams: Vec<u32> = groups.iter().map(|group| group.stream).collect();
        streams.sort_unstable();
        streams.dedup();
        Ok(Self {
            disk: Arc::clone(&chunks.disk),
            key: key.clone(),
            new: ChunkFile::new(old.path.clone()),
            old,
            old_end: state.blocks_end,
            groups: groups.into_iter(),
            doomed,
            path,
            file,
            end: FILE_MAGIC.len() as u64,
            footer: FooterBuilder::new(),
            written: Vec::new(),
            streams,
            entries: 0,
            encoder: Box::new(Encoder::new()),
            buffer: Vec::new(),
        })
    }

    /// Writes the next blocks; says whether all of those that were there at the beginning are written.
    pub(in crate::store) fn step(&mut self) -> Result<bool, Error> {
        let mut text_bytes = 0;
        while text_bytes < STEP_BYTES {
            let Some(group) = self.groups.next() else { return Ok(true) };
            text_bytes += group.text_bytes();
            self.write(&group)?;
        }
        Ok(false)
    }

    fn write(&mut self, group: &Group) -> Result<(), Error> {
        // A block that cannot be read is kept as it is: some day somebody may make something of it.
        let entries = if group.edited || group.blocks.len() > 1 { group.read(&*self.disk) } else { None };
        let Some(mut entries) = entries else {
            for block in &group.blocks {
                let bytes = block.read_bytes(&*self.disk)?;
                self.copy(&bytes, block.offset)?;
            }
            return Ok(());
        };
        if let Some(doomed) = self.doomed.as_ref().filter(|_| group.edited) {
            entries = without(&entries, &doomed(group.stream, &entries));
            if entries.is_empty() {
                return Ok(());
            }
        }
        self.buffer.clear();
        let header = self.encoder.encode_over(group.stream, group.numbers(), &entries, &mut self.buffer);
        let bytes = std::mem::take(&mut self.buffer);
        self.put(&bytes, &header)?;
        self.buffer = bytes;
        Ok(())
    }

    fn copy(&mut self, bytes: &[u8], offset: u64) -> Result<(), Error> {
        let damaged = |what| Error::Damaged { path: self.old.path.clone(), offset, what };
        let header = bytes.get(..HEADER_BYTES).and_then(|bytes| bytes.try_into().ok());
        let header = Header::decode(header.ok_or_else(|| damaged("shorter than a header"))?).map_err(damaged)?;
        self.put(bytes, &header)
    }

    fn put(&mut self, bytes: &[u8], header: &Header) -> Result<(), Error> {
        self.file.write_all_at(bytes, self.end).map_err(|source| Error::io("write", &self.path, source))?;
        self.written.push(Written { stream: header.stream, block: info(&self.new, self.end, header) });
        self.footer.push(header);
        self.end += bytes.len() as u64;
        self.entries += u64::from(header.lines);
        Ok(())
    }

    /// Removes what was written so far.
    pub(in crate::store) fn abandon(self) {
        // Left behind, it is removed by the next start.
        drop(self.disk.remove(&self.path));
    }
}

impl Chunks {
    /// Gives a file that was written anew the name of the old one. `None` if that is no longer there. After
    /// an error nothing has changed.
    pub(in crate::store) fn replace(&mut self, mut rewrite: Rewrite) -> Result<Option<Replaced>, Error> {
        let current = self.files.get(&rewrite.key).filter(|state| Arc::ptr_eq(&state.file, &rewrite.old));
        let Some(current) = current else {
            rewrite.abandon();
            return Ok(None);
        };
        let exchanged = exchange(current, &mut rewrite);
        if !matches!(exchanged, Ok(Some(_))) {
            // There is no new file: it failed, or nothing is left to be in one.
            drop(self.disk.remove(&rewrite.path));
        }
        let Rewrite { key, old, streams, written, path, .. } = rewrite;
        match exchanged? {
            Some(state) => {
                self.unsynced_dirs.extend(path.parent().map(Path::to_owned));
                self.files.insert(key, state);
            }
            None => self.unlink(&key)?,
        }
        Ok(Some(Replaced { old, streams, written, synced: self.sync_names() }))
    }
}

/// Gives the new file the name. `None` if no entry is left, and so no file is needed.
fn exchange(current: &FileState, rewrite: &mut Rewrite) -> Result<Option<FileState>, Error> {
    let disk = Arc::clone(&rewrite.disk);
    let path = rewrite.path.clone();
    let at_path = |action| move |source| Error::io(action, path, source);
    copy_added(current, rewrite)?;
    let Some(max_ns) = rewrite.written.iter().map(|written| written.block.max_ns).max() else { return Ok(None) };
    let mut state = FileState::new(Arc::clone(&rewrite.new));
    state.blocks_end = rewrite.end;
    state.entries = rewrite.entries;
    state.max_ns = max_ns;
    let footer = std::mem::replace(&mut rewrite.footer, FooterBuilder::new()).finish();
    state.footer_bytes = footer.len() as u64;
    let finished = rewrite.file.write_all_at(&footer, rewrite.end).and_then(|()| rewrite.file.sync());
    finished.map_err(at_path.clone()("write"))?;
    rewrite.old.keep_open(&*disk)?;
    disk.rename(&rewrite.path, &rewrite.old.path).map_err(at_path("rename"))?;
    Ok(Some(state))
}

/// Copies the blocks that were added to the old file in the meantime.
fn copy_added(current: &FileState, rewrite: &mut Rewrite) -> Result<(), Error> {
    if current.blocks_end == rewrite.old_end {
        return Ok(());
    }
    let old = Arc::clone(&rewrite.old);
    let unreadable = |source| Error::io("read", &old.path, source);
    let file = rewrite.disk.open(&old.path, Open::Read).map_err(unreadable)?;
    let added = walk::headers(&*file, rewrite.old_end, current.blocks_end).map_err(unreadable)?;
    let what = "a block that was added cannot be read";
    let added = added.ok_or_else(|| Error::Damaged { path: old.path.clone(), offset: rewrite.old_end, what })?;
    for (offset, header) in added {
        let bytes = info(&old, offset, &header).read_bytes(&*rewrite.disk)?;
        rewrite.copy(&bytes, offset)?;
        rewrite.streams.push(header.stream);
    }
    Ok(())
}

impl Group {
    fn text_bytes(&self) -> u64 {
        self.blocks.iter().map(|block| u64::from(block.text_bytes)).sum()
    }

    /// All that the blocks cover.
    fn numbers(&self) -> std::ops::Range<u64> {
        let start = self.blocks.iter().map(|block| block.first_entry).min();
        let end = self.blocks.iter().map(|block| block.entry_numbers().end).max();
        start.unwrap_or_default()..end.unwrap_or_default()
    }

    /// The entries, in order of arrival of their blocks; `None` if one of the blocks cannot be read.
    fn read(&self, disk: &dyn Disk) -> Option<Entries> {
        let mut entries = Entries::new();
        for block in &self.blocks {
            let read = block.read_where(disk, Columns::ALL, &[]).ok()??;
            entries.extend_from(&read, 0..read.len());
        }
        Some(entries)
    }
}

/// The blocks by stream and in order of arrival, as many together as make a block.
fn joined(file: &Arc<ChunkFile>, placed: &[(u64, Header)], unsealed: &HashMap<u32, u64>) -> Vec<Group> {
    let mut order: Vec<&(u64, Header)> = placed.iter().collect();
    order.sort_by_key(|(_, header)| (header.stream, header.first_entry));
    let mut groups: Vec<Group> = Vec::new();
    for (offset, header) in order {
        let block = info(file, *offset, header);
        let fits = |group: &&mut Group| {
            let numbers = group.numbers();
            group.stream == header.stream
                && unsealed.get(&header.stream).is_none_or(|lowest| block.entry_numbers().end <= *lowest)
                && group.text_bytes() + u64::from(header.text_bytes) <= BLOCK_BYTES_TARGET as u64
                && u32::try_from(block.entry_numbers().end.max(numbers.end) - numbers.start).is_ok()
        };
        match groups.last_mut().filter(fits) {
            Some(group) => group.blocks.push(block),
            None => groups.push(Group { stream: header.stream, blocks: vec![block], edited: false }),
        }
    }
    groups
}

fn without(entries: &Entries, doomed: &[bool]) -> Entries {
    let mut kept = Entries::new();
    for at in (0..entries.len()).filter(|at| !doomed.get(*at).is_some_and(|doomed| *doomed)) {
        kept.extend_from(entries, at..at + 1);
    }
    kept
}
