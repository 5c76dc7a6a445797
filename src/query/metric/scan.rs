//! The scan behind a range function: one worker per core takes pieces of streams, turns each into a
//! table of accumulators, and merges the tables in the order of the pieces, so that the answer is the
//! same to the last bit for any number of workers.

use std::{
    collections::BTreeMap,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    accumulator::{Accumulator, Observation},
    extract::Extraction,
    key::Key,
    plan::{Extract, Leg},
    table::Table,
    window::Windows,
};
use crate::labels::LabelSet;
use crate::query::{
    Error, Statistics,
    cancel::{CLIENT_CHECK_INTERVAL, Watch},
    crew::Crew,
    search::{Source, Stream, WARNINGS_MAX},
};
use crate::store;

/// Tables that wait for one before them. A worker that is further ahead waits.
const TABLES_WAITING_MAX: usize = 16;

/// What a scan has found beside its series.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) statistics: Statistics,
    /// What could not be read.
    pub(super) warnings: Vec<String>,
}

/// A scan over the streams that a leg selects.
pub(super) struct Scan<'s, S> {
    pub(super) leg: &'s Leg<'s>,
    pub(super) windows: &'s Windows,
    pub(super) streams: &'s [Stream<S>],
    /// Series at which the scan gives up; `None` if they become fewer later.
    pub(super) series_max: Option<usize>,
    pub(super) crew: Crew<'s>,
}

impl<S: Source> Scan<'_, S> {
    /// The accumulators of all lines. What was looked at is added to `findings`.
    pub(super) fn run<A: Accumulator>(&self, findings: &mut Findings) -> Result<Table<A>, Error> {
        let jobs = self.jobs();
        let team = Team {
            leg: self.leg,
            windows: self.windows,
            streams: self.streams,
            series_max: self.series_max,
            jobs,
            next_job: AtomicUsize::new(0),
            bytes_read: AtomicU64::new(0),
            outcome: Mutex::new(Outcome {
                merged: Table::default(),
                merged_jobs: 0,
                waiting: BTreeMap::new(),
                error: None,
                findings: Findings::default(),
            }),
            merged: Condvar::new(),
        };
        let bytes_read = || team.bytes_read.load(Ordering::Relaxed);
        self.crew.run(team.jobs.len(), &bytes_read, &|watch, between| team.work(watch, between));
        team.finish(findings)
    }

    /// The pieces that reach into a window, in order of their streams and of arrival.
    fn jobs(&self) -> Vec<Job> {
        let Some((start_ns, end_ns)) = self.windows.span_ns() else { return Vec::new() };
        let mut finder = self.windows.finder();
        let mut jobs = Vec::new();
        for (stream, of) in self.streams.iter().enumerate() {
            for (piece, source) in of.pieces.iter().enumerate() {
                let (oldest_ns, newest_ns) = source.time_span_ns();
                let reaches_in = oldest_ns <= end_ns && newest_ns >= start_ns;
                if reaches_in && (finder.find(oldest_ns).is_some() || newest_ns > finder.until_ns()) {
                    jobs.push(Job { stream, piece });
                }
            }
        }
        jobs
    }
}

/// A piece to be read.
struct Job {
    stream: usize,
    piece: usize,
}

/// What the workers of a scan share.
struct Team<'s, S, A> {
    leg: &'s Leg<'s>,
    windows: &'s Windows,
    streams: &'s [Stream<S>],
    series_max: Option<usize>,
    jobs: Vec<Job>,
    next_job: AtomicUsize,
    /// Bytes of the pieces that were read.
    bytes_read: AtomicU64,
    outcome: Mutex<Outcome<A>>,
    /// Signalled when tables were merged, or an error ends the scan.
    merged: Condvar,
}

struct Outcome<A> {
    /// The table of the first `merged_jobs` jobs.
    merged: Table<A>,
    merged_jobs: usize,
    /// Tables of later jobs, by their number.
    waiting: BTreeMap<usize, Table<A>>,
    /// The error of the earliest job that has one. All jobs before it are worked on to their end, so it
    /// does not depend on which worker was faster.
    error: Option<(usize, Error)>,
    findings: Findings,
}

impl<S: Source, A: Accumulator> Team<'_, S, A> {
    /// Takes pieces until none is left. `between` runs before each piece.
    fn work(&self, watch: &Watch<'_>, between: &mut dyn FnMut()) {
        let _release = ReleaseOthers(self);
        loop {
            let number = self.next_job.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.jobs.get(number) else { return };
            between();
            let result = watch.check().and_then(|()| self.read(job, watch));
            let mut outcome = self.outcome();
            match result {
                Ok((table, findings)) => outcome.bring(number, table, findings, self.series_max),
                Err(error) => outcome.fail(number, error),
            }
            self.merged.notify_all();
            if outcome.error.is_some() {
                self.next_job.store(self.jobs.len(), Ordering::Relaxed);
                return;
            }
            // The worker that has the next job in order does not wait, so there is always one that goes on.
            while outcome.waiting.len() > TABLES_WAITING_MAX && outcome.error.is_none() {
                let waited = self.merged.wait_timeout(outcome, CLIENT_CHECK_INTERVAL);
                (outcome, _) = waited.unwrap_or_else(PoisonError::into_inner);
                if let Err(error) = watch.check() {
                    outcome.fail(number, error);
                }
            }
        }
    }

    fn read(&self, job: &Job, watch: &Watch<'_>) -> Result<(Table<A>, Findings), Error> {
        let stream = &self.streams[job.stream];
        let source = &stream.pieces[job.piece];
        let mut findings = Findings::default();
        if let Some(table) = self.count_unread(&stream.labels, source) {
            findings.statistics.lines_processed += source.lines() as u64;
            findings.statistics.lines_passed += source.lines() as u64;
            return Ok((table, findings));
        }
        let columns = self.leg.needs(&stream.labels);
        let required = if columns.lines { self.leg.pipeline.required_literals() } else { &[] };
        let run = match source.read_where(columns, required) {
            Ok(Some(run)) => run,
            Ok(None) => return Ok((Table::default(), findings)),
            Err(store::Error::Closing) => return Err(store::Error::Closing.into()),
            Err(error) => {
                // The other pieces are still worth counting; the answer says what is missing.
                findings.warnings.push(error.to_string());
                return Ok((Table::default(), findings));
            }
        };
        self.bytes_read.fetch_add((run.text().len() + size_of_val(run.timestamps_ns())) as u64, Ordering::Relaxed);
        let extraction = Extraction {
            leg: self.leg,
            windows: self.windows,
            watch,
            labels: &stream.labels,
            stream: u32::try_from(job.stream).unwrap_or(u32::MAX),
            run: &run,
            first_entry: source.first_entry(),
        };
        let table = extraction.table(&mut findings.statistics)?;
        Ok((table, findings))
    }

    /// The table of a piece that lies in one bucket and of which every line counts: how many lines and
    /// bytes there are is known without reading it.
    fn count_unread(&self, labels: &LabelSet, source: &S) -> Option<Table<A>> {
        if !self.leg.pipeline.is_empty() || self.leg.needs(labels).metadata {
            return None;
        }
        let lines = source.lines() as u64;
        let count = match self.leg.extract {
            Extract::Every => lines,
            Extract::Bytes => source.raw_bytes() - lines,
            Extract::Found | Extract::Passed | Extract::Unwrapped => return None,
        };
        let (timestamp_ns, newest_ns) = source.time_span_ns();
        let mut finder = self.windows.finder();
        let bucket = finder.find(timestamp_ns).filter(|_| newest_ns <= finder.until_ns())?;
        let mut key = Key::default();
        self.leg.labels.write(&mut key, |name| labels.get(name), || labels.iter());
        let mut table = Table::default();
        let series = table.series(key.bytes());
        let all = Observation { timestamp_ns, stream: 0, arrival: source.first_entry(), count, value: 0.0 };
        table.update(series, bucket, |cell: &mut A| cell.add(&all));
        Some(table)
    }

    fn finish(self, findings: &mut Findings) -> Result<Table<A>, Error> {
        let outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, error)) = outcome.error {
            return Err(error);
        }
        findings.statistics += outcome.findings.statistics;
        findings.warnings.extend(outcome.findings.warnings);
        Ok(outcome.merged)
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome<A>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the scan if a worker panics: the others must not wait for a table that never comes.
struct ReleaseOthers<'t, 's, S: Source, A: Accumulator>(&'t Team<'s, S, A>);

impl<S: Source, A: Accumulator> Drop for ReleaseOthers<'_, '_, S, A> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.outcome().fail(0, Error::Canceled);
            self.0.merged.notify_all();
        }
    }
}

impl<A: Accumulator> Outcome<A> {
    /// Takes in the table of a job, and merges all whose turn it is.
    fn bring(&mut self, job: usize, table: Table<A>, findings: Findings, series_max: Option<usize>) {
        self.findings.statistics += findings.statistics;
        if self.findings.warnings.len() < WARNINGS_MAX {
            self.findings.warnings.extend(findings.warnings);
        }
        self.waiting.insert(job, table);
        while let Some(table) = self.waiting.remove(&self.merged_jobs) {
            let mut merged = self.merged.merge(table);
            if let Some(series_max) = series_max.filter(|max| self.merged.len() > *max) {
                merged = merged.and(Err(Error::TooManySeries { series_max }));
            }
            if let Err(error) = merged {
                self.fail(self.merged_jobs, error);
            }
            self.merged_jobs += 1;
        }
    }

    fn fail(&mut self, job: usize, error: Error) {
        if self.error.as_ref().is_none_or(|(before, _)| job < *before) {
            self.error = Some((job, error));
        }
    }
}
