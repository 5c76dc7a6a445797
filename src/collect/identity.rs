//! Whether a file is the one that was read before, and how much of what was read it still holds.
//! Two hashes answer that together with the file id: the *head* covers the first bytes that were
//! read, the *anchor* the last ones before the position. Both cover only bytes behind which the
//! position lies, so equal hashes say that exactly the consumed text is still there.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::meta::FileId;

/// Bytes that the head covers at most.
pub(super) const HEAD_BYTES_MAX: usize = 1024;
/// Bytes that the anchor covers at most.
pub(super) const ANCHOR_BYTES_MAX: usize = 64;
/// A file under another inode counts as a copy of what was read only if at least this much agrees:
/// two short beginnings are easily equal, and a line read twice is better than a line lost.
pub(super) const COPY_BYTES_MIN: u64 = 64;

/// Hash of a run of bytes and their number. FNV-1a with 64 bits, because it can be continued byte by
/// byte and is the same in every version: <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) len: u16,
    pub(super) hash: u64,
}

impl Mark {
    /// Of no bytes.
    pub(super) const EMPTY: Self = Self { len: 0, hash: 0xcbf2_9ce4_8422_2325 };

    /// Of a short run of bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut mark = Self::EMPTY;
        mark.extend(bytes, bytes.len());
        mark
    }

    /// Continues with the bytes that follow, until `len_max` bytes are covered.
    pub(super) fn extend(&mut self, bytes: &[u8], len_max: usize) {
        let take = bytes.len().min(len_max.saturating_sub(usize::from(self.len)));
        for byte in &bytes[..take] {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.len = u16::try_from(usize::from(self.len) + take).unwrap_or(u16::MAX);
    }

    /// Whether the mark covers exactly these bytes.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        *self == Self::of(bytes)
    }
}

/// What was read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Byte read up to.
    pub(super) position: u64,
    /// Over the first bytes before the position.
    pub(super) head: Mark,
    /// Over the last bytes before the position.
    pub(super) anchor: Mark,
}

impl Progress {
    /// Nothing was read.
    pub(super) const START: Self = Self { position: 0, head: Mark::EMPTY, anchor: Mark::EMPTY };

    /// As if everything before a position had been read; reads what the marks cover.
    pub(super) fn at(file: &File, position: u64) -> io::Result<Self> {
        let mut bytes = [0; HEAD_BYTES_MAX];
        let len = usize::try_from(position).map_or(HEAD_BYTES_MAX, |position| position.min(HEAD_BYTES_MAX));
        file.read_exact_at(&mut bytes[..len], 0)?;
        let head = Mark::of(&bytes[..len]);
        let len = len.min(ANCHOR_BYTES_MAX);
        file.read_exact_at(&mut bytes[..len], position - len as u64)?;
        Ok(Self { position, head, anchor: Mark::of(&bytes[..len]) })
    }

    /// Whether a file begins with what was read first.
    pub(super) fn head_is_in(&self, file: &File) -> io::Result<bool> {
        let mut bytes = [0; HEAD_BYTES_MAX];
        let head = &mut bytes[..usize::from(self.head.len).min(HEAD_BYTES_MAX)];
        match file.read_exact_at(head, 0) {
            Ok(()) => Ok(self.head.is_of(head)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a file holds all that was read, unless that is nothing.
    pub(super) fn is_in(&self, file: &File) -> io::Result<bool> {
        let size = file.metadata()?.len();
        let equal = self.compare(file, size)? == (Compared::Equal, Compared::Equal);
        Ok(self.position > 0 && size >= self.position && equal)
    }

    /// Compares with a file's contents.
    pub(super) fn compare(&self, file: &File, size: u64) -> io::Result<(Compared, Compared)> {
        let at = |mark: Mark, start: u64| {
            let len = usize::from(mark.len);
            if start + u64::from(mark.len) > size {
                return Ok(Compared::Short);
            }
            let mut bytes = [0; HEAD_BYTES_MAX];
            match file.read_exact_at(&mut bytes[..len.min(HEAD_BYTES_MAX)], start) {
                Ok(()) if mark.is_of(&bytes[..len.min(HEAD_BYTES_MAX)]) => Ok(Compared::Equal),
                Ok(()) => Ok(Compared::Differs),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Compared::Short),
                Err(error) => Err(error),
            }
        };
        Ok((at(self.head, 0)?, at(self.anchor, self.position.saturating_sub(u64::from(self.anchor.len)))?))
    }
}

/// Outcome of comparing a mark with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The bytes are those that were read.
    Equal,
    /// Other bytes are there.
    Differs,
    /// The file ends before them.
    Short,
}

/// What is found under a name that was followed before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed {
    pub(super) id: FileId,
    pub(super) size: u64,
    pub(super) head: Compared,
    pub(super) anchor: Compared,
    /// The file that was read before is still open, or was found under another name.
    pub(super) old_is_elsewhere: bool,
}

/// What a file is, compared with one that was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same file: continue at the position.
    Same,
    /// The same file, but what was read is gone from it: look for a copy, then from the start.
    Truncated,
    /// The same file, which lost its end in a power cut: continue at its end.
    TailLost,
    /// Another file, while the old one exists: finish that one, then this one from the start.
    Rotated,
    /// Another file with the text that was read, as an editor or a restored backup leaves it: continue.
    Copied,
    /// Another file, and the old one is gone: from the start.
    Replaced,
}

/// Decides what a file is. `id` and `progress` tell what was read before, `same_boot` whether that was
/// since the host started.
pub(super) fn verdict(id: &FileId, progress: &Progress, same_boot: bool, observed: &Observed) -> Verdict {
    use Compared::{Differs, Equal};
    let holds_it = observed.size >= progress.position && observed.head == Equal && observed.anchor == Equal;
    if id.is(&observed.id, same_boot) {
        if holds_it {
            Verdict::Same
        } else if !same_boot && observed.size < progress.position && observed.head == Equal {
            Verdict::TailLost
        } else {
            Verdict::Truncated
        }
    } else if observed.old_is_elsewhere {
        Verdict::Rotated
    } else if holds_it && progress.position >= COPY_BYTES_MIN && observed.anchor != Differs {
        Verdict::Copied
    } else {
        Verdict::Replaced
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Compared::{Differs, Equal, Short},
        Verdict::{Copied, Replaced, Rotated, Same, TailLost, Truncated},
        *,
    };

    #[test]
    fn decides_by_the_table() {
        let file = |inode, birth| FileId { device: 1, inode, birth_ns: birth };
        let known = file(7, Some(100));
        let read = |position| Progress { position, ..Progress::START };
        let (here, elsewhere) = (false, true);
        for (row, position, same_boot, id, size, head, anchor, old, expected) in [
            ("grown", 100, true, known, 200, Equal, Equal, here, Same),
            ("unchanged", 100, true, known, 100, Equal, Equal, here, Same),
            ("rewritten behind an equal beginning", 100, true, known, 200, Equal, Differs, here, Truncated),
            ("truncated", 100, true, known, 50, Equal, Short, here, Truncated),
            ("truncated to nothing", 100, true, known, 0, Short, Short, here, Truncated),
            ("power cut took the tail", 100, false, known, 50, Equal, Short, here, TailLost),
            ("power cut took more than the head", 100, false, known, 50, Short, Short, here, Truncated),
            ("truncated while down over a reboot", 100, false, known, 50, Differs, Short, here, Truncated),
            ("truncated and regrown", 100, true, known, 200, Differs, Differs, here, Truncated),
            ("inode reused", 100, true, file(7, Some(200)), 200, Differs, Differs, here, Replaced),
            ("no birth time on one side", 100, true, file(7, None), 200, Equal, Equal, here, Same),
            ("rename and create", 100, true, file(8, Some(200)), 10, Differs, Short, elsewhere, Rotated),
            (
                "equal beginnings never merge live files",
                100,
                true,
                file(8, None),
                200,
                Equal,
                Equal,
                elsewhere,
                Rotated,
            ),
            ("saved by an editor", 100, true, file(8, Some(200)), 200, Equal, Equal, here, Copied),
            ("short beginnings prove nothing", 10, true, file(8, Some(200)), 20, Equal, Equal, here, Replaced),
            ("rotated and deleted", 100, true, file(8, Some(200)), 50, Equal, Short, here, Replaced),
            (
                "the device number changed with the boot",
                100,
                false,
                FileId { device: 2, ..known },
                100,
                Equal,
                Equal,
                here,
                Same,
            ),
            (
                "same inode on another device",
                100,
                true,
                FileId { device: 2, ..known },
                50,
                Differs,
                Short,
                here,
                Replaced,
            ),
        ] {
            let observed = Observed { id, size, head, anchor, old_is_elsewhere: old };
            assert_eq!(verdict(&known, &read(position), same_boot, &observed), expected, "{row}");
        }
    }

    #[test]
    fn a_mark_continued_equals_a_mark_at_once() {
        let bytes: Vec<u8> = (0..2000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for cut in [0, 1, 500, 1023, 1024, 1500] {
            let mut mark = Mark::EMPTY;
            mark.extend(&bytes[..cut], HEAD_BYTES_MAX);
            mark.extend(&bytes[cut..], HEAD_BYTES_MAX);
            assert!(mark.is_of(&bytes[..HEAD_BYTES_MAX]), "cut at {cut}");
        }
        // The first value of the reference tables: FNV-1a of "a".
        assert_eq!(Mark::of(b"a").hash, 0xaf63_dc4c_8601_ec8c);
    }
}
