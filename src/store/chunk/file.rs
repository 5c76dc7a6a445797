//! A chunk file as readers know it, and where its blocks lie. A file is opened for each read, so
//! however many files there are, none is held open.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::super::{
    block::{self, HEADER_BYTES, Header},
    disk::{Disk, DiskFile, Open},
    error::Error,
    snapshot::Columns,
};
use crate::labels::{Entries, Literal};

/// A file of blocks.
#[derive(Debug)]
pub(in crate::store) struct ChunkFile {
    pub(in crate::store) path: PathBuf,
    /// Retention has removed it.
    removed: AtomicBool,
    /// The file itself, once another has taken its name: for those who still know where its blocks lie.
    replaced: OnceLock<Box<dyn DiskFile>>,
}

impl ChunkFile {
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, removed: AtomicBool::new(false), replaced: OnceLock::new() })
    }

    /// Called before the file is removed for good.
    pub(super) fn set_removed(&self) {
        self.removed.store(true, Ordering::Release);
    }

    /// Called before another file takes the name: whoever knows this one reads on as if nothing had happened.
    pub(super) fn keep_open(&self, disk: &dyn Disk) -> Result<(), Error> {
        let file = disk.open(&self.path, Open::Read).map_err(|source| Error::io("open", &self.path, source))?;
        // A second try after a failed one finds it open already.
        drop(self.replaced.set(file));
        Ok(())
    }

    /// Reads with `read`, from the file as it was when its blocks were entered.
    fn with<T>(&self, disk: &dyn Disk, read: impl FnOnce(&dyn DiskFile) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(file) = self.replaced.get() {
            return read(&**file);
        }
        let opened = disk.open(&self.path, Open::Read);
        // If it was replaced before it was opened, that is known by now.
        if let Some(file) = self.replaced.get() {
            return read(&**file);
        }
        read(&*opened.map_err(|source| Error::io("open", &self.path, source))?)
    }
}

/// What is kept in memory of a block.
#[derive(Clone, Debug)]
pub(in crate::store) struct BlockInfo {
    pub(in crate::store) file: Arc<ChunkFile>,
    pub(in crate::store) offset: u64,
    pub(in crate::store) block_bytes: u32,
    /// Where, from the start of the block, the filter ends and the lines start.
    filter_end: u32,
    lines_start: u32,
    pub(in crate::store) lines: u32,
    missing: u32,
    pub(in crate::store) text_bytes: u32,
    pub(in crate::store) first_entry: u64,
    pub(in crate::store) min_ns: i64,
    pub(in crate::store) max_ns: i64,
}

impl BlockInfo {
    /// Numbers of its entries within the stream, and those that it covers without having an entry for.
    pub(in crate::store) fn entry_numbers(&self) -> Range<u64> {
        self.first_entry..self.first_entry + u64::from(self.lines) + u64::from(self.missing)
    }

    /// Every byte of the block, as it lies in the file.
    pub(super) fn read_bytes(&self, disk: &dyn Disk) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.block_bytes as usize];
        self.file.with(disk, |file| self.read_at(file, &mut bytes, 0))?;
        Ok(bytes)
    }

    fn read_at(&self, file: &dyn DiskFile, bytes: &mut [u8], from: u32) -> Result<(), Error> {
        file.read_exact_at(bytes, self.offset + u64::from(from))
            .map_err(|source| Error::io("read", &self.file.path, source))
    }

    /// Reads, verifies and inflates the columns. `None` if the filter, or what is inflated, tells that no
    /// line fulfils `required`, or if retention removed the file meanwhile.
    pub(in crate::store) fn read_where(
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
        self.file.with(disk, |file| self.read_from(file, columns, required))
    }

    fn read_from(
        &self,
        file: &dyn DiskFile,
        columns: Columns,
        required: &[Vec<Literal>],
    ) -> Result<Option<Entries>, Error> {
        let end = if columns.lines { self.block_bytes } else { self.lines_start };
        // With something to look for, the filter is read first: it may spare the rest.
        let first = if required.is_empty() { end } else { self.filter_end };
        let mut bytes = vec![0; first as usize];
        self.read_at(file, &mut bytes, 0)?;
        let header = header_of(&bytes).map_err(|what| self.damaged(what))?;
        if header.first_entry != self.first_entry || header.block_bytes() != u64::from(self.block_bytes) {
            return Err(self.damaged("another block than was written here"));
        }
        if !required.is_empty() {
            if !block::may_hold(&header, &bytes, required).map_err(|what| self.damaged(what))? {
                return Ok(None);
            }
            bytes.resize(end as usize, 0);
            self.read_at(file, &mut bytes[first as usize..], first)?;
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

pub(super) fn info(file: &Arc<ChunkFile>, offset: u64, header: &Header) -> BlockInfo {
    BlockInfo {
        file: Arc::clone(file),
        offset,
        block_bytes: u32::try_from(header.block_bytes()).unwrap_or(u32::MAX),
        filter_end: place(header.offsets()[1]),
        lines_start: place(header.offsets()[3]),
        lines: header.lines,
        missing: header.missing,
        text_bytes: header.text_bytes,
        first_entry: header.first_entry,
        min_ns: header.min_ns,
        max_ns: header.max_ns,
    }
}

/// A place within a block, which is far below 4 GiB.
fn place(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
