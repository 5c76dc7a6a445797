//! Questions while blocks are sealed: every answer is a whole prefix of what was pushed.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::support::{Directory, Narvi, Stream, now_ns};

const STREAMS: usize = 3;
const PUSHES: usize = 150;
const LINES_PER_PUSH: usize = 20;

/// A stream that grows, and how far it is.
#[derive(Default)]
struct Growing {
    begun: AtomicUsize,
    answered: AtomicUsize,
}

impl Growing {
    /// Pushes all lines, in order and with one time each.
    fn push(&self, narvi: &Narvi, name: &str) {
        let mut client = narvi.client();
        let base_ns = now_ns();
        for push in 0..PUSHES {
            let numbers = push * LINES_PER_PUSH..(push + 1) * LINES_PER_PUSH;
            self.begun.store(numbers.end, Ordering::SeqCst);
            let stream = numbers.clone().fold(Stream::new(&[("app", name)]), |stream, number| {
                stream.with(base_ns + i64::try_from(number).unwrap(), format!("{number} {}", "x".repeat(number % 500)))
            });
            let json = ("Content-Type", "application/json");
            let reply = client.request("POST", "/loki/api/v1/push", &[json], &Stream::json(&[stream])).unwrap();
            assert_eq!(reply.status, 204, "{}", reply.text());
            self.answered.store(numbers.end, Ordering::SeqCst);
        }
    }

    /// Asks once: what was answered before is there, in order, and nothing that was not begun.
    fn check(&self, narvi: &Narvi, name: &str) {
        let least = self.answered.load(Ordering::SeqCst);
        let lines = narvi.lines(&format!("{{app=\"{name}\"}}"));
        let most = self.begun.load(Ordering::SeqCst);
        assert!((least..=most).contains(&lines.len()), "{name}: {} of {least} to {most}", lines.len());
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line.split(' ').next().unwrap(), number.to_string(), "{name}, line {number} of {}", lines.len());
        }
    }
}

#[test]
fn no_answer_misses_or_repeats_a_line_while_blocks_are_sealed() {
    let directory = Directory::new();
    // So little memory that heads are sealed all the time, besides what the flushes do.
    let narvi = Narvi::start_with(&directory, "store.head_memory = '1MiB'\n");
    let streams: Vec<_> = (0..STREAMS).map(|number| (format!("s{number}"), Growing::default())).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (narvi, done) = (&narvi, &done);
        let pushers: Vec<_> =
            streams.iter().map(|(name, stream)| scope.spawn(move || stream.push(narvi, name))).collect();
        for (name, stream) in &streams {
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    stream.check(narvi, name);
                }
            });
        }
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                narvi.flush();
            }
        });
        let ended: Vec<_> = pushers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert!(narvi.metrics().get("narvi_store_blocks_written_total") >= 3);
    for pass in ["sealed", "opened again"] {
        for (name, stream) in &streams {
            stream.check(&narvi, name);
            assert_eq!(stream.answered.load(Ordering::SeqCst), PUSHES * LINES_PER_PUSH, "{pass}");
        }
        narvi.flush();
    }
}
