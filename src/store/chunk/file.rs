//! A chunk file as readers know it, and where its blocks lie. A file is opened for each read, so
//! however many files there are, none is held open.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::super::{
    block::{self, HEADER_BYTES, Header},
    disk::{Disk, Open},
    error::Error,
    snapshot::Columns,
};
use crate::labels::{Entries, Literal};

/// A file of blocks.
#[derive(Debug)]
pub(in crate::store) struct ChunkFile {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) removed: AtomicBool,
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
    pub(in crate::store) text_bytes: u32,
    pub(in crate::store) first_entry: u64,
    pub(in crate::store) min_ns: i64,
    pub(in crate::store) max_ns: i64,
}

impl BlockInfo {
    /// Numbers of its entries within the stream.
    pub(in crate::store) fn entry_numbers(&self) -> Range<u64> {
        self.first_entry..self.first_entry + u64::from(self.lines)
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

pub(in crate::store) fn info(file: &Arc<ChunkFile>, offset: u64, header: &Header) -> BlockInfo {
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

/// A place within a block, which is far below 4 GiB.
fn place(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
