//! The form in which positions are handed to the store, which keeps them as opaque keys and values in
//! the same commit as the entries. A damaged or unknown value is `None`: the file is then treated
//! as one that was never read, which is a slow start but no refusal.
//!
//! Key of a file: `f`, number (u64, big-endian: keys sort by age). Value, little-endian:
//! version (u8, 1), flags (u8: 1 inside a line, 2 skipping a line, 4 rotated, 8 held), boot id (16 bytes), device (u64),
//! inode (u64), birth (i64, 0 unknown), position (u64), size last seen (u64), change last seen (i64),
//! gone since (i64, 0 present), head (u16 length, u64 hash), anchor (u16 length, u64 hash),
//! if held: byte up to which was stored what came out of the stages (u64), and hash of these (u64),
//! job (u16 length, bytes; empty unless it takes files of earlier jobs), path (the rest).
//! Key of a job that has run: `j`, name. Its value is a version (u8, 1).
//! Key of a place in the journal: `c`, name of the job. Its value: see `source/journal.rs`.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use super::{
    identity::{Mark, Progress},
    lines::LineState,
    meta::FileId,
};

const VERSION: u8 = 1;
const FLAG_INSIDE_LINE: u8 = 1;
const FLAG_SKIPPING: u8 = 2;
const FLAG_ROTATED: u8 = 4;
const FLAG_HELD: u8 = 8;

/// What is kept of one file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Position {
    /// Boot in which the device number was valid.
    pub(super) boot: BootId,
    pub(super) id: FileId,
    pub(super) progress: Progress,
    pub(super) state: LineState,
    /// Stages held lines back: what came out of those before this byte was stored. Zero: none were held.
    pub(super) stored_to: u64,
    /// Tells pipelines apart: with other stages, other lines come out.
    pub(super) pipeline: u64,
    /// The file lost its name to another one before the position was stored.
    pub(super) rotated: bool,
    /// Size when it was last looked at; what lies between position and size was never read.
    pub(super) size: u64,
    /// Change time when it was last looked at, in nanoseconds since 1970.
    pub(super) modified_ns: i64,
    /// When the file was first missed, in nanoseconds since 1970.
    pub(super) gone_since_ns: Option<i64>,
    /// Name of the job, if it takes files that an earlier job has as well; else empty.
    pub(super) scope: String,
    /// Path under which the file was followed.
    pub(super) path: PathBuf,
}

/// The kernel's id of a boot; zeros where it cannot be read.
pub(super) type BootId = [u8; 16];

/// The id of the present boot.
pub(super) fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut id = [0; 16];
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).filter_map(|digit| u8::try_from(digit).ok()).collect();
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    id
}

/// What a key of the store stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A file, by its number.
    File(u64),
    /// A job that has run, by its name.
    Job(String),
    /// How far a job has read the journal, by its name.
    Cursor(String),
}

impl Key {
    /// The bytes of the key.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::File(number) => [&b"f"[..], &number.to_be_bytes()].concat(),
            Self::Job(name) => [b"j", name.as_bytes()].concat(),
            Self::Cursor(name) => [b"c", name.as_bytes()].concat(),
        }
    }

    /// The key of some bytes; `None` if they are none of ours.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (b'f', number) => Some(Self::File(u64::from_be_bytes(number.try_into().ok()?))),
            (b'j', name) => Some(Self::Job(String::from_utf8(name.to_vec()).ok()?)),
            (b'c', name) => Some(Self::Cursor(String::from_utf8(name.to_vec()).ok()?)),
            _ => None,
        }
    }
}

/// The value that says that a job has run.
pub(super) fn job_value() -> Vec<u8> {
    vec![VERSION]
}

impl Position {
    /// The bytes of the value.
    pub(super) fn encode(&self) -> Vec<u8> {
        let flags = match self.state {
            LineState::Start => 0,
            LineState::Inside => FLAG_INSIDE_LINE,
            LineState::Skipping => FLAG_SKIPPING,
        } | if self.rotated { FLAG_ROTATED } else { 0 }
            | if self.stored_to > 0 { FLAG_HELD } else { 0 };
        let path = self.path.as_os_str().as_bytes();
        let scope = &self.scope.as_bytes()[..self.scope.len().min(usize::from(u16::MAX))];
        let mut out = Vec::with_capacity(100 + scope.len() + path.len());
        out.extend([VERSION, flags]);
        out.extend(self.boot);
        out.extend(self.id.device.to_le_bytes());
        out.extend(self.id.inode.to_le_bytes());
        out.extend(self.id.birth_ns.unwrap_or(0).to_le_bytes());
        out.extend(self.progress.position.to_le_bytes());
        out.extend(self.size.to_le_bytes());
        out.extend(self.modified_ns.to_le_bytes());
        out.extend(self.gone_since_ns.unwrap_or(0).to_le_bytes());
        for mark in [self.progress.head, self.progress.anchor] {
            out.extend(mark.len.to_le_bytes());
            out.extend(mark.hash.to_le_bytes());
        }
        if self.stored_to > 0 {
            out.extend(self.stored_to.to_le_bytes());
            out.extend(self.pipeline.to_le_bytes());
        }
        out.extend(u16::try_from(scope.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(scope);
        out.extend(path);
        out
    }

    /// Reads a value back; `None` if it is damaged or of an unknown version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        if rest.take::<1>()? != [VERSION] {
            return None;
        }
        let [flags] = rest.take()?;
        let state = match flags & !(FLAG_ROTATED | FLAG_HELD) {
            0 => LineState::Start,
            FLAG_INSIDE_LINE => LineState::Inside,
            FLAG_SKIPPING => LineState::Skipping,
            _ => return None,
        };
        let boot = rest.take()?;
        let (device, inode, birth_ns) = (rest.u64()?, rest.u64()?, some(rest.i64()?));
        let (position, size, modified_ns) = (rest.u64()?, rest.u64()?, rest.i64()?);
        let gone_since_ns = some(rest.i64()?);
        let head = Mark { len: rest.u16()?, hash: rest.u64()? };
        let anchor = Mark { len: rest.u16()?, hash: rest.u64()? };
        let (stored_to, pipeline) = if flags & FLAG_HELD == 0 { (0, 0) } else { (rest.u64()?, rest.u64()?) };
        let scope_len = usize::from(rest.u16()?);
        let (scope, path) = rest.0.split_at_checked(scope_len)?;
        let lengths_fit = [(head, super::identity::HEAD_BYTES_MAX), (anchor, super::identity::ANCHOR_BYTES_MAX)]
            .iter()
            .all(|(mark, max)| usize::from(mark.len) <= *max && u64::from(mark.len) <= position);
        (lengths_fit && !path.is_empty()).then_some(())?;
        Some(Self {
            boot,
            id: FileId { device, inode, birth_ns },
            progress: Progress { position, head, anchor },
            state,
            stored_to,
            pipeline,
            rotated: flags & FLAG_ROTATED != 0,
            size,
            modified_ns,
            gone_since_ns,
            scope: String::from_utf8(scope.to_vec()).ok()?,
            path: OsString::from_vec(path.to_vec()).into(),
        })
    }
}

/// What is not decoded yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }
}

/// A number of which zero stands for none.
fn some(number: i64) -> Option<i64> {
    Some(number).filter(|number| *number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Position {
        Position {
            boot: boot_id(),
            id: FileId { device: 1, inode: 2, birth_ns: Some(3) },
            progress: Progress { position: 400, head: Mark::of(b"abc"), anchor: Mark::of(b"xyz") },
            state: LineState::Inside,
            stored_to: 480,
            pipeline: 17,
            rotated: true,
            size: 500,
            modified_ns: -7,
            gone_since_ns: None,
            scope: "second".into(),
            path: OsString::from_vec(b"/var/log/\xff.log".to_vec()).into(),
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        let position = sample();
        assert_eq!(Position::decode(&position.encode()), Some(position.clone()));
        let other = Position {
            id: FileId { birth_ns: None, ..position.id },
            state: LineState::Skipping,
            stored_to: 0,
            pipeline: 0,
            rotated: false,
            gone_since_ns: Some(9),
            scope: String::new(),
            ..position
        };
        assert_eq!(Position::decode(&other.encode()), Some(other));
        for key in [Key::File(258), Key::Job("varlogs".into()), Key::Cursor("journal".into())] {
            assert_eq!(Key::decode(&key.encode()), Some(key));
        }
        assert_eq!((Key::decode(b""), Key::decode(b"x1"), Key::decode(b"f12")), (None, None, None));
    }

    /// The store checks its records, but a value may come from another version.
    #[test]
    fn damage_is_no_panic() {
        let bytes = sample().encode();
        for cut in 0..bytes.len() - b"/var/log/x.log".len() {
            assert_eq!(Position::decode(&bytes[..cut]), None, "cut at byte {cut}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let _ = Position::decode(&damaged);
            }
        }
        assert_eq!(Position::decode(&[&[VERSION + 1], &bytes[1..]].concat()), None);
    }
}
