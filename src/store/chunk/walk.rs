//! Opening the chunk files: which blocks there are, what the remains of an unfinished append are, and
//! what is damage.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::super::{
    block::{self, HEADER_BYTES, Header, MAGIC},
    disk::{Disk, DiskFile, Open},
    error::Error,
};
use super::{ChunkFile, Chunks, FILE_MAGIC, FileState, Key, Written, file::info, footer, rewrite};
use crate::labels::time;

/// What opening found.
pub(in crate::store) struct Opened {
    pub(in crate::store) chunks: Chunks,
    pub(in crate::store) blocks: Vec<Written>,
    pub(in crate::store) damaged: u64,
    pub(in crate::store) findings: Vec<String>,
}

impl Chunks {
    /// Walks all files. A block that `in_log` says is still in the write-ahead log may not have been
    /// written completely: its checksums are verified, and it is left out (and cut off, at the end of a
    /// file) if they fail. Of what has no readable header only the remains of an unfinished append are
    /// cut off; damage stays where it is and is skipped. Fails if a later program wrote a block.
    pub(in crate::store) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        in_log: &dyn Fn(&Header) -> bool,
    ) -> Result<Opened, Error> {
        let mut opened = Opened {
            chunks: Self {
                disk: Arc::clone(disk),
                dir: dir.into(),
                files: BTreeMap::new(),
                unsynced: HashMap::new(),
                unsynced_dirs: BTreeSet::new(),
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
                if !name.is_dir && name.name.ends_with(rewrite::UNFINISHED) {
                    disk.remove(&path).map_err(|source| Error::io("remove", &path, source))?;
                    continue;
                }
                if name.is_dir || Path::new(&name.name).extension().is_none_or(|extension| extension != "chunk") {
                    opened.findings.push(format!("{} is no chunk file; left alone", path.display()));
                    continue;
                }
                opened.walk((day.name.clone(), name.name), path, in_log)?;
            }
        }
        Ok(opened)
    }
}

impl Opened {
    /// Takes in the blocks of one file.
    fn walk(&mut self, key: Key, path: PathBuf, in_log: &dyn Fn(&Header) -> bool) -> Result<(), Error> {
        let disk = Arc::clone(&self.chunks.disk);
        let file = disk.open(&path, Open::Write).map_err(|source| Error::io("open", &path, source))?;
        let unreadable = |source| Error::io("read", &path, source);
        let len = file.len().map_err(unreadable)?;
        let start = check_magic(&*file, &path, len)?;
        let mut state = FileState::new(ChunkFile::new(path.clone()));
        if let Some(footer) = footer::read(&*file, start, len).map_err(unreadable)? {
            // Blocks were durable before the footer was written: none of them is the remains of an append.
            let mut at = start;
            for header in &footer.headers {
                self.take(&mut state, at, header);
                at += header.block_bytes();
            }
            state.footer_bytes = len.saturating_sub(footer.start);
            self.chunks.files.insert(key, state);
            return Ok(());
        }
        let mut at = start;
        while at < len {
            let header = match look(&*file, at, len).map_err(unreadable)? {
                Place::Block(header) => header,
                Place::Later => {
                    let what = format!("a newer narvi wrote the block at byte {at}; start that one");
                    return Err(Error::Format { path, what });
                }
                Place::Broken { what, torn } => {
                    let next = next_sealed(&*file, at + 1, len).map_err(unreadable)?;
                    let footer = next.is_none() && footer::remains_at(&*file, at, len).map_err(unreadable)?;
                    if footer || (torn && next.is_none()) {
                        break;
                    }
                    self.damage(&Error::Damaged { path: path.clone(), offset: at, what });
                    at = next.unwrap_or(len);
                    state.damaged = true;
                    if !torn {
                        state.blocks_end = at;
                        // No header says how new the entries are: they count for all of their day.
                        state.max_ns = state.max_ns.max(end_of_day(&key.0));
                    }
                    continue;
                }
            };
            let end = at + header.block_bytes();
            if in_log(&header) && !is_whole(&*file, at, &header) {
                if end == len {
                    break;
                }
                self.damage(&Error::Damaged { path: path.clone(), offset: at, what: "not written completely" });
                state.damaged = true;
                state.blocks_end = end;
            } else {
                self.take(&mut state, at, &header);
            }
            at = end;
        }
        if state.blocks_end < len {
            self.findings.push(format!(
                "{} bytes at the end of {} are no complete block or footer and were cut off",
                len - state.blocks_end,
                path.display()
            ));
            file.set_len(state.blocks_end).map_err(|source| Error::io("cut", &path, source))?;
            file.sync().map_err(|source| Error::io("sync", &path, source))?;
        }
        self.chunks.files.insert(key, state);
        Ok(())
    }

    fn take(&mut self, state: &mut FileState, at: u64, header: &Header) {
        self.blocks.push(Written { stream: header.stream, block: info(&state.file, at, header) });
        state.entries += u64::from(header.lines);
        state.max_ns = state.max_ns.max(header.max_ns);
        state.blocks_end = at + header.block_bytes();
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

/// The headers of the blocks from `start` to `end`, and where each lies; `None` if one cannot be read.
pub(super) fn headers(file: &dyn DiskFile, start: u64, end: u64) -> std::io::Result<Option<Vec<(u64, Header)>>> {
    let mut headers = Vec::new();
    let mut at = start;
    while at < end {
        let Place::Block(header) = look(file, at, end)? else { return Ok(None) };
        headers.push((at, header));
        at += header.block_bytes();
    }
    Ok(Some(headers))
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
/// The last nanosecond of the day that a directory is named after.
pub(super) fn end_of_day(day: &str) -> i64 {
    time::parse_rfc3339(&format!("{day}T23:59:59.999999999Z")).unwrap_or(i64::MAX)
}
