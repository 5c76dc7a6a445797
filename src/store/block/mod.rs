//! A block: the run of entries of one stream that is compressed, checksummed and read back as one.
//! Layout: docs/format.md, "Block". Immutable once written, so readers need no lock.

mod filter;
mod header;
mod metadata;
mod parts;
mod templates;
mod text;
mod timestamps;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub(super) use filter::may_contain;
pub(super) use header::{Codec, HEADER_BYTES, Header, MAGIC, Part};
pub(super) use metadata::{Metadata, put_set, take_set};
pub(super) use parts::Parts;

use std::ops::Range;

use self::{
    filter::{FilterBuilder, GRAM_BYTES},
    templates::Templates,
};
use super::{
    codec::{Deflater, Section},
    snapshot::Columns,
};
use crate::labels::{Entries, LabelSet, Literal};

/// Bytes of lines a block gathers before it is cut. Larger compresses better, smaller makes a
/// narrow query cheaper; from 256 KiB on plain text stops gaining, 512 KiB is what templates gain from.
pub(super) const BLOCK_BYTES_TARGET: usize = 512 << 10;

/// zlib's level: what templates leave is little, and worth it.
const LEVEL: u8 = 6;
/// The level for numbers: few of them repeat, so that looking further takes much time for 0.2 % of a block.
const LEVEL_NUMBERS: u8 = 4;
/// The level for text as it is: 3 % larger than level 6 at almost twice the speed.
const LEVEL_TEXT: u8 = 4;

/// Turns runs of entries into blocks; keeps its buffers and the compressor's tables between them.
pub(super) struct Encoder {
    deflater: Deflater,
    templates: Templates,
    filter: FilterBuilder,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { deflater: Deflater::new(), templates: Templates::new(), filter: FilterBuilder::new() }
    }

    /// Appends the block of `entries`, which are in order of arrival and not empty, to `out`.
    pub(super) fn encode(&mut self, stream: u32, first_entry: u64, entries: &Entries, out: &mut Vec<u8>) -> Header {
        self.encode_over(stream, first_entry..first_entry + entries.len() as u64, entries, out)
    }

    /// As [`Encoder::encode`], of entries that do not have all of the `numbers` that the block covers: at
    /// most [`u32::MAX`] are missing.
    pub(super) fn encode_over(
        &mut self,
        stream: u32,
        numbers: Range<u64>,
        entries: &Entries,
        out: &mut Vec<u8>,
    ) -> Header {
        let missing = (numbers.end - numbers.start).saturating_sub(entries.len() as u64);
        let sorted = entries.sorted_by_time();
        let entries = sorted.as_ref().unwrap_or(entries);
        let (min_ns, max_ns) = entries.time_span_ns().unwrap_or_default();
        let start = out.len();
        out.resize(start + HEADER_BYTES, 0);
        let has_templates = self.templates.lay_out(entries);
        let filter_start = out.len();
        self.put_filter(entries, has_templates, out);
        let filter = stored_part(out, filter_start);
        let timestamps = self.part(&[(&timestamps::encode(entries.timestamps_ns()), LEVEL)], out);
        let (metadata, has_metadata_columns) = metadata::encode(entries);
        let metadata = self.part(&[(&metadata, LEVEL)], out);
        let (codec, lengths) =
            if has_templates { (Codec::Templates, None) } else { (Codec::Text, text::lengths(entries)) };
        let (text, side) = match codec {
            Codec::Templates => {
                let [lengths, layout, places, numbers, text] = self.templates.sections();
                let sections = [
                    (lengths, LEVEL),
                    (layout, LEVEL),
                    (places, LEVEL_NUMBERS),
                    (numbers, LEVEL_NUMBERS),
                    (text, LEVEL),
                ];
                let text = put_part(&mut self.deflater, &sections, out);
                let side_start = out.len();
                out.extend_from_slice(self.templates.side());
                (text, stored_part(out, side_start))
            }
            Codec::Text => {
                let lengths = lengths.as_deref().unwrap_or_default();
                let text = self.part(&[(entries.text(), LEVEL_TEXT), (lengths, LEVEL_TEXT)], out);
                (text, Part::default())
            }
        };
        let header = Header {
            codec,
            has_lengths: lengths.is_some(),
            has_metadata_columns,
            stream,
            lines: length(entries.len()),
            first_entry: numbers.start,
            min_ns,
            max_ns,
            text_bytes: length(entries.text().len()),
            filter,
            timestamps,
            metadata,
            text,
            side,
            missing: u32::try_from(missing).expect("the writer joins no blocks that are further apart"),
        };
        out[start..start + HEADER_BYTES].copy_from_slice(&header.encode());
        header
    }

    fn put_filter(&mut self, entries: &Entries, has_templates: bool, out: &mut Vec<u8>) {
        if has_templates {
            self.templates.for_each_new_piece(entries, GRAM_BYTES, |piece| self.filter.mark(piece));
        } else {
            for at in 0..entries.len() {
                self.filter.mark(entries.line(at));
            }
        }
        self.filter.finish(out);
    }

    fn part(&mut self, sections: &[Section<'_>], out: &mut Vec<u8>) -> Part {
        put_part(&mut self.deflater, sections, out)
    }
}

/// Appends a part that consists of `sections`.
fn put_part(deflater: &mut Deflater, sections: &[Section<'_>], out: &mut Vec<u8>) -> Part {
    let start = out.len();
    let stored = deflater.put(sections, out);
    let raw = sections.iter().map(|(section, _)| section.len()).sum();
    Part { stored: length(stored), raw: length(raw), crc: crc32fast::hash(&out[start..]) }
}

/// The part that was appended to `out` as it is from `start` on.
fn stored_part(out: &[u8], start: usize) -> Part {
    let stored = &out[start..];
    Part { stored: length(stored.len()), raw: length(stored.len()), crc: crc32fast::hash(stored) }
}

/// The entries of a block, sorted by time; equal times in order of arrival. `Err` says what is damaged.
pub(super) fn decode(header: &Header, block: &[u8]) -> Result<Entries, &'static str> {
    Ok(decode_where(header, block, Columns::ALL, &[])?.unwrap_or_default())
}

/// Whether every part of a block, its filter too, is as it was written.
pub(super) fn is_whole(header: &Header, block: &[u8]) -> bool {
    Parts::new(header, |range| part_of(block, range)).filter().is_ok() && decode(header, block).is_ok()
}

/// Whether the filter leaves it open that a line fulfils `required`, of which every element is fulfilled
/// by any of its literals.
pub(super) fn may_hold(header: &Header, block: &[u8], required: &[Vec<Literal>]) -> Result<bool, &'static str> {
    let filter = Parts::new(header, |range| part_of(block, range)).filter()?;
    Ok(required.iter().all(|any| any.iter().any(|literal| may_contain(filter, &literal.text))))
}

/// The columns of a block, sorted by time. Lines that are not wanted are empty, and need not be in
/// `block`. `None` if the lines are wanted, and what is inflated tells that none of them fulfils `required`.
pub(super) fn decode_where(
    header: &Header,
    block: &[u8],
    columns: Columns,
    required: &[Vec<Literal>],
) -> Result<Option<Entries>, &'static str> {
    let parts = Parts::new(header, |range| part_of(block, range));
    let lines = header.lines as usize;
    let text = if columns.lines {
        let text = parts.text()?;
        let may_hold = |literal: &Literal| literal.fold_case || text.may_contain(&literal.text);
        if !required.iter().all(|any| any.iter().any(may_hold)) {
            return Ok(None);
        }
        Some(text)
    } else {
        None
    };
    let timestamps_ns = parts.timestamps_ns()?;
    let (text, ends) = match text {
        Some(text) => text.unpack(&timestamps_ns)?,
        None => (vec![b'\n'; lines], (0..header.lines).collect()),
    };
    let Metadata { sets, set_of } = if columns.metadata {
        parts.metadata()?
    } else {
        Metadata { sets: vec![LabelSet::default()], set_of: vec![0; lines] }
    };
    let entries = Entries::from_columns(timestamps_ns, ends, text, sets, set_of);
    entries.map(Some).ok_or("columns of different lengths")
}

fn part_of(block: &[u8], range: Range<usize>) -> Result<&[u8], &'static str> {
    block.get(range).ok_or("shorter than its header says")
}

/// Lengths within a block; heads and appends are bounded far below 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block stays below 4 GiB")
}
