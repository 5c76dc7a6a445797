//! Codec 1: the lines of a block as they are, each followed by a newline. If a line holds a newline
//! of its own, the lengths of all lines follow behind the text as LEB128 numbers.

use super::super::codec::{Malformed, Reader, put_u64};
use crate::labels::Entries;

/// The column of lengths behind the text before DEFLATE; `None` if the newlines tell them.
pub(super) fn lengths(entries: &Entries) -> Option<Vec<u8>> {
    if memchr::memchr_iter(b'\n', entries.text()).count() == entries.len() {
        return None;
    }
    let mut out = Vec::new();
    for at in 0..entries.len() {
        put_u64(&mut out, entries.line(at).len() as u64);
    }
    Some(out)
}

/// The text and the place of the newline after each line.
pub(super) fn decode(
    mut part: Vec<u8>,
    text_bytes: usize,
    lines: usize,
    has_lengths: bool,
) -> Result<(Vec<u8>, Vec<u32>), Malformed> {
    if text_bytes > part.len() || lines > text_bytes {
        return Err(Malformed("text shorter than it says"));
    }
    let mut ends = Vec::with_capacity(lines);
    if has_lengths {
        let mut reader = Reader::new(&part[text_bytes..]);
        let mut start = 0u64;
        for _ in 0..lines {
            let end = start.saturating_add(reader.u64()?);
            if end >= text_bytes as u64 {
                return Err(Malformed("line beyond the text"));
            }
            ends.push(u32::try_from(end).map_err(|_| Malformed("text over 4 GiB"))?);
            start = end + 1;
        }
        if !reader.is_empty() {
            return Err(Malformed("bytes after the lengths"));
        }
    } else {
        if part.len() != text_bytes {
            return Err(Malformed("bytes after the text"));
        }
        for end in memchr::memchr_iter(b'\n', &part) {
            ends.push(u32::try_from(end).map_err(|_| Malformed("text over 4 GiB"))?);
        }
    }
    part.truncate(text_bytes);
    Ok((part, ends))
}
