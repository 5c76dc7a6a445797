//! Puts the lines of a block together again from templates and columns.

use std::ops::Range;

use super::{
    super::super::codec::{Malformed, Reader},
    lanes::{MOVE_BYTES, NEW_LINE},
    split::MARK,
    values::{Columns, Sources, Values, copy},
};

/// The text of a block with lines of these times, and the place of the newline after each. `part` and `side` are
/// followed by [`MOVE_BYTES`] more bytes each.
pub(in super::super) fn rebuild(
    part: &[u8],
    side: &[u8],
    text_bytes: usize,
    times_ns: &[i64],
) -> Result<(Vec<u8>, Vec<u32>), Malformed> {
    let frame = Frame::read(part, side, text_bytes, times_ns.len())?;
    // A short piece is moved as if it had MOVE_BYTES: room behind the last one.
    let mut text = vec![0; text_bytes + MOVE_BYTES];
    let mut ends = Vec::with_capacity(times_ns.len());
    let at = frame.write(times_ns, &mut text, &mut ends).ok_or(Malformed("lines longer than the text"))?;
    if at != text_bytes {
        return Err(Malformed("lines shorter than the text"));
    }
    text.truncate(text_bytes);
    Ok((text, ends))
}

/// Text that is the same in all lines of a template, then a value of a column.
struct Step {
    start: u32,
    len: u32,
    /// `END` behind the last slot.
    column: u32,
}

const END: u32 = u32::MAX;

/// All templates and columns of a block, ready to write line after line.
struct Frame<'a> {
    numbers: Numbers<'a>,
    steps: Vec<Step>,
    /// The steps of each template.
    templates: Vec<Range<u32>>,
    /// The text of all steps, and [`MOVE_BYTES`] more.
    fixed: Vec<u8>,
    columns: Columns<'a>,
}

/// The number of each line's template.
enum Numbers<'a> {
    Narrow(&'a [u8]),
    Wide(&'a [u8]),
}

impl<'a> Frame<'a> {
    fn read(part: &'a [u8], side: &'a [u8], text_bytes: usize, lines: usize) -> Result<Self, Malformed> {
        let raw = part.len().checked_sub(MOVE_BYTES).ok_or(Malformed("no room behind the text"))?;
        let mut reader = Reader::new(&part[..raw]);
        let (layout_len, places_len, numbers_len) = (reader.size()?, reader.size()?, reader.size()?);
        let mut layout = Reader::new(reader.take(layout_len)?);
        let layout_end = raw - reader.len();
        let mut sources =
            Sources { places: Reader::new(reader.take(places_len)?), numbers: Reader::new(reader.take(numbers_len)?) };
        let text_at = raw - reader.len();

        let header_slots = layout.count()?;
        let header = layout.bytes()?;
        let count = layout.count()?;
        let mut texts = Vec::with_capacity(count);
        for _ in 0..count {
            let len_and_header = layout.u64()?;
            let len = usize::try_from(len_and_header >> 1).map_err(|_| Malformed("template beyond the end"))?;
            texts.push((len_and_header & 1 != 0, layout.take(len)?));
        }
        let numbers = if count <= 256 {
            Numbers::Narrow(sources.places.take(lines)?)
        } else {
            Numbers::Wide(sources.places.take(lines.checked_mul(2).ok_or(Malformed("more lines than memory"))?)?)
        };
        let mut lines_of = vec![0usize; count];
        for line in 0..lines {
            let lines = numbers.get(line).and_then(|number| lines_of.get_mut(number));
            *lines.ok_or(Malformed("unknown template"))? += 1;
        }
        let header_lines = texts.iter().zip(&lines_of).filter(|((has_header, _), _)| *has_header).map(|(_, n)| n).sum();

        let mut columns = Columns::new(part, side, layout_end, text_at);
        let header_columns = columns.read(header_slots, header_lines, &mut layout, &mut sources)?;
        let mut frame = Self { numbers, steps: Vec::new(), templates: Vec::new(), fixed: Vec::new(), columns };
        for ((has_header, text), lines) in texts.iter().zip(&lines_of) {
            let slots = memchr::memchr_iter(MARK, text).count();
            let own_columns = frame.columns.read(slots, *lines, &mut layout, &mut sources)?;
            let start = frame.steps.len();
            let mut fixed_at = frame.fixed.len();
            if *has_header {
                frame.add(header, header_columns.clone(), &mut fixed_at)?;
            }
            frame.add(text, own_columns, &mut fixed_at)?;
            frame.step(END, &mut fixed_at);
            // Each template has a line, of which its steps are parts.
            if frame.fixed.len() + frame.steps.len() > text_bytes + count {
                return Err(Malformed("templates longer than the text"));
            }
            frame.templates.push(start as u32..frame.steps.len() as u32);
        }
        if !layout.is_empty() || !sources.are_empty() || !frame.columns.are_at_the_end() {
            return Err(Malformed("bytes after the columns"));
        }
        frame.fixed.extend([0; MOVE_BYTES]);
        Ok(frame)
    }

    /// Appends the steps of a template's text; constant columns become part of what is fixed.
    fn add(&mut self, text: &[u8], mut columns: Range<usize>, fixed_at: &mut usize) -> Result<(), Malformed> {
        let mut rest = text;
        while let Some(mark) = memchr::memchr(MARK, rest) {
            self.fixed.extend_from_slice(&rest[..mark]);
            rest = &rest[mark + 1..];
            let column = columns.next().ok_or(Malformed("more slots than columns"))?;
            if let Values::Constant(value) = self.columns.values[column] {
                self.fixed.extend_from_slice(value);
            } else {
                self.step(column as u32, fixed_at);
            }
        }
        self.fixed.extend_from_slice(rest);
        if columns.is_empty() { Ok(()) } else { Err(Malformed("more columns than slots")) }
    }

    fn step(&mut self, column: u32, fixed_at: &mut usize) {
        let (start, len) = (*fixed_at as u32, (self.fixed.len() - *fixed_at) as u32);
        self.steps.push(Step { start, len, column });
        *fixed_at = self.fixed.len();
    }

    /// Writes all lines; returns where the text ends. `None` if it would end beyond `text`.
    fn write(mut self, times_ns: &[i64], text: &mut [u8], ends: &mut Vec<u32>) -> Option<usize> {
        let mut at = 0;
        for (line, time_ns) in times_ns.iter().enumerate() {
            let steps = self.templates.get(self.numbers.get(line)?)?;
            for step in self.steps.get(steps.start as usize..steps.end as usize)? {
                at = copy(text, at, &self.fixed, step.start as usize, step.len as usize)?;
                if step.column != END {
                    at = self.columns.write(step.column as usize, *time_ns, text, at)?;
                }
            }
            *text.get_mut(at)? = NEW_LINE;
            ends.push(u32::try_from(at).ok()?);
            at += 1;
        }
        Some(at)
    }
}

impl Numbers<'_> {
    #[inline]
    fn get(&self, line: usize) -> Option<usize> {
        match self {
            Self::Narrow(numbers) => numbers.get(line).map(|number| usize::from(*number)),
            Self::Wide(numbers) => {
                let pair = numbers.get(line * 2..)?.first_chunk()?;
                Some(usize::from(u16::from_le_bytes(*pair)))
            }
        }
    }
}
