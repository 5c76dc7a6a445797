//! More entries than the server gives at once.

use super::{answer, command, observed};
use crate::support::{Directory, Narvi, Stream, now_ns};

/// Three entries at each of some time stamps, and a crowd at one in the middle: pages that end anywhere join exactly.
#[test]
fn pages_join_without_gap_or_repeat() {
    const CROWD: usize = 40;
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "limits.max_entries_limit_per_query = 60\n");
    let base_ns = now_ns() - 1_000_000;
    let mut streams = [Stream::new(&[("app", "a")]), Stream::new(&[("app", "b")])];
    let mut written = Vec::new();
    for at in 0..60_i64 {
        let count = if at == 30 { CROWD } else { 3 };
        for number in 0..count {
            let line = format!("{at}-{number}");
            let stream = &mut streams[number % 2];
            *stream = stream.clone().with(base_ns + at, &line);
            written.push((at, line));
        }
    }
    narvi.push(&streams);
    for batch in ["1", "2", "3", "7", "20"] {
        for direction in ["--forward", "--quiet"] {
            let arguments = ["query", "{app=~\".+\"}", "-oraw", "--limit=0", "--batch", batch, direction];
            let arguments = &arguments[..if direction == "--quiet" { 6 } else { 7 }];
            let printed = answer(narvi.address(), arguments);
            let mut lines: Vec<_> = printed.lines().map(|line| (time_of(line), line.to_owned())).collect();
            if direction != "--forward" {
                lines.reverse();
            }
            assert!(lines.is_sorted_by_key(|(at, _)| *at), "batch {batch} {direction}: {lines:?}");
            lines.sort();
            let mut expected = written.clone();
            expected.sort();
            assert_eq!(lines, expected, "batch {batch} {direction}");
        }
    }
    // A limit in the middle of a page gives the newest.
    let newest = answer(narvi.address(), &["query", "{app=~\".+\"}", "-oraw", "--limit=25", "--batch=10"]);
    assert_eq!(newest.lines().count(), 25);
    assert!(newest.lines().all(|line| time_of(line) >= 51), "{newest}");
    // What the server refuses is shown in its words.
    let too_many = command(narvi.address(), &["query", "{app=\"a\"}", "--limit=0", "--batch=61"]).output().unwrap();
    let (code, _, stderr) = observed(&too_many);
    assert_eq!(code, 1);
    assert!(stderr.contains("answers 400: max entries limit per query exceeded"), "{stderr}");
}

fn time_of(line: &str) -> i64 {
    line.split('-').next().unwrap().parse().unwrap()
}
