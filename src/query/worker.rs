//! What each worker of a search does: it takes the next piece, looks for lines that pass, and brings
//! what it found to the others, until nothing that is left can improve the answer.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{
    Direction, Error, Statistics,
    cancel::Watch,
    merge::{Held, Hit, HitLabels},
    search::{Found, Search, Source, Stream, WARNINGS_MAX},
};
use crate::labels::{Entries, LabelSet};
use crate::store::{self, Columns};

/// A piece to be searched.
pub(super) struct Job {
    /// The time in the range that the piece's best entry can have.
    pub(super) best_ns: i64,
    /// Index of the stream.
    pub(super) stream: usize,
    /// Index of the piece within its stream.
    pub(super) piece: usize,
}

/// What the workers of a query share.
pub(super) struct Team<'s, 'q, S> {
    search: &'s Search<'q>,
    streams: &'s [Stream<S>],
    jobs: Vec<Job>,
    next_job: AtomicUsize,
    /// Bytes of text of the pieces that were read.
    bytes_read: AtomicU64,
    /// [`Held::bar_ns`] of all workers' hits. Only ever moves towards the answer's begin, so an old
    /// value costs time and nothing else.
    bar_ns: AtomicI64,
    outcome: Mutex<Outcome>,
}

struct Outcome {
    held: Held,
    statistics: Statistics,
    warnings: Vec<String>,
    error: Option<Error>,
}

impl<'s, 'q, S: Source> Team<'s, 'q, S> {
    /// `jobs` come nearest to the answer's begin first.
    pub(super) fn new(search: &'s Search<'q>, streams: &'s [Stream<S>], jobs: Vec<Job>) -> Self {
        Self {
            search,
            streams,
            jobs,
            next_job: AtomicUsize::new(0),
            bytes_read: AtomicU64::new(0),
            bar_ns: AtomicI64::new(no_bar_ns(search.direction)),
            outcome: Mutex::new(Outcome {
                held: Held::new(search.direction, search.limit, search.bytes_max),
                statistics: Statistics::default(),
                warnings: Vec::new(),
                error: None,
            }),
        }
    }

    /// How many pieces there are to search.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Bytes of text that were read so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Takes pieces until none is left, or none can improve the answer. `between` runs before each piece.
    pub(super) fn work(&self, watch: &Watch<'_>, between: &mut dyn FnMut()) {
        while let Some(job) = self.jobs.get(self.next_job.fetch_add(1, Ordering::Relaxed)) {
            between();
            // Jobs are in order, so the ones behind this one are worse still.
            if self.is_beaten(job.best_ns) {
                return;
            }
            if let Err(error) = watch.check().and_then(|()| self.search_piece(job, watch)) {
                self.outcome().error.get_or_insert(error);
                self.next_job.store(self.jobs.len(), Ordering::Relaxed);
                return;
            }
        }
    }

    /// What all workers found, once they are done.
    pub(super) fn finish(self) -> Result<Found, Error> {
        let outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = outcome.error {
            return Err(error);
        }
        let mut warnings = outcome.warnings;
        warnings.sort();
        warnings.dedup();
        let bytes_max = self.search.bytes_max;
        let hits = outcome.held.finish().ok_or(Error::TooManyBytes { bytes_max })?;
        Ok(Found { hits, statistics: outcome.statistics, warnings })
    }

    fn search_piece(&self, job: &Job, watch: &Watch<'_>) -> Result<(), Error> {
        let stream = &self.streams[job.stream];
        let source = &stream.pieces[job.piece];
        let run = match source.read_where(Columns::ALL, self.search.pipeline.required_literals()) {
            Ok(Some(run)) => run,
            Ok(None) => return Ok(()),
            Err(store::Error::Closing) => return Err(store::Error::Closing.into()),
            Err(error) => {
                // The other pieces are still worth having; the answer says what is missing.
                let mut outcome = self.outcome();
                if outcome.warnings.len() < WARNINGS_MAX {
                    outcome.warnings.push(error.to_string());
                }
                return Ok(());
            }
        };
        self.bytes_read.fetch_add(run.text().len() as u64, Ordering::Relaxed);
        let mut statistics = Statistics::default();
        let held = self.search_run(job, &run, source.first_entry(), watch, &mut statistics)?;
        let mut outcome = self.outcome();
        outcome.statistics += statistics;
        outcome.held.absorb(held);
        if let Some(bar_ns) = outcome.held.bar_ns() {
            self.bar_ns.store(bar_ns, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The hits of one run.
    fn search_run(
        &self,
        job: &Job,
        run: &Entries,
        first_entry: u64,
        watch: &Watch<'_>,
        statistics: &mut Statistics,
    ) -> Result<Held, Error> {
        let search = self.search;
        let mut held = Held::new(search.direction, search.limit, search.bytes_max);
        let mut runner = search.pipeline.runner(&self.streams[job.stream].labels);
        let mut metadata_of: Vec<Option<Arc<LabelSet>>> = vec![None; run.sets().len()];
        let times = run.timestamps_ns();
        let sorted = times.is_sorted();
        let range = if sorted { range_in(times, search.start_ns, search.end_ns) } else { 0..run.len() };
        let mut searched = range.clone();
        let lines_per_check = search.pipeline.lines_per_check();
        for (n, at) in search.prefilter.candidates(run, range.clone(), search.direction).enumerate() {
            if n % lines_per_check == lines_per_check - 1 {
                watch.check()?;
            }
            let timestamp_ns = times[at];
            if self.is_beaten(timestamp_ns)
                || held.bar_ns().is_some_and(|bar| beats(search.direction, bar, timestamp_ns))
            {
                if sorted {
                    searched = match search.direction {
                        Direction::Forward => range.start..at,
                        Direction::Backward => at + 1..range.end,
                    };
                    break;
                }
                continue;
            }
            if timestamp_ns < search.start_ns || timestamp_ns >= search.end_ns {
                continue;
            }
            let metadata = run.metadata(at);
            statistics.metadata_bytes_processed += metadata.text_bytes() as u64;
            let Some(passed) = runner.run(timestamp_ns, run.line(at), metadata) else {
                continue;
            };
            statistics.lines_passed += 1;
            let labels = HitLabels::of(passed.labels, || {
                let shared = metadata_of[run.set_of()[at] as usize].get_or_insert_with(|| Arc::new(metadata.clone()));
                Arc::clone(shared)
            });
            let stream = u32::try_from(job.stream).unwrap_or(u32::MAX);
            held.push(Hit { timestamp_ns, stream, arrival: first_entry + at as u64, line: passed.line.into(), labels });
            // In a sorted run what follows is worse than what is held, equal times included.
            if sorted && held.len() >= search.limit {
                searched = match search.direction {
                    Direction::Forward => range.start..at + 1,
                    Direction::Backward => at..range.end,
                };
                break;
            }
        }
        if !searched.is_empty() {
            let text_bytes = run.ends()[searched.end - 1] as usize + 1 - run.start(searched.start);
            statistics.lines_processed += searched.len() as u64;
            statistics.bytes_processed += (text_bytes - searched.len()) as u64;
        }
        Ok(held)
    }

    fn is_beaten(&self, timestamp_ns: i64) -> bool {
        beats(self.search.direction, self.bar_ns.load(Ordering::Relaxed), timestamp_ns)
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of sorted times lie in `[start_ns, end_ns)`.
fn range_in(times: &[i64], start_ns: i64, end_ns: i64) -> Range<usize> {
    times.partition_point(|time| *time < start_ns)..times.partition_point(|time| *time < end_ns)
}

/// A bar that nothing is beaten by.
fn no_bar_ns(direction: Direction) -> i64 {
    match direction {
        Direction::Forward => i64::MAX,
        Direction::Backward => i64::MIN,
    }
}

/// Whether an entry at `bar_ns` comes strictly before one at `timestamp_ns`.
fn beats(direction: Direction, bar_ns: i64, timestamp_ns: i64) -> bool {
    match direction {
        Direction::Forward => bar_ns < timestamp_ns,
        Direction::Backward => bar_ns > timestamp_ns,
    }
}
