//! A job's pipeline at work on the lines of one source: runs the stages, finds the stream of what
//! comes out, and counts what does not.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{Count, Due, Entry, Flow, Place, Stage, Steps, Surroundings};
use crate::collect::{
    batch::{Batch, key},
    stats::Stats,
};
use crate::labels::LabelSet;
use crate::logql::Fields;

/// Label sets that one source remembers; then it begins anew.
const STREAMS_MAX: usize = 1000;

/// Why an entry without labels is not stored.
const NO_LABELS: &str = "no_labels";

/// The pipeline of one source.
#[derive(Debug)]
pub(in crate::collect) struct Runner {
    job: String,
    /// Number of the source; streams of different sources are never confused.
    source: u32,
    steps: Steps,
    gives_time: bool,
    streams: HashMap<u64, Vec<(LabelSet, u64)>>,
    next_stream: u32,
    dropped: BTreeMap<Arc<str>, u64>,
}

/// Where entries go, and what for.
pub(in crate::collect) struct Entries<'e, 'l> {
    pub(in crate::collect) batch: &'e mut Batch<'l>,
    /// The labels of the source's own stream.
    pub(in crate::collect) labels: &'e LabelSet,
    /// What comes out was stored before: it is only run to know what was held then.
    pub(in crate::collect) again: bool,
}

impl Runner {
    /// A pipeline for the lines of one source.
    pub(in crate::collect) fn new(job: &str, source: u32, stages: &[Stage], surroundings: &Surroundings<'_>) -> Self {
        Self {
            job: job.to_owned(),
            source,
            steps: Steps::start(stages, "", surroundings),
            gives_time: stages.iter().any(Stage::gives_time),
            streams: HashMap::new(),
            next_stream: 1,
            dropped: BTreeMap::new(),
        }
    }

    /// Runs an entry. Returns whether one was stored.
    pub(in crate::collect) fn run(&mut self, entry: &mut Entry<'_>, entries: &mut Entries<'_, '_>) -> bool {
        if !self.gives_time && entry.settle_time().is_none() {
            return false;
        }
        match self.steps.run(0, entry) {
            Flow::Next => self.store(entry, entries),
            Flow::Hold => false,
            Flow::Drop(reason) => {
                if !entries.again {
                    *self.dropped.entry(reason).or_default() += 1;
                }
                false
            }
        }
    }

    /// Stores what is held and due. Returns how many entries that were.
    pub(in crate::collect) fn release(
        &mut self,
        due: Due,
        entry: &mut Entry<'_>,
        entries: &mut Entries<'_, '_>,
    ) -> u64 {
        let mut stored = 0;
        loop {
            let dropped = &mut self.dropped;
            let mut count = |reason| *dropped.entry(reason).or_default() += 1;
            if !self.steps.release(due, entry, &mut count) {
                return stored;
            }
            stored += u64::from(self.store(entry, entries));
        }
    }

    /// When something held is due.
    pub(in crate::collect) fn deadline(&self) -> Option<Duration> {
        self.steps.deadline()
    }

    /// Where in a file the oldest line begins of which something is held.
    pub(in crate::collect) fn held(&self, generation: u64) -> Option<Place> {
        self.steps.held(generation)
    }

    /// Until when no more lines may come.
    pub(in crate::collect) fn pause(&self) -> Option<Duration> {
        self.steps.pause()
    }

    /// Hands over what was counted.
    pub(in crate::collect) fn count(&mut self, stats: &mut Stats) {
        for (reason, count) in std::mem::take(&mut self.dropped) {
            *stats.dropped_by_stage.entry((self.job.clone(), reason.to_string())).or_default() += count;
        }
        let job = &self.job;
        self.steps.count(&mut |what, count| match what {
            Count::Failed(stage) => {
                *stats.stage_failures.entry((job.clone(), stage.to_owned())).or_default() += count;
            }
            Count::TimedOut => stats.joins_timed_out += count,
        });
    }

    fn store(&mut self, entry: &mut Entry<'_>, entries: &mut Entries<'_, '_>) -> bool {
        let Some(timestamp_ns) = entry.settle_time() else {
            return false;
        };
        if entries.again {
            return false;
        }
        let metadata = std::mem::take(&mut entry.metadata);
        if !entry.labels.is_changed() {
            return entries.batch.add_with(
                key(self.source, 0),
                entries.labels,
                timestamp_ns,
                entry.line().as_bytes(),
                metadata,
            );
        }
        let hash = entry.labels_hash();
        let Some((labels, key)) = self.stream(hash, &entry.labels) else {
            *self.dropped.entry(Arc::from(NO_LABELS)).or_default() += 1;
            return false;
        };
        entries.batch.add_with(key, labels, timestamp_ns, entry.line().as_bytes(), metadata)
    }

    /// The stream of some labels; `None` if there are none.
    fn stream(&mut self, hash: u64, fields: &Fields<'_>) -> Option<(&LabelSet, u64)> {
        let is_it = |labels: &LabelSet| {
            let stored = || fields.iter().filter(|(_, value)| !value.is_empty());
            stored().count() == labels.len() && stored().all(|(name, value)| labels.get(name) == Some(value))
        };
        let known = self.streams.get(&hash).and_then(|streams| streams.iter().position(|(labels, _)| is_it(labels)));
        let at = if let Some(at) = known {
            at
        } else {
            if fields.iter().all(|(_, value)| value.is_empty()) {
                return None;
            }
            if self.streams.len() >= STREAMS_MAX {
                self.streams.clear();
            }
            let pairs = fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let key = key(self.source, self.next_stream);
            self.next_stream += 1;
            let streams = self.streams.entry(hash).or_default();
            streams.push((LabelSet::new(pairs), key));
            streams.len() - 1
        };
        let (labels, key) = self.streams.get(&hash)?.get(at)?;
        Some((labels, *key))
    }
}
