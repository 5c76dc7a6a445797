//! The live tail over a WebSocket.

use std::{collections::BTreeSet, sync::mpsc, thread};

use crate::support::{Directory, Narvi, Params, Stream, Tail, eventually, now_ns};

/// Pushes numbered lines, one a push, and says each that was answered.
fn push_lines(narvi: &Narvi, numbers: std::ops::Range<usize>, answered: Option<&mpsc::Sender<usize>>) {
    let mut client = narvi.client();
    for number in numbers {
        let body = Stream::json(&[Stream::new(&[("app", "x")]).with(now_ns(), number.to_string())]);
        let json = ("Content-Type", "application/json");
        let reply = client.request("POST", "/loki/api/v1/push", &[json], &body).unwrap();
        assert_eq!(reply.status, 204, "{}", reply.text());
        if let Some(answered) = answered {
            // Whoever listens may have heard enough.
            let _ = answered.send(number);
        }
    }
}

fn numbers(lines: impl IntoIterator<Item = String>) -> Vec<usize> {
    lines.into_iter().map(|line| line.parse().unwrap()).collect()
}

/// Tails that are opened in the middle of a stream under load: history and live lines join without gap or repeat.
#[test]
fn history_and_live_lines_join_exactly() {
    const LINES: usize = 1500;
    const HISTORY: usize = 40;
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let (answered, answers) = mpsc::channel();
    push_lines(&narvi, 0..100, None);
    narvi.flush();
    thread::scope(|scope| {
        let narvi = &narvi;
        scope.spawn(move || push_lines(narvi, 100..LINES, Some(&answered)));
        let mut tails = Vec::new();
        for opened_after in [150, 400, 401, 800, 1200] {
            answers.iter().find(|number| *number >= opened_after).unwrap();
            let limit = if opened_after % 2 == 0 { HISTORY } else { 10 * LINES };
            tails.push(scope.spawn(move || {
                let mut tail = narvi.tail(&[("query", "{app=\"x\"}"), ("limit", &limit.to_string())]);
                let mut lines = Vec::new();
                while lines.last() != Some(&(LINES - 1)) {
                    lines.extend(numbers(tail.take(1).into_iter().map(|entry| entry.line)));
                }
                assert_eq!(tail.close(), Some(1000));
                let first = lines[0];
                assert_eq!(lines, (first..LINES).collect::<Vec<_>>());
                if limit == HISTORY {
                    assert!(first + HISTORY > opened_after, "history begins at {first}, after {opened_after}");
                } else {
                    assert_eq!(first, 0);
                }
            }));
        }
        for tail in tails {
            tail.join().unwrap();
        }
    });
    eventually("no reader to be left", || (narvi.metrics().get("narvi_store_subscribers") == 0).then_some(()));
}

/// Only what the query lets pass comes, also from streams that did not exist when it was asked.
#[test]
fn a_tail_is_filtered() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let base_ns = now_ns() - 1000;
    narvi.push(&[Stream::new(&[("app", "a")]).with(base_ns, "old yes").with(base_ns + 1, "old no")]);
    let mut tail = narvi.tail(&[("query", "{app=~\"a|b\"} |= \"yes\"")]);
    let first = tail.next().unwrap();
    assert_eq!(first.json["streams"][0]["stream"]["service_name"], "a");
    assert_eq!(first.entries[0].line, "old yes");
    narvi.push(&[
        Stream::new(&[("app", "a")]).with(base_ns + 2, "new no"),
        Stream::new(&[("app", "b")]).with(base_ns + 3, "new yes"),
        Stream::new(&[("app", "c")]).with(base_ns + 4, "other yes"),
        Stream::new(&[("app", "a")]).with(base_ns + 5, "last yes"),
    ]);
    let lines: BTreeSet<_> = tail.take(2).into_iter().map(|entry| entry.line).collect();
    assert_eq!(lines, BTreeSet::from(["new yes".to_owned(), "last yes".to_owned()]));
}

/// A client that does not read costs itself some entries, of which it is told, and nobody else anything.
#[test]
fn a_slow_reader_is_told_what_it_missed() {
    const LINES: usize = 300;
    const LINE_BYTES: usize = 128 << 10;
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "limits.tail_queue_max = '256KiB'\n");
    let mut tail = narvi.tail(&[("query", "{app=\"x\"}")]);
    let base_ns = now_ns();
    let timestamps = || (base_ns..).take(LINES);
    for timestamp_ns in timestamps() {
        narvi.push(&[Stream::new(&[("app", "x")]).with(timestamp_ns, "x".repeat(LINE_BYTES))]);
    }
    let (mut got, mut dropped) = (Vec::new(), Vec::new());
    while got.len() + dropped.len() < LINES {
        let frame = tail.next().expect("a tail that is read again goes on");
        got.extend(frame.entries.into_iter().map(|entry| entry.timestamp_ns));
        dropped.extend(frame.dropped);
    }
    assert!(!dropped.is_empty() && !got.is_empty(), "{} and {}", dropped.len(), got.len());
    assert!(got.is_sorted());
    let all: BTreeSet<_> = got.iter().chain(&dropped).copied().collect();
    assert_eq!(all, timestamps().collect());
    assert_eq!(narvi.entries("{app=\"x\"}").len(), LINES);
}

/// Many tails at once cost little, and each gets every line, in order.
#[test]
fn two_hundred_tails_get_every_line() {
    const TAILS: usize = 200;
    const LINES: usize = 400;
    const KIB_MAX: u64 = 20 << 10;
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "limits.max_concurrent_tail_requests = 200\n");
    push_lines(&narvi, 0..100, None);
    let before = narvi.status("VmRSS");
    let mut tails: Vec<_> = (0..TAILS).map(|_| narvi.tail(&[("query", "{app=\"x\"}")])).collect();
    push_lines(&narvi, 100..LINES, None);
    for tail in &mut tails {
        let lines = numbers(tail.take(LINES).into_iter().map(|entry| entry.line));
        assert_eq!(lines, (0..LINES).collect::<Vec<_>>());
    }
    let grown = narvi.status("VmRSS").saturating_sub(before);
    assert!(grown < KIB_MAX, "{TAILS} tails cost {grown} KiB");
}

#[test]
fn bad_tails_are_refused_before_the_upgrade() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "limits.max_concurrent_tail_requests = 1\n");
    let good = ("query", "{app=\"x\"}");
    let rows: &[(Params<'_>, u16, &str)] = &[
        (&[], 400, "parse error"),
        (&[("query", "{app=")], 400, "parse error at line 1, col "),
        (&[("query", "count_over_time({app=\"x\"}[1m])")], 400, "only log selectors can be tailed"),
        (&[good, ("limit", "none")], 400, "none"),
        (&[good, ("start", "soon")], 400, "soon"),
        (&[good, ("delay_for", "6")], 400, "delay_for can't be greater than 5"),
    ];
    for (params, status, text) in rows {
        let (got, message) = Tail::open(narvi.address(), params).err().expect("it was opened");
        assert_eq!(got, *status, "{params:?}: {message}");
        assert!(message.contains(text), "{params:?}: {message}");
    }
    let plain = narvi.get("/loki/api/v1/tail", &[good]);
    assert_eq!((plain.status, plain.header("sec-websocket-version")), (400, Some("13")));
    let first = narvi.tail(&[good]);
    let (status, text) = Tail::open(narvi.address(), &[good]).err().expect("a second one was opened");
    assert!(status == 429 && text.contains("max_concurrent_tail_requests"), "{status} {text}");
    assert_eq!(first.close(), Some(1000));
    eventually("the place of the first tail", || Tail::open(narvi.address(), &[good]).ok());
}
