//! Chunk files: blocks behind each other, one file per stream and day; streams that fill less than
//! a small block share the day's `mixed` file. Layout: docs/format.md, "Chunk file".
//!
//! Blocks are only appended and files only removed whole. Readers open a file for each read, so
//! however many files there are, none is held open.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    block::{self, HEADER_BYTES, Header, MAGIC},
    disk::{Disk, DiskFile, Open},
    error::Error,
    snapshot::Columns,
};
use crate::labels::{Entries, Literal, time};

/// The first bytes of a chunk file; the byte before the last is the version.
const FILE_MAGIC: [u8; 8] = *b"NRVCHK\x01\n";
/// Blocks with fewer bytes of lines go to the day's mixed file, unless the stream has a file that day.
const MIXED_BYTES_MAX: u32 = 64 << 10;

/// A file of blocks.
#[derive(Debug)]
pub(super) struct ChunkFile {
    pub(super) path: PathBuf,
    removed: AtomicBool,
}

/// What is kept in memory of a block.
#[derive(Clone, Debug)]
pub(super) struct BlockInfo {
    pub(super) file: Arc<ChunkFile>,
    pub(super) offset: u64,
    pub(super) block_bytes: u32,
    /// Where, from the start of the block, the filter ends and the lines start.
    filter_end: u32,
    lines_start: u32,
    pub(super) lines: u32,
    pub(super) text_bytes: u32,
    pub(super) first_entry: u64,
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
}

impl BlockInfo {
    /// Numbers of its entries within the stream.
    pub(super) fn entry_numbers(&self) -> Range<u64> {
        self.first_entry..self.first_entry + u64::from(self.lines)
    }

    /// Reads, verifies and inflates the columns. `None` if the filter, or what is inflated, tells that no
    /// line fulfils `required`, or if retention removed the file meanwhile.
    pub(super) fn read_where(
        &self,
        disk: &dyn Disk,
        columns: Columns,
        required: &[Vec<Literal>],
    ) -> Result<Option<Entries>, Error> {
        match self.read_present(disk, columns, required) {
            Err(_) if self.file.removed.load(Ordering::Acquire) => Ok(None),
            result => result,
        }
    }

    fn read_present(
        &self,
        disk: &dyn Disk,
        columns: Columns,
        required: &[Vec<Literal>],
    ) -> Result<Option<Entries>, Error> {
        let path = &self.file.path;
        let file = disk.open(path, Open::Read).map_err(|source| Error::io("open", path, source))?;
        let end = if columns.lines { self.block_bytes } else { self.lines_start };
        // With something to look for, the filter is read first: it may spare the rest.
        let first = if required.is_empty() { end } else { self.filter_end };
        let mut bytes = vec![0; first as usize];
        file.read_exact_at(&mut bytes, self.offset).map_err(|source| Error::io("read", path, source))?;
        let header = header_of(&bytes).map_err(|what| self.damaged(what))?;
        if header.first_entry != self.first_entry || header.block_bytes() != u64::from(self.block_bytes) {
            return Err(self.damaged("another block than was written here"));
        }
        if !required.is_empty() {
            if !block::may_hold(&header, &bytes, required).map_err(|what| self.damaged(what))? {
                return Ok(None);
            }
            bytes.resize(end as usize, 0);
            let rest = &mut bytes[first as usize..];
            file.read_exact_at(rest, self.offset + u64::from(first))
                .map_err(|source| Error::io("read", path, source))?;
        }
        block::decode_where(&header, &bytes, columns, required).map_err(|what| self.damaged(what))
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::Damaged { path: self.file.path.clone(), offset: self.offset, what }
    }
}

fn header_of(block: &[u8]) -> Result<Header, &'static str> {
    let header = block.get(..HEADER_BYTES).and_then(|bytes| bytes.try_into().ok());
    Header::decode(header.ok_or("shorter than a header")?)
}

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

/// What opening found.
pub(super) struct Opened {
    pub(super) chunks: Chunks,
    pub(super) blocks: Vec<Written>,
    pub(super) damaged: u64,
    pub(super) findings: Vec<String>,
}

impl Chunks {
    /// Walks all files. A block that `in_log` says is still in the write-ahead log may not have been
    /// written completely: its checksums are verified, and it is left out (and cut off, at the end of a
    /// file) if they fail. Of what has no readable header only the remains of an unfinished append are
    /// cut off; damage stays where it is and is skipped. Fails if a later program wrote a block.
    pub(super) fn open(disk: &Arc<dyn Disk>, dir: &Path, in_log: &dyn Fn(&Header) -> bool) -> Result<Opened, Error> {
        let mut opened = Opened {
            chunks: Self {
                disk: Arc::clone(disk),
                dir: dir.into(),
                files: BTreeMap::new(),
                unsynced: HashMap::new(),
                bytes_written: 0,
            },
            blocks: Vec::new(),
            damaged: 0,
            findings: Vec::new(),
        };
        for day in disk.list(dir).map_err(|source| Error::io("list", dir, source))? {
            let day_dir = dir.join(&day.name);
            if !day.is_dir {
                opened.findings.push(format!("{} is no chunk directory; left alone", day_dir.display()));
                continue;
            }
            for name in disk.list(&day_dir).map_err(|source| Error::io("list", &day_dir, source))? {
                let path = day_dir.join(&name.name);
                if name.is_dir || Path::new(&name.name).extension().is_none_or(|extension| extension != "chunk") {
                    opened.findings.push(format!("{} is no chunk file; left alone", path.display()));
                    continue;
                }
                opened.walk((day.name.clone(), name.name), path, in_log)?;
            }
        }
        Ok(opened)
    }

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

/// A place within a block, which is far below 4 GiB.
fn place(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// The last nanosecond of the day that a directory is named after.
fn end_of_day(day: &str) -> i64 {
    time::parse_rfc3339(&format!("{day}T23:59:59.999999999Z")).unwrap_or(i64::MAX)
}

fn info(file: &Arc<ChunkFile>, offset: u64, header: &Header) -> BlockInfo {
    BlockInfo {
        file: Arc::clone(file),
        offset,
        block_bytes: u32::try_from(header.block_bytes()).unwrap_or(u32::MAX),
        filter_end: place(header.offsets()[1]),
        lines_start: place(header.offsets()[3]),
        lines: header.lines,
        text_bytes: header.text_bytes,
        first_entry: header.first_entry,
        min_ns: header.min_ns,
        max_ns: header.max_ns,
    }
}

impl Opened {
    /// Takes in the blocks of one file.
    fn walk(&mut self, key: (String, String), path: PathBuf, in_log: &dyn Fn(&Header) -> bool) -> Result<(), Error> {
        let disk = Arc::clone(&self.chunks.disk);
        let file = disk.open(&path, Open::Write).map_err(|source| Error::io("open", &path, source))?;
        let len = file.len().map_err(|source| Error::io("read", &path, source))?;
        let start = check_magic(&*file, &path, len)?;
        let chunk = Arc::new(ChunkFile { path, removed: AtomicBool::new(false) });
        let mut state = FileState { file: Arc::clone(&chunk), bytes: start, entries: 0, max_ns: i64::MIN };
        let mut at = start;
        while at < len {
            let header = match look(&*file, at, len) {
                Ok(Place::Block(header)) => header,
                Ok(Place::Later) => {
                    let what = format!("a newer narvi wrote the block at byte {at}; start that one");
                    return Err(Error::Format { path: chunk.path.clone(), what });
                }
                Ok(Place::Broken { what, torn }) => {
                    let next = next_sealed(&*file, at + 1, len);
                    let next = next.map_err(|source| Error::io("read", &chunk.path, source))?;
                    if torn && next.is_none() {
                        break;
                    }
                    self.damage(&Error::Damaged { path: chunk.path.clone(), offset: at, what });
                    at = next.unwrap_or(len);
                    if !torn {
                        state.bytes = at;
                        // No header says how new the entries are: they count for all of their day.
                        state.max_ns = state.max_ns.max(end_of_day(&key.0));
                    }
                    continue;
                }
                Err(source) => return Err(Error::io("read", &chunk.path, source)),
            };
            let end = at + header.block_bytes();
            if in_log(&header) && !is_whole(&*file, at, &header) {
                if end == len {
                    break;
                }
                self.damage(&Error::Damaged { path: chunk.path.clone(), offset: at, what: "not written completely" });
            } else {
                self.blocks.push(Written { stream: header.stream, block: info(&chunk, at, &header) });
                state.entries += u64::from(header.lines);
                state.max_ns = state.max_ns.max(header.max_ns);
            }
            at = end;
            state.bytes = end;
        }
        if state.bytes < len {
            self.findings.push(format!(
                "{} bytes at the end of {} are no complete block and were cut off",
                len - state.bytes,
                chunk.path.display()
            ));
            file.set_len(state.bytes).map_err(|source| Error::io("cut", &chunk.path, source))?;
            file.sync().map_err(|source| Error::io("sync", &chunk.path, source))?;
        }
        self.chunks.files.insert(key, state);
        Ok(())
    }

    fn damage(&mut self, error: &Error) {
        self.damaged += 1;
        self.findings.push(error.to_string());
    }
}

/// Where the first block starts.
fn check_magic(file: &dyn DiskFile, path: &Path, len: u64) -> Result<u64, Error> {
    let start = FILE_MAGIC.len() as u64;
    let mut magic = [0; FILE_MAGIC.len()];
    if len < start {
        // A crash right after the file was created.
        file.write_all_at(&FILE_MAGIC, 0).map_err(|source| Error::io("write", path, source))?;
        return Ok(start);
    }
    file.read_exact_at(&mut magic, 0).map_err(|source| Error::io("read", path, source))?;
    if magic[..6] == FILE_MAGIC[..6] && magic[6] > FILE_MAGIC[6] {
        let what = format!("it is a chunk file of version {}, this program knows version {}", magic[6], FILE_MAGIC[6]);
        return Err(Error::Format { path: path.into(), what });
    }
    Ok(start)
}

/// What stands where a block should start.
enum Place {
    Block(Header),
    /// A block of a later program: nothing of it can be told but that it is one.
    Later,
    /// No block that can be read. `torn`: the remains of an append that a crash or a full disk cut short,
    /// which no program can make a block of.
    Broken {
        what: &'static str,
        torn: bool,
    },
}

fn look(file: &dyn DiskFile, at: u64, len: u64) -> std::io::Result<Place> {
    if len - at < HEADER_BYTES as u64 {
        return Ok(Place::Broken { what: "shorter than a header", torn: true });
    }
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact_at(&mut bytes, at)?;
    Ok(match Header::decode(&bytes) {
        Ok(header) if at + header.block_bytes() > len => {
            Place::Broken { what: "shorter than its header says", torn: true }
        }
        Ok(header) => Place::Block(header),
        Err(_) if is_sealed(&bytes) => Place::Later,
        Err(what) => Place::Broken { what, torn: is_torn(&bytes, at) },
    })
}

/// Whether the bytes are a header as it was written, of whichever version: magic and checksum stay
/// where they are in all of them.
fn is_sealed(header: &[u8; HEADER_BYTES]) -> bool {
    let (covered, crc) = header.split_at(HEADER_BYTES - 4);
    header.starts_with(&MAGIC) && crc32fast::hash(covered).to_le_bytes() == *crc
}

/// Whether a header is what an unfinished write leaves: a crash keeps whole sectors or none of them,
/// and the missing ones read as zeros.
fn is_torn(header: &[u8; HEADER_BYTES], at: u64) -> bool {
    const SECTOR: u64 = 512;
    let first = usize::try_from(SECTOR - at % SECTOR).unwrap_or(HEADER_BYTES).min(HEADER_BYTES);
    let (first, second) = header.split_at(first);
    [first, second].iter().any(|piece| !piece.is_empty() && piece.iter().all(|byte| *byte == 0))
}

/// Where the next header that was written as it is lies, at or after `from`.
fn next_sealed(file: &dyn DiskFile, from: u64, len: u64) -> std::io::Result<Option<u64>> {
    const WINDOW: u64 = 64 << 10;
    let mut at = from;
    while at < len {
        let mut window = vec![0; usize::try_from(WINDOW.min(len - at)).unwrap_or(0)];
        file.read_exact_at(&mut window, at)?;
        for hit in memchr::memmem::find_iter(&window, &MAGIC) {
            let hit = at + hit as u64;
            let mut header = [0; HEADER_BYTES];
            if len - hit >= HEADER_BYTES as u64 {
                file.read_exact_at(&mut header, hit)?;
                if is_sealed(&header) {
                    return Ok(Some(hit));
                }
            }
        }
        // The mark may lie across the border of two windows.
        at += (window.len() as u64).saturating_sub(MAGIC.len() as u64 - 1).max(1);
    }
    Ok(None)
}

fn is_whole(file: &dyn DiskFile, at: u64, header: &Header) -> bool {
    let mut bytes = vec![0; usize::try_from(header.block_bytes()).unwrap_or(0)];
    file.read_exact_at(&mut bytes, at).is_ok() && block::is_whole(header, &bytes)
}
