//! From the lines of a piece to the accumulators of their series. Does as little per line as the query
//! allows: where the time stamps alone decide, whole runs of lines are counted by a search for the
//! next edge of a window; where metadata decides, each set of it is looked at once.

use std::{borrow::Cow, ops::Range};

use super::{
    accumulator::{Accumulator, Observation},
    key::Key,
    plan::{Extract, Leg},
    table::Table,
    window::Windows,
};
use crate::labels::{Entries, LabelSet};
use crate::logql::LineLabels;
use crate::query::{Direction, Error, ResultLabels, Statistics, cancel::Watch};
use crate::store::Columns;

/// Lines that need no pipeline between two looks at the stop sign and at the table's size.
const LINES_PER_CHECK: usize = 4096;
/// What is added to the name of metadata that a stream label has too.
const COLLISION_SUFFIX: &str = "_extracted";
/// The label of an error.
const ERROR: &str = "__error__";

/// One piece of one stream, to be turned into accumulators.
pub(super) struct Extraction<'e> {
    pub(super) leg: &'e Leg<'e>,
    pub(super) windows: &'e Windows,
    pub(super) watch: &'e Watch<'e>,
    pub(super) labels: &'e LabelSet,
    /// Index of the stream among the query's streams.
    pub(super) stream: u32,
    pub(super) run: &'e Entries,
    /// Number of the run's first entry within its stream.
    pub(super) first_entry: u64,
}

impl Extraction<'_> {
    /// The accumulators of the piece.
    pub(super) fn table<A: Accumulator>(&self, statistics: &mut Statistics) -> Result<Table<A>, Error> {
        let mut table = Table::default();
        let Some((start_ns, end_ns)) = self.windows.span_ns() else { return Ok(table) };
        let times = self.run.timestamps_ns();
        let sorted = times.is_sorted();
        let range = if sorted {
            times.partition_point(|time| *time < start_ns)..times.partition_point(|time| *time <= end_ns)
        } else {
            0..times.len()
        };
        let needs = self.leg.needs(self.labels);
        if needs.lines && !range.is_empty() {
            let text_bytes = self.run.ends()[range.end - 1] as usize + 1 - self.run.start(range.start);
            statistics.bytes_processed += (text_bytes - range.len()) as u64;
        }
        statistics.lines_processed += range.len() as u64;
        statistics.lines_passed += match self.leg.extract {
            Extract::Every if sorted && !needs.metadata => self.count_runs(range, &mut table)?,
            Extract::Every => self.take(range, needs, &mut table)?,
            Extract::Bytes if self.leg.pipeline.is_empty() => self.take(range, needs, &mut table)?,
            Extract::Found => {
                self.take(self.leg.prefilter.candidates(self.run, range, Direction::Forward), needs, &mut table)?
            }
            Extract::Bytes | Extract::Passed | Extract::Unwrapped => {
                self.run_pipeline(range, needs, &mut table, statistics)?
            }
        };
        table.check()?;
        Ok(table)
    }

    /// Counts lines that are in order of time and all belong to one series.
    fn count_runs<A: Accumulator>(&self, range: Range<usize>, table: &mut Table<A>) -> Result<u64, Error> {
        let times = &self.run.timestamps_ns()[..range.end];
        let mut stored = StoredSeries::new(self, false);
        let mut finder = self.windows.finder();
        let mut passed = 0;
        let mut at = range.start;
        while at < times.len() {
            let bucket = finder.find(times[at]);
            let lines = times[at..].partition_point(|time| *time <= finder.until_ns());
            if let Some(bucket) = bucket {
                let series = stored.find(self, at, table)?;
                let first = self.observation(at, 1, 0.0);
                table.update(series, bucket, |cell| cell.add_many(&first, lines as u64));
                passed += lines as u64;
            }
            at += lines;
        }
        Ok(passed)
    }

    /// Takes in lines that need no pipeline.
    fn take<A: Accumulator>(
        &self,
        lines: impl Iterator<Item = usize>,
        needs: Columns,
        table: &mut Table<A>,
    ) -> Result<u64, Error> {
        let mut stored = StoredSeries::new(self, needs.metadata);
        let mut finder = self.windows.finder();
        let mut passed = 0;
        for (n, at) in lines.enumerate() {
            if n % LINES_PER_CHECK == LINES_PER_CHECK - 1 {
                self.watch.check()?;
                table.check()?;
            }
            let Some(bucket) = finder.find(self.run.timestamp_ns(at)) else { continue };
            let series = stored.find(self, at, table)?;
            let count = if self.leg.extract == Extract::Bytes { self.run.line(at).len() as u64 } else { 1 };
            let sample = self.observation(at, count, 0.0);
            table.update(series, bucket, |cell| cell.add(&sample));
            passed += 1;
        }
        Ok(passed)
    }

    /// Takes in what passes the pipeline.
    fn run_pipeline<A: Accumulator>(
        &self,
        range: Range<usize>,
        needs: Columns,
        table: &mut Table<A>,
        statistics: &mut Statistics,
    ) -> Result<u64, Error> {
        let Self { leg, run, .. } = self;
        let mut runner = leg.pipeline.runner(self.labels);
        let none = LabelSet::default();
        let metadata_bytes: Vec<usize> = run.sets().iter().map(LabelSet::text_bytes).collect();
        let mut stored = StoredSeries::new(self, needs.metadata);
        let mut key = Key::default();
        let mut finder = self.windows.finder();
        let mut passed_lines = 0;
        let lines_per_check = leg.pipeline.lines_per_check();
        for (n, at) in leg.prefilter.candidates(run, range, Direction::Forward).enumerate() {
            if n % lines_per_check == lines_per_check - 1 {
                self.watch.check()?;
                table.check()?;
            }
            let timestamp_ns = run.timestamp_ns(at);
            let Some(bucket) = finder.find(timestamp_ns) else { continue };
            let metadata = if needs.metadata {
                statistics.metadata_bytes_processed += metadata_bytes[run.set_of()[at] as usize] as u64;
                run.metadata(at)
            } else {
                &none
            };
            let Some(passed) = runner.run(timestamp_ns, run.line(at), metadata) else { continue };
            let series = match passed.labels {
                None => stored.find(self, at, table)?,
                Some(labels) => {
                    refuse_errors(labels)?;
                    leg.labels.write(&mut key, |name| labels.get(name), || labels.all());
                    table.series(key.bytes())
                }
            };
            let count = if leg.extract == Extract::Bytes { passed.line.len() as u64 } else { 1 };
            let sample = self.observation(at, count, passed.value.unwrap_or(0.0));
            table.update(series, bucket, |cell| cell.add(&sample));
            passed_lines += 1;
        }
        Ok(passed_lines)
    }

    fn observation(&self, at: usize, count: u64, value: f64) -> Observation {
        Observation {
            timestamp_ns: self.run.timestamp_ns(at),
            stream: self.stream,
            arrival: self.first_entry + at as u64,
            count,
            value,
        }
    }
}

/// An error that a stage has left makes a metric wrong, so it ends the query.
fn refuse_errors(labels: LineLabels<'_, '_>) -> Result<(), Error> {
    match labels.error() {
        Some(error) if !labels.preserves_error() => {
            Err(Error::Pipeline { error: error.to_owned(), series: ResultLabels::new(labels.all()).to_string() })
        }
        _ => Ok(()),
    }
}

/// The series of lines whose labels are as they were stored: one for each set of metadata.
struct StoredSeries {
    /// By the set's index in the run, once it is known; a single one if metadata do not matter.
    series: Vec<Option<u32>>,
    by_metadata: bool,
    key: Key,
}

impl StoredSeries {
    fn new(extraction: &Extraction<'_>, by_metadata: bool) -> Self {
        let sets = if by_metadata { extraction.run.sets().len() } else { 1 };
        Self { series: vec![None; sets], by_metadata, key: Key::default() }
    }

    /// The series of the line `at`.
    fn find<A: Accumulator>(
        &mut self,
        extraction: &Extraction<'_>,
        at: usize,
        table: &mut Table<A>,
    ) -> Result<u32, Error> {
        let set = if self.by_metadata { extraction.run.set_of()[at] as usize } else { 0 };
        if let Some(series) = self.series[set] {
            return Ok(series);
        }
        let none = LabelSet::default();
        let stream = extraction.labels;
        let metadata = if self.by_metadata { &extraction.run.sets()[set] } else { &none };
        if let Some(error) = metadata.get(ERROR) {
            let series = ResultLabels::new(stream.iter().chain(metadata.iter())).to_string();
            return Err(Error::Pipeline { error: error.to_owned(), series });
        }
        let metadata = beside(stream, metadata);
        extraction.leg.labels.write(
            &mut self.key,
            |name| stream.get(name).or_else(|| metadata.get(name)),
            || stream.iter().chain(metadata.iter()),
        );
        let series = table.series(self.key.bytes());
        self.series[set] = Some(series);
        Ok(series)
    }
}

/// Metadata as it is seen beside the labels of its stream.
fn beside<'m>(stream: &LabelSet, metadata: &'m LabelSet) -> Cow<'m, LabelSet> {
    if metadata.iter().all(|(name, _)| stream.get(name).is_none()) {
        return Cow::Borrowed(metadata);
    }
    let renamed = metadata.iter().map(|(name, value)| {
        let suffix = if stream.get(name).is_some() { COLLISION_SUFFIX } else { "" };
        (format!("{name}{suffix}"), value.to_owned())
    });
    Cow::Owned(LabelSet::new(renamed.collect()))
}
