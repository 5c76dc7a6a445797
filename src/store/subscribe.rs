//! Live entries for a tail: a bounded queue between the appends and one reader. An append never
//! waits for a reader; what does not fit is dropped and remembered.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{StreamId, tenant::Scope};
use crate::labels::{Entries, LabelSet, Matcher};

/// At most so many dropped entries are remembered between two looks; more are only counted.
const DROPPED_REMEMBERED_MAX: usize = 1000;

/// The reader's end. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription(Arc<Queue>);

/// What a subscription received since the last look.
#[derive(Debug, Default)]
pub struct Live {
    /// A stream and the entries of one append, in order of arrival.
    pub appended: Vec<(StreamId, Arc<LabelSet>, Arc<Entries>)>,
    /// Entries that did not fit into the queue: labels and time stamps in nanoseconds.
    pub dropped: Vec<(Arc<LabelSet>, i64)>,
    /// How many did not fit, also beyond those in `dropped`.
    pub dropped_count: u64,
}

impl Subscription {
    /// Waits for entries; nothing is in the result after `timeout`. `None` once the store is closing.
    pub fn wait(&self, timeout: Duration) -> Option<Live> {
        let queue = self.0.lock();
        let is_idle = |queue: &mut Waiting| queue.live.is_empty() && queue.dropped_count == 0 && !queue.closed;
        let (mut queue, _) =
            self.0.arrived.wait_timeout_while(queue, timeout, is_idle).unwrap_or_else(PoisonError::into_inner);
        if queue.closed && queue.live.is_empty() {
            return None;
        }
        queue.bytes = 0;
        Some(Live {
            appended: std::mem::take(&mut queue.live).into(),
            dropped: std::mem::take(&mut queue.dropped),
            dropped_count: std::mem::take(&mut queue.dropped_count),
        })
    }
}

/// The queue that reader and store share.
#[derive(Debug)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    live: VecDeque<(StreamId, Arc<LabelSet>, Arc<Entries>)>,
    bytes: usize,
    dropped: Vec<(Arc<LabelSet>, i64)>,
    dropped_count: u64,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A reader that panicked leaves a queue that is still whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The store's end of all subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Vec<Subscriber>);

#[derive(Debug)]
struct Subscriber {
    queue: Arc<Queue>,
    queue_bytes_max: usize,
    scope: Scope,
    matchers: Vec<Matcher>,
    /// Under which labels the reader sees a stream; `None` if it does not want it.
    verdicts: HashMap<u32, Option<Arc<LabelSet>>>,
}

impl Subscribers {
    pub(super) fn add(&mut self, scope: &Scope, matchers: &[Matcher], queue_bytes_max: usize) -> Subscription {
        let queue = Arc::new(Queue { waiting: Mutex::default(), arrived: Condvar::new() });
        self.0.push(Subscriber {
            queue: Arc::clone(&queue),
            queue_bytes_max,
            scope: scope.clone(),
            matchers: matchers.to_vec(),
            verdicts: HashMap::new(),
        });
        Subscription(queue)
    }

    /// How many readers there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().filter(|subscriber| subscriber.has_reader()).count()
    }

    /// Whether somebody wants the entries of a stream. Readers that are gone are forgotten here.
    pub(super) fn want(&mut self, stream: u32, labels: &Arc<LabelSet>) -> bool {
        self.0.retain(Subscriber::has_reader);
        self.0.iter_mut().any(|subscriber| subscriber.wanted(stream, labels).is_some())
    }

    /// Hands entries to all who want the stream.
    pub(super) fn deliver(&mut self, stream: u32, labels: &Arc<LabelSet>, entries: &Arc<Entries>) {
        for subscriber in &mut self.0 {
            if let Some(labels) = subscriber.wanted(stream, labels) {
                subscriber.deliver(StreamId(stream), &labels, entries);
            }
        }
    }

    /// Wakes all readers for the last time.
    pub(super) fn close(&mut self) {
        for subscriber in self.0.drain(..) {
            subscriber.queue.lock().closed = true;
            subscriber.queue.arrived.notify_all();
        }
    }
}

impl Subscriber {
    fn has_reader(&self) -> bool {
        Arc::strong_count(&self.queue) > 1
    }

    /// The labels of a stream as the reader sees them, if it wants the stream.
    fn wanted(&mut self, stream: u32, labels: &Arc<LabelSet>) -> Option<Arc<LabelSet>> {
        let Self { scope, matchers, verdicts, .. } = self;
        let verdict = verdicts.entry(stream).or_insert_with(|| {
            scope.shown(labels).filter(|shown| matchers.iter().all(|matcher| matcher.matches_set(shown)))
        });
        verdict.clone()
    }

    fn deliver(&self, stream: StreamId, labels: &Arc<LabelSet>, entries: &Arc<Entries>) {
        let mut queue = self.queue.lock();
        let bytes = entries.memory_bytes();
        // One append always fits into an empty queue, or entries larger than it could never pass.
        if queue.bytes > 0 && queue.bytes + bytes > self.queue_bytes_max {
            queue.dropped_count += entries.len() as u64;
            for timestamp_ns in entries.timestamps_ns() {
                if queue.dropped.len() == DROPPED_REMEMBERED_MAX {
                    break;
                }
                queue.dropped.push((Arc::clone(labels), *timestamp_ns));
            }
        } else {
            queue.bytes += bytes;
            queue.live.push_back((stream, Arc::clone(labels), Arc::clone(entries)));
        }
        drop(queue);
        self.queue.arrived.notify_one();
    }
}
