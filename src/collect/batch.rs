//! What one round gathers for one append: the entries of each stream, and the positions behind them.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
};

use foldhash::fast::FixedState;

use crate::ingest::{Limits, Rejections, StreamBuilder, admit};
use crate::labels::LabelSet;
use crate::store::Append;

use super::sink::Sink;

/// Bytes of lines after which a batch is handed over.
pub(super) const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// The key of a source's stream: number 0 is the one that its lines go to as they are.
pub(super) fn key(source: u32, number: u32) -> u64 {
    u64::from(source) << 32 | u64::from(number)
}

/// The source of a stream.
pub(super) fn source(key: u64) -> u32 {
    u32::try_from(key >> 32).unwrap_or(u32::MAX)
}

/// Entries and positions on their way.
pub(super) struct Batch<'l> {
    limits: &'l Limits,
    now_ns: i64,
    /// By key; entries go to the last.
    streams: Vec<(u64, StreamBuilder<'l>)>,
    /// Where each stream is.
    places: HashMap<u64, usize, FixedState>,
    /// Streams that the limits refuse as a whole, and why.
    pub(super) refused: Vec<(u64, String)>,
    line_bytes: usize,
    pub(super) outgoing: Outgoing,
}

/// What goes along with the entries.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// As in [`Append::positions`]; the last value of a key counts.
    pub(super) positions: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What was read exists nowhere else any more: make it durable at once.
    pub(super) commit: bool,
    /// Deleted files that may be closed once everything read from them is durable.
    pub(super) closing: Vec<File>,
}

impl Outgoing {
    /// Takes over what came later.
    pub(super) fn absorb(&mut self, later: Self) {
        self.positions.extend(later.positions);
        self.commit |= later.commit;
        self.closing.extend(later.closing);
    }

    fn is_empty(&self) -> bool {
        self.positions.is_empty() && !self.commit && self.closing.is_empty()
    }
}

/// A batch, ready to be appended and, if that fails, to be appended again.
pub(super) struct Ready {
    pub(super) append: Append,
    pub(super) commit: bool,
    #[expect(dead_code, reason = "held open until the append is durable, and closed by the drop")]
    pub(super) closing: Vec<File>,
    /// The append was taken; only the commit is missing.
    pub(super) appended: bool,
}

impl<'l> Batch<'l> {
    /// An empty batch.
    pub(super) fn new(limits: &'l Limits, now_ns: i64) -> Self {
        Self {
            limits,
            now_ns,
            streams: Vec::new(),
            places: HashMap::default(),
            refused: Vec::new(),
            line_bytes: 0,
            outgoing: Outgoing::default(),
        }
    }

    /// Adds an entry to the stream of a source, which has the key `key` (see [`key`]). Returns whether it was
    /// taken: the limits may refuse the stream as a whole.
    pub(super) fn add(&mut self, key: u64, labels: &LabelSet, timestamp_ns: i64, line: &[u8]) -> bool {
        self.add_with(key, labels, timestamp_ns, line, Vec::new())
    }

    /// The same with structured metadata.
    pub(super) fn add_with(
        &mut self,
        key: u64,
        labels: &LabelSet,
        timestamp_ns: i64,
        line: &[u8],
        metadata: Vec<(String, String)>,
    ) -> bool {
        if self.streams.last().is_none_or(|(last, _)| *last != key) && !self.turn_to(key, labels) {
            return false;
        }
        let Some((_, builder)) = self.streams.last_mut() else {
            return false;
        };
        self.line_bytes += line.len() + 1;
        builder.add(timestamp_ns, line, metadata);
        true
    }

    /// Makes a stream the last one, which takes the entries.
    fn turn_to(&mut self, key: u64, labels: &LabelSet) -> bool {
        if self.refused.iter().any(|(refused, _)| *refused == key) {
            return false;
        }
        let last = self.streams.len();
        if let Some(at) = self.places.get(&key).copied() {
            self.streams.swap(at, last - 1);
            self.places.insert(self.streams[at].0, at);
            self.places.insert(key, last - 1);
            return true;
        }
        match StreamBuilder::new(labels.clone(), self.limits, self.now_ns) {
            Ok(builder) => {
                self.places.insert(key, last);
                self.streams.push((key, builder));
            }
            Err(rejection) => {
                self.refused.push((key, rejection.to_string()));
                return false;
            }
        }
        true
    }

    /// Whether it is time to hand the batch over.
    pub(super) fn is_full(&self) -> bool {
        self.line_bytes >= BATCH_BYTES_MAX
    }

    /// Ends the batch; `None` if there is nothing in it. `rejections` takes what the limits refused.
    pub(super) fn finish(self, sink: &impl Sink, rejections: &mut Rejections) -> Option<Ready> {
        if self.streams.is_empty() && self.outgoing.is_empty() {
            return None;
        }
        let mut streams = Vec::with_capacity(self.streams.len());
        for (_, builder) in self.streams {
            let (stream, refused) = builder.finish();
            rejections.merge(refused);
            if !stream.entries.is_empty() {
                streams.push(stream);
            }
        }
        admit(&mut streams, self.limits, sink, rejections);
        let Outgoing { positions, commit, closing } = self.outgoing;
        let append = Append { streams, positions: positions.into_iter().collect(), drop_duplicates: false };
        Some(Ready { append, commit, closing, appended: false })
    }
}
