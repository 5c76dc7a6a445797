//! Looking at a data directory without changing it: what recovery would find, every checksum of
//! every block, and what each stream holds.

use std::{fs::File, io, path::Path, sync::Arc};

use super::{
    disk::{Disk, DiskFile, Name, Open, RealDisk, Space},
    error::Error,
    recovery::{Recovered, owner_of, recover},
    snapshot::Columns,
};
use crate::labels::LabelSet;

/// What a data directory holds.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// By label set.
    pub streams: Vec<StreamInspection>,
    /// One sentence for each thing that is not as it should be; none if all is well.
    pub findings: Vec<String>,
    /// Bytes of all chunk files.
    pub chunk_bytes: u64,
}

/// What one stream holds.
#[derive(Clone, Debug)]
pub struct StreamInspection {
    /// Its labels.
    pub labels: Arc<LabelSet>,
    /// Blocks whose checksums all fit.
    pub blocks: u64,
    /// Blocks that are damaged.
    pub damaged_blocks: u64,
    /// Entries in whole blocks.
    pub block_entries: u64,
    /// Entries that are only in the write-ahead log yet.
    pub log_entries: u64,
    /// Bytes of the lines in whole blocks, a newline for each included.
    pub raw_bytes: u64,
    /// Bytes of those blocks on disk.
    pub stored_bytes: u64,
    /// Smallest and greatest time stamp in nanoseconds; `None` for a stream without entries.
    pub time_span_ns: Option<(i64, i64)>,
}

/// Reads a data directory that no process has open, and changes nothing in it.
///
/// # Errors
/// No store, one of a later version, one that is in use, or one that cannot be read.
pub fn inspect(path: &Path) -> Result<Inspection, Error> {
    let marker = path.join("LOCK");
    let lock = File::open(&marker).map_err(|source| Error::io("open", &marker, source))?;
    if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockShared).is_err() {
        return Err(Error::Locked { path: path.into(), owner: owner_of(lock) });
    }
    let disk: Arc<dyn Disk> = Arc::new(ReadOnly(RealDisk));
    let Recovered { state, chunks, mut findings, .. } = recover(&disk, path)?;
    let mut streams = Vec::new();
    for stream in state.streams.values() {
        let log_entries = stream.head.runs.iter().map(|run| run.entries.len() as u64).sum();
        let mut inspection = StreamInspection {
            labels: Arc::clone(&stream.labels),
            blocks: 0,
            damaged_blocks: 0,
            block_entries: 0,
            log_entries,
            raw_bytes: 0,
            stored_bytes: 0,
            time_span_ns: None,
        };
        let runs = stream.head.runs.iter().map(|run| (run.min_ns, run.max_ns));
        let blocks = stream.blocks.iter().map(|block| (block.min_ns, block.max_ns));
        inspection.time_span_ns = runs.chain(blocks).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        for block in &stream.blocks {
            match block.read_where(&*disk, Columns::ALL, &[]) {
                Ok(_) => {
                    inspection.blocks += 1;
                    inspection.block_entries += u64::from(block.lines);
                    inspection.raw_bytes += u64::from(block.text_bytes);
                    inspection.stored_bytes += u64::from(block.block_bytes);
                }
                Err(error) => {
                    inspection.damaged_blocks += 1;
                    findings.push(error.to_string());
                }
            }
        }
        streams.push(inspection);
    }
    streams.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Inspection { streams, findings, chunk_bytes: chunks.bytes() })
}

/// A disk on which every change succeeds and none happens.
#[derive(Debug)]
struct ReadOnly(RealDisk);

impl Disk for ReadOnly {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        path.metadata().map(drop)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Name>> {
        self.0.list(dir)
    }
    fn open(&self, path: &Path, _: Open) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(ReadOnlyFile(self.0.open(path, Open::Read)?)))
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn space(&self, dir: &Path) -> io::Result<Space> {
        self.0.space(dir)
    }
    fn now_ns(&self) -> i64 {
        self.0.now_ns()
    }
}

#[derive(Debug)]
struct ReadOnlyFile(Box<dyn DiskFile>);

impl DiskFile for ReadOnlyFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
