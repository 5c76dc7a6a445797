//! Which lines of a block share a template, and which leading slots all of them share.

use std::ops::Range;

use super::{
    super::super::codec::Interner,
    split::{MARK, OTHER, QUOTE, Slot, Slots, split},
};
use crate::labels::Entries;

/// A template pays from so many lines on.
const LINES_MIN: u32 = 3;
/// Slots of a block, eight bytes each: so many bytes of text per slot or more, which bounds the memory they
/// take. Lines beyond that are kept as they are.
const BYTES_PER_SLOT_MIN: usize = 3;
/// The same before lines are tried again.
const BYTES_PER_FIRST_SLOT_MIN: usize = 4;
/// Longer text is never laid out: far above what is ever cut, so that the length of a slot has room for its kinds.
const TEXT_BYTES_MAX: usize = 64 << 20;
/// Templates of a block, so that their numbers take two bytes.
const TEMPLATES_MAX: usize = 1 << 16;

/// A template and its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) key: Key,
    /// Its lines begin with the header of the block, which `key` leaves out.
    pub(super) has_header: bool,
    /// How many slots follow, the header's left out.
    pub(super) slots: usize,
    pub(super) lines: u32,
    /// How many lines the templates before it have.
    first_line: u32,
}

/// Where the text of a template is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    /// Runs with a digit are slots; the header is part of the text.
    First(u32),
    /// Slots of another kind behind the header.
    More(u32),
    /// All that follows the header is one slot: lines that are like no others.
    Rest,
}

/// A line's template and slots.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Number of its template: first of the key, in the end of the template.
    template: u32,
    /// Its first slot, which is the first one of the header if it has one.
    header_slot: u32,
    /// The first slot after the header.
    slot: u32,
}

/// Marks a line or key whose template is rare.
const RARE: u32 = u32::MAX;

/// What stands before the text of a key in `more_keys`: the kind of the slots, and whether the header
/// comes before it.
const KEY_PREFIX_BYTES: usize = 2;

/// The plan of one block; the buffers are kept for the next.
pub(super) struct Plan {
    keys: Interner,
    more_keys: Interner,
    key: Vec<u8>,
    slots: Vec<Slot>,
    lines: Vec<Line>,
    counts: Vec<u32>,
    /// Number of the template of each key, or `RARE`.
    template_of: Vec<u32>,
    templates: Vec<Template>,
    /// Leading text of the templates that have the header, up to the mark of its last slot.
    header: Vec<u8>,
    header_slots: usize,
    /// Lines by template, in order within each.
    order: Vec<u32>,
    rare: Vec<Rare>,
}

/// A line whose template is rare so far.
#[derive(Clone, Copy, Debug)]
struct Rare {
    line: u32,
    /// Where it starts in the text of the block, its header left out.
    start: u32,
    has_header: bool,
    key: u32,
}

impl Plan {
    pub(super) fn new() -> Self {
        Self {
            keys: Interner::new(),
            more_keys: Interner::new(),
            key: Vec::new(),
            slots: Vec::new(),
            lines: Vec::new(),
            counts: Vec::new(),
            template_of: Vec::new(),
            templates: Vec::new(),
            header: Vec::new(),
            header_slots: 0,
            order: Vec::new(),
            rare: Vec::new(),
        }
    }

    /// Makes the plan of a block. `false` if templates would not pay: over half of the lines are
    /// like no others.
    pub(super) fn make(&mut self, entries: &Entries) -> bool {
        self.templates.clear();
        if entries.text().len() > TEXT_BYTES_MAX {
            return false;
        }
        self.first_chance(entries);
        self.choose_header();
        self.number_first();
        self.list_rare(entries);
        self.more_keys.clear();
        for kind in [Slots::Quoted, Slots::Runs] {
            self.try_again(entries, kind);
        }
        if self.rare.len() * 2 > self.lines.len() || self.templates.len() + 2 > TEMPLATES_MAX {
            return false;
        }
        self.leave_rest(entries);
        self.sort_lines();
        true
    }

    pub(super) fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// The text of a template behind the header, with a [`MARK`] for each slot.
    pub(super) fn text_of(&self, template: &Template) -> &[u8] {
        match template.key {
            Key::First(key) => {
                let start = if template.has_header { self.header.len() } else { 0 };
                &self.keys.get(key as usize)[start..]
            }
            Key::More(key) => &self.more_keys.get(key as usize)[KEY_PREFIX_BYTES..],
            Key::Rest => &[MARK],
        }
    }

    /// The text that the header is, with a [`MARK`] for each of its slots; empty if there is none.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The template of each line.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.lines.iter().map(|line| line.template)
    }

    /// All slots of all lines.
    pub(super) fn used_slots(&self) -> impl Iterator<Item = Slot> {
        let template_of = |line: &Line| &self.templates[line.template as usize];
        self.lines.iter().flat_map(move |line| self.slots_of(template_of(line), line)).copied()
    }

    /// The slots of a line, in order.
    fn slots_of(&self, template: &Template, line: &Line) -> impl Iterator<Item = &Slot> {
        let header = if template.has_header { self.header_slots } else { 0 };
        let (header_slot, slot) = (line.header_slot as usize, line.slot as usize);
        self.slots[header_slot..header_slot + header].iter().chain(&self.slots[slot..slot + template.slots])
    }

    /// See `Templates::for_each_new_piece`: what touches no slot is the same in all lines of a template, and a
    /// piece has the same slots in each of them.
    pub(super) fn for_each_new_piece(&self, entries: &Entries, bytes: usize, mut each: impl FnMut(&[u8])) {
        let (text, margin) = (entries.text(), bytes - 1);
        let mut before: Vec<Range<usize>> = Vec::new();
        for template in &self.templates {
            before.clear();
            let lines = &self.order[template.first_line as usize..][..template.lines as usize];
            for (nth, at) in lines.iter().map(|line| *line as usize).enumerate() {
                let (start, end) = (entries.start(at), entries.ends()[at] as usize);
                if nth == 0 {
                    each(&text[start..end]);
                }
                let mut number = 0;
                let mut add = |piece: Range<usize>| {
                    if nth == 0 {
                        before.push(piece);
                    } else {
                        let before = std::mem::replace(&mut before[number], piece.clone());
                        if text[before] != text[piece.clone()] {
                            each(&text[piece]);
                        }
                    }
                    number += 1;
                };
                let mut piece = start..start;
                for slot in self.slots_of(template, &self.lines[at]) {
                    let (near, far) = (slot.start().saturating_sub(margin).max(start), (slot.end() + margin).min(end));
                    if near > piece.end {
                        add(std::mem::replace(&mut piece, near..far));
                    } else {
                        piece.end = far;
                    }
                }
                add(piece);
            }
        }
    }

    /// The lines of a template, or those with the header, in order.
    pub(super) fn lines_of(&self, template: Option<&Template>) -> impl Iterator<Item = usize> + Clone {
        let own = template.map(|template| &self.order[template.first_line as usize..][..template.lines as usize]);
        let own = own.unwrap_or_default().iter().map(|line| *line as usize);
        let all = if template.is_none() { 0..self.lines.len() } else { 0..0 };
        own.chain(all.filter(|line| self.templates[self.lines[*line].template as usize].has_header))
    }

    /// What all lines with the header have in its slot `number`.
    pub(super) fn header_column(&self, number: usize, out: &mut Vec<Slot>) {
        out.clear();
        let lines = self.lines.iter().filter(|line| self.templates[line.template as usize].has_header);
        out.extend(lines.map(|line| self.slots[line.header_slot as usize + number]));
    }

    /// What the lines of a template have in their slot `number`.
    pub(super) fn column(&self, template: &Template, number: usize, out: &mut Vec<Slot>) {
        out.clear();
        let lines = &self.order[template.first_line as usize..][..template.lines as usize];
        out.extend(lines.iter().map(|line| self.slots[self.lines[*line as usize].slot as usize + number]));
    }

    fn first_chance(&mut self, entries: &Entries) {
        self.keys.clear();
        self.slots.clear();
        self.lines.clear();
        self.counts.clear();
        let text = entries.text();
        let slots_max = text.len() / BYTES_PER_FIRST_SLOT_MIN;
        let mut start = 0;
        for end in entries.ends() {
            let end = *end as usize;
            let header_slot = self.slots.len() as u32;
            if self.key.len() < end - start {
                self.key.resize(end - start, 0);
            }
            let len = split(text, start, end, Slots::Digits, &mut self.key, &mut self.slots);
            let template = if self.slots.len() > slots_max {
                self.slots.truncate(header_slot as usize);
                RARE
            } else {
                let key = self.keys.intern(&self.key[..len]);
                if key as usize == self.counts.len() {
                    self.counts.push(0);
                }
                self.counts[key as usize] += 1;
                key
            };
            self.lines.push(Line { template, header_slot, slot: header_slot });
            start = end + 1;
        }
    }

    /// The header is a beginning of the most frequent template. The longer it is, the fewer lines of
    /// other templates share it: chosen is what takes the most of their values out of their own columns.
    fn choose_header(&mut self) {
        self.header.clear();
        self.header_slots = 0;
        let Some(most_frequent) = (0..self.counts.len()).max_by_key(|key| self.counts[*key]) else { return };
        let frequent = self.keys.get(most_frequent);
        let marks: Vec<usize> = memchr::memchr_iter(MARK, frequent).collect();
        // Lines of other templates that share exactly so many marks.
        let mut sharing = vec![0u64; marks.len() + 1];
        for key in (0..self.counts.len()).filter(|key| *key != most_frequent) {
            let other = self.keys.get(key);
            let common = frequent.iter().zip(other).take_while(|(a, b)| a == b).count();
            sharing[marks.partition_point(|mark| *mark < common)] += u64::from(self.counts[key]);
        }
        let (mut lines, mut best) = (0, 0);
        for slots in (1..sharing.len()).rev() {
            lines += sharing[slots];
            if lines * slots as u64 > best {
                best = lines * slots as u64;
                self.header_slots = slots;
            }
        }
        if self.header_slots > 0 {
            self.header.extend_from_slice(&frequent[..=marks[self.header_slots - 1]]);
        }
    }

    /// Numbers the templates of enough lines, and finds those of each line.
    fn number_first(&mut self) {
        self.template_of.clear();
        for (key, lines) in self.counts.iter().enumerate() {
            if *lines < LINES_MIN {
                self.template_of.push(RARE);
                continue;
            }
            let text = self.keys.get(key);
            let has_header = self.header_slots > 0 && text.starts_with(&self.header);
            let slots = memchr::memchr_iter(MARK, text).count() - if has_header { self.header_slots } else { 0 };
            self.template_of.push(self.templates.len() as u32);
            self.templates.push(Template {
                key: Key::First(key as u32),
                has_header,
                slots,
                lines: *lines,
                first_line: 0,
            });
        }
    }

    /// Lists the lines whose template is rare, and finds the slots of the others.
    fn list_rare(&mut self, entries: &Entries) {
        self.rare.clear();
        for (at, line) in self.lines.iter_mut().enumerate() {
            let mut has_header = false;
            if line.template != RARE {
                let key = line.template as usize;
                line.template = self.template_of[key];
                if line.template != RARE {
                    if self.templates[line.template as usize].has_header {
                        line.slot += self.header_slots as u32;
                    }
                    continue;
                }
                has_header = self.header_slots > 0 && self.keys.get(key).starts_with(&self.header);
            }
            let start = if has_header {
                self.slots[line.header_slot as usize + self.header_slots - 1].end()
            } else {
                entries.start(at)
            };
            self.rare.push(Rare { line: at as u32, start: start as u32, has_header, key: RARE });
        }
    }

    /// Looks for templates of the lines that are still rare, with slots of another kind.
    fn try_again(&mut self, entries: &Entries, kind: Slots) {
        let text = entries.text();
        let slots_max = text.len() / BYTES_PER_SLOT_MIN;
        let keys_before = self.more_keys.len();
        self.counts.clear();
        for rare in &mut self.rare {
            rare.key = RARE;
            let (start, end) = (rare.start as usize, entries.ends()[rare.line as usize] as usize);
            if kind == Slots::Quoted && memchr::memchr(QUOTE, &text[start..end]).is_none() {
                continue;
            }
            if self.key.len() < end - start + KEY_PREFIX_BYTES {
                self.key.resize(end - start + KEY_PREFIX_BYTES, 0);
            }
            let (prefix, rest) = self.key.split_at_mut(KEY_PREFIX_BYTES);
            // Lines of another kind or without the header have other templates, whatever their text.
            prefix.copy_from_slice(&[kind as u8, u8::from(rare.has_header)]);
            let slot = self.slots.len();
            let len = split(text, start, end, kind, rest, &mut self.slots);
            if self.slots.len() > slots_max {
                self.slots.truncate(slot);
                continue;
            }
            self.lines[rare.line as usize].slot = slot as u32;
            rare.key = self.more_keys.intern(&self.key[..KEY_PREFIX_BYTES + len]);
            let place = rare.key as usize - keys_before;
            if place == self.counts.len() {
                self.counts.push(0);
            }
            self.counts[place] += 1;
        }
        self.template_of.clear();
        for (place, lines) in self.counts.iter().enumerate() {
            if *lines < LINES_MIN {
                self.template_of.push(RARE);
                continue;
            }
            let key = keys_before + place;
            let text = self.more_keys.get(key);
            let slots = memchr::memchr_iter(MARK, &text[KEY_PREFIX_BYTES..]).count();
            self.template_of.push(self.templates.len() as u32);
            let key = Key::More(key as u32);
            self.templates.push(Template { key, has_header: text[1] != 0, slots, lines: *lines, first_line: 0 });
        }
        self.rare.retain(|rare| {
            if rare.key != RARE {
                let template = self.template_of[rare.key as usize - keys_before];
                self.lines[rare.line as usize].template = template;
                return template == RARE;
            }
            true
        });
    }

    /// Gives the lines that are still rare a template of one slot.
    fn leave_rest(&mut self, entries: &Entries) {
        let mut templates = [None; 2]; // without and with the header
        for rare in &self.rare {
            let template = *templates[usize::from(rare.has_header)].get_or_insert_with(|| {
                let has_header = rare.has_header;
                self.templates.push(Template { key: Key::Rest, has_header, slots: 1, lines: 0, first_line: 0 });
                self.templates.len() as u32 - 1
            });
            self.templates[template as usize].lines += 1;
            let line = &mut self.lines[rare.line as usize];
            (line.template, line.slot) = (template, self.slots.len() as u32);
            let (start, end) = (rare.start as usize, entries.ends()[rare.line as usize] as usize);
            self.slots.push(Slot::new(start, end - start, OTHER));
        }
    }

    /// Sorts the lines by template, counting.
    fn sort_lines(&mut self) {
        let mut next: Vec<u32> = Vec::with_capacity(self.templates.len());
        let mut before = 0;
        for template in &mut self.templates {
            template.first_line = before;
            next.push(before);
            before += template.lines;
        }
        self.order.clear();
        self.order.resize(self.lines.len(), 0);
        for (at, line) in self.lines.iter().enumerate() {
            let next = &mut next[line.template as usize];
            self.order[*next as usize] = at as u32;
            *next += 1;
        }
    }
}
