//! A line on its way through the stages: its text, its labels and metadata, what stages found in it,
//! and its time. One entry serves all lines of a read; its buffers stay.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::collect::{env::Now, lines::LineState, timestamp::Clock};
use crate::labels::LabelSet;
use crate::logql::{Fields, readable};

/// Bytes of a line that are shown in a message.
const SHOWN_BYTES_MAX: usize = 200;

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect) struct Origin {
    /// Number of the file's generation.
    pub(in crate::collect) generation: u64,
    /// First byte of the line in it.
    pub(in crate::collect) offset: u64,
    /// What was before that byte.
    pub(in crate::collect) state: LineState,
}

impl Origin {
    /// Of lines that come from no file.
    pub(in crate::collect) const NONE: Self = Self { generation: 0, offset: 0, state: LineState::Start };
}

/// What is known about an entry's time, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    /// Nothing yet.
    Unknown,
    /// A stage or the source said so.
    Given(i64),
    /// Decided; `None` if the entry is too old to be stored.
    Settled(Option<i64>),
}

/// An entry between the stages.
pub(in crate::collect) struct Entry<'s> {
    /// The line as it was read.
    raw: String,
    /// The line as a stage left it, if one did.
    line: String,
    /// Where the next one writes.
    next: String,
    rewritten: bool,
    /// The labels of the stream.
    pub(in crate::collect) labels: Fields<'s>,
    /// What stages found. Begins with the labels.
    pub(in crate::collect) fields: Fields<'s>,
    /// Structured metadata.
    pub(in crate::collect) metadata: Vec<(String, String)>,
    pub(in crate::collect) origin: Origin,
    pub(in crate::collect) now: Now,
    /// Why the present stage failed, if it did.
    pub(super) failure: Option<&'static str>,
    time: Time,
    modified_ns: i64,
    clock: &'s mut Clock,
}

/// The parts of an entry, which may be used at once.
pub(super) struct Parts<'e, 's> {
    pub(super) line: &'e str,
    pub(super) fields: &'e mut Fields<'s>,
    /// Empty; becomes the line by [`Entry::take_next`].
    pub(super) next: &'e mut String,
}

/// An entry that is kept for later.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    pub(super) line: String,
    labels: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
    time: Time,
}

impl<'s> Entry<'s> {
    /// For the lines of one stream. `clock` gives the time to lines for which no stage does.
    pub(in crate::collect) fn new(labels: &'s LabelSet, clock: &'s mut Clock, now: Now) -> Self {
        Self {
            raw: String::new(),
            line: String::new(),
            next: String::new(),
            rewritten: false,
            labels: Fields::over(labels),
            fields: Fields::over(labels),
            metadata: Vec::new(),
            origin: Origin::NONE,
            now,
            failure: None,
            time: Time::Unknown,
            modified_ns: now.wall_ns,
            clock,
        }
    }

    /// Begins with the next line. `modified_ns` is the last change of its file.
    pub(in crate::collect) fn begin(&mut self, line: &[u8], origin: Origin, modified_ns: i64) {
        self.raw.clear();
        self.raw.push_str(&readable(line));
        self.rewritten = false;
        self.labels.start();
        self.fields.start();
        self.metadata.clear();
        self.time = Time::Unknown;
        (self.origin, self.modified_ns) = (origin, modified_ns);
    }

    /// Adds labels that come with the line.
    pub(in crate::collect) fn label(&mut self, labels: &[(&str, &str)]) {
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            self.labels.set(name, |text| text.push_str(value));
            self.fields.set(name, |text| text.push_str(value));
        }
    }

    /// The labels as they are now.
    pub(in crate::collect) fn label_set(&self) -> LabelSet {
        LabelSet::new(owned(&self.labels))
    }

    /// Takes other labels.
    pub(in crate::collect) fn take_labels(&mut self, labels: &LabelSet) {
        let pairs: Vec<_> = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        lay(&mut self.labels, &pairs);
        lay(&mut self.fields, &pairs);
    }

    /// The line as it is now.
    pub(in crate::collect) fn line(&self) -> &str {
        if self.rewritten { &self.line } else { &self.raw }
    }

    /// The line or, with a name, what a stage found under it.
    pub(super) fn value(&self, source: Option<&str>) -> Option<&str> {
        match source {
            None => Some(self.line()),
            Some(name) => self.fields.get(name),
        }
    }

    /// The parts, and an empty buffer for another line.
    pub(super) fn parts(&mut self) -> Parts<'_, 's> {
        self.next.clear();
        let line = if self.rewritten { &self.line } else { &self.raw };
        Parts { line, fields: &mut self.fields, next: &mut self.next }
    }

    /// What was written to [`Parts::next`].
    pub(super) fn next_line(&mut self) -> &mut String {
        &mut self.next
    }

    /// What was written to [`Parts::next`] is the line from now on.
    pub(super) fn take_next(&mut self) {
        std::mem::swap(&mut self.line, &mut self.next);
        self.rewritten = true;
    }

    /// What a stage found becomes the line. Returns whether there is such a thing.
    pub(super) fn take_field(&mut self, name: &str) -> bool {
        let Some(value) = self.fields.get(name) else {
            return false;
        };
        self.next.clear();
        self.next.push_str(value);
        self.take_next();
        true
    }

    /// Gives the entry a time, in nanoseconds since 1970.
    pub(in crate::collect) fn give_time(&mut self, ns: i64) {
        self.time = Time::Given(ns);
    }

    /// Decides about the time, unless that was done. `None`: the entry is too old to be stored.
    pub(in crate::collect) fn settle_time(&mut self) -> Option<i64> {
        let ns = match self.time {
            Time::Settled(ns) => return ns,
            Time::Given(ns) => self.clock.take(ns, self.now.wall_ns, self.modified_ns),
            Time::Unknown => self.clock.stamp(self.raw.as_bytes(), self.now.wall_ns, self.modified_ns),
        };
        self.time = Time::Settled(ns);
        ns
    }

    /// The time as far as it is known; settles it if nothing is.
    pub(super) fn known_time(&mut self) -> Option<i64> {
        if let Time::Given(ns) = self.time { Some(ns) } else { self.settle_time() }
    }

    /// The file's last change, in nanoseconds since 1970.
    pub(super) fn modified_ns(&self) -> i64 {
        self.modified_ns
    }

    /// The same number for equal labels, whatever their order.
    pub(in crate::collect) fn labels_hash(&self) -> u64 {
        let hash = |pair: (&str, &str)| FixedState::default().hash_one(pair);
        self.labels.iter().map(hash).fold(0, u64::wrapping_add)
    }

    /// Keeps the entry for later.
    pub(super) fn save(&mut self) -> Saved {
        self.settle_time();
        Saved {
            line: self.line().to_owned(),
            labels: owned(&self.labels),
            fields: owned(&self.fields),
            metadata: std::mem::take(&mut self.metadata),
            time: self.time,
        }
    }

    /// Goes on with a kept entry instead of this one.
    pub(super) fn restore(&mut self, saved: Saved) {
        let Saved { line, labels, fields, metadata, time } = saved;
        lay(&mut self.labels, &labels);
        lay(&mut self.fields, &fields);
        (self.line, self.rewritten) = (line, true);
        (self.metadata, self.time) = (metadata, time);
    }

    /// The line as a message shows it.
    pub(super) fn shown(&self) -> String {
        let line = self.line();
        let shown = &line[..line.floor_char_boundary(SHOWN_BYTES_MAX)];
        format!("{shown:?}{}", if shown.len() < line.len() { " ..." } else { "" })
    }
}

fn owned(fields: &Fields<'_>) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Makes the fields hold exactly these pairs.
fn lay(fields: &mut Fields<'_>, pairs: &[(String, String)]) {
    fields.start();
    fields.retain(|name| pairs.iter().any(|(known, _)| known == name));
    for (name, value) in pairs {
        if fields.get(name) != Some(value) {
            fields.set(name, |text| text.push_str(value));
        }
    }
}
