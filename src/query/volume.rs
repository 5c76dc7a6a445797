//! How much the streams of a selector hold in a range of time: streams, entries and bytes of lines,
//! exact, over heads and blocks. A piece that lies wholly within the range, or within one step of it,
//! is counted by what it says of itself; only pieces that straddle an edge are read.

use std::collections::{BTreeMap, HashMap};

use super::{
    Cancel, Error, Limits, ResultLabels,
    cancel::Watch,
    search::{Source, Stream, streams_of},
};
use crate::labels::{LabelSet, Matcher};
use crate::store::{self, Piece, Store};

/// Bytes that a series takes for each of its steps, roughly, in memory and in the answer.
const STEP_BYTES: usize = 64;
const NS_PER_MS: i64 = 1_000_000;

/// What a selector's streams hold in a range of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Streams with entries in the range.
    pub streams: u64,
    /// Blocks and heads that reach into the range.
    pub pieces: u64,
    /// Entries in the range.
    pub entries: u64,
    /// Bytes of their lines, uncompressed, without newlines and metadata.
    pub bytes: u64,
}

/// How much of the range's bytes belongs to what.
#[derive(Clone, Copy, Debug)]
pub struct VolumeQuery<'q> {
    /// Which streams.
    pub selector: &'q [Matcher],
    /// Start of the range in nanoseconds since 1970, inclusive.
    pub start_ns: i64,
    /// End of the range, exclusive.
    pub end_ns: i64,
    /// Length of the steps that the range is cut into, at multiples of itself since 1970; `None`: one for all.
    pub step_ns: Option<i64>,
    /// What makes a series.
    pub by: &'q VolumeBy,
    /// Series of the answer, the largest ones.
    pub limit: usize,
}

/// What makes a series of volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeBy {
    /// Each label set.
    LabelSet,
    /// Each combination of values of these labels.
    Labels(Vec<String>),
    /// Each name of a label, whatever its value; only these, if given. A stream counts for each of its labels.
    Names(Option<Vec<String>>),
}

/// A series of volumes.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// What it belongs to; a name that stands for all of its values has an empty one.
    pub labels: ResultLabels,
    /// For each step with entries, ascending: its last millisecond, or the end of the range, in
    /// milliseconds since 1970, and its bytes.
    pub steps: Vec<(i64, u64)>,
}

/// What the streams hold. `client_is_gone` is asked now and then on the calling thread.
pub fn extent(
    store: &Store,
    selector: &[Matcher],
    start_ns: i64,
    end_ns: i64,
    cancel: &Cancel,
    client_is_gone: &dyn Fn() -> bool,
) -> Result<Extent, Error> {
    let range = Steps { start_ns, end_ns, step_ns: None };
    let mut counter = Counter::new(range, cancel, client_is_gone);
    let mut extent = Extent::default();
    for stream in selected(store, selector, range) {
        extent.pieces += stream.pieces.iter().filter(|piece| range.touches(*piece)).count() as u64;
        for counted in counter.count(&stream)?.values() {
            extent.streams += 1;
            extent.entries += counted.entries;
            extent.bytes += counted.bytes;
        }
    }
    counter.finish();
    Ok(extent)
}

/// The volumes, largest first, equal ones in order of their labels.
pub fn volumes(
    store: &Store,
    query: &VolumeQuery<'_>,
    limits: &Limits,
    cancel: &Cancel,
    client_is_gone: &dyn Fn() -> bool,
) -> Result<Vec<Volume>, Error> {
    let range = Steps { start_ns: query.start_ns, end_ns: query.end_ns, step_ns: query.step_ns };
    let streams = selected(store, query.selector, range);
    volumes_of(&streams, query, limits.bytes_max(), Counter::new(range, cancel, client_is_gone))
}

fn volumes_of<S: Source>(
    streams: &[Stream<S>],
    query: &VolumeQuery<'_>,
    bytes_max: usize,
    mut counter: Counter<'_>,
) -> Result<Vec<Volume>, Error> {
    let range = counter.range;
    let mut series: HashMap<ResultLabels, BTreeMap<i64, u64>> = HashMap::new();
    let mut memory_bytes = 0;
    for stream in streams {
        let by_step = counter.count(stream)?;
        if by_step.is_empty() {
            continue;
        }
        for labels in series_of(&stream.labels, query.by) {
            if !series.contains_key(&labels) {
                memory_bytes += labels.memory_bytes();
            }
            let steps = series.entry(labels).or_default();
            let before = steps.len();
            for (step, counted) in &by_step {
                *steps.entry(*step).or_default() += counted.bytes;
            }
            memory_bytes += (steps.len() - before) * STEP_BYTES;
        }
        if memory_bytes > bytes_max {
            return Err(Error::TooManyBytes { bytes_max });
        }
    }
    counter.finish();
    let mut ranked: Vec<_> =
        series.into_iter().map(|(labels, steps)| (steps.values().sum::<u64>(), labels, steps)).collect();
    ranked.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.iter().cmp(b.1.iter())));
    ranked.truncate(query.limit);
    let steps_of = |steps: BTreeMap<i64, u64>| steps.into_iter().map(|(step, bytes)| (range.end_ms(step), bytes));
    Ok(ranked.into_iter().map(|(_, labels, steps)| Volume { labels, steps: steps_of(steps).collect() }).collect())
}

/// The series that a stream counts for.
fn series_of(labels: &LabelSet, by: &VolumeBy) -> Vec<ResultLabels> {
    let is_in = |names: &[String], name: &str| names.iter().any(|one| one == name);
    match by {
        VolumeBy::LabelSet => vec![ResultLabels::from(labels)],
        VolumeBy::Labels(names) => vec![ResultLabels::new(labels.iter().filter(|(name, _)| is_in(names, name)))],
        VolumeBy::Names(names) => {
            let wanted = |name: &str| names.as_ref().is_none_or(|names| is_in(names, name));
            labels.iter().filter(|(name, _)| wanted(name)).map(|(name, _)| ResultLabels::new([(name, "")])).collect()
        }
    }
}

fn selected(store: &Store, selector: &[Matcher], range: Steps) -> Vec<Stream<Piece>> {
    match range.end_ns.checked_sub(1) {
        Some(last_ns) if range.start_ns <= last_ns => streams_of(store.snapshot(selector, range.start_ns, last_ns)),
        _ => Vec::new(),
    }
}

/// A range of time and the steps that it is cut into, which are numbered from 1970.
#[expect(clippy::struct_field_names, reason = "the unit stands last in a name")]
#[derive(Clone, Copy)]
struct Steps {
    start_ns: i64,
    end_ns: i64,
    step_ns: Option<i64>,
}

impl Steps {
    fn step_at(self, timestamp_ns: i64) -> i64 {
        self.step_ns.map_or(0, |step_ns| timestamp_ns.div_euclid(step_ns))
    }

    /// Loki's time for a step.
    fn end_ms(self, step: i64) -> i64 {
        let next_ns = self.step_ns.map(|step_ns| (step + 1).saturating_mul(step_ns));
        match next_ns {
            Some(next_ns) if next_ns < self.end_ns => next_ns.div_euclid(NS_PER_MS) - 1,
            _ => self.end_ns.div_euclid(NS_PER_MS),
        }
    }

    fn touches(self, piece: &impl Source) -> bool {
        let (oldest_ns, newest_ns) = piece.time_span_ns();
        oldest_ns < self.end_ns && newest_ns >= self.start_ns
    }

    /// The step in which the whole of a piece lies, if there is one.
    fn whole(self, piece: &impl Source) -> Option<i64> {
        let (oldest_ns, newest_ns) = piece.time_span_ns();
        let within = oldest_ns >= self.start_ns && newest_ns < self.end_ns;
        (within && self.step_at(oldest_ns) == self.step_at(newest_ns)).then(|| self.step_at(oldest_ns))
    }
}

/// Entries and bytes of their lines.
#[derive(Clone, Copy, Default)]
struct Counted {
    entries: u64,
    bytes: u64,
}

/// Counts stream by stream.
struct Counter<'c> {
    range: Steps,
    watch: Watch<'c>,
    /// Pieces that cannot be read, and why the first one cannot.
    damaged: Option<(u64, store::Error)>,
}

impl<'c> Counter<'c> {
    fn new(range: Steps, cancel: &'c Cancel, client_is_gone: &'c dyn Fn() -> bool) -> Self {
        Self { range, watch: Watch::of_client(cancel, client_is_gone), damaged: None }
    }

    /// What a stream holds, by step; steps without entries are left out.
    fn count<S: Source>(&mut self, stream: &Stream<S>) -> Result<BTreeMap<i64, Counted>, Error> {
        let mut steps: BTreeMap<i64, Counted> = BTreeMap::new();
        let range = self.range;
        for piece in stream.pieces.iter().filter(|piece| range.touches(*piece)) {
            if let Some(step) = range.whole(piece) {
                let counted = steps.entry(step).or_default();
                counted.entries += piece.lines() as u64;
                counted.bytes += piece.raw_bytes() - piece.lines() as u64;
            } else {
                self.watch.check()?;
                self.count_each(piece, &mut steps)?;
            }
        }
        Ok(steps)
    }

    /// Counts the entries of a piece that straddles an edge. One that is damaged is left out: the
    /// answer has no place to say so, the log has.
    fn count_each<S: Source>(&mut self, piece: &S, steps: &mut BTreeMap<i64, Counted>) -> Result<(), Error> {
        let entries = match piece.read() {
            Ok(entries) => entries,
            Err(store::Error::Closing) => return Err(store::Error::Closing.into()),
            Err(error) => {
                self.damaged.get_or_insert((0, error)).0 += 1;
                return Ok(());
            }
        };
        let range = self.range;
        let mut run = Counted::default();
        let mut run_step = None;
        for (at, timestamp_ns) in entries.timestamps_ns().iter().enumerate() {
            if *timestamp_ns < range.start_ns || *timestamp_ns >= range.end_ns {
                continue;
            }
            let step = range.step_at(*timestamp_ns);
            if run_step != Some(step) {
                add(steps, run_step.replace(step), std::mem::take(&mut run));
            }
            run.entries += 1;
            run.bytes += entries.line(at).len() as u64;
        }
        add(steps, run_step, run);
        Ok(())
    }

    fn finish(self) {
        if let Some((pieces, error)) = self.damaged {
            log::warn!("volumes lack {pieces} damaged blocks; the first: {error}");
        }
    }
}

fn add(steps: &mut BTreeMap<i64, Counted>, step: Option<i64>, run: Counted) {
    if let Some(step) = step {
        let counted = steps.entry(step).or_default();
        counted.entries += run.entries;
        counted.bytes += run.bytes;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::Ordering},
        time::Duration,
    };

    use super::*;
    use crate::labels::Entries;
    use crate::query::testing::{Run, set};

    /// A stream of pieces; the line of an entry is as long as its number in the stream.
    fn stream(pairs: &[(&str, &str)], pieces: &[&[i64]]) -> Stream<Run> {
        let mut number = 0;
        let runs = pieces.iter().map(|times| {
            let mut entries = Entries::new();
            let set = entries.intern(&LabelSet::default());
            for timestamp_ns in *times {
                number += 1;
                entries.push(*timestamp_ns, "x".repeat(number).as_bytes(), set);
            }
            Run::new(0, entries)
        });
        Stream { labels: Arc::new(set(pairs)), pieces: runs.collect() }
    }

    fn sample_streams() -> Vec<Stream<Run>> {
        vec![
            stream(&[("app", "a"), ("env", "x")], &[&[0, 5, 9], &[10, 19], &[15, 22], &[40]]),
            stream(&[("app", "b"), ("env", "x")], &[&[-3, -1, 0], &[28, 27, 33]]),
            stream(&[("app", "b"), ("zone", "z")], &[&[100]]),
        ]
    }

    fn volumes(streams: &[Stream<Run>], query: &VolumeQuery<'_>, bytes_max: usize) -> Result<Vec<Volume>, Error> {
        let range = Steps { start_ns: query.start_ns, end_ns: query.end_ns, step_ns: query.step_ns };
        volumes_of(streams, query, bytes_max, Counter::new(range, &Cancel::after(Duration::MAX), &|| false))
    }

    fn shown(volumes: &[Volume]) -> Vec<String> {
        volumes.iter().map(|volume| format!("{} {:?}", volume.labels, volume.steps)).collect()
    }

    /// By the definition: each entry on its own.
    fn expected(streams: &[Stream<Run>], range: Steps, app: &str) -> BTreeMap<i64, (u64, u64)> {
        let mut steps = BTreeMap::new();
        for stream in streams.iter().filter(|stream| stream.labels.get("app") == Some(app)) {
            for piece in &stream.pieces {
                for at in 0..piece.entries.len() {
                    let ts = piece.entries.timestamp_ns(at);
                    if (range.start_ns..range.end_ns).contains(&ts) {
                        let step: &mut (u64, u64) = steps.entry(range.step_at(ts)).or_default();
                        *step = (step.0 + 1, step.1 + piece.entries.line(at).len() as u64);
                    }
                }
            }
        }
        steps
    }

    #[test]
    fn volumes_are_exact_for_every_range_and_step() {
        let streams = sample_streams();
        let cancel = Cancel::after(Duration::MAX);
        for start_ns in -5..45 {
            for end_ns in start_ns..45 {
                for step_ns in [None, Some(1), Some(7), Some(10), Some(1000)] {
                    let range = Steps { start_ns, end_ns, step_ns };
                    let mut counter = Counter::new(range, &cancel, &|| false);
                    for stream in &streams[..2] {
                        let got: BTreeMap<_, _> = counter
                            .count(stream)
                            .unwrap()
                            .into_iter()
                            .map(|(step, of)| (step, (of.entries, of.bytes)))
                            .collect();
                        let want = expected(&streams, range, stream.labels.get("app").unwrap());
                        assert_eq!(got, want, "{start_ns}..{end_ns} by {step_ns:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_pieces_that_straddle_an_edge_are_read() {
        for (range, step_ns, want) in [
            ((-5, 50), None, [0, 0, 0, 0]),
            ((5, 50), None, [1, 0, 0, 0]),
            ((5, 20), None, [1, 0, 1, 0]),
            ((-5, 50), Some(10), [0, 0, 1, 0]),
            ((0, 10), Some(5), [1, 0, 0, 0]),
        ] {
            let streams = sample_streams();
            let range = Steps { start_ns: range.0, end_ns: range.1, step_ns };
            Counter::new(range, &Cancel::after(Duration::MAX), &|| false).count(&streams[0]).unwrap();
            let reads: Vec<u64> = streams[0].pieces.iter().map(|piece| piece.reads.load(Ordering::Relaxed)).collect();
            assert_eq!(reads, want, "{}..{} by {step_ns:?}", range.start_ns, range.end_ns);
        }
    }

    #[test]
    fn series_are_made_by_what_was_asked_for_and_ranked() {
        let streams = sample_streams();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (by, limit, want) in [
            (
                VolumeBy::LabelSet,
                10,
                &[
                    "{app=\"a\", env=\"x\"} [(0, 36)]",
                    "{app=\"b\", env=\"x\"} [(0, 21)]",
                    "{app=\"b\", zone=\"z\"} [(0, 1)]",
                ][..],
            ),
            (VolumeBy::Labels(names(&["app"])), 10, &["{app=\"a\"} [(0, 36)]", "{app=\"b\"} [(0, 22)]"]),
            (VolumeBy::Labels(names(&["env", "zone"])), 10, &["{env=\"x\"} [(0, 57)]", "{zone=\"z\"} [(0, 1)]"]),
            (VolumeBy::Names(None), 10, &["{app=\"\"} [(0, 58)]", "{env=\"\"} [(0, 57)]", "{zone=\"\"} [(0, 1)]"]),
            (VolumeBy::Names(Some(names(&["env"]))), 10, &["{env=\"\"} [(0, 57)]"]),
            (VolumeBy::LabelSet, 1, &["{app=\"a\", env=\"x\"} [(0, 36)]"]),
        ] {
            let query = VolumeQuery { selector: &[], start_ns: -10, end_ns: 200, step_ns: None, by: &by, limit };
            assert_eq!(shown(&volumes(&streams, &query, usize::MAX).unwrap()), want, "{by:?}");
        }
    }

    #[test]
    fn a_step_has_the_time_of_its_last_millisecond_and_the_last_one_that_of_the_end() {
        let ms = |ms: i64| ms * NS_PER_MS;
        let streams = [stream(&[("app", "a")], &[&[ms(7), ms(10), ms(29), ms(30), ms(33)]])];
        for (end_ms, want) in [(34, "[(9, 1), (19, 2), (29, 3), (34, 9)]"), (30, "[(9, 1), (19, 2), (30, 3)]")] {
            let by = VolumeBy::LabelSet;
            let (start_ns, end_ns, step_ns) = (ms(5), ms(end_ms), Some(ms(10)));
            let query = VolumeQuery { selector: &[], start_ns, end_ns, step_ns, by: &by, limit: 1 };
            let want = [format!("{{app=\"a\"}} {want}")];
            assert_eq!(shown(&volumes(&streams, &query, usize::MAX).unwrap()), want);
        }
    }

    #[test]
    fn an_answer_has_bounded_bytes_and_an_end() {
        let streams = sample_streams();
        let by = VolumeBy::LabelSet;
        let query = VolumeQuery { selector: &[], start_ns: -10, end_ns: 200, step_ns: Some(1), by: &by, limit: 10 };
        assert!(matches!(volumes(&streams, &query, 500), Err(Error::TooManyBytes { bytes_max: 500 })));
        let range = Steps { start_ns: 5, end_ns: 20, step_ns: None };
        let cancel = Cancel::after(Duration::MAX);
        let counted = Counter::new(range, &cancel, &|| true).count(&streams[0]);
        assert!(matches!(counted, Err(Error::Canceled)));
    }
}
