//! The header of a block: 112 bytes, little-endian.
//!
//! | offset | bytes | |
//! | --- | --- | --- |
//! | 0 | 4 | `NRVB` |
//! | 4 | 1 | version: 1 |
//! | 5 | 1 | codec: 1 text as it is, 2 templates and columns |
//! | 6 | 2 | flags: bit 0, codec 1 only: the text part ends with the lengths of the lines; bit 1: the metadata are columns; the others are 0 |
//! | 8 | 4 | number of the stream |
//! | 12 | 4 | lines, at least 1 |
//! | 16 | 8 | number of the first entry within the stream |
//! | 24, 32 | 8, 8 | smallest and greatest time stamp, signed nanoseconds since 1970 |
//! | 40 | 4 | bytes of all lines, a newline for each included |
//! | 44 | 5 x 12 | the parts filter, time stamps, metadata, text, side: bytes in the file, bytes once inflated, CRC-32 (IEEE) of the bytes in the file |
//! | 104 | 4 | numbers between those of its entries that no entry of it has |
//! | 108 | 4 | CRC-32 of the bytes before |
//!
//! The parts follow in this order without a gap. A part is deflated (RFC 1951, without a zlib header) if it has
//! fewer bytes in the file than once inflated; filter and side never are.

use std::ops::Range;

/// Length of an encoded header.
pub(in crate::store) const HEADER_BYTES: usize = 112;
/// The first bytes of every block.
pub(in crate::store) const MAGIC: [u8; 4] = *b"NRVB";
const VERSION: u8 = 1;

/// No block holds parts that inflate to more: far above what is ever cut, so a header beyond it is damage.
const PART_BYTES_MAX: u32 = 256 << 20;

/// How the lines of a block are laid out before DEFLATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Codec {
    /// The lines as they are: byte 1.
    Text,
    /// Templates and columns: byte 2.
    Templates,
}

/// A part of a block: where it lies follows from the lengths of the parts before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Part {
    /// Bytes in the file.
    pub(in crate::store) stored: u32,
    /// Bytes once inflated; equal to `stored` if the part is not deflated.
    pub(in crate::store) raw: u32,
    /// CRC-32 of the stored bytes.
    pub(in crate::store) crc: u32,
}

/// What is known of a block without reading its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Header {
    pub(in crate::store) codec: Codec,
    /// Lines hold newlines of their own, so the text part ends with a column of their lengths.
    pub(in crate::store) has_lengths: bool,
    /// The metadata are columns; else whole sets, as the first program wrote them.
    pub(in crate::store) has_metadata_columns: bool,
    pub(in crate::store) stream: u32,
    pub(in crate::store) lines: u32,
    /// Number, within its stream, of the first entry to arrive.
    pub(in crate::store) first_entry: u64,
    pub(in crate::store) min_ns: i64,
    pub(in crate::store) max_ns: i64,
    /// Bytes of all lines, a newline for each included.
    pub(in crate::store) text_bytes: u32,
    /// Numbers that the block covers beyond one for each of its lines: entries that were deleted, or that
    /// other files hold. A commit in the log that has one of them is not needed either.
    pub(in crate::store) missing: u32,
    /// The parts in the order in which they follow the header.
    pub(in crate::store) filter: Part,
    pub(in crate::store) timestamps: Part,
    pub(in crate::store) metadata: Part,
    pub(in crate::store) text: Part,
    /// What a codec keeps beside its text and does not deflate; empty with [`Codec::Text`].
    pub(in crate::store) side: Part,
}

impl Header {
    /// Bytes of the whole block, header included.
    pub(in crate::store) fn block_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.parts().iter().map(|part| u64::from(part.stored)).sum::<u64>()
    }

    /// Numbers of its entries within the stream, and those that it covers without having an entry for.
    pub(in crate::store) fn entry_numbers(&self) -> Range<u64> {
        self.first_entry..self.first_entry + u64::from(self.lines) + u64::from(self.missing)
    }

    fn parts(&self) -> [Part; 5] {
        [self.filter, self.timestamps, self.metadata, self.text, self.side]
    }

    /// Offsets of the parts from the start of the block, in the order of the fields.
    pub(in crate::store) fn offsets(&self) -> [usize; 5] {
        let mut at = HEADER_BYTES;
        self.parts().map(|part| {
            let start = at;
            at += part.stored as usize;
            start
        })
    }

    pub(in crate::store) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&MAGIC);
        put(&[
            VERSION,
            match self.codec {
                Codec::Text => 1,
                Codec::Templates => 2,
            },
        ]);
        put(&(u16::from(self.has_lengths) | u16::from(self.has_metadata_columns) << 1).to_le_bytes());
        put(&self.stream.to_le_bytes());
        put(&self.lines.to_le_bytes());
        put(&self.first_entry.to_le_bytes());
        put(&self.min_ns.to_le_bytes());
        put(&self.max_ns.to_le_bytes());
        put(&self.text_bytes.to_le_bytes());
        for part in self.parts() {
            put(&part.stored.to_le_bytes());
            put(&part.raw.to_le_bytes());
            put(&part.crc.to_le_bytes());
        }
        put(&self.missing.to_le_bytes());
        let crc = crc32fast::hash(&out[..HEADER_BYTES - 4]);
        out[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `Err` says what does not fit; nothing of a header that fails is to be trusted.
    pub(in crate::store) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, &'static str> {
        let mut at = 0;
        if bytes[..4] != MAGIC {
            return Err("no block starts here");
        }
        let crc = u32::from_le_bytes(take(bytes, &mut { HEADER_BYTES - 4 }));
        if crc32fast::hash(&bytes[..HEADER_BYTES - 4]) != crc {
            return Err("checksum of the header");
        }
        at += 4;
        let [version, codec] = take(bytes, &mut at);
        let flags = u16::from_le_bytes(take(bytes, &mut at));
        let codec = match (version, codec, flags) {
            (VERSION, 1, 0..=3) => Codec::Text,
            (VERSION, 2, 0 | 2) => Codec::Templates,
            _ => return Err("version or codec of a later program"),
        };
        let header = Self {
            codec,
            has_lengths: flags & 1 != 0,
            has_metadata_columns: flags & 2 != 0,
            stream: u32::from_le_bytes(take(bytes, &mut at)),
            lines: u32::from_le_bytes(take(bytes, &mut at)),
            first_entry: u64::from_le_bytes(take(bytes, &mut at)),
            min_ns: i64::from_le_bytes(take(bytes, &mut at)),
            max_ns: i64::from_le_bytes(take(bytes, &mut at)),
            text_bytes: u32::from_le_bytes(take(bytes, &mut at)),
            filter: part(bytes, &mut at),
            timestamps: part(bytes, &mut at),
            metadata: part(bytes, &mut at),
            text: part(bytes, &mut at),
            side: part(bytes, &mut at),
            missing: u32::from_le_bytes(take(bytes, &mut at)),
        };
        let unlikely = |part: &Part| part.stored > part.raw || part.raw > PART_BYTES_MAX;
        // Each line has its newline.
        let text_bytes = header.lines..=PART_BYTES_MAX;
        if header.parts().iter().any(unlikely) || header.lines == 0 || !text_bytes.contains(&header.text_bytes) {
            return Err("lengths that no block has");
        }
        Ok(header)
    }
}

fn take<const N: usize>(bytes: &[u8; HEADER_BYTES], at: &mut usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[*at..*at + N]);
    *at += N;
    out
}

fn part(bytes: &[u8; HEADER_BYTES], at: &mut usize) -> Part {
    Part {
        stored: u32::from_le_bytes(take(bytes, at)),
        raw: u32::from_le_bytes(take(bytes, at)),
        crc: u32::from_le_bytes(take(bytes, at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Header {
        let part = |stored| Part { stored, raw: stored + 9, crc: stored ^ 0xffff };
        Header {
            codec: Codec::Text,
            has_lengths: true,
            has_metadata_columns: true,
            stream: 12,
            lines: 3,
            first_entry: 1 << 40,
            min_ns: -5,
            max_ns: i64::MAX,
            text_bytes: 77,
            filter: part(0),
            timestamps: part(5),
            metadata: part(6),
            text: part(7),
            side: part(0),
            missing: 4,
        }
    }

    #[test]
    fn a_header_comes_back_and_no_flipped_bit_passes() {
        let header = sample();
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        assert_eq!((header.block_bytes(), header.offsets()), (112 + 18, [112, 112, 117, 123, 130]));
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&flipped).is_err(), "bit {bit}");
        }
    }
}
