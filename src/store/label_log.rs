//! The label log: which number stands for which label set. Records are appended; a stream's record is
//! durable before the first commit that names the number. When most of them are of streams without
//! entries, a start writes the log anew. Layout: docs/format.md, "Label log".

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    block::{put_set, take_set},
    codec::Reader,
    disk::{Disk, DiskFile, Open},
    error::Error,
};
use crate::labels::LabelSet;

const MAGIC: [u8; 8] = *b"NRVLBL\x01\n";
const RECORD_HEADER_BYTES: usize = 8;
/// A log larger than this is none of ours: it is not read into memory.
const LOG_READ_MAX: u64 = 1 << 30;

/// A log is written anew once so many bytes of it, and more than half, are of streams without entries.
const DEAD_BYTES_MIN: usize = 64 << 10;

/// The open log.
#[derive(Debug)]
pub(super) struct LabelLog {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    end: u64,
}

/// What the log held.
pub(super) struct Opened {
    pub(super) log: LabelLog,
    /// Number and label set of each stream, in order of creation.
    pub(super) streams: Vec<(u32, LabelSet)>,
    pub(super) findings: Vec<String>,
}

impl LabelLog {
    /// Opens or creates the log and reads it. A torn last record is cut off; damaged ones are named.
    pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Opened, Error> {
        let at_path = |action| move |source| Error::io(action, path, source);
        let file = disk.open(path, Open::Create).map_err(at_path("open"))?;
        let len = file.len().map_err(at_path("read"))?;
        if len > LOG_READ_MAX {
            return Err(Error::Format { path: path.into(), what: format!("{len} bytes are too many for a label log") });
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0).map_err(at_path("read"))?;
        if bytes.len() < MAGIC.len() {
            file.set_len(0).map_err(at_path("cut"))?;
            file.write_all_at(&MAGIC, 0).map_err(at_path("write"))?;
            file.sync().map_err(at_path("sync"))?;
            let log = Self { file, path: path.into(), end: MAGIC.len() as u64 };
            return Ok(Opened { log, streams: Vec::new(), findings: Vec::new() });
        }
        if bytes[..6] == MAGIC[..6] && bytes[6] > MAGIC[6] {
            let what = format!("it is a label log of version {}, this program knows version {}", bytes[6], MAGIC[6]);
            return Err(Error::Format { path: path.into(), what });
        }
        let (streams, end, findings) = parse(&bytes, path);
        if end < bytes.len() {
            file.set_len(end as u64).map_err(at_path("cut"))?;
        }
        file.sync().map_err(at_path("sync"))?;
        Ok(Opened { log: Self { file, path: path.into(), end: end as u64 }, streams, findings })
    }

    /// Appends streams and makes them durable. After an error nothing has changed.
    pub(super) fn append(&mut self, streams: &[(u32, Arc<LabelSet>)]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for (number, labels) in streams {
            put_record(&mut bytes, *number, labels);
        }
        self.file.write_all_at(&bytes, self.end).map_err(|source| Error::io("write", &self.path, source))?;
        self.file.sync().map_err(|source| Error::io("sync", &self.path, source))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Writes the log anew with the records of these streams alone, if that is worth it. Says whether it was.
    pub(super) fn compact<'s>(
        &mut self,
        disk: &dyn Disk,
        streams: impl Iterator<Item = (u32, &'s LabelSet)>,
    ) -> Result<bool, Error> {
        let len = usize::try_from(self.end).unwrap_or(usize::MAX);
        if len < DEAD_BYTES_MIN {
            return Ok(false);
        }
        let mut bytes = MAGIC.to_vec();
        for (number, labels) in streams {
            put_record(&mut bytes, number, labels);
        }
        let dead_bytes = len.saturating_sub(bytes.len());
        if dead_bytes < DEAD_BYTES_MIN || dead_bytes < bytes.len() {
            return Ok(false);
        }
        let path = self.path.with_extension("log.new");
        let dir = path.parent().unwrap_or(Path::new("."));
        let failed = |action| {
            let path = path.clone();
            move |source| Error::io(action, path, source)
        };
        let file = disk.open(&path, Open::Create).map_err(failed("create"))?;
        let written = file.set_len(0).and_then(|()| file.write_all_at(&bytes, 0)).and_then(|()| file.sync());
        written.map_err(failed("write"))?;
        disk.rename(&path, &self.path).map_err(failed("rename"))?;
        (self.file, self.end) = (file, bytes.len() as u64);
        disk.sync_dir(dir).map_err(|source| Error::io("sync", dir, source))?;
        Ok(true)
    }

    /// Length of the log in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.end
    }
}

fn put_record(bytes: &mut Vec<u8>, number: u32, labels: &LabelSet) {
    let start = bytes.len();
    bytes.resize(start + RECORD_HEADER_BYTES, 0);
    bytes.extend_from_slice(&number.to_le_bytes());
    put_set(bytes, labels);
    let len = u32::try_from(bytes.len() - start - RECORD_HEADER_BYTES).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(&bytes[start + RECORD_HEADER_BYTES..]);
    bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
    bytes[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// The streams, where the last whole record ends, and what was found damaged.
fn parse(bytes: &[u8], path: &Path) -> (Vec<(u32, LabelSet)>, usize, Vec<String>) {
    let (mut streams, mut findings) = (Vec::new(), Vec::new());
    let (mut at, mut end) = (MAGIC.len(), MAGIC.len());
    let mut damaged_from = None;
    while at < bytes.len() {
        if let Some((record, next)) = record(bytes, at) {
            if let Some(from) = damaged_from.take() {
                findings.push(format!(
                    "bytes {from} to {at} of {} are damaged; the streams named there cannot be shown under their labels",
                    path.display()
                ));
            }
            streams.push(record);
            (at, end) = (next, next);
        } else {
            // Records have no mark of their own: the checksum is what finds the next whole one.
            damaged_from.get_or_insert(at);
            at += 1;
        }
    }
    if damaged_from.is_some() {
        findings.push(format!("an unfinished record at byte {end} of {} was cut off", path.display()));
    }
    (streams, end, findings)
}

fn record(bytes: &[u8], at: usize) -> Option<((u32, LabelSet), usize)> {
    let header = bytes.get(at..at + RECORD_HEADER_BYTES)?;
    let len = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(header[4..].try_into().ok()?);
    let start = at + RECORD_HEADER_BYTES;
    let body = bytes.get(start..start.checked_add(len)?)?;
    if len < 4 || crc32fast::hash(body) != crc {
        return None;
    }
    let number = u32::from_le_bytes(body[..4].try_into().ok()?);
    let mut reader = Reader::new(&body[4..]);
    let labels = take_set(&mut reader).ok()?;
    reader.is_empty().then_some(((number, labels), start + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{disk::RealDisk, testing::TempDir};

    fn labels(value: &str) -> Arc<LabelSet> {
        Arc::new(LabelSet::new(vec![("app".into(), value.into())]))
    }

    #[test]
    fn cuts_lose_the_torn_record_and_flips_only_the_damaged_one() {
        let dir = TempDir::new();
        let path = dir.path().join("streams.log");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let mut opened = LabelLog::open(&disk, &path).unwrap();
        opened.log.append(&[(0, labels("a")), (1, labels("b"))]).unwrap();
        opened.log.append(&[(2, labels("c"))]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let record_bytes = (whole.len() - MAGIC.len()) / 3;

        for cut in MAGIC.len()..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut opened = LabelLog::open(&disk, &path).unwrap();
            assert_eq!(opened.streams.len(), (cut - MAGIC.len()) / record_bytes, "cut at byte {cut}");
            opened.log.append(&[(9, labels("new"))]).unwrap();
            assert_eq!(
                LabelLog::open(&disk, &path).unwrap().streams.last().unwrap().0,
                9,
                "appended after a cut at {cut}"
            );
        }
        for at in MAGIC.len()..whole.len() - record_bytes {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).unwrap();
            let opened = LabelLog::open(&disk, &path).unwrap();
            assert_eq!((opened.streams.len(), opened.findings.len()), (2, 1), "flipped byte {at}");
            assert_eq!(opened.streams[1], (2, LabelSet::clone(&labels("c"))));
        }
    }
}
