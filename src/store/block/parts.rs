//! Reads a block part by part: what a query does not need is neither read from the disk, nor verified,
//! nor inflated.

use std::ops::Range;

use super::{Codec, Header, Metadata, Part, metadata, templates, text, timestamps};
use crate::store::codec::{inflate, inflate_padded};

/// A block of which any part can be read. `read` gives the bytes of a range from the start of the block.
pub(in crate::store) struct Parts<'h, R> {
    header: &'h Header,
    read: R,
}

impl<'h, R> Parts<'h, R> {
    pub(in crate::store) fn new(header: &'h Header, read: R) -> Self {
        Self { header, read }
    }
}

impl<R, B, E> Parts<'_, R>
where
    R: Fn(Range<usize>) -> Result<B, E>,
    B: AsRef<[u8]>,
    E: From<&'static str>,
{
    /// The skip filter, for [`super::may_contain`]; empty if the block has none.
    pub(in crate::store) fn filter(&self) -> Result<B, E> {
        self.stored(self.header.filter, self.header.offsets()[0], "checksum of the filter")
    }

    /// The time stamp of each line in nanoseconds, rising.
    pub(in crate::store) fn timestamps_ns(&self) -> Result<Vec<i64>, E> {
        let Header { timestamps: part, lines, .. } = self.header;
        let stored = self.stored(*part, self.header.offsets()[1], "checksum of the time stamps")?;
        let decode = || timestamps::decode(&inflate(stored.as_ref(), part.raw as usize)?, *lines as usize);
        decode().map_err(|malformed| malformed.0.into())
    }

    /// The structured metadata of each line.
    pub(in crate::store) fn metadata(&self) -> Result<Metadata, E> {
        let Header { metadata: part, lines, has_metadata_columns, .. } = self.header;
        let stored = self.stored(*part, self.header.offsets()[2], "checksum of the metadata")?;
        let decode = || {
            let bytes = inflate(stored.as_ref(), part.raw as usize)?;
            let decode = if *has_metadata_columns { metadata::decode } else { metadata::decode_sets };
            decode(&bytes, *lines as usize)
        };
        decode().map_err(|malformed| malformed.0.into())
    }

    /// The lines, inflated but not yet put together.
    pub(in crate::store) fn text(&self) -> Result<PackedText<'_>, E> {
        let Header { text: part, side, .. } = self.header;
        let [.., text_at, side_at] = self.header.offsets();
        let stored = self.stored(*part, text_at, "checksum of the text")?;
        let padding = match self.header.codec {
            Codec::Text => 0,
            Codec::Templates => templates::MOVE_BYTES,
        };
        let text = inflate_padded(stored.as_ref(), part.raw as usize, padding).map_err(|malformed| malformed.0)?;
        let stored = self.stored(*side, side_at, "checksum of the columns beside the text")?;
        let side = inflate_padded(stored.as_ref(), side.raw as usize, padding).map_err(|malformed| malformed.0)?;
        Ok(PackedText { header: self.header, text, side })
    }

    fn stored(&self, part: Part, start: usize, damage: &'static str) -> Result<B, E> {
        let stored = (self.read)(start..start + part.stored as usize)?;
        if crc32fast::hash(stored.as_ref()) == part.crc { Ok(stored) } else { Err(damage.into()) }
    }
}

/// The lines of a block, inflated but not yet put together.
pub(in crate::store) struct PackedText<'h> {
    header: &'h Header,
    text: Vec<u8>,
    side: Vec<u8>,
}

impl PackedText<'_> {
    /// Whether a line may hold `needle`, upper and lower case told apart. Costs searches over what is
    /// inflated, which with templates is a fraction of the text: runs of letters and digits lie there in one piece,
    /// unless they are digits only, which columns keep as numbers, or hexadecimal ones, which may be packed beside it.
    pub(in crate::store) fn may_contain(&self, needle: &[u8]) -> bool {
        let runs = needle.split(|byte| !byte.is_ascii_alphanumeric());
        runs.filter(|run| !run.iter().all(u8::is_ascii_digit)).all(|run| {
            memchr::memmem::find(&self.text, run).is_some()
                || run.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                    && templates::may_be_packed(&self.side, run)
        })
    }

    /// All lines, each followed by a newline, and the places of these newlines. Takes the time stamps of the block.
    pub(in crate::store) fn unpack(self, timestamps_ns: &[i64]) -> Result<(Vec<u8>, Vec<u32>), &'static str> {
        let (text_bytes, lines) = (self.header.text_bytes as usize, self.header.lines as usize);
        match self.header.codec {
            Codec::Text => text::decode(self.text, text_bytes, lines, self.header.has_lengths),
            Codec::Templates => templates::rebuild(&self.text, &self.side, text_bytes, timestamps_ns),
        }
        .map_err(|malformed| malformed.0)
    }
}
