//! The write-ahead log: one for all streams, in preallocated segments that are recycled. It holds
//! what is not yet sealed into blocks, and the positions of the files that were read, in the same
//! commits. Layout: docs/format.md, "Write-ahead log".
//!
//! A commit counts as a whole or not at all. Segments leave in order, once all of their entries
//! are in durable blocks; each new segment starts with all positions, so none is lost with the old.

mod frame;
mod record;
mod replay;

pub(super) use record::{Record, put_entries, put_gone};
pub(super) use replay::{Replay, replay};

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    disk::{Disk, DiskFile, Open},
    error::Error,
};
use frame::FRAME_HEADER_BYTES;

/// Bytes of a segment. A commit that is larger gets a segment of its own size. Small in unit tests,
/// which copy whole disks at every change.
pub(super) const SEGMENT_BYTES: u64 = if cfg!(test) { 32 << 10 } else { 4 << 20 };
/// Bytes of a segment's header: magic, number, CRC-32, zeros.
const SEGMENT_HEADER_BYTES: usize = 32;
const SEGMENT_MAGIC: [u8; 8] = *b"NRVWAL\x01\n";
/// Written but not yet synced bytes are kept in memory, to be written again if a sync fails; at
/// this many they are synced early.
pub(super) const UNSYNCED_BYTES_MAX: usize = 1 << 20;
/// Segments kept for recycling rather than removed.
const SPARE_SEGMENTS_MAX: usize = 2;

/// Keys and values of positions; `None`: no longer needed.
pub(super) type PositionUpdates = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The writing end of the log.
#[derive(Debug)]
pub(super) struct Wal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment: Option<Segment>,
    /// Numbers of the segments that may still be needed, oldest first; the last is the one written to.
    numbers: Vec<u64>,
    next_number: u64,
    spare: Vec<PathBuf>,
    /// Positions as of the last frame written.
    positions: BTreeMap<Vec<u8>, Vec<u8>>,
    next_sequence: u64,
    durable_sequence: u64,
    /// Frames since the last sync, and where the first of them lies in the segment.
    unsynced: Vec<u8>,
    unsynced_at: u64,
    /// A sync has failed: the kernel may have forgotten what was written, so it is written again.
    rewrite: bool,
    pub(super) bytes_written: u64,
    pub(super) syncs: u64,
}

#[derive(Debug)]
struct Segment {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    number: u64,
    end: u64,
    capacity: u64,
}

impl Wal {
    /// A log that continues after what `replay` found. Nothing is written before the first commit.
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, replay: &Replay) -> Self {
        let last = replay.segments.last().copied().unwrap_or(0);
        Self {
            disk,
            dir,
            segment: None,
            numbers: replay.segments.clone(),
            next_number: last + 1,
            spare: replay.unused.clone(),
            positions: replay.positions.clone(),
            next_sequence: replay.next_sequence,
            durable_sequence: replay.next_sequence - 1,
            unsynced: Vec::new(),
            unsynced_at: 0,
            rewrite: false,
            bytes_written: 0,
            syncs: 0,
        }
    }

    /// Positions as of the last frame written.
    pub(super) fn positions(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.positions
    }

    /// Number of the segment that the next frame goes to, or to one after it.
    pub(super) fn current_number(&self) -> u64 {
        self.segment.as_ref().map_or(self.next_number, |segment| segment.number)
    }

    /// How many segments may still be needed.
    pub(super) fn segments(&self) -> usize {
        self.numbers.len()
    }

    /// Whether frames wait for a sync.
    pub(super) fn is_unsynced(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// Whether so much waits for a sync that it should not wait for the interval.
    pub(super) fn wants_sync(&self) -> bool {
        self.unsynced.len() >= UNSYNCED_BYTES_MAX
    }

    /// Writes one frame: the records and the position updates, together. After an error nothing has
    /// changed and the same call may be made again.
    pub(super) fn write(&mut self, records: &mut Vec<u8>, positions: &PositionUpdates) -> Result<(), Error> {
        let records_end = records.len();
        for (key, value) in positions {
            record::put_position(records, key, value.as_deref());
        }
        let written = self.write_payload(&record::pack(records));
        records.truncate(records_end);
        written?;
        for (key, value) in positions {
            match value {
                Some(value) => drop(self.positions.insert(key.clone(), value.clone())),
                None => drop(self.positions.remove(key)),
            }
        }
        Ok(())
    }

    fn write_payload(&mut self, payload: &[u8]) -> Result<(), Error> {
        let bytes = (FRAME_HEADER_BYTES + payload.len()) as u64;
        if self.segment.as_ref().is_none_or(|segment| segment.end + bytes > segment.capacity) {
            self.open_segment(bytes)?;
        }
        self.write_frame(payload)
    }

    fn write_frame(&mut self, payload: &[u8]) -> Result<(), Error> {
        let Some(segment) = &mut self.segment else { return Err(Error::Closing) };
        let start = self.unsynced.len();
        if start == 0 {
            self.unsynced_at = segment.end;
        }
        frame::put(&mut self.unsynced, self.next_sequence, self.durable_sequence, payload);
        let frame = &self.unsynced[start..];
        if let Err(source) = segment.file.write_all_at(frame, segment.end) {
            self.unsynced.truncate(start);
            return Err(Error::io("write", &segment.path, source));
        }
        segment.end += frame.len() as u64;
        self.bytes_written += frame.len() as u64;
        self.next_sequence += 1;
        Ok(())
    }

    /// Makes all frames durable.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let Some(segment) = &self.segment else { return Ok(()) };
        if self.unsynced.is_empty() {
            return Ok(());
        }
        if self.rewrite {
            let rewritten = segment.file.write_all_at(&self.unsynced, self.unsynced_at);
            rewritten.map_err(|source| Error::io("write", &segment.path, source))?;
        }
        if let Err(source) = segment.file.sync() {
            self.rewrite = true;
            return Err(Error::io("sync", &segment.path, source));
        }
        self.rewrite = false;
        self.unsynced.clear();
        self.unsynced.shrink_to(UNSYNCED_BYTES_MAX);
        self.durable_sequence = self.next_sequence - 1;
        self.syncs += 1;
        Ok(())
    }

    /// Starts a segment with room for a frame of `bytes`: a spare one if there is one, else a new one.
    fn open_segment(&mut self, bytes: u64) -> Result<(), Error> {
        self.sync()?;
        let mut positions = Vec::new();
        record::put_positions_complete(&mut positions);
        for (key, value) in &self.positions {
            record::put_position(&mut positions, key, Some(value));
        }
        let needed = (SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + positions.len()) as u64 + bytes;
        let number = self.next_number;
        let path = segment_path(&self.dir, number);
        let capacity = SEGMENT_BYTES.max(needed);
        if capacity == SEGMENT_BYTES && !self.spare.is_empty() {
            let spare = &self.spare[self.spare.len() - 1];
            self.disk.rename(spare, &path).map_err(|source| Error::io("rename", spare, source))?;
            self.spare.pop();
        }
        let file = self.disk.open(&path, Open::Create).map_err(|source| Error::io("create", &path, source))?;
        let capacity = match self.prepare(&*file, &path, number, capacity) {
            // Sealing begins with a commit, and is what makes room: the commit gets what it needs and no more.
            Err(error) if error.is_disk_full() && needed < capacity => {
                file.set_len(0).map_err(|source| Error::io("cut", &path, source))?;
                self.prepare(&*file, &path, number, needed)?;
                needed
            }
            prepared => prepared.map(|()| capacity)?,
        };
        self.disk.sync_dir(&self.dir).map_err(|source| Error::io("sync", &self.dir, source))?;
        self.segment = Some(Segment { file, path, number, end: SEGMENT_HEADER_BYTES as u64, capacity });
        if let Err(error) = self.write_frame(&positions) {
            self.segment = None; // the next try starts this segment anew
            return Err(error);
        }
        self.numbers.push(number);
        self.next_number = number + 1;
        Ok(())
    }

    /// Fills a segment with zeros as far as it does not exist yet, so that a commit changes no
    /// length and no allocation, and writes its header.
    fn prepare(&mut self, file: &dyn DiskFile, path: &Path, number: u64, capacity: u64) -> Result<(), Error> {
        // The kernel keeps what one write has written together, and counts all of it as written again when a
        // byte of it changes: so no more at a time than a commit changes.
        let zeros = [0; 4 << 10];
        let mut at = file.len().map_err(|source| Error::io("read", path, source))?;
        while at < capacity {
            let len = (capacity - at).min(zeros.len() as u64);
            let slice = &zeros[..usize::try_from(len).unwrap_or(zeros.len())];
            file.write_all_at(slice, at).map_err(|source| Error::io("write", path, source))?;
            self.bytes_written += len;
            at += len;
        }
        let header = segment_header(number);
        file.write_all_at(&header, 0).map_err(|source| Error::io("write", path, source))?;
        file.sync().map_err(|source| Error::io("sync", path, source))
    }

    /// Lets go of all segments before `oldest_needed`, but never of the newest: after a start, and until
    /// the first commit, it is the only place of the positions.
    pub(super) fn release(&mut self, oldest_needed: u64) -> Result<(), Error> {
        let current = self.current_number();
        let mut removed = false;
        while self.numbers.len() > 1 {
            let number = self.numbers[0];
            if number >= oldest_needed.min(current) {
                break;
            }
            // The newest segment repeats the positions, but counts only once it is durable.
            self.sync()?;
            let path = segment_path(&self.dir, number);
            let recyclable = self.spare.len() < SPARE_SEGMENTS_MAX
                && self.disk.open(&path, Open::Read).and_then(|file| file.len()).is_ok_and(|len| len == SEGMENT_BYTES);
            if recyclable {
                let spare = self.dir.join(format!("{number:016x}.spare"));
                self.disk.rename(&path, &spare).map_err(|source| Error::io("rename", &path, source))?;
                self.spare.push(spare);
            } else {
                self.disk.remove(&path).map_err(|source| Error::io("remove", &path, source))?;
            }
            self.numbers.remove(0);
            removed = true;
        }
        if removed {
            self.disk.sync_dir(&self.dir).map_err(|source| Error::io("sync", &self.dir, source))?;
        }
        Ok(())
    }
}

fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.wal"))
}

/// For fuzzing: a segment with one commit that holds `payload`.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn segment_of(payload: &[u8]) -> Vec<u8> {
    let mut segment = segment_header(1).to_vec();
    frame::put(&mut segment, 1, 0, payload);
    segment
}

fn segment_header(number: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut header = [0; SEGMENT_HEADER_BYTES];
    header[..8].copy_from_slice(&SEGMENT_MAGIC);
    header[8..16].copy_from_slice(&number.to_le_bytes());
    let crc = crc32fast::hash(&header[..16]);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    header
}
