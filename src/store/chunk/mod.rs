//! Chunk files: blocks behind each other, one file per stream and day; streams that fill less than
//! a small block share the day's `mixed` file. Layout: docs/format.md, "Chunk file".
//!
//! Blocks are only appended and files only removed whole. Readers open a file for each read, so
//! however many files there are, none is held open.

mod file;
mod walk;

pub(super) use file::{BlockInfo, ChunkFile};

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use self::file::info;
use super::{
    block::Header,
    disk::{Disk, DiskFile, Open},
    error::Error,
};
use crate::labels::time;

/// The first bytes of a chunk file; the byte before the last is the version.
const FILE_MAGIC: [u8; 8] = *b"NRVCHK\x01\n";
/// Blocks with fewer bytes of lines go to the day's mixed file, unless the stream has a file that day.
const MIXED_BYTES_MAX: u32 = 64 << 10;

/// What the writer knows of a file.
#[derive(Debug)]
pub(super) struct FileState {
    pub(super) file: Arc<ChunkFile>,
    pub(super) bytes: u64,
    pub(super) entries: u64,
    pub(super) max_ns: i64,
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
    files: BTreeMap<(String, String), FileState>,
    /// Files with blocks that are not synced yet, and how long each was before them.
    unsynced: HashMap<(String, String), (Box<dyn DiskFile>, u64)>,
    pub(super) bytes_written: u64,
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
        let state = self.files.entry(key.clone()).or_insert_with(|| FileState {
            file: Arc::new(ChunkFile { path: path.clone(), removed: AtomicBool::new(false) }),
            bytes: FILE_MAGIC.len() as u64,
            entries: 0,
            max_ns: i64::MIN,
        });
        let (file, _) = &self.unsynced[&key];
        file.write_all_at(block, state.bytes).map_err(|source| Error::io("write", &path, source))?;
        let written = Written { stream: header.stream, block: info(&state.file, state.bytes, header) };
        self.bytes_written += block.len() as u64;
        state.bytes += block.len() as u64;
        state.entries += u64::from(header.lines);
        state.max_ns = state.max_ns.max(header.max_ns);
        Ok(written)
    }

    fn open_for_append(&self, key: &(String, String), path: &Path) -> Result<(Box<dyn DiskFile>, u64), Error> {
        if let Some(state) = self.files.get(key) {
            let file = self.disk.open(path, Open::Write).map_err(|source| Error::io("open", path, source))?;
            // Remains of a block that could not be written must not follow a shorter one.
            file.set_len(state.bytes).map_err(|source| Error::io("cut", path, source))?;
            return Ok((file, state.bytes));
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
                state.bytes = before;
                let lost = written.iter().filter(|written| Arc::ptr_eq(&written.block.file, &state.file));
                state.entries -= lost.map(|written| u64::from(written.block.lines)).sum::<u64>();
            }
        }
    }

    /// The files, in no particular order of time.
    pub(super) fn files(&self) -> impl Iterator<Item = (&(String, String), &FileState)> {
        self.files.iter()
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|state| state.bytes).sum()
    }

    /// Removes a file; its directory too if it was the last one there.
    pub(super) fn remove(&mut self, key: &(String, String)) -> Result<(), Error> {
        let Some(state) = self.files.get(key) else { return Ok(()) };
        let path = state.file.path.clone();
        state.file.removed.store(true, Ordering::Release);
        match self.disk.remove(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path, source));
            }
            _ => {}
        }
        self.files.remove(key);
        let day_dir = self.dir.join(&key.0);
        if !self.files.keys().any(|other| other.0 == key.0) {
            // Left behind, an empty directory does no harm.
            drop(self.disk.remove_dir(&day_dir));
        }
        self.disk.sync_dir(&self.dir).map_err(|source| Error::io("sync", &self.dir, source))
    }
}
