//! A live tail: the newest stored entries of a query, then every entry that is appended from that very
//! moment on, none twice and none left out. Owns no thread; the caller asks for the next frame.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Cancel, Direction, Error, Limits, ResultStream, clock,
    crew::ALONE_BYTES_MAX,
    grep::Prefilter,
    group::group_neighbours,
    merge::{Hit, HitLabels},
    search::{Search, Stream, streams_of},
};
use crate::labels::{Entries, LabelSet};
use crate::logql::{LogExpr, Pipeline};
use crate::store::{Live, Piece, Store, Subscription};

/// Entries of one frame.
const FRAME_ENTRIES_MAX: usize = 100;
/// Bytes of lines and labels of one frame, unless a single entry has more.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes that wait in a tail for the end of their delay or for the client; what comes on top is dropped and reported.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Dropped entries that are remembered until the next frame tells them.
const DROPPED_MAX: usize = 1000;

/// What a tail is asked for.
#[derive(Clone, Copy, Debug)]
pub struct TailQuery<'q> {
    /// Selector and pipeline.
    pub expr: &'q LogExpr,
    /// Where the history starts, in nanoseconds since 1970.
    pub start_ns: i64,
    /// Entries of the history, the newest ones.
    pub limit: usize,
    /// How long an entry is held back so that late ones can be sorted in before it.
    pub delay: Duration,
    /// Group frames by stream labels only, and give metadata and parsed labels with each entry.
    pub categorize_labels: bool,
}

/// What is sent at once: ascending in time.
#[derive(Debug, Default)]
pub struct Frame {
    /// Runs of entries with the same labels; the same ones may come again.
    pub streams: Vec<ResultStream>,
    /// Stream and time stamp in nanoseconds of entries that the client was too slow for.
    pub dropped: Vec<(Arc<LabelSet>, i64)>,
}

impl Frame {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.dropped.is_empty()
    }
}

/// Where live entries come from: a subscription of the store, or a test.
trait Feed: Send {
    /// See [`Subscription::wait`].
    fn wait(&self, timeout: Duration) -> Option<Live>;
}

impl Feed for Subscription {
    fn wait(&self, timeout: Duration) -> Option<Live> {
        self.wait(timeout)
    }
}

/// A running tail.
pub struct Tail {
    feed: Box<dyn Feed>,
    pipeline: Pipeline,
    prefilter: Prefilter,
    delay: Duration,
    categorize: bool,
    /// Entries that were not sent yet, by time stamp and arrival.
    waiting: BTreeMap<(i64, u64), Waiting>,
    arrivals: u64,
    waiting_bytes: usize,
    dropped: Vec<(Arc<LabelSet>, i64)>,
}

impl Tail {
    /// Subscribes, and reads the history in the same moment. `client_is_gone` is asked now and then on
    /// the calling thread.
    pub fn open(
        store: &Store,
        query: &TailQuery<'_>,
        limits: &Limits,
        client_is_gone: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        if query.limit > limits.max_entries_limit_per_query {
            return Err(Error::TooManyEntries { limit: query.limit, limit_max: limits.max_entries_limit_per_query });
        }
        let pipeline = Pipeline::compile_at(&query.expr.stages, &clock())?;
        let (snapshot, feed) = store.subscribe(&query.expr.selector, query.start_ns, i64::MAX);
        let streams: Vec<Stream<Piece>> = streams_of(snapshot);
        let mut tail = Self::new(Box::new(feed), pipeline, query);
        let search = Search {
            pipeline: &tail.pipeline,
            prefilter: &tail.prefilter,
            start_ns: query.start_ns,
            end_ns: i64::MAX,
            limit: query.limit,
            bytes_max: limits.bytes_max(),
            direction: Direction::Backward,
            workers: 1,
            alone_bytes_max: ALONE_BYTES_MAX,
        };
        let found = search.run(&streams, &Cancel::after(limits.query_timeout), client_is_gone)?;
        for warning in &found.warnings {
            log::warn!("a tail's history is not complete: {warning}"); // a frame has no place for it
        }
        let now = Instant::now();
        for hit in found.hits.into_iter().rev() {
            let labels = Arc::clone(&streams[hit.stream as usize].labels);
            tail.waiting_bytes += hit.bytes();
            tail.waiting.insert((hit.timestamp_ns, tail.arrivals), Waiting { due: now, labels, hit });
            tail.arrivals += 1;
        }
        Ok(tail)
    }

    fn new(feed: Box<dyn Feed>, pipeline: Pipeline, query: &TailQuery<'_>) -> Self {
        Self {
            feed,
            prefilter: Prefilter::of(&pipeline),
            pipeline,
            delay: query.delay,
            categorize: query.categorize_labels,
            waiting: BTreeMap::new(),
            arrivals: 0,
            waiting_bytes: 0,
            dropped: Vec::new(),
        }
    }

    /// The next frame; an empty one if nothing came within `timeout`. `None` once the store is closing.
    pub fn next_frame(&mut self, timeout: Duration) -> Option<Frame> {
        let now = Instant::now();
        let timeout = if self.delay.is_zero() && !self.waiting.is_empty() {
            if self.waiting_bytes >= FRAME_BYTES_MAX {
                // The rest waits in the store's queue, where all tails share the entries.
                return Some(self.frame(now));
            }
            Duration::ZERO
        } else {
            let due = self.waiting.values().map(|waiting| waiting.due).min();
            due.map_or(timeout, |due| due.saturating_duration_since(now).min(timeout))
        };
        let live = self.feed.wait(timeout)?;
        let arrived = Instant::now();
        for (_, labels, entries) in &live.appended {
            self.take(labels, entries, arrived);
        }
        for (labels, timestamp_ns) in live.dropped {
            remember(&mut self.dropped, &labels, timestamp_ns);
        }
        Some(self.frame(arrived))
    }

    /// Runs the pipeline over appended entries and queues what passes.
    fn take(&mut self, labels: &Arc<LabelSet>, entries: &Entries, arrived: Instant) {
        let mut runner = self.pipeline.runner(labels);
        for at in self.prefilter.candidates(entries, 0..entries.len(), Direction::Forward) {
            let timestamp_ns = entries.timestamp_ns(at);
            let metadata = entries.metadata(at);
            let Some(passed) = runner.run(timestamp_ns, entries.line(at), metadata) else {
                continue;
            };
            let hit = Hit {
                timestamp_ns,
                stream: 0, // found when the frame is made
                arrival: 0,
                line: passed.line.into(),
                labels: HitLabels::of(passed.labels, || Arc::new(metadata.clone())),
            };
            let bytes = hit.bytes();
            if self.waiting_bytes + bytes > WAITING_BYTES_MAX && !self.waiting.is_empty() {
                remember(&mut self.dropped, labels, timestamp_ns);
                continue;
            }
            self.waiting_bytes += bytes;
            let waiting = Waiting { due: arrived + self.delay, labels: Arc::clone(labels), hit };
            self.waiting.insert((timestamp_ns, self.arrivals), waiting);
            self.arrivals += 1;
        }
    }

    /// What may be sent now: everything up to the latest entry whose delay is over, so that what came
    /// late for an earlier time stands before it.
    fn frame(&mut self, now: Instant) -> Frame {
        let last_due = self.waiting.iter().rev().find(|(_, waiting)| waiting.due <= now).map(|(place, _)| *place);
        let mut streams: Vec<Arc<LabelSet>> = Vec::new();
        let mut hits = Vec::new();
        let mut bytes = 0;
        while hits.len() < FRAME_ENTRIES_MAX && bytes < FRAME_BYTES_MAX {
            let Some(next) = self.waiting.first_entry().filter(|next| Some(*next.key()) <= last_due) else {
                break;
            };
            let Waiting { labels, mut hit, .. } = next.remove();
            self.waiting_bytes -= hit.bytes();
            bytes += hit.bytes();
            let known = streams.iter().position(|stream| *stream == labels);
            let at = known.unwrap_or_else(|| {
                streams.push(labels);
                streams.len() - 1
            });
            hit.stream = u32::try_from(at).unwrap_or(u32::MAX);
            hits.push(hit);
        }
        Frame { streams: group_neighbours(hits, &streams, self.categorize), dropped: std::mem::take(&mut self.dropped) }
    }
}

/// An entry that was not sent yet.
struct Waiting {
    /// When it may be sent.
    due: Instant,
    labels: Arc<LabelSet>,
    hit: Hit,
}

fn remember(dropped: &mut Vec<(Arc<LabelSet>, i64)>, labels: &Arc<LabelSet>, timestamp_ns: i64) {
    if dropped.len() < DROPPED_MAX {
        dropped.push((Arc::clone(labels), timestamp_ns));
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::VecDeque};

    use super::*;
    use crate::logql::{self, Expr};
    use crate::store::StreamId;

    /// Hands out what a test prepared, without waiting; closes after the last.
    struct Prepared(RefCell<VecDeque<Live>>);

    impl Feed for Prepared {
        fn wait(&self, _: Duration) -> Option<Live> {
            self.0.borrow_mut().pop_front()
        }
    }

    fn appended(stream: &str, entries: &[(i64, &str)]) -> (StreamId, Arc<LabelSet>, Arc<Entries>) {
        let mut run = Entries::new();
        let set = run.intern(&LabelSet::new(vec![("m".into(), "1".into())]));
        for (timestamp_ns, line) in entries {
            run.push(*timestamp_ns, line.as_bytes(), set);
        }
        (StreamId(0), Arc::new(LabelSet::new(vec![("s".into(), stream.into())])), Arc::new(run))
    }

    fn tail(stages: &str, delay: Duration, live: Vec<Live>) -> Tail {
        let Ok(Expr::Log(expr)) = logql::parse(&format!("{{s=\"x\"}} {stages}")) else { panic!("{stages}") };
        let query = TailQuery { expr: &expr, start_ns: 0, limit: 10, delay, categorize_labels: false };
        let pipeline = Pipeline::compile(&expr.stages).unwrap();
        Tail::new(Box::new(Prepared(RefCell::new(live.into()))), pipeline, &query)
    }

    fn text(frame: &Frame) -> Vec<String> {
        let entries = |stream: &ResultStream| {
            let lines = stream
                .entries
                .iter()
                .map(|entry| format!("{} {}", entry.timestamp_ns, String::from_utf8_lossy(&entry.line)));
            format!("{}: {}", stream.labels, lines.collect::<Vec<_>>().join(", "))
        };
        frame.streams.iter().map(entries).collect()
    }

    #[test]
    fn live_entries_pass_the_pipeline_and_come_in_order_of_time() {
        let live = Live {
            appended: vec![
                appended("b", &[(5, "x 1"), (3, "x 2"), (4, "y")]),
                appended("a", &[(9, "x 3"), (2, "x 0")]),
                appended("b", &[(1, "x 4"), (5, "x 5")]),
            ],
            ..Live::default()
        };
        let mut tail = tail("|= \"x\"", Duration::ZERO, vec![live]);
        let frame = tail.next_frame(Duration::ZERO).unwrap();
        assert_eq!(
            text(&frame),
            [
                r#"{m="1", s="b"}: 1 x 4"#,
                r#"{m="1", s="a"}: 2 x 0"#,
                r#"{m="1", s="b"}: 3 x 2, 5 x 1, 5 x 5"#,
                r#"{m="1", s="a"}: 9 x 3"#,
            ]
        );
        assert!(tail.next_frame(Duration::ZERO).is_none(), "the store closed");
    }

    #[test]
    fn a_frame_has_a_bounded_number_of_entries_and_the_rest_follows() {
        let many: Vec<(i64, &str)> = (0..250).map(|at| (at, "x")).collect();
        let live = Live { appended: vec![appended("a", &many)], ..Live::default() };
        let mut tail = tail("", Duration::ZERO, vec![live, Live::default(), Live::default(), Live::default()]);
        let mut sizes = Vec::new();
        let mut times = Vec::new();
        while let Some(frame) = tail.next_frame(Duration::ZERO) {
            let entries: Vec<_> = frame.streams.iter().flat_map(|stream| &stream.entries).collect();
            sizes.push(entries.len());
            times.extend(entries.iter().map(|entry| entry.timestamp_ns));
        }
        assert_eq!(sizes, [100, 100, 50, 0]);
        assert_eq!(times, (0..250).collect::<Vec<i64>>());
    }

    #[test]
    fn a_delay_holds_entries_back_until_late_ones_can_stand_before_them() {
        let live = |entries| Live { appended: vec![appended("a", entries)], ..Live::default() };
        let delay = Duration::from_secs(1000);
        let mut tail = tail("", delay, vec![live(&[(5, "first"), (9, "later")]), live(&[(3, "late")])]);
        let started = Instant::now();
        assert!(tail.next_frame(Duration::ZERO).unwrap().is_empty());
        assert!(tail.next_frame(Duration::ZERO).unwrap().is_empty());
        tail.waiting.get_mut(&(5, 0)).unwrap().due = started;
        assert_eq!(text(&tail.frame(started)), [r#"{m="1", s="a"}: 3 late, 5 first"#]);
        assert!(tail.frame(started).is_empty());
        assert_eq!(text(&tail.frame(started + delay * 2)), [r#"{m="1", s="a"}: 9 later"#]);
    }

    #[test]
    fn what_does_not_fit_is_reported_as_dropped() {
        let long = "x".repeat(WAITING_BYTES_MAX / 2);
        let mut live = Live {
            appended: vec![appended("a", &[(1, &long), (2, &long), (3, &long)])],
            dropped: vec![(Arc::default(), 7)],
            ..Live::default()
        };
        live.dropped.extend((0..2000).map(|at| (Arc::default(), at)));
        let mut tail = tail("", Duration::ZERO, vec![live, Live::default()]);
        let first = tail.next_frame(Duration::ZERO).unwrap();
        assert_eq!(first.streams[0].entries.len(), 1, "a frame ends when its bytes are reached");
        let times: Vec<i64> = first.dropped.iter().map(|(_, timestamp_ns)| *timestamp_ns).collect();
        assert_eq!((&times[..3], times.len()), (&[2, 3, 7][..], DROPPED_MAX));
        assert!(tail.next_frame(Duration::ZERO).unwrap().is_empty());
    }
}
