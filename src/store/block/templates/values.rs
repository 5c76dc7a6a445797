//! Reads the values of columns, each column from front to back, and writes them to the text.

use std::ops::Range;

use super::{
    super::super::codec::{BitUnpacker, Malformed, Reader, packed_bytes, put_decimal, unzigzag},
    clock::Clock,
    hexadecimal,
    lanes::{CLOCK, CONSTANT, DICTIONARY, HEXADECIMAL, MOVE_BYTES, PACKED, SMALL, STEPS, TEXT},
};

/// The columns of a block.
pub(super) struct Columns<'a> {
    pub(super) values: Vec<Values<'a>>,
    /// Start and length, within `part`, of the values of all dictionaries.
    dictionary: Vec<(u32, u32)>,
    part: &'a [u8],
    side: &'a [u8],
    /// Where the layout ends in `part`.
    layout_end: usize,
    /// Where the text of the next column begins in `part`, and what the next column has in `side`.
    text_at: usize,
    side_at: usize,
}

/// Where columns find their values.
pub(super) struct Sources<'a> {
    pub(super) places: Reader<'a>,
    pub(super) numbers: Reader<'a>,
}

impl Sources<'_> {
    pub(super) fn are_empty(&self) -> bool {
        self.places.is_empty() && self.numbers.is_empty()
    }
}

/// The values of a column that were not written yet.
pub(super) enum Values<'a> {
    Constant(&'a [u8]),
    /// Base plus byte.
    Small {
        bytes: &'a [u8],
        base: u64,
        width: u8,
    },
    /// The number before the next, if `first` was written.
    Steps {
        steps: Reader<'a>,
        number: u64,
        is_first: bool,
        width: u8,
    },
    Packed {
        bits: BitUnpacker,
        base: u64,
        width: u8,
    },
    /// Places relative to `first`; `count` of them exist.
    Dictionary {
        places: &'a [u8],
        first: u32,
        count: u32,
    },
    WideDictionary {
        places: &'a [u8],
        first: u32,
        count: u32,
    },
    Text {
        at: usize,
        len: usize,
    },
    VariedText {
        at: usize,
        lens: Reader<'a>,
    },
    Hex {
        at: usize,
        digits: usize,
    },
    Clock(Clock),
}

impl<'a> Columns<'a> {
    pub(super) fn new(part: &'a [u8], side: &'a [u8], layout_end: usize, text_at: usize) -> Self {
        Self { values: Vec::new(), dictionary: Vec::new(), part, side, layout_end, text_at, side_at: 0 }
    }

    /// Reads what describes `count` columns of `lines` values each, and returns their numbers.
    pub(super) fn read(
        &mut self,
        count: usize,
        lines: usize,
        layout: &mut Reader<'a>,
        sources: &mut Sources<'a>,
    ) -> Result<Range<usize>, Malformed> {
        let start = self.values.len();
        for _ in 0..count {
            let values = self.read_one(lines, layout, sources)?;
            self.values.push(values);
        }
        Ok(start..self.values.len())
    }

    /// Whether the columns leave nothing of the text and the side.
    pub(super) fn are_at_the_end(&self) -> bool {
        self.text_at + MOVE_BYTES == self.part.len() && self.side_at + MOVE_BYTES == self.side.len()
    }

    fn read_one(
        &mut self,
        lines: usize,
        layout: &mut Reader<'a>,
        sources: &mut Sources<'a>,
    ) -> Result<Values<'a>, Malformed> {
        Ok(match layout.u8()? {
            CONSTANT => Values::Constant(layout.bytes()?),
            SMALL => {
                let (width, base) = (layout.u8()?, layout.u64()?);
                Values::Small { bytes: sources.numbers.take(lines)?, base, width }
            }
            STEPS => {
                let (width, number, len) = (layout.u8()?, layout.u64()?, layout.size()?);
                Values::Steps { steps: Reader::new(sources.numbers.take(len)?), number, is_first: true, width }
            }
            PACKED => {
                let (width, base, bits) = (layout.u8()?, layout.u64()?, layout.u8()?);
                let at = self.take_side(packed_bytes(lines, bits.into()))?;
                Values::Packed { bits: BitUnpacker::new(at, bits.into())?, base, width }
            }
            DICTIONARY => {
                let count = layout.count()?;
                let first = self.dictionary.len() as u32;
                for _ in 0..count {
                    let value = layout.bytes()?;
                    let start = self.layout_end - layout.len() - value.len();
                    self.dictionary.push((start as u32, value.len() as u32));
                }
                let count = count as u32;
                if count <= 256 {
                    Values::Dictionary { places: sources.places.take(lines)?, first, count }
                } else {
                    Values::WideDictionary { places: sources.places.take(lines.saturating_mul(2))?, first, count }
                }
            }
            TEXT => {
                let (all, len) = (layout.size()?, layout.size()?);
                let at = self.text_at;
                let end = at.checked_add(all).filter(|end| end + MOVE_BYTES <= self.part.len());
                self.text_at = end.ok_or(Malformed("text beyond the end"))?;
                if len > 0 {
                    if Some(all) != (len - 1).checked_mul(lines) {
                        return Err(Malformed("text of another length"));
                    }
                    Values::Text { at, len: len - 1 }
                } else {
                    let lens = layout.size()?;
                    Values::VariedText { at, lens: Reader::new(sources.places.take(lens)?) }
                }
            }
            HEXADECIMAL => {
                let digits = layout.size()?;
                let at = self.take_side(digits.div_ceil(2).checked_mul(lines))?;
                Values::Hex { at, digits }
            }
            CLOCK => Values::Clock(Clock::take(layout)?),
            _ => return Err(Malformed("column of an unknown kind")),
        })
    }

    fn take_side(&mut self, len: Option<usize>) -> Result<usize, Malformed> {
        let at = self.side_at;
        let end = len.and_then(|len| at.checked_add(len)).filter(|end| end + MOVE_BYTES <= self.side.len());
        self.side_at = end.ok_or(Malformed("column beyond the side"))?;
        Ok(at)
    }

    /// Writes the next value of a column, that of an entry of this time, to `text` at `at` and returns where it
    /// ends; `None` if there is none or `text` ends before.
    #[inline]
    pub(super) fn write(&mut self, column: usize, time_ns: i64, text: &mut [u8], at: usize) -> Option<usize> {
        match self.values.get_mut(column)? {
            Values::Constant(value) => {
                text.get_mut(at..at + value.len())?.copy_from_slice(value);
                Some(at + value.len())
            }
            Values::Small { bytes, base, width } => {
                put_decimal(base.wrapping_add(take_first(bytes)?.into()), usize::from(*width), text, at)
            }
            Values::Steps { steps, number, is_first, width } => {
                if !std::mem::take(is_first) {
                    *number = number.wrapping_add(unzigzag(steps.u64().ok()?).cast_unsigned());
                }
                put_decimal(*number, usize::from(*width), text, at)
            }
            Values::Packed { bits, base, width } => {
                put_decimal(base.wrapping_add(bits.next(self.side)?), usize::from(*width), text, at)
            }
            Values::Dictionary { places, first, count } => {
                let place = u32::from(take_first(places)?);
                let (start, len) = *self.dictionary.get((*first + place) as usize).filter(|_| place < *count)?;
                copy(text, at, self.part, start as usize, len as usize)
            }
            Values::WideDictionary { places, first, count } => {
                let (place, rest) = places.split_first_chunk()?;
                *places = rest;
                let place = u32::from(u16::from_le_bytes(*place));
                let (start, len) = *self.dictionary.get((*first + place) as usize).filter(|_| place < *count)?;
                copy(text, at, self.part, start as usize, len as usize)
            }
            Values::Text { at: from, len } => {
                let start = *from;
                *from += *len;
                copy(text, at, self.part, start, *len)
            }
            Values::VariedText { at: from, lens } => {
                let (start, len) = (*from, usize::try_from(lens.u64().ok()?).ok()?);
                *from = start.checked_add(len)?;
                copy(text, at, self.part, start, len)
            }
            Values::Clock(clock) => put_decimal(clock.at(time_ns), clock.digits(), text, at),
            Values::Hex { at: from, digits } => {
                let packed = self.side.get(*from..*from + digits.div_ceil(2))?;
                *from += packed.len();
                for (pair, byte) in text.get_mut(at..at + packed.len() * 2)?.chunks_exact_mut(2).zip(packed) {
                    pair.copy_from_slice(&hexadecimal::PAIRS[usize::from(*byte)]);
                }
                Some(at + *digits)
            }
        }
    }
}

/// Copies a piece, a short one in moves of a fixed size: `from` and `text` have [`MOVE_BYTES`] more behind it.
#[inline]
pub(super) fn copy(text: &mut [u8], at: usize, from: &[u8], start: usize, len: usize) -> Option<usize> {
    if len <= MOVE_BYTES {
        let piece: &[u8; MOVE_BYTES] = from.get(start..)?.first_chunk()?;
        *text.get_mut(at..)?.first_chunk_mut()? = *piece;
    } else {
        text.get_mut(at..at.checked_add(len)?)?.copy_from_slice(from.get(start..start.checked_add(len)?)?);
    }
    Some(at + len)
}

#[inline]
fn take_first(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}
