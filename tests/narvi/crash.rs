//! `kill -9` under load: what was promised is there once, and nothing twice.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use crate::support::{Client, Dice, Directory, Metrics, Narvi, Stream, exactly_once, now_ns, rounds};

const PUSHERS: usize = 2;

/// When an answered push is safe from `kill -9`.
#[derive(Clone, Copy, PartialEq)]
enum Promise {
    /// When it is answered.
    AtOnce,
    /// When a commit that began after the answer has ended.
    AfterCommit,
}

/// What the pushers know of their lines.
#[derive(Default)]
struct Known {
    sent: BTreeSet<String>,
    /// Answered lines, with the number of commits that make them safe.
    answered: Vec<(u64, Vec<String>)>,
    /// Commits that were counted last.
    commits: u64,
}

impl Known {
    /// A count of `n` may be seen while a commit without the line is under way, which may count twice if it begins a
    /// new segment of the log. The third after `n` has begun later than the answer.
    const COMMITS: u64 = 3;

    fn safe(&self) -> impl Iterator<Item = String> {
        let safe = self.answered.iter().filter(|(safe_at, _)| *safe_at <= self.commits);
        safe.flat_map(|(_, lines)| lines.iter().cloned())
    }
}

#[test]
fn kill_9_keeps_what_was_committed() {
    kill_rounds(Promise::AfterCommit, "store.commit_interval = '5ms'\nstore.head_memory = '1MiB'\n");
}

#[test]
fn kill_9_keeps_every_answered_push_if_the_interval_is_zero() {
    kill_rounds(Promise::AtOnce, "store.commit_interval = '0s'\nstore.head_memory = '1MiB'\n");
}

/// Each round pushes until a random moment, kills, starts again on what was left, and compares.
fn kill_rounds(promise: Promise, config: &str) {
    let directory = Directory::new();
    let mut dice = Dice::new();
    let number = AtomicUsize::new(0);
    // What a restart has shown must be there ever after.
    let (mut wanted, mut sent) = (BTreeSet::new(), BTreeSet::new());
    let mut narvi = Narvi::start_with(&directory, config);
    for round in 0..rounds(20) {
        let known = Mutex::new(Known::default());
        let (answered, answers) = mpsc::channel();
        let pushes = dice.below(150);
        let seeds: Vec<_> = (0..PUSHERS).map(|_| dice.below(usize::MAX)).collect();
        thread::scope(|scope| {
            for seed in seeds {
                let (client, answered, number, known) = (narvi.client(), answered.clone(), &number, &known);
                scope.spawn(move || push_until_killed(client, Dice::from(seed), promise, number, known, &answered));
            }
            drop(answered);
            answers.iter().take(pushes).for_each(drop);
            dice.spin();
            narvi.kill();
        });
        let known = known.into_inner().unwrap();
        wanted.extend(known.safe());
        sent.extend(known.sent);
        narvi = Narvi::start_with(&directory, config);
        let lines = narvi.lines("{app=~\".+\"}");
        eprintln!("round {round}: {pushes} pushes, {} lines, {} of {} wanted", lines.len(), wanted.len(), sent.len());
        exactly_once(lines.iter().map(String::as_str), wanted, |line| sent.contains(line));
        wanted = lines.into_iter().collect();
    }
    narvi.stop();
}

/// Pushes small batches into a few streams, sometimes seals, and counts the commits.
fn push_until_killed(
    mut client: Client,
    mut dice: Dice,
    promise: Promise,
    number: &AtomicUsize,
    known: &Mutex<Known>,
    answered: &mpsc::Sender<()>,
) {
    let mut waiting = Vec::new();
    loop {
        let lines: Vec<_> = (0..=dice.below(20))
            .map(|_| format!("{} {}", number.fetch_add(1, Ordering::Relaxed), "x".repeat(dice.below(300))))
            .collect();
        known.lock().unwrap().sent.extend(lines.iter().cloned());
        let app = format!("a{}", dice.below(5));
        let stream =
            lines.iter().fold(Stream::new(&[("app", &app)]), |stream, line| stream.with(now_ns(), line.clone()));
        let json = ("Content-Type", "application/json");
        let Ok(reply) = client.request("POST", "/loki/api/v1/push", &[json], &Stream::json(&[stream])) else { return };
        assert_eq!(reply.status, 204, "{}", reply.text());
        if promise == Promise::AtOnce {
            known.lock().unwrap().answered.push((0, lines));
        } else {
            waiting.extend(lines);
        }
        let _ = answered.send(());
        match dice.below(20) {
            0 if client.request("POST", "/flush", &[], b"").is_err() => return,
            1..5 => {
                let Ok(reply) = client.request("GET", "/metrics", &[], b"") else { return };
                let commits = Metrics::parse(&reply.text()).get("narvi_store_wal_commits_total");
                let mut known = known.lock().unwrap();
                known.answered.push((commits + Known::COMMITS, std::mem::take(&mut waiting)));
                known.commits = known.commits.max(commits);
            }
            _ => {}
        }
    }
}
