//! An entry on its way through a pipeline: its line, and its labels as they stand so far. All text
//! that stages make lies in buffers that are used again for the next line.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::FixedState;

use super::wanted::Wanted;
use crate::labels::LabelSet;

/// The name under which an error is seen.
pub(super) const ERROR: &str = "__error__";
/// The name under which what is known about an error is seen.
pub(super) const ERROR_DETAILS: &str = "__error_details__";
/// The name of the mark that a metric query may go on in spite of an error.
pub(super) const PRESERVE_ERROR: &str = "__preserve_error__";
/// What a parser appends to a key that is taken by a stream label or by metadata.
const COLLISION_SUFFIX: &str = "_extracted";
/// Up to this many labels are found by looking at each; more get a hash table.
const SLOTS_SCANNED_MAX: usize = 32;

/// The buffers of a runner for the line.
#[derive(Debug, Default)]
pub(super) struct LineBuffers {
    /// The line as the last stage that rewrote it left it.
    pub(super) current: Vec<u8>,
    /// Where the next one writes.
    next: Vec<u8>,
}

/// One entry while stages work on it.
pub(super) struct Entry<'e, 's> {
    /// Its time in nanoseconds since 1970.
    pub(super) timestamp_ns: i64,
    /// The line as it was stored.
    pub(super) stored: &'e [u8],
    /// Whether a stage has rewritten the line.
    pub(super) rewritten: bool,
    /// Where rewritten lines lie.
    pub(super) buffers: &'e mut LineBuffers,
    /// Its labels.
    pub(super) labels: &'e mut Labels<'s>,
    /// The number that `unwrap` found.
    pub(super) value: Option<f64>,
}

impl<'s> Entry<'_, 's> {
    /// The line as it is now, and the labels, which may be changed while it is read.
    pub(super) fn parts(&mut self) -> (&[u8], &mut Labels<'s>) {
        let line = if self.rewritten { &self.buffers.current } else { self.stored };
        (line, self.labels)
    }

    /// Replaces the line by what `write` makes of it; keeps it if `write` says so by returning false.
    pub(super) fn rewrite(&mut self, write: impl FnOnce(&[u8], &mut Labels<'s>, &mut Vec<u8>) -> bool) {
        let LineBuffers { current, next } = &mut *self.buffers;
        next.clear();
        let line = if self.rewritten { current.as_slice() } else { self.stored };
        if write(line, self.labels, next) {
            std::mem::swap(current, next);
            self.rewritten = true;
        }
    }
}

/// Where a label that is no stream label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Metadata,
    Parsed,
}

/// A label beside those of the stream.
#[derive(Clone, Debug)]
struct Slot {
    name: Range<usize>,
    value: Range<usize>,
    source: Source,
    /// False once it has been dropped or renamed.
    live: bool,
    /// Set by a parser: a later parser does not set it again, even after it was dropped.
    extracted: bool,
}

/// The labels of an entry: those of its stream, overlaid by its metadata and by what stages made.
#[derive(Debug)]
pub(super) struct Labels<'s> {
    stream: &'s LabelSet,
    wanted: &'s Wanted,
    /// How many of the wanted labels parsers have found.
    found: usize,
    /// For each stream label whether a stage dropped it.
    dropped: Vec<bool>,
    slots: Vec<Slot>,
    /// The place of a slot by the hash of its name, once there are more than `SLOTS_SCANNED_MAX`.
    slot_by_hash: HashMap<u64, usize, FixedState>,
    /// The names and values of all slots.
    text: String,
    error: String,
    error_details: String,
    changed: bool,
}

impl<'s> Labels<'s> {
    /// The labels of entries of one stream, of which parsers extract those that are wanted.
    pub(super) fn new(stream: &'s LabelSet, wanted: &'s Wanted) -> Self {
        Self {
            stream,
            wanted,
            found: 0,
            dropped: vec![false; stream.len()],
            slots: Vec::new(),
            slot_by_hash: HashMap::default(),
            text: String::new(),
            error: String::new(),
            error_details: String::new(),
            changed: false,
        }
    }

    /// Whether an entry's metadata look different beside the labels of the stream.
    pub(super) fn clashes_with(&self, metadata: &LabelSet) -> bool {
        metadata.iter().any(|(name, _)| matches!(name, ERROR | ERROR_DETAILS) || self.stream.get(name).is_some())
    }

    /// Starts the next entry. A metadata name that the stream has too gets a suffix.
    pub(super) fn start(&mut self, metadata: &LabelSet) {
        if self.changed {
            self.dropped.fill(false);
            self.error.clear();
            self.error_details.clear();
            self.changed = false;
        }
        self.found = 0;
        self.slots.clear();
        if !self.slot_by_hash.is_empty() {
            self.slot_by_hash.clear();
        }
        self.text.clear();
        for (name, value) in metadata.iter() {
            let start = self.text.len();
            match name {
                ERROR => self.error.push_str(value),
                ERROR_DETAILS => self.error_details.push_str(value),
                _ => {
                    self.text.push_str(name);
                    if self.stream.get(name).is_some() {
                        self.text.push_str(COLLISION_SUFFIX);
                        self.changed = true;
                    }
                    let name = start..self.text.len();
                    self.text.push_str(value);
                    let value = name.end..self.text.len();
                    self.push_slot(Slot { name, value, source: Source::Metadata, live: true, extracted: false });
                }
            }
        }
        self.changed |= !self.error.is_empty() || !self.error_details.is_empty();
    }

    /// Whether anything differs from what was stored.
    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    fn name(&self, slot: &Slot) -> &str {
        &self.text[slot.name.clone()]
    }

    fn value(&self, slot: &Slot) -> &str {
        &self.text[slot.value.clone()]
    }

    fn slot_at(&self, name: &str) -> Option<usize> {
        let is_it = |slot: &Slot| self.name(slot) == name;
        if self.slots.len() <= SLOTS_SCANNED_MAX {
            return self.slots.iter().position(is_it);
        }
        let at = *self.slot_by_hash.get(&hash(name))?;
        // Two names of one hash are hardly ever met; then each slot is looked at.
        if is_it(&self.slots[at]) { Some(at) } else { self.slots.iter().position(is_it) }
    }

    fn live_slot(&self, name: &str) -> Option<&Slot> {
        self.slot_at(name).map(|at| &self.slots[at]).filter(|slot| slot.live)
    }

    fn push_slot(&mut self, slot: Slot) {
        self.slots.push(slot);
        let count = self.slots.len();
        if count > SLOTS_SCANNED_MAX {
            let unindexed = if self.slot_by_hash.is_empty() { 0 } else { count - 1 };
            for at in unindexed..count {
                let hash = hash(self.name(&self.slots[at]));
                self.slot_by_hash.entry(hash).or_insert(at);
            }
        }
    }

    fn stream_at(&self, name: &str) -> Option<usize> {
        self.stream.iter().position(|(known, _)| known == name)
    }

    /// The value of a label; `None` if the entry has no such label. `__error__` reads the error.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        match name {
            ERROR => return (!self.error.is_empty()).then_some(&self.error),
            ERROR_DETAILS if !self.error_details.is_empty() => return Some(&self.error_details),
            _ => {}
        }
        if let Some(slot) = self.live_slot(name) {
            return Some(self.value(slot));
        }
        let at = self.stream_at(name)?;
        if self.dropped[at] { None } else { self.stream.get(name) }
    }

    /// Sets a label that a parser found under `key`, unless a parser has set it already and
    /// `overwrite` is false. Its value is what `write` appends.
    pub(super) fn extract(&mut self, key: &str, overwrite: bool, write: impl FnOnce(&mut String)) {
        if !self.wanted.takes(key) {
            return; // nor is the name it has after a collision: that would make the key wanted
        }
        let start = self.text.len();
        self.text.push_str(key);
        let mut known = self.slot_at(key);
        if self.is_taken(key, known) {
            self.text.push_str(COLLISION_SUFFIX);
            let name = &self.text[start..];
            if !self.wanted.takes(name) {
                return self.text.truncate(start);
            }
            known = self.slot_at(name);
        }
        let is_known = known.is_some_and(|at| self.slots[at].extracted);
        if is_known && !overwrite {
            return self.text.truncate(start);
        }
        self.found += usize::from(!is_known);
        let name = start..self.text.len();
        write(&mut self.text);
        self.store(name, known, true);
    }

    /// Whether parsers have found all that is wanted, so that they may stop.
    pub(super) fn has_all_wanted(&self) -> bool {
        self.wanted.count() == Some(self.found)
    }

    /// Whether a parser must give `key` another name: the stream has it, even if it was dropped, or
    /// the metadata have it now.
    pub(super) fn collides(&self, key: &str) -> bool {
        self.is_taken(key, self.slot_at(key))
    }

    /// The same, where the slot of that name is known.
    fn is_taken(&self, key: &str, slot: Option<usize>) -> bool {
        let is_metadata = |slot: &Slot| slot.live && slot.source == Source::Metadata;
        slot.is_some_and(|at| is_metadata(&self.slots[at])) || self.stream.get(key).is_some()
    }

    /// Sets a label whatever it was. Its value is what `write` appends.
    pub(super) fn set(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        let known = self.slot_at(name);
        let start = self.text.len();
        self.text.push_str(name);
        let name = start..self.text.len();
        write(&mut self.text);
        self.store(name, known, false);
    }

    /// Makes a slot of the name and the value that were just written.
    fn store(&mut self, name: Range<usize>, known: Option<usize>, extracted: bool) {
        self.changed = true;
        let value = name.end..self.text.len();
        let source = Source::Parsed;
        match known {
            Some(at) => {
                let extracted = extracted || self.slots[at].extracted;
                self.slots[at] = Slot { name, value, source, live: true, extracted };
            }
            None => self.push_slot(Slot { name, value, source, live: true, extracted }),
        }
    }

    /// Gives `to` the value of `from` and drops `from`; does nothing if there is no `from`.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.live_slot(from).map(|slot| slot.value.clone()) {
            self.set(to, |text| text.extend_from_within(value));
        } else if let Some(at) = self.stream_at(from)
            && !self.dropped[at]
        {
            let value = self.stream.get(from).unwrap_or("");
            self.set(to, |text| text.push_str(value));
        } else {
            return;
        }
        self.drop_label(from);
    }

    /// Drops a label. The names of the errors drop these, and not a label that is called so.
    pub(super) fn drop_label(&mut self, name: &str) {
        self.changed = true;
        match name {
            ERROR => return self.error.clear(),
            ERROR_DETAILS => return self.error_details.clear(),
            _ => {}
        }
        if let Some(at) = self.slot_at(name) {
            self.slots[at].live = false;
        }
        if let Some(at) = self.stream_at(name) {
            self.dropped[at] = true;
        }
    }

    /// Drops every label for which `keep` is false; the errors stay.
    pub(super) fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        self.changed = true;
        let kept_always = |name: &str| matches!(name, ERROR | ERROR_DETAILS | PRESERVE_ERROR);
        for at in 0..self.slots.len() {
            let (name, value) = (self.name(&self.slots[at]), self.value(&self.slots[at]));
            let stays = kept_always(name) || keep(name, value);
            self.slots[at].live &= stays;
        }
        for (at, (name, value)) in self.stream.iter().enumerate() {
            self.dropped[at] |= !(kept_always(name) || keep(name, value));
        }
    }

    /// The error, or an empty text.
    pub(super) fn error(&self) -> &str {
        &self.error
    }

    /// Notes an error, in place of an earlier one.
    pub(super) fn set_error(&mut self, error: &str, details: &str) {
        self.changed = true;
        self.error.clear();
        self.error.push_str(error);
        self.error_details.clear();
        self.error_details.push_str(details);
    }

    /// Notes the error of a parser; marks it if the query looks at such errors itself.
    pub(super) fn set_parser_error(&mut self, error: &str, details: &str) {
        self.set_error(error, details);
        if self.wanted.preserves_errors() {
            self.set(PRESERVE_ERROR, |text| text.push_str("true"));
        }
    }

    /// Whether the error does not make a metric query fail.
    pub(super) fn preserves_error(&self) -> bool {
        self.get(PRESERVE_ERROR) == Some("true")
    }

    /// The stream labels that are left: neither dropped nor overlaid.
    pub(super) fn stream(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.stream
            .iter()
            .enumerate()
            .filter(|(at, (name, _))| {
                !self.dropped[*at] && !self.slots.iter().any(|slot| slot.live && self.name(slot) == *name)
            })
            .map(|(_, pair)| pair)
    }

    /// The metadata that are left, in no particular order.
    pub(super) fn metadata(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.live(Source::Metadata)
    }

    /// The labels that stages made, the errors among them, in no particular order.
    pub(super) fn parsed(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let errors = [(ERROR, self.error.as_str()), (ERROR_DETAILS, self.error_details.as_str())];
        let errors = errors.into_iter().filter(|(_, value)| !value.is_empty());
        let named_like_error = |name: &str| {
            (name == ERROR && !self.error.is_empty()) || (name == ERROR_DETAILS && !self.error_details.is_empty())
        };
        self.live(Source::Parsed).filter(move |(name, _)| !named_like_error(name)).chain(errors)
    }

    fn live(&self, source: Source) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.slots
            .iter()
            .filter(move |slot| slot.live && slot.source == source)
            .map(|slot| (self.name(slot), self.value(slot)))
    }

    /// All labels, in no particular order; no name occurs twice.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.stream().chain(self.metadata()).chain(self.parsed())
    }
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

/// Appends to `key` what `part` becomes as (a part of) a label's name: letters, digits and
/// underscores, no digit first, parts joined by an underscore. A blank part adds nothing.
pub(super) fn append_sanitized(key: &mut String, part: &str) {
    let part = part.trim();
    if part.is_empty() {
        return;
    }
    if !key.is_empty() || part.starts_with(|c: char| c.is_ascii_digit()) {
        key.push('_');
    }
    let is_plain = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    if part.bytes().all(is_plain) {
        key.push_str(part);
    } else {
        key.extend(part.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    }
}
