//! The store as a whole: what comes back after a restart, a kill and a power cut at every change of
//! the disk, and after damage to every byte.

#![expect(clippy::cast_possible_wrap, reason = "tests run on small numbers")]

mod crash;
mod damage;
mod retention;
mod tidy;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use super::{
    Append, Options, Store, StreamEntries,
    block::HEADER_BYTES,
    recovery::DirLock,
    testing::{Fault, MemDisk, Random, TempDir},
};
use crate::labels::{Entries, LabelSet, Matcher};

fn labels(app: &str) -> LabelSet {
    LabelSet::new(vec![("app".into(), app.into())])
}

fn stream(app: &str, lines: impl IntoIterator<Item = (i64, String)>) -> StreamEntries {
    let mut entries = Entries::new();
    let set = entries.intern(&LabelSet::new(vec![("detected_level".into(), "info".into())]));
    for (timestamp_ns, line) in lines {
        entries.push(timestamp_ns, line.as_bytes(), set);
    }
    StreamEntries { labels: labels(app), entries }
}

fn push(store: &Store, app: &str, lines: impl IntoIterator<Item = (i64, String)>) -> Result<(), crate::store::Error> {
    store.append(&Append { streams: vec![stream(app, lines)], drop_duplicates: true, ..Append::default() })
}

/// Everything a stream holds, in order of time and arrival.
fn read(store: &Store, app: &str) -> Vec<(i64, String)> {
    let snapshot = store.snapshot(&[Matcher::text("app", true, app)], i64::MIN, i64::MAX);
    let mut lines = Vec::new();
    for piece in snapshot.streams.iter().flat_map(|stream| &stream.pieces) {
        let entries = piece.read().unwrap();
        for at in 0..entries.len() {
            lines.push((entries.timestamp_ns(at), String::from_utf8_lossy(entries.line(at)).into_owned()));
        }
    }
    lines.sort_by_key(|line| line.0);
    lines
}

/// A store that does nothing by itself within a test's time.
fn options(path: &Path) -> Options {
    Options {
        commit_interval: Duration::from_hours(1),
        retention: None,
        retention_size: None,
        free_disk_min: None,
        ..Options::new(path)
    }
}

/// A store on a disk in memory; only its lock is a real file.
fn open(disk: &MemDisk, dir: &TempDir) -> Result<Store, crate::store::Error> {
    Store::open_on(Arc::new(disk.clone()), options(dir.path()), DirLock::take(dir.path())?)
}

/// Joins blocks and closes files, as the writer does when their day is long over.
fn tidy(store: &Store) {
    let shared = &store.0.shared;
    crate::store::lock(&shared.chunks).let_time_pass();
    loop {
        shared.tidy();
        if crate::store::lock(&shared.state).tidy_at.is_none_or(|at| at > std::time::Instant::now()) {
            return;
        }
    }
}

#[test]
fn entries_come_back_from_heads_log_and_blocks() {
    let dir = TempDir::new();
    let expected: Vec<(i64, String)> = (0..30).map(|n| (n, format!("line {n}"))).collect();
    let store = Store::open(options(dir.path())).unwrap();
    push(&store, "a", expected[..10].iter().cloned()).unwrap();
    store.flush().unwrap();
    push(&store, "a", expected[10..20].iter().cloned()).unwrap();
    store.commit().unwrap();
    push(&store, "a", expected[20..].iter().cloned()).unwrap();
    push(&store, "b", [(5, "other".to_owned())]).unwrap();
    assert_eq!(read(&store, "a"), expected);
    drop(store);
    let store = Store::open(options(dir.path())).unwrap();
    assert_eq!(read(&store, "a"), expected);
    assert_eq!(read(&store, "b"), [(5, "other".to_owned())]);
    let names: Vec<String> = store.streams(&[], 5, 5).iter().map(|info| info.labels.to_string()).collect();
    assert_eq!(names, [r#"{app="a"}"#, r#"{app="b"}"#]);
    assert_eq!(store.streams(&[], 40, 50), []);
}

#[test]
fn a_second_process_is_refused() {
    let dir = TempDir::new();
    let store = Store::open(options(dir.path())).unwrap();
    let error = Store::open(options(dir.path())).unwrap_err().to_string();
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    drop(store);
    Store::open(options(dir.path())).unwrap();
}

#[test]
fn equal_entries_are_stored_once_when_asked() {
    let dir = TempDir::new();
    let store = Store::open(options(dir.path())).unwrap();
    let batch = [(1, "x".to_owned()), (1, "y".to_owned()), (1, "x".to_owned())];
    push(&store, "a", batch.clone()).unwrap();
    push(&store, "a", batch.clone()).unwrap();
    assert_eq!(read(&store, "a"), batch[..2]);
    assert_eq!(store.stats().duplicates_dropped, 4);
    store.append(&Append { streams: vec![stream("a", batch.clone())], ..Append::default() }).unwrap();
    assert_eq!(read(&store, "a").len(), 5, "a followed file may hold equal lines");
}

#[test]
fn a_head_that_fills_blocks_is_sealed_by_itself_and_loses_nothing() {
    let dir = TempDir::new();
    let store = Store::open(Options { head_memory: 2 << 20, ..options(dir.path()) }).unwrap();
    let line = |n: i64| (n * 7 % 1000, format!("{n} {}", "x".repeat(1000)));
    for batch in 0..80 {
        push(&store, "a", (batch * 100..batch * 100 + 100).map(line)).unwrap();
        assert_eq!(read(&store, "a").len() as i64, batch * 100 + 100);
    }
    let mut expected: Vec<(i64, String)> = (0..8000).map(line).collect();
    expected.sort_by_key(|line| line.0);
    let mut found = read(&store, "a");
    found.sort();
    expected.sort();
    assert!(found == expected);
    let stats = store.stats();
    assert!(stats.blocks_written >= 8, "{stats:?}");
    assert!(stats.head_bytes <= (2 << 20) * 5 / 4, "{stats:?}");
}

#[test]
fn the_log_is_recycled_and_keeps_the_positions() {
    let dir = TempDir::new();
    let store = Store::open(Options { head_memory: 1 << 20, ..options(dir.path()) }).unwrap();
    let position = (b"file".to_vec(), Some(b"42".to_vec()));
    store.append(&Append { positions: vec![position], ..Append::default() }).unwrap();
    for n in 0..40 {
        push(&store, "a", [(n, "y".repeat(100 << 10))]).unwrap();
    }
    store.flush().unwrap();
    assert!(store.stats().wal_segments <= 4, "{:?}", store.stats());
    let files = std::fs::read_dir(dir.path().join("wal")).unwrap().count();
    assert!(files <= 6, "{files} files in the log's directory");
    drop(store);
    let store = Store::open(options(dir.path())).unwrap();
    assert_eq!(store.positions(), [(b"file".to_vec(), b"42".to_vec())]);
    assert_eq!(read(&store, "a").len(), 40);
}

/// Makes the writer try again at once what failed.
fn lock_and_retry_now(store: &Store) {
    if let Some(fault) = &mut crate::store::lock(&store.0.shared.state).fault {
        fault.retry_at = std::time::Instant::now();
    }
    store.0.shared.wake.notify_one();
    std::thread::yield_now();
}
