//! Workers that wait for each other, and what ends them.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::{How, Line, Run, S, grid, run, shown, stream, ticks};
use crate::labels::{Entries, Literal};
use crate::query::{
    Error,
    search::{Source, Stream},
};
use crate::store::{self, Columns};

/// How many pieces were read, and who waits for that.
#[derive(Default)]
struct Reads {
    count: Mutex<usize>,
    grown: Condvar,
}

/// A piece that is read only once so many others were.
#[derive(Clone)]
struct Late {
    run: Run,
    after: usize,
    panics: bool,
    reads: Arc<Reads>,
}

impl Source for Late {
    fn first_entry(&self) -> u64 {
        self.run.first_entry()
    }
    fn time_span_ns(&self) -> (i64, i64) {
        self.run.time_span_ns()
    }
    fn lines(&self) -> usize {
        self.run.lines()
    }
    fn raw_bytes(&self) -> u64 {
        self.run.raw_bytes()
    }
    fn read_where(&self, columns: Columns, required: &[Vec<Literal>]) -> Result<Option<Arc<Entries>>, store::Error> {
        let mut count = self.reads.count.lock().unwrap();
        while *count < self.after {
            let (guard, waited) = self.reads.grown.wait_timeout(count, Duration::from_mins(1)).unwrap();
            assert!(!waited.timed_out(), "the others read {} pieces, not {}", *guard, self.after);
            count = guard;
        }
        *count += 1;
        self.reads.grown.notify_all();
        drop(count);
        assert!(!self.panics, "a defect");
        self.run.read_where(columns, required)
    }
}

/// The piece that all others must wait for is the last to be ready: their tables fill the queue, they
/// stop, and go on once it is there.
#[test]
fn a_slow_piece_stops_the_others_and_lets_them_go_on() {
    let lines: Vec<Line<'_>> = (0..120).map(|n| (n * S, format!("v=0.{n}"), &[][..])).collect();
    let stream = stream(&[("a", "b")], &lines, 3);
    let query = r#"sum_over_time({a="b"} | logfmt | unwrap v [30s])"#;
    let of = |workers, after: usize, panics: bool| {
        let reads = Arc::new(Reads::default());
        let late = |(n, run): (usize, &Run)| Late {
            run: run.clone(),
            after: if n == 1 { after } else { 0 },
            panics: n == 1 && panics,
            reads: Arc::clone(&reads),
        };
        let pieces = stream.pieces.iter().enumerate().map(late).collect();
        let streams = [Stream { labels: Arc::clone(&stream.labels), pieces }];
        shown(&run(&streams, query, grid(0, 120, 10), How { workers, ..How::default() }).unwrap())
    };
    // The first piece, and as many tables as may wait, and one more.
    assert_eq!(of(3, 18, false), of(1, 0, false));
    // Nor does one that never comes hold them up: the query ends, and its panic is passed on.
    assert!(std::panic::catch_unwind(|| of(3, 18, true)).is_err());
}

#[test]
fn a_client_that_left_ends_the_query() {
    for workers in [1, 3] {
        let how = How { workers, client_is_gone: true, ..How::default() };
        let result = run(&ticks(), r#"sum(count_over_time({a="b"} |= "v" [1h]))"#, grid(0, 100, 10), how);
        assert!(result.is_ok(), "nothing lies in the windows: {result:?}");
        let result = run(&ticks(), r#"sum(count_over_time({a="b"} |= "v" [1h]))"#, grid(1000, 1100, 10), how);
        assert!(matches!(result, Err(Error::Canceled)), "{result:?}");
    }
}

/// Of several errors the one of the first line is told, whoever meets his first.
#[test]
fn the_first_error_is_told_for_any_number_of_workers() {
    let texts = |n: i64| if n < 20 { format!("v={n}") } else { format!("v=bad{n}") };
    let lines: Vec<Line<'_>> = (0..60).map(|n| (n * S, texts(n), &[][..])).collect();
    let streams = [stream(&[("a", "b")], &lines, 4)];
    for workers in [1, 2, 3] {
        let how = How { workers, ..How::default() };
        let error =
            run(&streams, r#"sum_over_time({a="b"} | logfmt | unwrap v [1h])"#, grid(0, 60, 10), how).unwrap_err();
        assert!(error.to_string().contains(r#"v="bad20""#), "{error}");
    }
}
