//! The footer of a chunk file to which nothing is being added: the headers of all its blocks in one
//! piece, so that a start reads them at once instead of one by one. It holds nothing that the blocks do
//! not hold: one that is missing or damaged is made anew. Layout: docs/format.md, "Footer".

use std::io;

use super::super::{
    block::{HEADER_BYTES, Header, MAGIC},
    disk::DiskFile,
};

/// Where a footer starts; the byte before the last is the version.
const START: [u8; 8] = *b"NRVFTR\x01\n";
/// The last bytes of a file with a footer.
const END: [u8; 8] = *b"NRVEND\x01\n";
/// A header without its magic, so that nobody who looks for blocks takes it for one.
const ENTRY_BYTES: usize = HEADER_BYTES - MAGIC.len();
/// Number of headers, checksum, and the last bytes.
const TAIL_BYTES: usize = 16;

/// Puts a footer together.
#[derive(Debug)]
pub(super) struct FooterBuilder {
    bytes: Vec<u8>,
    headers: u32,
}

impl FooterBuilder {
    pub(super) fn new() -> Self {
        Self { bytes: START.to_vec(), headers: 0 }
    }

    /// Adds the header of the next block.
    pub(super) fn push(&mut self, header: &Header) {
        self.bytes.extend_from_slice(&header.encode()[MAGIC.len()..]);
        self.headers += 1;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&self.headers.to_le_bytes());
        let crc = crc32fast::hash(&self.bytes);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.bytes.extend_from_slice(&END);
        self.bytes
    }
}

/// A footer as it was written.
#[derive(Debug)]
pub(super) struct Footer {
    /// Where it starts: the end of the last block.
    pub(super) start: u64,
    /// Of all blocks, which lie behind each other without a gap.
    pub(super) headers: Vec<Header>,
}

/// The footer at the end of a file of `len` bytes whose first block starts at `first`. `None` if there
/// is none, or none of which every byte is as it was written.
pub(super) fn read(file: &dyn DiskFile, first: u64, len: u64) -> io::Result<Option<Footer>> {
    let Some(start) = tail(file, first, len)? else { return Ok(None) };
    let Ok(len) = usize::try_from(len - start) else { return Ok(None) };
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, start)?;
    let (covered, rest) = bytes.split_at(bytes.len() - END.len() - 4);
    if covered[..START.len()] != START || crc32fast::hash(covered).to_le_bytes() != rest[..4] {
        return Ok(None);
    }
    let mut at = first;
    let mut headers = Vec::with_capacity(covered.len() / ENTRY_BYTES);
    for entry in covered[START.len()..covered.len() - 4].chunks_exact(ENTRY_BYTES) {
        let mut header = [0; HEADER_BYTES];
        header[..MAGIC.len()].copy_from_slice(&MAGIC);
        header[MAGIC.len()..].copy_from_slice(entry);
        let Ok(header) = Header::decode(&header) else { return Ok(None) };
        at += header.block_bytes();
        headers.push(header);
    }
    Ok((at == start).then_some(Footer { start, headers }))
}

/// Whether what stands at `at`, where no block does, is what is left of a footer.
pub(super) fn remains_at(file: &dyn DiskFile, at: u64, len: u64) -> io::Result<bool> {
    let mut start = [0; START.len()];
    if len - at >= START.len() as u64 {
        file.read_exact_at(&mut start, at)?;
    }
    Ok(start == START || tail(file, 0, len)? == Some(at))
}

/// Where a footer starts, if the end of the file says that there is one.
fn tail(file: &dyn DiskFile, first: u64, len: u64) -> io::Result<Option<u64>> {
    if len < first + (START.len() + TAIL_BYTES) as u64 {
        return Ok(None);
    }
    let mut tail = [0; TAIL_BYTES];
    file.read_exact_at(&mut tail, len - TAIL_BYTES as u64)?;
    let headers = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    // The number may be damage, and beyond what a machine of 32 bits can count in memory.
    let bytes = (START.len() + TAIL_BYTES) as u64 + u64::from(headers) * ENTRY_BYTES as u64;
    Ok((tail.ends_with(&END) && bytes <= len - first).then(|| len - bytes))
}
