//! Reading the log after a start: every commit that counts, in order, and what had to be left out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    SEGMENT_HEADER_BYTES, SEGMENT_MAGIC,
    frame::{self, Found, Frame},
    record::{self, Record},
};
use crate::store::{
    codec::Reader,
    disk::{Disk, Open},
    error::Error,
};

/// A segment larger than this is no segment of ours: it is not read into memory.
const SEGMENT_READ_MAX: u64 = 1 << 30;

/// What the log held.
#[derive(Debug, Default)]
pub(in crate::store) struct Replay {
    pub(in crate::store) positions: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Numbers of the segments that hold commits, oldest first.
    pub(super) segments: Vec<u64>,
    /// Segments that hold none and can be recycled.
    pub(super) unused: Vec<PathBuf>,
    pub(super) next_sequence: u64,
    pub(in crate::store) commits: u64,
    /// One sentence for each thing that was not as it should be.
    pub(in crate::store) findings: Vec<String>,
}

/// Reads all segments in `dir`. `apply` gets the entries of each record with the number of its segment.
pub(in crate::store) fn replay(
    disk: &dyn Disk,
    dir: &Path,
    mut apply: impl FnMut(u64, Record<'_>),
) -> Result<Replay, Error> {
    let mut replay = Replay { next_sequence: 1, ..Replay::default() };
    let mut segments = Vec::new();
    for name in disk.list(dir).map_err(|source| Error::io("list", dir, source))? {
        let path = dir.join(&name.name);
        match name.name.split_once('.') {
            Some((number, "wal")) => match u64::from_str_radix(number, 16) {
                Ok(number) => segments.push((number, path)),
                Err(_) => replay.findings.push(format!("{} is no segment of the log; left alone", path.display())),
            },
            Some((_, "spare")) => replay.unused.push(path),
            _ => replay.findings.push(format!("{} is no segment of the log; left alone", path.display())),
        }
    }
    segments.sort();
    let mut expected = None;
    for (number, path) in segments {
        let bytes = read(disk, &path)?;
        let before = replay.commits;
        check_version(&bytes, &path)?;
        expected = read_segment(&bytes, number, &path, expected, &mut replay, &mut apply);
        if replay.commits > before {
            replay.segments.push(number);
        } else {
            // Renamed for recycling or created, but without a commit: what it holds is of no use.
            let spare = path.with_extension("spare");
            disk.rename(&path, &spare).map_err(|source| Error::io("rename", &path, source))?;
            replay.unused.push(spare);
        }
    }
    replay.next_sequence = expected.unwrap_or(1);
    Ok(replay)
}

/// Refuses segments of a later format. A damaged header does not matter otherwise: the sequence
/// numbers of the frames say what counts.
fn check_version(bytes: &[u8], path: &Path) -> Result<(), Error> {
    let [name @ .., version, _] = SEGMENT_MAGIC;
    match bytes.get(..SEGMENT_MAGIC.len()) {
        Some([found @ .., found_version, _]) if *found == name && *found_version > version => Err(Error::Format {
            path: path.into(),
            what: format!("it is a segment of version {found_version}, this program knows version {version}"),
        }),
        _ => Ok(()),
    }
}

/// The bytes of a segment, made durable: after a mere restart they may still be in the page cache only.
fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, Error> {
    let file = disk.open(path, Open::Write).map_err(|source| Error::io("open", path, source))?;
    let len = file.len().map_err(|source| Error::io("read", path, source))?;
    if len > SEGMENT_READ_MAX {
        return Err(Error::Format {
            path: path.into(),
            what: format!("{len} bytes are too many for a segment of the log"),
        });
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0).map_err(|source| Error::io("read", path, source))?;
    file.sync().map_err(|source| Error::io("sync", path, source))?;
    Ok(bytes)
}

/// Applies the frames of one segment that continue the log; returns the sequence number that comes next.
fn read_segment(
    bytes: &[u8],
    number: u64,
    path: &Path,
    mut expected: Option<u64>,
    replay: &mut Replay,
    apply: &mut impl FnMut(u64, Record<'_>),
) -> Option<u64> {
    let mut at = SEGMENT_HEADER_BYTES;
    loop {
        let frame = match (frame::look(bytes, at), expected) {
            (Found::Whole(frame), None) => frame,
            (Found::Whole(frame), Some(expected)) if frame.sequence == expected => frame,
            // The segments before were removed, or lost, while all they held was durable.
            (Found::Whole(frame), Some(expected))
                if frame.sequence > expected && frame.durable >= expected && at == SEGMENT_HEADER_BYTES =>
            {
                lost(replay, path, at, expected, frame);
                frame
            }
            (found, Some(missing)) => {
                if let Some((found_at, frame)) = frame::search(bytes, at, missing) {
                    lost(replay, path, at, missing, frame);
                    at = found_at;
                    frame
                } else {
                    if matches!(found, Found::Torn { sequence } if sequence == missing) {
                        replay.findings.push(format!(
                            "an unfinished commit at byte {at} of {} was dropped; followed files are read again from before it",
                            path.display()
                        ));
                    }
                    return expected;
                }
            }
            (_, None) => match frame::search(bytes, at, 0) {
                Some((found_at, frame)) => {
                    lost(replay, path, at, 1, frame);
                    at = found_at;
                    frame
                }
                None => return None,
            },
        };
        apply_frame(frame, number, path, replay, apply);
        replay.commits += 1;
        expected = Some(frame.sequence + 1);
        at += frame::FRAME_HEADER_BYTES + frame.payload.len();
    }
}

fn lost(replay: &mut Replay, path: &Path, at: usize, missing: u64, next: Frame<'_>) {
    replay.findings.push(format!(
        "commits {missing} to {} are damaged at byte {at} of {}; those after them were recovered",
        next.sequence - 1,
        path.display()
    ));
}

fn apply_frame(
    frame: Frame<'_>,
    number: u64,
    path: &Path,
    replay: &mut Replay,
    apply: &mut impl FnMut(u64, Record<'_>),
) {
    let unpacked = record::unpack(frame.payload);
    // A payload that cannot be unpacked is read as it is, and so named as what cannot be read.
    let mut reader = Reader::new(unpacked.as_deref().unwrap_or(frame.payload));
    loop {
        match record::take(&mut reader) {
            Ok(None) => return,
            Ok(Some(Record::PositionsComplete)) => replay.positions.clear(),
            Ok(Some(Record::Position { key, value })) => drop(replay.positions.insert(key.to_vec(), value.to_vec())),
            Ok(Some(Record::PositionForgotten { key })) => drop(replay.positions.remove(key)),
            Ok(Some(entries)) => apply(number, entries),
            Err(malformed) => {
                replay.findings.push(format!(
                    "commit {} of {} holds a record this version cannot read ({}); the rest of it was left out",
                    frame.sequence,
                    path.display(),
                    malformed.0
                ));
                return;
            }
        }
    }
}
