//! The search behind a log query. Pieces of streams are searched by one worker per core, nearest in
//! time first; a piece that cannot improve the answer any more is never read. The answer is the same
//! for any number of workers.

use std::sync::Arc;

use super::{
    Cancel, Direction, Error, Statistics,
    crew::Crew,
    grep::Prefilter,
    merge::Hit,
    worker::{Job, Team},
};
use crate::labels::{Entries, LabelSet, Literal};
use crate::logql::Pipeline;
use crate::store::{self, Columns, Piece, Snapshot};

/// Different failures to read that one answer tells.
pub(super) const WARNINGS_MAX: usize = 10;

/// A run of entries that can be read: a piece of the store, or memory in a test.
pub(super) trait Source: Sync {
    fn first_entry(&self) -> u64;
    fn time_span_ns(&self) -> (i64, i64);
    fn lines(&self) -> usize;
    /// Bytes of the lines, a newline for each included.
    fn raw_bytes(&self) -> u64;
    /// See [`Piece::read_where`].
    fn read_where(&self, columns: Columns, required: &[Vec<Literal>]) -> Result<Option<Arc<Entries>>, store::Error>;
    /// See [`Piece::read`].
    fn read(&self) -> Result<Arc<Entries>, store::Error> {
        Ok(self.read_where(Columns::ALL, &[])?.unwrap_or_default())
    }
}

impl Source for Piece {
    fn first_entry(&self) -> u64 {
        self.first_entry()
    }
    fn time_span_ns(&self) -> (i64, i64) {
        self.time_span_ns()
    }
    fn lines(&self) -> usize {
        self.lines()
    }
    fn raw_bytes(&self) -> u64 {
        self.raw_bytes()
    }
    fn read_where(&self, columns: Columns, required: &[Vec<Literal>]) -> Result<Option<Arc<Entries>>, store::Error> {
        self.read_where(columns, required)
    }
}

/// A stream and the runs that hold its entries.
pub(super) struct Stream<S> {
    pub(super) labels: Arc<LabelSet>,
    pub(super) pieces: Vec<S>,
}

/// The streams of a snapshot in order of their label texts, which is the order of an answer.
pub(super) fn streams_of(snapshot: Snapshot) -> Vec<Stream<Piece>> {
    let mut streams: Vec<_> = snapshot
        .streams
        .into_iter()
        .map(|stream| (stream.labels.to_string(), Stream { labels: stream.labels, pieces: stream.pieces }))
        .collect();
    streams.sort_by(|a, b| a.0.cmp(&b.0));
    streams.into_iter().map(|(_, stream)| stream).collect()
}

/// What is searched for, the same for all workers.
pub(super) struct Search<'q> {
    pub(super) pipeline: &'q Pipeline,
    pub(super) prefilter: &'q Prefilter,
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    pub(super) limit: usize,
    pub(super) bytes_max: usize,
    pub(super) direction: Direction,
    pub(super) workers: usize,
    /// See [`Crew::alone_bytes_max`].
    pub(super) alone_bytes_max: u64,
}

/// What was found, best first.
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    pub(super) statistics: Statistics,
    pub(super) warnings: Vec<String>,
}

impl Search<'_> {
    /// The answer over all streams.
    pub(super) fn run<S: Source>(
        &self,
        streams: &[Stream<S>],
        cancel: &Cancel,
        client_is_gone: &dyn Fn() -> bool,
    ) -> Result<Found, Error> {
        let team = Team::new(self, streams, self.jobs(streams));
        let crew = Crew { workers: self.workers, alone_bytes_max: self.alone_bytes_max, cancel, client_is_gone };
        crew.run(team.jobs(), &|| team.bytes_read(), &|watch, between| team.work(watch, between));
        team.finish()
    }

    /// The answer with at least `interval_ns` between its entries, over the merged sequence: after an
    /// entry the search goes on at the first time that can be in the answer.
    pub(super) fn run_thinned<S: Source>(
        &self,
        streams: &[Stream<S>],
        interval_ns: i64,
        cancel: &Cancel,
        client_is_gone: &dyn Fn() -> bool,
    ) -> Result<Found, Error> {
        let mut all = Found { hits: Vec::new(), statistics: Statistics::default(), warnings: Vec::new() };
        let (mut start_ns, mut end_ns) = (self.start_ns, self.end_ns);
        let mut bytes = 0;
        while start_ns < end_ns {
            let page = Search { start_ns, end_ns, ..*self }.run(streams, cancel, client_is_gone)?;
            all.statistics += page.statistics;
            all.warnings.extend(page.warnings);
            all.warnings.dedup();
            all.warnings.truncate(WARNINGS_MAX);
            if page.hits.is_empty() {
                break;
            }
            for hit in page.hits {
                let far_enough = all.hits.last().is_none_or(|last: &Hit| {
                    hit.timestamp_ns.abs_diff(last.timestamp_ns) >= interval_ns.unsigned_abs()
                });
                if far_enough {
                    bytes += hit.bytes();
                    if bytes > self.bytes_max {
                        return Err(Error::TooManyBytes { bytes_max: self.bytes_max });
                    }
                    all.hits.push(hit);
                    if all.hits.len() == self.limit {
                        return Ok(all);
                    }
                }
            }
            // The page's first hit is always far enough, so that each page moves the bound on.
            if let Some(last) = all.hits.last() {
                match self.direction {
                    Direction::Forward => start_ns = last.timestamp_ns.saturating_add(interval_ns),
                    Direction::Backward => end_ns = last.timestamp_ns.saturating_sub(interval_ns).saturating_add(1),
                }
            }
        }
        Ok(all)
    }

    /// The pieces that reach into the range, nearest to the answer's begin first.
    fn jobs<S: Source>(&self, streams: &[Stream<S>]) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (stream, of) in streams.iter().enumerate() {
            for (piece, source) in of.pieces.iter().enumerate() {
                let (oldest_ns, newest_ns) = source.time_span_ns();
                if oldest_ns < self.end_ns && newest_ns >= self.start_ns {
                    let best_ns = match self.direction {
                        Direction::Forward => oldest_ns.max(self.start_ns),
                        Direction::Backward => newest_ns.min(self.end_ns - 1),
                    };
                    jobs.push(Job { best_ns, stream, piece });
                }
            }
        }
        jobs.sort_unstable_by_key(|job| {
            let distance = match self.direction {
                Direction::Forward => i128::from(job.best_ns),
                Direction::Backward => -i128::from(job.best_ns),
            };
            (distance, job.stream, job.piece)
        });
        jobs
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::logql::{self, Expr};
    use crate::query::testing::Run;

    /// Pieces of 50 entries whose times overlap and tie; odd pieces are sorted as blocks are, even ones
    /// are in order of arrival as heads are. Every seventh line is a "hit".
    fn sample_streams() -> Vec<Stream<Run>> {
        let mut seed = 1_u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let stream = |name: &str, random: &mut dyn FnMut(u64) -> u64| {
            let mut first_entry = 0;
            let pieces = (0..8_u64).map(|piece| {
                let mut entries = Entries::new();
                let set = entries.intern(&LabelSet::default());
                for n in 0..50 {
                    let timestamp_ns = i64::try_from(piece * 20 + random(40)).unwrap();
                    let word = if (first_entry + n) % 7 == 0 { "hit" } else { "miss" };
                    entries.push(timestamp_ns, format!("{name} {} {word}", first_entry + n).as_bytes(), set);
                }
                let entries = if piece % 2 == 1 { entries.sorted_by_time().unwrap_or(entries) } else { entries };
                let run = Run::new(first_entry, entries);
                first_entry += 50;
                run
            });
            let labels = Arc::new(LabelSet::new(vec![("s".into(), name.into())]));
            Stream { labels, pieces: pieces.collect() }
        };
        vec![stream("a", &mut random), stream("b", &mut random), stream("c", &mut random)]
    }

    fn pipeline(stages: &str) -> Pipeline {
        match logql::parse(&format!("{{s=\"x\"}} {stages}")).unwrap() {
            Expr::Log(expr) => Pipeline::compile(&expr.stages).unwrap(),
            Expr::Metric(_) => panic!("a metric query"),
        }
    }

    #[derive(Clone, Copy, Debug)]
    struct Case {
        stages: &'static str,
        range: (i64, i64),
        limit: usize,
        direction: Direction,
    }

    fn search<T>(case: Case, workers: usize, with: impl FnOnce(&Search<'_>) -> T) -> T {
        let pipeline = pipeline(case.stages);
        let prefilter = Prefilter::of(&pipeline);
        with(&Search {
            pipeline: &pipeline,
            prefilter: &prefilter,
            start_ns: case.range.0,
            end_ns: case.range.1,
            limit: case.limit,
            bytes_max: usize::MAX,
            direction: case.direction,
            workers,
            alone_bytes_max: 0, // all of them, from the second piece on
        })
    }

    fn lines(hits: &[Hit]) -> Vec<String> {
        hits.iter().map(|hit| format!("{} {}", hit.timestamp_ns, String::from_utf8_lossy(&hit.line))).collect()
    }

    /// The answer by the definition: everything, sorted, cut.
    fn expected(streams: &[Stream<Run>], case: Case) -> Vec<String> {
        let word = case.stages.strip_prefix("|= ").map(|quoted| quoted.trim_matches('"'));
        let mut all = Vec::new();
        for (at, stream) in streams.iter().enumerate() {
            for piece in stream.pieces.iter().filter(|piece| !piece.damaged) {
                for n in 0..piece.entries.len() {
                    let (ts, line) = (piece.entries.timestamp_ns(n), String::from_utf8_lossy(piece.entries.line(n)));
                    if ts >= case.range.0 && ts < case.range.1 && word.is_none_or(|word| line.contains(word)) {
                        all.push((ts, at, piece.first_entry + n as u64, format!("{ts} {line}")));
                    }
                }
            }
        }
        all.sort();
        if case.direction == Direction::Backward {
            all.reverse();
        }
        all.truncate(case.limit);
        all.into_iter().map(|(.., line)| line).collect()
    }

    #[test]
    fn the_answer_is_right_for_any_number_of_workers_limit_and_direction() {
        let streams = sample_streams();
        for stages in ["", "|= \"hit\"", "|= \"absent\""] {
            for range in [(0, 1000), (37, 111), (60, 61), (500, 600)] {
                for limit in [1, 2, 7, 100, 5000] {
                    for direction in [Direction::Forward, Direction::Backward] {
                        let case = Case { stages, range, limit, direction };
                        let want = expected(&streams, case);
                        for workers in [1, 3] {
                            let found = search(case, workers, |search| {
                                search.run(&streams, &Cancel::after(Duration::MAX), &|| false).unwrap()
                            });
                            assert_eq!(lines(&found.hits), want, "{case:?}, {workers} workers");
                        }
                    }
                }
            }
        }
    }

    /// The piece that is searched first fills the answer; one that ties with its last entry still counts.
    #[test]
    fn entries_as_old_as_the_last_one_of_a_full_answer_can_still_be_in_it() {
        let stream = |name: &str, times: &[i64]| {
            let mut entries = Entries::new();
            let set = entries.intern(&LabelSet::default());
            for timestamp_ns in times {
                entries.push(*timestamp_ns, name.as_bytes(), set);
            }
            let labels = Arc::new(LabelSet::new(vec![("s".into(), name.into())]));
            Stream { labels, pieces: vec![Run::new(0, entries)] }
        };
        for (direction, a, b, want) in [
            (Direction::Forward, [2, 10, 10], [1, 10, 10], ["1 b", "2 a", "10 a"]),
            (Direction::Backward, [10, 10, 20], [10, 10, 19], ["20 a", "19 b", "10 b"]),
        ] {
            let streams = [stream("a", &a), stream("b", &b)];
            let case = Case { stages: "", range: (0, 100), limit: 3, direction };
            let found =
                search(case, 1, |search| search.run(&streams, &Cancel::after(Duration::MAX), &|| false).unwrap());
            assert_eq!(lines(&found.hits), want, "{direction:?}");
        }
    }

    #[test]
    fn a_small_limit_reads_only_the_nearest_pieces() {
        let streams = sample_streams();
        for direction in [Direction::Forward, Direction::Backward] {
            let case = Case { stages: "", range: (0, 1000), limit: 5, direction };
            let found =
                search(case, 1, |search| search.run(&streams, &Cancel::after(Duration::MAX), &|| false).unwrap());
            let lines = found.statistics.lines_processed;
            assert!((5..=6 * 50).contains(&lines), "{lines} of 1200 lines, {direction:?}");
        }
    }

    #[test]
    fn statistics_count_what_was_searched() {
        let streams = sample_streams();
        let case = Case { stages: "|= \"hit\"", range: (0, 1000), limit: 5000, direction: Direction::Forward };
        let found = search(case, 2, |search| search.run(&streams, &Cancel::after(Duration::MAX), &|| false).unwrap());
        let runs = || streams.iter().flat_map(|stream| &stream.pieces).map(|piece| &piece.entries);
        let bytes: usize = runs().map(|run| run.text().len() - run.len()).sum();
        assert_eq!((found.statistics.lines_processed, found.statistics.bytes_processed), (1200, bytes as u64));
        assert_eq!(found.statistics.lines_passed, found.hits.len() as u64);
    }

    #[test]
    fn an_interval_thins_the_merged_sequence() {
        let streams = sample_streams();
        for direction in [Direction::Forward, Direction::Backward] {
            for limit in [3, 5000] {
                let case = Case { stages: "", range: (10, 150), limit, direction };
                let mut want: Vec<String> = Vec::new();
                let mut last: Option<i64> = None;
                for line in expected(&streams, Case { limit: 5000, ..case }) {
                    let ts: i64 = line.split(' ').next().unwrap().parse().unwrap();
                    if last.is_none_or(|last| ts.abs_diff(last) >= 12) && want.len() < limit {
                        last = Some(ts);
                        want.push(line);
                    }
                }
                let found = search(case, 2, |search| {
                    search.run_thinned(&streams, 12, &Cancel::after(Duration::MAX), &|| false).unwrap()
                });
                assert_eq!(lines(&found.hits), want, "{direction:?}, limit {limit}");
            }
        }
    }

    #[test]
    fn a_damaged_piece_is_a_warning_and_the_rest_is_answered() {
        let mut streams = sample_streams();
        streams[1].pieces[3].damaged = true;
        let case = Case { stages: "", range: (0, 1000), limit: 5000, direction: Direction::Forward };
        let found = search(case, 3, |search| search.run(&streams, &Cancel::after(Duration::MAX), &|| false).unwrap());
        assert_eq!(lines(&found.hits), expected(&streams, case));
        assert_eq!(found.warnings.len(), 1, "{:?}", found.warnings);
    }

    #[test]
    fn a_canceled_query_ends_with_an_error() {
        let streams = sample_streams();
        let case = Case { stages: "", range: (0, 1000), limit: 5000, direction: Direction::Forward };
        for (canceled, client_is_gone, ends) in [(true, false, true), (false, true, true), (false, false, false)] {
            let cancel = Cancel::after(Duration::MAX);
            if canceled {
                cancel.cancel();
            }
            let result = search(case, 2, |search| search.run(&streams, &cancel, &|| client_is_gone).map(|_| ()));
            assert_eq!(matches!(result, Err(Error::Canceled)), ends, "{result:?}");
        }
    }

    #[test]
    fn an_answer_above_its_bytes_is_refused() {
        let streams = sample_streams();
        let case = Case { stages: "", range: (0, 1000), limit: 100, direction: Direction::Forward };
        let result = search(case, 2, |search| {
            let search = Search { bytes_max: 1000, ..*search };
            search.run(&streams, &Cancel::after(Duration::MAX), &|| false).map(|_| ())
        });
        assert!(matches!(result, Err(Error::TooManyBytes { bytes_max: 1000 })), "{result:?}");
    }
}
