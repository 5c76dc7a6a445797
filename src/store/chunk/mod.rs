//! Chunk files: blocks behind each other, one file per stream and day; streams that fill less than
//! a small block share the day's `mixed` file. Layout: docs/format.md, "Chunk file".
//!
//! Blocks are only appended and files only removed whole, or replaced by another that holds the same
//! entries in fewer blocks (`rewrite`). Once nothing more is expected in a file, a footer closes it
//! (`footer`); whatever is appended later cuts it off again.

mod file;
mod footer;
mod rewrite;
mod walk;

pub(super) use file::{BlockInfo, ChunkFile};
pub(super) use rewrite::{Doomed, Replaced, Rewrite};

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use self::{file::info, footer::FooterBuilder};
use super::{
    block::Header,
    disk::{Disk, DiskFile, Open},
    error::Error,
};
use crate::labels::{duration::nanoseconds, time};

/// The first bytes of a chunk file; the byte before the last is the version.
const FILE_MAGIC: [u8; 8] = *b"NRVCHK\x01\n";
/// Blocks with fewer bytes of lines go to the day's mixed file, unless the stream has a file that day.
const MIXED_BYTES_MAX: u32 = 64 << 10;

/// How long after the end of its day, or the last block that was added, a file is closed: late lines
/// come in bursts.
pub(super) const CLOSE_AFTER: Duration = Duration::from_hours(1);

/// Day and file name of a chunk file.
pub(super) type Key = (String, String);

/// What the writer knows of a file.
#[derive(Debug)]
pub(super) struct FileState {
    pub(super) file: Arc<ChunkFile>,
    /// Where the last block ends.
    blocks_end: u64,
    /// Length of the footer behind it; 0 without one.
    footer_bytes: u64,
    pub(super) entries: u64,
    pub(super) max_ns: i64,
    /// Something in it is no block that can be read: it stays as it is.
    damaged: bool,
    /// When a block was last added, if this process did.
    appended: Option<Instant>,
}

impl FileState {
    fn new(file: Arc<ChunkFile>) -> Self {
        Self {
            file,
            blocks_end: FILE_MAGIC.len() as u64,
            footer_bytes: 0,
            entries: 0,
            max_ns: i64::MIN,
            damaged: false,
            appended: None,
        }
    }

    /// Length of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.blocks_end + self.footer_bytes
    }

    fn is_open(&self) -> bool {
        self.footer_bytes == 0 && !self.damaged
    }
}

/// A block that was written; `block` takes it into the stream's list.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) stream: u32,
    pub(super) block: BlockInfo,
}

/// All chunk files, and the writing end.
#[derive(Debug)]
pub(super) struct Chunks {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// By day and file name.
    files: BTreeMap<Key, FileState>,
    /// Files with blocks that are not synced yet, and how long each was before them.
    unsynced: HashMap<Key, (Box<dyn DiskFile>, u64)>,
    /// Directories in which names were changed or removed that may not be durable yet.
    unsynced_dirs: BTreeSet<PathBuf>,
}

impl Chunks {
    /// Appends a block to the file of its day and stream. It can be read, and is durable, after [`Chunks::sync`].
    pub(super) fn append(&mut self, header: &Header, block: &[u8]) -> Result<Written, Error> {
        let day = time::utc_day(header.max_ns);
        let own = (day.clone(), format!("s{:08x}.chunk", header.stream));
        let mixed = header.text_bytes < MIXED_BYTES_MAX && !self.files.contains_key(&own);
        let key = if mixed { (day, "mixed.chunk".to_owned()) } else { own };
        let path = self.dir.join(&key.0).join(&key.1);
        if !self.unsynced.contains_key(&key) {
            let (file, bytes) = self.open_for_append(&key, &path)?;
            self.unsynced.insert(key.clone(), (file, bytes));
        }
        let state = self.files.entry(key.clone()).or_insert_with(|| FileState::new(ChunkFile::new(path.clone())));
        let (file, _) = &self.unsynced[&key];
        file.write_all_at(block, state.blocks_end).map_err(|source| Error::io("write", &path, source))?;
        let written = Written { stream: header.stream, block: info(&state.file, state.blocks_end, header) };
        state.blocks_end += block.len() as u64;
        state.appended = Some(Instant::now());
        state.entries += u64::from(header.lines);
        state.max_ns = state.max_ns.max(header.max_ns);
        Ok(written)
    }

    fn open_for_append(&mut self, key: &Key, path: &Path) -> Result<(Box<dyn DiskFile>, u64), Error> {
        if let Some(state) = self.files.get_mut(key) {
            let file = self.disk.open(path, Open::Write).map_err(|source| Error::io("open", path, source))?;
            // A footer ends here, and remains of a block that could not be written must not follow a shorter one.
            file.set_len(state.blocks_end).map_err(|source| Error::io("cut", path, source))?;
            state.footer_bytes = 0;
            return Ok((file, state.blocks_end));
        }
        let day_dir = self.dir.join(&key.0);
        self.disk.create_dir(&day_dir).map_err(|source| Error::io("create", &day_dir, source))?;
        let file = self.disk.open(path, Open::Create).map_err(|source| Error::io("create", path, source))?;
        file.set_len(0).map_err(|source| Error::io("cut", path, source))?;
        file.write_all_at(&FILE_MAGIC, 0).map_err(|source| Error::io("write", path, source))?;
        for dir in [&day_dir, &self.dir] {
            self.disk.sync_dir(dir).map_err(|source| Error::io("sync", dir, source))?;
        }
        Ok((file, FILE_MAGIC.len() as u64))
    }

    /// Makes all appended blocks durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        for (key, (file, _)) in &self.unsynced {
            file.sync().map_err(|source| Error::io("sync", self.dir.join(&key.0).join(&key.1), source))?;
        }
        self.unsynced.clear();
        Ok(())
    }

    /// Forgets the blocks since the last sync, after one of them could not be written.
    pub(super) fn undo(&mut self, written: &[Written]) {
        for (key, (file, before)) in self.unsynced.drain() {
            // If this fails, the next append to the file cuts the remains off.
            drop(file.set_len(before));
            if before == FILE_MAGIC.len() as u64 {
                self.files.remove(&key);
            } else if let Some(state) = self.files.get_mut(&key) {
                state.blocks_end = before;
                let lost = written.iter().filter(|written| Arc::ptr_eq(&written.block.file, &state.file));
                state.entries -= lost.map(|written| u64::from(written.block.lines)).sum::<u64>();
            }
        }
    }

    /// The files, in no particular order of time.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Key, &FileState)> {
        self.files.iter()
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(FileState::bytes).sum()
    }

    /// Where the blocks of a file start and lie, as their headers say; `None` if one of them cannot be read.
    pub(super) fn placed(&self, key: &Key) -> Result<Option<Vec<(u64, Header)>>, Error> {
        let Some(state) = self.files.get(key) else { return Ok(None) };
        let path = &state.file.path;
        let file = self.disk.open(path, Open::Read).map_err(|source| Error::io("open", path, source))?;
        let headers = walk::headers(&*file, FILE_MAGIC.len() as u64, state.blocks_end);
        headers.map_err(|source| Error::io("read", path, source))
    }

    /// Closes a file: appends the footer with the headers of its blocks.
    pub(super) fn close<'h>(&mut self, key: &Key, headers: impl Iterator<Item = &'h Header>) -> Result<(), Error> {
        let Some(state) = self.files.get_mut(key) else { return Ok(()) };
        let path = &state.file.path;
        let mut footer = FooterBuilder::new();
        headers.for_each(|header| footer.push(header));
        let footer = footer.finish();
        let file = self.disk.open(path, Open::Write).map_err(|source| Error::io("open", path, source))?;
        let written = file
            .set_len(state.blocks_end)
            .and_then(|()| file.write_all_at(&footer, state.blocks_end))
            .and_then(|()| file.sync());
        written.map_err(|source| Error::io("write", path, source))?;
        state.footer_bytes = footer.len() as u64;
        Ok(())
    }

    /// Something in a file cannot be read: it is not closed.
    pub(super) fn leave_open(&mut self, key: &Key) {
        if let Some(state) = self.files.get_mut(key) {
            state.damaged = true;
        }
    }

    /// As if a long time had passed since the last block was added.
    #[cfg(test)]
    pub(super) fn let_time_pass(&mut self) {
        self.files.values_mut().for_each(|state| state.appended = None);
    }

    /// The next file to close, and how long until then; heads of a day come at most `age` after it.
    pub(super) fn next_to_close(&self, age: Duration, now_ns: i64) -> Option<(Duration, &Key)> {
        let mut next: Option<(Duration, &Key)> = None;
        for (key, state) in self.files.iter().filter(|(_, state)| state.is_open()) {
            let quiet = state.appended.map_or(Duration::ZERO, |at| CLOSE_AFTER.saturating_sub(at.elapsed()));
            let after = until_closed(&key.0, age, now_ns).max(quiet);
            if after.is_zero() {
                return Some((after, key));
            }
            next = Some(next.map_or((after, key), |next| next.min((after, key))));
        }
        next
    }

    /// Removes a file for good; its directory too if it was the last one there.
    pub(super) fn remove(&mut self, key: &Key) -> Result<(), Error> {
        self.unlink(key)?;
        self.sync_names()
    }

    /// Removes a file, though not yet durably. After an error it is still there.
    fn unlink(&mut self, key: &Key) -> Result<(), Error> {
        let Some(state) = self.files.get(key) else { return Ok(()) };
        let path = state.file.path.clone();
        state.file.set_removed();
        match self.disk.remove(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path, source));
            }
            _ => {}
        }
        self.files.remove(key);
        let day_dir = self.dir.join(&key.0);
        let first_of_day = (key.0.clone(), String::new());
        let was_last = self.files.range(first_of_day..).next().is_none_or(|(other, _)| other.0 != key.0);
        // Left behind, an empty directory does no harm.
        let dir_is_gone = was_last && self.disk.remove_dir(&day_dir).is_ok();
        if dir_is_gone {
            self.unsynced_dirs.remove(&day_dir);
        }
        self.unsynced_dirs.insert(if dir_is_gone { self.dir.clone() } else { day_dir });
        Ok(())
    }

    /// Makes durable which files were replaced and removed, also those of earlier tries that failed.
    pub(super) fn sync_names(&mut self) -> Result<(), Error> {
        while let Some(dir) = self.unsynced_dirs.first() {
            self.disk.sync_dir(dir).map_err(|source| Error::io("sync", dir, source))?;
            self.unsynced_dirs.pop_first();
        }
        Ok(())
    }
}

/// How long until a file of a day is closed to which nothing is added any more.
pub(super) fn until_closed(day: &str, age: Duration, now_ns: i64) -> Duration {
    let due_ns = walk::end_of_day(day).saturating_add(nanoseconds(age + CLOSE_AFTER));
    Duration::from_nanos(u64::try_from(due_ns.saturating_sub(now_ns)).unwrap_or(0))
}
