//! A block: the run of entries of one stream that is compressed, checksummed and read back as one.
//! Layout: docs/format.md, "Block". Immutable once written, so readers need no lock.

mod header;
mod metadata;
mod text;
mod timestamps;

pub(super) use header::{Codec, HEADER_BYTES, Header, MAGIC, Part};
pub(super) use metadata::{put_set, take_set};

use super::codec::{Deflater, inflate};
use crate::labels::Entries;

/// Bytes of lines a block gathers before it is cut. Larger compresses better, smaller makes a
/// narrow query cheaper; from 256 KiB on plain text stops gaining, 512 KiB is what templates gain from.
pub(super) const BLOCK_BYTES_TARGET: usize = 512 << 10;

/// zlib's level for text: 3 % larger than level 6 at almost twice the speed.
const DEFLATE_LEVEL: u8 = 4;

/// Turns runs of entries into blocks; keeps the compressor's tables between them.
pub(super) struct Encoder(Deflater);

impl Encoder {
    pub(super) fn new() -> Self {
        Self(Deflater::new(DEFLATE_LEVEL))
    }

    /// Appends the block of `entries`, which are in order of arrival and not empty, to `out`.
    pub(super) fn encode(&mut self, stream: u32, first_entry: u64, entries: &Entries, out: &mut Vec<u8>) -> Header {
        let sorted = entries.sorted_by_time();
        let entries = sorted.as_ref().unwrap_or(entries);
        let (min_ns, max_ns) = entries.time_span_ns().unwrap_or_default();
        let start = out.len();
        out.resize(start + HEADER_BYTES, 0);
        let timestamps = self.part(&timestamps::encode(entries.timestamps_ns()), out);
        let metadata = self.part(&metadata::encode(entries), out);
        let (text, has_lengths) = text::encode(entries);
        let text = self.part(&text, out);
        let header = Header {
            codec: Codec::Text,
            has_lengths,
            stream,
            lines: length(entries.len()),
            first_entry,
            min_ns,
            max_ns,
            text_bytes: length(entries.text().len()),
            filter: Part::default(),
            timestamps,
            metadata,
            text,
            side: Part::default(),
        };
        out[start..start + HEADER_BYTES].copy_from_slice(&header.encode());
        header
    }

    fn part(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Part {
        let start = out.len();
        let stored = self.0.put(raw, out);
        Part { stored: length(stored), raw: length(raw.len()), crc: crc32fast::hash(&out[start..]) }
    }
}

/// The entries of a block, sorted by time; equal times in order of arrival. `Err` says what is damaged.
pub(super) fn decode(header: &Header, block: &[u8]) -> Result<Entries, &'static str> {
    let [_, timestamps, metadata, text, _] = header.offsets();
    let lines = header.lines as usize;
    let part = |part: Part, start: usize, damage: &'static str| {
        let stored = block.get(start..start + part.stored as usize).ok_or("shorter than its header says")?;
        if crc32fast::hash(stored) != part.crc {
            return Err(damage);
        }
        inflate(stored, part.raw as usize).map_err(|malformed| malformed.0)
    };
    let timestamps = part(header.timestamps, timestamps, "checksum of the time stamps")?;
    let timestamps_ns = timestamps::decode(&timestamps, lines).map_err(|malformed| malformed.0)?;
    let metadata = part(header.metadata, metadata, "checksum of the metadata")?;
    let (sets, set_of) = metadata::decode(&metadata, lines).map_err(|malformed| malformed.0)?;
    let text = part(header.text, text, "checksum of the text")?;
    let (text, ends) =
        text::decode(text, header.text_bytes as usize, lines, header.has_lengths).map_err(|malformed| malformed.0)?;
    Entries::from_columns(timestamps_ns, ends, text, sets, set_of).ok_or("columns of different lengths")
}

/// Lengths within a block; heads and appends are bounded far below 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block stays below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelSet;

    /// Entries that meet every corner: out of order, equal times, newlines within lines, bytes that
    /// are no UTF-8, empty lines, one very long line, several metadata sets.
    fn odd_entries() -> Entries {
        let mut entries = Entries::new();
        let none = entries.intern(&LabelSet::default());
        let level = entries.intern(&LabelSet::new(vec![("detected_level".into(), "info".into())]));
        let long = vec![b'x'; 256 << 10];
        for (ts, line, set) in [
            (5_i64, &b"later"[..], none),
            (1, b"", level),
            (1, b"same time\nsecond row", none),
            (-7, b"\xff\xfe\0", level),
            (9, &long, none),
            (9, b"", none),
        ] {
            entries.push(ts, line, set);
        }
        entries
    }

    fn same(a: &Entries, b: &Entries) {
        assert_eq!(a.len(), b.len());
        for at in 0..a.len() {
            assert_eq!(
                (a.timestamp_ns(at), a.line(at), a.metadata(at)),
                (b.timestamp_ns(at), b.line(at), b.metadata(at)),
                "entry {at}"
            );
        }
    }

    #[test]
    fn odd_entries_come_back_sorted() {
        let entries = odd_entries();
        let mut out = b"other bytes".to_vec();
        let header = Encoder::new().encode(3, 40, &entries, &mut out);
        assert_eq!((header.min_ns, header.max_ns, header.lines, header.first_entry), (-7, 9, 6, 40));
        assert_eq!(header.block_bytes() as usize, out.len() - 11);
        same(&decode(&header, &out[11..]).unwrap(), &entries.sorted_by_time().unwrap());
    }

    #[test]
    fn any_bytes_come_back() {
        let mut state = 7u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut encoder = Encoder::new();
        for round in 0..200 {
            let mut entries = Entries::new();
            for _ in 0..=random(40) {
                let set = entries.intern(&LabelSet::new(vec![("n".into(), random(4).to_string())]));
                let line: Vec<u8> =
                    (0..random(30)).map(|_| random(if round % 2 == 0 { 256 } else { 12 }) as u8).collect();
                entries.push(random(50) as i64 - 25, &line, set);
            }
            let mut out = Vec::new();
            let header = encoder.encode(1, 0, &entries, &mut out);
            let sorted = entries.sorted_by_time();
            same(&decode(&header, &out).unwrap(), sorted.as_ref().unwrap_or(&entries));
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let mut entries = Entries::new();
        let set = entries.intern(&LabelSet::default());
        for n in 0..20 {
            entries.push(n, format!("line {n} of a small block").as_bytes(), set);
        }
        let mut out = Vec::new();
        let header = Encoder::new().encode(1, 0, &entries, &mut out);
        for at in HEADER_BYTES..out.len() {
            let mut flipped = out.clone();
            flipped[at] ^= 0x20;
            assert!(decode(&header, &flipped).is_err(), "byte {at}");
            assert!(decode(&header, &out[..at]).is_err(), "cut at {at}");
        }
    }
}
