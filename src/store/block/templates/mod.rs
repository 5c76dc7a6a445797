//! Codec 2: templates and columns. What lines have in common is written once; where they differ, the
//! values lie together by what they are, and DEFLATE sees a fraction of the text.
//!
//! A line is cut in runs of ASCII letters, digits and bytes from 0x80 on. Runs with a digit are slots
//! (`split`); what is left is the line's template, with one mark, the digit 0, for each slot. Lines of rare
//! templates get a second and third chance with slots of another kind, and are kept as one slot if that
//! does not help (`plan`). Each slot of a template is a column with one value per line. The first slots
//! of many templates, usually time and host, are the header: columns over all lines that have it. A column is
//! written in the form that is likely to be the smallest (`column`).
//!
//! # Layout
//!
//! All numbers are LEB128 unless they say otherwise. The text part, once inflated, is five sections:
//!
//! 1. Bytes of the second, third and fourth section.
//! 2. Layout: the number of slots of the header and its text with the length first; the number of
//!    templates, and for each its text behind twice the text's length, plus one if the header precedes it; then the columns,
//!    those of the header first, then those of each template, in the order of their slots.
//! 3. Places: the number of each line's template, one byte each up to 256 templates, else two (little-endian);
//!    then what columns have here.
//! 4. Numbers: what columns have here.
//! 5. Text: what columns have here.
//!
//! The side part is what columns have there. A column has in the layout one byte, its kind, and then:
//!
//! | kind | in the layout | elsewhere |
//! | --- | --- | --- |
//! | 0 constant | the value, its length first | |
//! | 1 small numbers | width (byte), base | numbers: for each value one byte, which is added to the base |
//! | 2 steps | width (byte), first number, bytes of the others | numbers: each other one as zigzag difference to the one before, modulo 2^64 |
//! | 3 packed numbers | width (byte), base, bits (byte) | side: for each value so many bits, which are added to the base, the lowest first, the last byte filled up with zeros |
//! | 4 dictionary | how many values, and each with its length first | places: for each value its number in one byte up to 256 values, else in two (little-endian) |
//! | 5 text | bytes of all values, the length of each plus one, or 0 if they differ and then the bytes of the lengths | places: the lengths, if they differ; text: the values |
//! | 6 hexadecimal | digits of each value | side: two digits a byte, the first in the upper half, each value in whole bytes |
//! | 7 clock | which part of the entry's time (byte, `clock`), what is added to it | |
//!
//! Numbers are decimal: of `width` digits with leading zeros, or without leading zeros if the width is 0.
//! A line is the text of the header, if it has one, and of its template with the values in the place of the
//! marks, and a newline.

#![expect(
    clippy::cast_possible_truncation,
    reason = "offsets in a block fit 32 bits, its size is bounded; other casts are to what the value was compared with"
)]

mod clock;
mod column;
mod cost;
mod hexadecimal;
mod lanes;
mod plan;
mod rebuild;
mod split;
mod values;

pub(super) use hexadecimal::may_contain as may_be_packed;
pub(super) use lanes::MOVE_BYTES;
pub(super) use rebuild::rebuild;

use self::{
    clock::Clock,
    column::Columns,
    lanes::{CLOCK, Lanes},
    plan::Plan,
    split::{MARK, Slot},
};
use super::super::codec::{put_bytes, put_u64};
use crate::labels::Entries;

/// Lays out the lines of blocks; the buffers are kept from block to block.
pub(super) struct Templates {
    plan: Plan,
    columns: Columns,
    cuts: Vec<Cut>,
    /// The text of a template, with one mark for each column.
    outline: Vec<u8>,
    column: Vec<Slot>,
    last: Vec<Slot>,
    lanes: Lanes,
}

impl Templates {
    pub(super) fn new() -> Self {
        Self {
            plan: Plan::new(),
            columns: Columns::new(),
            cuts: Vec::new(),
            outline: Vec::new(),
            column: Vec::new(),
            last: Vec::new(),
            lanes: Lanes::default(),
        }
    }

    /// Lays out the lines of a block; `false` if they are better kept as they are.
    pub(super) fn lay_out(&mut self, entries: &Entries) -> bool {
        if !self.plan.make(entries) {
            return false;
        }
        self.write(entries);
        // Text that templates hardly shorten is deflated better as it is.
        let bytes: usize = self.sections().iter().map(|section| section.len()).sum();
        bytes + self.side().len() < entries.text().len() / 4 * 3
    }

    /// Writes what was planned for the lines of `entries`.
    fn write(&mut self, entries: &Entries) {
        let text = entries.text();
        self.columns.look_at(text, self.plan.used_slots());
        self.lanes.clear();
        self.cuts.clear();
        self.cut(entries, None);
        put_u64(&mut self.lanes.layout, self.cuts.len() as u64);
        put_bytes(&mut self.lanes.layout, &self.outline);
        let templates = self.plan.templates().len();
        put_u64(&mut self.lanes.layout, templates as u64);
        for number in 0..templates {
            self.cut(entries, Some(number));
            let has_header = self.plan.templates()[number].has_header;
            put_u64(&mut self.lanes.layout, ((self.outline.len() as u64) << 1) | u64::from(has_header));
            self.lanes.layout.extend_from_slice(&self.outline);
        }
        if templates <= 256 {
            self.lanes.places.extend(self.plan.numbers().map(|number| number as u8));
        } else {
            self.lanes.places.extend(self.plan.numbers().flat_map(|number| (number as u16).to_le_bytes()));
        }
        for at in 0..self.cuts.len() {
            self.gather(self.cuts[at]);
            match self.clock(entries, self.cuts[at]) {
                Some(clock) => {
                    self.lanes.layout.push(CLOCK);
                    clock.put(&mut self.lanes.layout);
                }
                None => self.columns.put(text, &self.column, &mut self.lanes),
            }
        }
        let Lanes { lengths, layout, places, numbers, .. } = &mut self.lanes;
        for section in [layout, places, numbers] {
            put_u64(lengths, section.len() as u64);
        }
    }

    /// Cuts the slots of a template, or of the header, to columns, and writes its text to `outline`. Slots
    /// that one separator joins, as in an address or a version, become one column if that is smaller:
    /// together they often have few distinct values.
    fn cut(&mut self, entries: &Entries, template: Option<usize>) {
        let source = match template {
            Some(number) => self.plan.text_of(&self.plan.templates()[number]).to_vec(),
            None => self.plan.header().to_vec(),
        };
        self.outline.clear();
        let (mut at, mut first) = (0, 0);
        while at < source.len() {
            if source[at] != MARK {
                self.outline.push(source[at]);
                at += 1;
                continue;
            }
            let joined = joined_marks(&source[at..]);
            let mut cut = Cut { template, first, count: joined };
            if joined < JOINED_MIN || !self.is_smaller_joined(entries, cut) {
                cut.count = 1;
            }
            self.cuts.push(cut);
            self.outline.push(MARK);
            first += cut.count;
            at += 2 * cut.count - 1;
        }
    }

    fn is_smaller_joined(&mut self, entries: &Entries, joined: Cut) -> bool {
        let text = entries.text();
        self.gather(joined);
        if self.column.len() < JOINED_LINES_MIN {
            return false;
        }
        let Some(joined_cost) = self.columns.cost_of_few(text, &self.column) else { return false };
        let mut cost = 0;
        for first in joined.first..joined.first + joined.count {
            let single = Cut { first, count: 1, ..joined };
            self.gather(single);
            if self.clock(entries, single).is_none() {
                cost += self.columns.cost(text, &self.column);
            }
        }
        joined_cost < cost
    }

    /// The clock that shows the values of a column, which were collected, unless they are all equal.
    fn clock(&self, entries: &Entries, cut: Cut) -> Option<Clock> {
        let text = entries.text();
        let lines = self.plan.lines_of(cut.template.map(|number| &self.plan.templates()[number]));
        let clock = Clock::of(text, &self.column, &lines.map(|line| entries.timestamp_ns(line)))?;
        let first = self.column[0].of(text);
        self.column.iter().any(|slot| slot.of(text) != first).then_some(clock)
    }

    /// Collects the values of a column.
    fn gather(&mut self, cut: Cut) {
        let Self { plan, column, last, .. } = self;
        let gather = |number: usize, out: &mut Vec<Slot>| match cut.template {
            Some(template) => plan.column(&plan.templates()[template], number, out),
            None => plan.header_column(number, out),
        };
        gather(cut.first, column);
        if cut.count > 1 {
            gather(cut.first + cut.count - 1, last);
            for (slot, last) in column.iter_mut().zip(last) {
                *slot = slot.to(*last);
            }
        }
    }

    /// Gives pieces of lines that together hold every sequence of `bytes` bytes that a line holds: of each template
    /// one whole line, of the others what is near a slot and differs from the line before.
    pub(super) fn for_each_new_piece(&self, entries: &Entries, bytes: usize, each: impl FnMut(&[u8])) {
        self.plan.for_each_new_piece(entries, bytes, each);
    }

    /// The sections of the text part, in order.
    pub(super) fn sections(&self) -> [&[u8]; 5] {
        let lanes = &self.lanes;
        [&lanes.lengths, &lanes.layout, &lanes.places, &lanes.numbers, &lanes.text]
    }

    /// The side part.
    pub(super) fn side(&self) -> &[u8] {
        &self.lanes.side
    }
}

/// Slots that become one column.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Number of their template; `None`: the header.
    template: Option<usize>,
    /// The first slot, and how many they are.
    first: usize,
    count: usize,
}

/// Fewer slots, or slots of fewer lines, are not worth the trial.
const JOINED_MIN: usize = 3;
const JOINED_LINES_MIN: usize = 16;

/// How many marks a text begins with that one separator joins.
fn joined_marks(text: &[u8]) -> usize {
    let Some(separator @ (b'.' | b'-' | b':')) = text.get(1) else { return 1 };
    1 + text[1..].chunks_exact(2).take_while(|pair| pair == &[*separator, MARK]).count()
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::codec::Malformed,
        super::samples::{Random, log_entries, odd_entries, random_entries},
        *,
    };

    fn padded(sections: &[&[u8]]) -> Vec<u8> {
        let mut out = sections.concat();
        out.extend([0; MOVE_BYTES]);
        out
    }

    /// Even where templates do not pay.
    #[test]
    fn any_bytes_come_back() {
        let mut random = Random(17);
        let mut templates = Templates::new();
        let mut planned = 0;
        let blocks = (0..600).map(|round| random_entries(&mut random, round)).chain([odd_entries(), log_entries(900)]);
        for entries in blocks {
            if templates.plan.make(&entries) {
                planned += 1;
                templates.write(&entries);
                let (part, side) = (padded(&templates.sections()), padded(&[templates.side()]));
                let (text, ends) = rebuild(&part, &side, entries.text().len(), entries.timestamps_ns()).unwrap();
                assert_eq!((text.as_slice(), ends.as_slice()), (entries.text(), entries.ends()));
            }
        }
        assert!(planned > 100, "{planned}");
    }

    /// Whatever a checksum fails to notice: damage may yield other lines or an error, nothing else.
    #[test]
    fn damaged_columns_are_malformed_or_other_text_of_the_same_size() {
        let entries = log_entries(300);
        let mut templates = Templates::new();
        assert!(templates.lay_out(&entries));
        let (part, side) = (padded(&templates.sections()), padded(&[templates.side()]));
        let (text_bytes, lines) = (entries.text().len(), entries.timestamps_ns());
        assert_eq!(rebuild(&part, &side, text_bytes, lines).unwrap().0, entries.text());
        let check = |part: &[u8], side: &[u8], text_bytes: usize, lines: &[i64]| {
            if let Ok((text, ends)) = rebuild(part, side, text_bytes, lines) {
                assert_eq!((text.len(), ends.len()), (text_bytes, lines.len()));
            }
        };
        for at in 0..part.len() - MOVE_BYTES {
            for flip in [1, 0x80, 0xff] {
                let mut changed = part.clone();
                changed[at] ^= flip;
                check(&changed, &side, text_bytes, lines);
            }
            assert!(rebuild(&padded(&[&part[..at]]), &side, text_bytes, lines).is_err(), "cut at {at}");
        }
        let mut random = Random(3);
        for _ in 0..2000 {
            let mut changed = part.clone();
            for _ in 0..=random.below(8) {
                let at = random.below(part.len());
                changed[at] = random.next() as u8;
            }
            check(&changed, &side, text_bytes, lines);
        }
        let more = [lines, &[0]].concat();
        for (text_bytes, lines) in
            [(0, &[][..]), (text_bytes - 1, lines), (text_bytes + 1, lines), (text_bytes, more.as_slice())]
        {
            assert!(rebuild(&part, &side, text_bytes, lines).is_err());
        }
        assert!(rebuild(&part, &side[1..], text_bytes, lines).is_err());
        assert_eq!(rebuild(&part, &side, 10, lines), Err(Malformed("templates longer than the text")));
        assert!(rebuild(&[], &[], 1, &[0]).is_err());
    }

    /// An address of which there are few is one value; one that is new in each line stays four numbers.
    #[test]
    fn slots_are_joined_where_that_is_smaller() {
        let mut entries = Entries::new();
        let set = entries.intern(&crate::labels::LabelSet::default());
        let mut random = Random(9);
        for n in 0..500 {
            let few = ["10.17.203.9", "192.168.1.77", "172.16.5.250"][random.below(3)];
            let many = format!("10.{}.{}.{}", random.below(256), random.below(256), random.below(256));
            entries.push(n, format!("a packet from {few} to {many} was seen x{}", n % 2).as_bytes(), set);
        }
        let mut templates = Templates::new();
        assert!(templates.lay_out(&entries));
        let counts: Vec<usize> = templates.cuts.iter().map(|cut| cut.count).collect();
        assert_eq!(counts, [4, 1, 1, 1, 1, 1]);
        let (part, side) = (padded(&templates.sections()), padded(&[templates.side()]));
        assert_eq!(rebuild(&part, &side, entries.text().len(), entries.timestamps_ns()).unwrap().0, entries.text());
        assert_eq!([&b"0.0.0.0 "[..], b"0-0-0-0.0", b"0", b"0:0:0"].map(joined_marks), [4, 4, 1, 3]);
    }

    #[test]
    fn the_time_of_an_entry_is_not_written_again() {
        let mut entries = Entries::new();
        let set = entries.intern(&crate::labels::LabelSet::default());
        for n in 0..500_i64 {
            let (seconds, millis) = (n * 37 % 5000, n * 7919 % 1000);
            let (hour, minute, second) = (seconds / 3600 + 22, seconds / 60 % 60, seconds % 60);
            let line = format!("2026-01-05 {hour:02}:{minute:02}:{second:02},{millis:03} a port is open");
            entries.push((seconds * 1000 + millis) * 1_000_000, line.as_bytes(), set);
        }
        let mut templates = Templates::new();
        assert!(templates.lay_out(&entries));
        let numbers = 3;
        assert!(templates.sections()[numbers].is_empty());
        let (part, side) = (padded(&templates.sections()), padded(&[templates.side()]));
        let (text_bytes, times_ns) = (entries.text().len(), entries.timestamps_ns());
        assert_eq!(rebuild(&part, &side, text_bytes, times_ns).unwrap().0, entries.text());
        // A line of another time is a column of its own again.
        let mut other = Entries::new();
        let set = other.intern(&crate::labels::LabelSet::default());
        for at in 0..500 {
            other.push(entries.timestamp_ns(at) + i64::from(at == 300) * 1_000_000_000, entries.line(at), set);
        }
        assert!(templates.lay_out(&other) && !templates.sections()[numbers].is_empty());
        let (part, side) = (padded(&templates.sections()), padded(&[templates.side()]));
        assert_eq!(rebuild(&part, &side, text_bytes, other.timestamps_ns()).unwrap().0, entries.text());
    }

    #[test]
    fn lines_that_are_like_no_others_are_left_as_they_are() {
        let mut entries = Entries::new();
        let set = entries.intern(&crate::labels::LabelSet::default());
        for n in 0..40 {
            entries.push(1, "-".repeat(n).as_bytes(), set);
        }
        assert!(!Templates::new().lay_out(&entries));
    }
}
