//! SIGTERM and SIGINT: everything that was answered is kept, and the end comes soon.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Directory, Narvi, Signal, Stream, exactly_once, now_ns};

/// What the service manager is promised.
const STOP_MAX: Duration = Duration::from_secs(5);
const PUSHERS: usize = 3;
/// Pushes that are answered before the signal comes.
const PUSHES: usize = 100;

#[test]
fn a_signal_under_load_loses_nothing_that_was_answered() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = Directory::new();
        // Nothing is committed but by the stop.
        let narvi = Narvi::start_with(&directory, "store.commit_interval = '1h'\n");
        let (answered, answers) = mpsc::channel();
        let pushers: Vec<_> = (0..PUSHERS)
            .map(|pusher| {
                let (mut client, answered) = (narvi.client(), answered.clone());
                thread::spawn(move || {
                    for number in 0.. {
                        let line = format!("{pusher} {number}");
                        let body = Stream::json(&[Stream::new(&[("app", "x")]).with(now_ns(), line.clone())]);
                        let json = ("Content-Type", "application/json");
                        let Ok(reply) = client.request("POST", "/loki/api/v1/push", &[json], &body) else { return };
                        if reply.status != 204 {
                            assert_eq!(reply.status, 503, "{}", reply.text());
                            return;
                        }
                        answered.send(line).unwrap();
                    }
                })
            })
            .collect();
        drop(answered);
        let mut kept: Vec<String> = answers.iter().take(PUSHES).collect();
        let signalled = Instant::now();
        narvi.signal(signal);
        let (status, log) = narvi.wait();
        assert!(signalled.elapsed() < STOP_MAX, "{signal:?} took {:?}", signalled.elapsed());
        assert!(status.success(), "{signal:?}: {status}: {log}");
        kept.extend(answers);
        for pusher in pushers {
            pusher.join().unwrap();
        }
        let narvi = Narvi::start(&directory);
        let stored = narvi.lines("{app=\"x\"}");
        exactly_once(stored.iter().map(String::as_str), kept, |_| true);
        narvi.stop();
    }
}

/// Idle clients and open tails do not hold the end up, and a tail ends so that its client comes back.
#[test]
fn open_connections_do_not_hold_the_end_up() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let _idle: Vec<_> = (0..5).map(|_| narvi.client()).collect();
    let mut kept_alive = narvi.client();
    assert_eq!(kept_alive.request("GET", "/ready", &[], b"").unwrap().status, 200);
    let mut tail = narvi.tail(&[("query", "{app=\"x\"}")]);
    let signalled = Instant::now();
    narvi.signal(Signal::TERM);
    // Clients take an end without close frame for an accident and connect again.
    assert_eq!(tail.end(), None);
    let (status, log) = narvi.wait();
    assert!(status.success() && signalled.elapsed() < STOP_MAX, "{status}, {:?}: {log}", signalled.elapsed());
}
