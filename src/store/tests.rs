//! The store as a whole: what comes back after a restart, a kill and a power cut at every change of
//! the disk, and after damage to every byte.

#![expect(clippy::cast_possible_wrap, reason = "tests run on small numbers")]

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

fn push(store: &Store, app: &str, lines: impl IntoIterator<Item = (i64, String)>) -> Result<(), super::Error> {
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
fn open(disk: &MemDisk, dir: &TempDir) -> Result<Store, super::Error> {
    Store::open_on(Arc::new(disk.clone()), options(dir.path()), DirLock::take(dir.path())?)
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

/// Sealing after a start needs no commit, so nothing has repeated the positions yet.
#[test]
fn positions_outlive_a_start_that_seals_and_a_kill_before_the_next_commit() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let position = (b"file".to_vec(), Some(b"42".to_vec()));
    let streams = vec![stream("a", [(1, "line".to_owned())])];
    store.append(&Append { streams, positions: vec![position], drop_duplicates: false }).unwrap();
    drop(store);
    let store = open(&disk, &dir).unwrap();
    store.flush().unwrap();
    drop(store); // nothing waits for a commit, so this writes nothing more than a kill would
    let store = open(&disk.after_kill(), &dir).unwrap();
    assert_eq!(store.positions(), [(b"file".to_vec(), b"42".to_vec())]);
    assert_eq!(read(&store, "a"), [(1, "line".to_owned())]);
}

#[test]
fn retention_removes_the_oldest_files_whole() {
    let dir = TempDir::new();
    let day_ns = 86_400_000_000_000;
    let store = Store::open(options(dir.path())).unwrap();
    let mut random = Random(5);
    for day in 0..4 {
        let mut noise = || (0..400).map(|_| random.below(u64::from(u32::MAX)).to_string()).collect::<String>();
        push(&store, "a", (0..100).map(|n| (day * day_ns + n, format!("{day} {}", noise())))).unwrap();
        store.flush().unwrap();
    }
    let stats = store.stats();
    drop(store);
    let limit = Some(stats.chunk_bytes * 3 / 5 + stats.wal_segments * super::wal::SEGMENT_BYTES);
    let store = Store::open(Options { retention_size: limit, ..options(dir.path()) }).unwrap();
    while store.stats().retention_files_dropped == 0 {
        std::thread::yield_now();
    }
    let kept = read(&store, "a");
    assert!(kept.len() < 400 && kept.len().is_multiple_of(100), "whole days: {}", kept.len());
    assert_eq!(kept.last().unwrap().1.as_bytes()[0], b'3', "the newest is kept");
}

/// What a scripted run did: the lines a follower handed over with each position, and the pushed
/// lines that were committed, or at least sent.
#[derive(Debug, Default)]
struct Script {
    committed_pushes: u64,
    sent_pushes: u64,
}

impl Script {
    /// Follows a file of numbered lines and takes pushes, with commits and seals in between, until
    /// the disk fails.
    fn run(&mut self, store: &Store) -> Result<(), super::Error> {
        for round in 0..6u64 {
            let lines = (round * 3..round * 3 + 3).map(|n| (n as i64, format!("file {n}")));
            let position = (b"file".to_vec(), Some((round * 3 + 3).to_le_bytes().to_vec()));
            store.append(&Append {
                streams: vec![stream("file", lines)],
                positions: vec![position],
                drop_duplicates: false,
            })?;
            push(store, "push", [(round as i64, format!("push {round}"))])?;
            self.sent_pushes = round + 1;
            if round % 2 == 1 {
                store.commit()?;
                self.committed_pushes = round + 1;
            }
            if round % 3 == 2 {
                store.flush()?;
                self.committed_pushes = round + 1;
            }
        }
        Ok(())
    }

    /// Nothing followed is missing or twice up to the position, nothing beyond it is there; no
    /// committed push is missing, none is twice.
    fn check(&self, store: &Store, context: &str) {
        let positions: BTreeMap<Vec<u8>, Vec<u8>> = store.positions().into_iter().collect();
        let position =
            positions.get(&b"file"[..]).map_or(0, |value| u64::from_le_bytes(value[..8].try_into().unwrap()));
        let expected: Vec<(i64, String)> = (0..position).map(|n| (n as i64, format!("file {n}"))).collect();
        assert_eq!(read(store, "file"), expected, "followed lines up to position {position}, {context}");
        let pushes = read(store, "push");
        let count = pushes.len() as u64;
        let expected: Vec<(i64, String)> = (0..count).map(|n| (n as i64, format!("push {n}"))).collect();
        assert_eq!(pushes, expected, "pushed lines, {context}");
        assert!(
            (self.committed_pushes..=self.sent_pushes).contains(&count),
            "{count} pushed lines, {self:?}, {context}"
        );
    }
}

fn errno(name: &str) -> rustix::io::Errno {
    match name {
        "ENOSPC" => rustix::io::Errno::NOSPC,
        "EIO" => rustix::io::Errno::IO,
        _ => rustix::io::Errno::MFILE,
    }
}

#[test]
fn a_crash_at_any_change_of_the_disk_keeps_the_promise() {
    let mut random = Random(11);
    let mut from = 0;
    loop {
        let (dir, disk) = (TempDir::new(), MemDisk::default());
        disk.set_fault(Some(Fault { from, until: u64::MAX, error: errno("EIO") }));
        let mut script = Script::default();
        let finished = match open(&disk, &dir) {
            Ok(store) => {
                let finished = script.run(&store).is_ok();
                drop(store);
                finished
            }
            Err(_) => false,
        };
        let crashed = disk.after_kill();
        let store = open(&crashed, &dir).unwrap_or_else(|error| panic!("killed at change {from}: {error}"));
        script.check(&store, &format!("killed at change {from}"));
        drop(store);
        for round in 0..8 {
            let crashed = disk.after_power_cut(&mut random);
            let context = format!("power cut at change {from}, round {round}");
            let store = open(&crashed, &dir).unwrap_or_else(|error| panic!("{context}: {error}"));
            script.check(&store, &context);
            // What comes after the crash must be as safe as what came before it.
            push(&store, "later", [(1, "later".to_owned())]).unwrap();
            store.commit().unwrap();
            drop(store);
            let store = open(&crashed.after_kill(), &dir).unwrap();
            script.check(&store, &format!("{context}, second start"));
            assert_eq!(read(&store, "later").len(), 1, "{context}, second start");
        }
        if finished {
            return;
        }
        from += 1;
    }
}

#[test]
fn a_disk_that_fails_for_a_while_loses_nothing() {
    for error in ["ENOSPC", "EIO", "EMFILE"] {
        let mut from = 0;
        loop {
            let (dir, disk) = (TempDir::new(), MemDisk::default());
            let Ok(store) = open(&disk, &dir) else { unreachable!("nothing fails yet") };
            let start = disk.changes();
            disk.set_fault(Some(Fault { from: start + from, until: start + from + 3, error: errno(error) }));
            let mut sent = 0u64;
            for n in 0..12u64 {
                // A client that keeps what was refused and sends it again, as shippers do.
                while push(&store, "a", [(n as i64, format!("push {n}"))]).is_err() {
                    drop(store.commit());
                    store.0.shared.wake.notify_one();
                    lock_and_retry_now(&store);
                }
                sent += 1;
                if n % 4 == 3 {
                    drop(store.flush());
                    lock_and_retry_now(&store);
                }
            }
            disk.set_fault(None);
            lock_and_retry_now(&store);
            while store.flush().is_err() {
                lock_and_retry_now(&store);
            }
            assert_eq!(read(&store, "a").len() as u64, sent, "{error} from change {from}");
            let reached = disk.changes() > start + from;
            drop(store);
            let store = open(&disk.after_kill(), &dir).unwrap();
            assert_eq!(read(&store, "a").len() as u64, sent, "{error} from change {from}, reopened");
            if !reached {
                break;
            }
            from += 1;
        }
    }
}

/// Makes the writer try again at once what failed.
fn lock_and_retry_now(store: &Store) {
    if let Some(fault) = &mut super::lock(&store.0.shared.state).fault {
        fault.retry_at = std::time::Instant::now();
    }
    store.0.shared.wake.notify_one();
    std::thread::yield_now();
}

#[test]
fn damage_to_any_byte_is_survived_and_hides_nothing_else() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    for app in ["a", "b"] {
        for n in 0..2 {
            push(&store, app, [(n, format!("{app} {n}"))]).unwrap();
            store.flush().unwrap();
        }
    }
    push(&store, "a", [(9, "in the log".to_owned())]).unwrap();
    drop(store);
    let disk = disk.after_kill();
    for path in disk.paths() {
        let is_log = path.extension().is_some_and(|extension| extension == "wal");
        let mut len = 0;
        disk.edit(&path, |bytes| len = bytes.len());
        // Behind the commits a segment is zeros.
        for at in 0..if is_log { len.min(1000) } else { len } {
            let damaged = disk.after_kill();
            damaged.edit(&path, |bytes| bytes[at] ^= 0x41);
            let context = format!("byte {at} of {}", path.display());
            let store = match open(&damaged, &dir) {
                Ok(store) => store,
                Err(error @ super::Error::Format { .. }) => {
                    assert!(at < 16, "{context}: {error}");
                    continue;
                }
                Err(error) => panic!("{context}: {error}"),
            };
            let snapshot = store.snapshot(&[], i64::MIN, i64::MAX);
            let pieces = snapshot.streams.iter().flat_map(|stream| &stream.pieces);
            let (whole, damaged): (Vec<_>, Vec<_>) = pieces.map(super::Piece::read).partition(Result::is_ok);
            let lines: usize = whole.iter().flatten().map(|entries| entries.len()).sum();
            assert!(lines >= 4, "{context}: {lines} lines left of 5, {damaged:?}");
        }
    }
}

/// Makes a header's checksum fit.
fn seal(header: &mut [u8]) {
    let crc = crc32fast::hash(&header[..HEADER_BYTES - 4]);
    header[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
}

/// A change of a file whose last block starts at the offset.
type Edit = fn(&mut Vec<u8>, usize);

/// What becomes of the end of the file at the next start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Cut,
    Kept,
    Refused,
}

/// What stands behind the last block that can be read is cut off only if no program can make
/// anything of it; in the log there is nothing that could replace it.
#[test]
fn only_the_remains_of_an_append_are_cut_off() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    push(&store, "a", [(1, "first".to_owned())]).unwrap();
    store.flush().unwrap();
    let last = usize::try_from(store.stats().chunk_bytes).unwrap();
    push(&store, "b", [(2, "last".to_owned())]).unwrap();
    store.flush().unwrap();
    drop(store);
    let chunk = disk.paths().into_iter().find(|path| path.ends_with("mixed.chunk")).unwrap();
    for path in disk.paths().iter().filter(|path| path.extension().is_some_and(|extension| extension == "wal")) {
        disk.edit(path, |bytes| bytes.fill(0));
    }
    let table: [(&str, Edit, Then); 12] = [
        ("zeros in the place of the header", |bytes, at| bytes[at..at + HEADER_BYTES].fill(0), Then::Cut),
        ("zeros in the place of the block", |bytes, at| bytes[at..].fill(0), Then::Cut),
        ("half a header", |bytes, at| bytes.truncate(at + HEADER_BYTES / 2), Then::Cut),
        ("half a block", |bytes, at| bytes.truncate(at + HEADER_BYTES + 3), Then::Cut),
        ("another magic", |bytes, at| bytes[at] ^= 1, Then::Kept),
        ("another version, as damage", |bytes, at| bytes[at + 4] = 2, Then::Kept),
        ("another number of lines", |bytes, at| bytes[at + 12] ^= 1, Then::Kept),
        ("another checksum", |bytes, at| bytes[at + HEADER_BYTES - 1] ^= 1, Then::Kept),
        (
            "a damaged header in front of half a block",
            |bytes, at| {
                let mut half = bytes[at..].to_vec();
                half.pop();
                bytes[at + 12] ^= 1;
                bytes.extend(half);
            },
            Then::Kept,
        ),
        (
            "a later version",
            |bytes, at| {
                bytes[at + 4] = 2;
                seal(&mut bytes[at..at + HEADER_BYTES]);
            },
            Then::Refused,
        ),
        (
            "a later codec",
            |bytes, at| {
                bytes[at + 5] = 99;
                seal(&mut bytes[at..at + HEADER_BYTES]);
            },
            Then::Refused,
        ),
        (
            "a later version behind a damaged header",
            |bytes, at| {
                let mut later = bytes[at..].to_vec();
                later[4] = 2;
                seal(&mut later[..HEADER_BYTES]);
                bytes[at + 12] ^= 1;
                bytes.extend(later);
            },
            Then::Refused,
        ),
    ];
    let bytes_of = |disk: &MemDisk| {
        let mut copy = Vec::new();
        disk.edit(&chunk, |bytes| copy.clone_from(bytes));
        copy
    };
    let block_bytes = bytes_of(&disk).len() - last;
    for (name, edit, then) in table {
        let disk = disk.after_kill();
        disk.edit(&chunk, |bytes| edit(bytes, last));
        let before = bytes_of(&disk);
        let store = open(&disk, &dir);
        if then == Then::Refused {
            let error = store.map(drop).unwrap_err().to_string();
            assert!(error.contains("mixed.chunk") && error.contains("a newer narvi wrote"), "{name}: {error}");
            assert!(bytes_of(&disk) == before, "{name}: the file was changed");
            continue;
        }
        let store = store.unwrap();
        let kept = if then == Then::Kept { last + block_bytes } else { last };
        assert!(bytes_of(&disk) == before[..kept], "{name}: {} bytes of {}", bytes_of(&disk).len(), before.len());
        assert_eq!(store.stats().damaged_blocks, u64::from(then == Then::Kept), "{name}");
        // What is appended later is found behind it.
        for n in 0..2 {
            push(&store, "c", [(n, format!("later {n}"))]).unwrap();
            store.flush().unwrap();
        }
        drop(store);
        let store = open(&disk.after_kill(), &dir).unwrap();
        assert_eq!(read(&store, "a").len(), 1, "{name}");
        assert_eq!(read(&store, "b").len(), 0, "{name}");
        assert_eq!(read(&store, "c").len(), 2, "{name}");
        assert_eq!(store.stats().damaged_blocks, u64::from(then == Then::Kept), "{name}, second start");
    }
}

/// Nobody knows how old the entries behind a damaged header are, so the file gets the age of its day.
#[test]
fn a_file_of_damage_alone_is_not_removed_before_its_time() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    push(&store, "a", [(super::now_ns(), "today".to_owned())]).unwrap();
    store.flush().unwrap();
    drop(store);
    let chunk = disk.paths().into_iter().find(|path| path.ends_with("mixed.chunk")).unwrap();
    disk.edit(&chunk, |bytes| bytes[8] ^= 1);
    let keep_a_day = Options { retention: Some(Duration::from_hours(24)), ..options(dir.path()) };
    let lock = DirLock::take(dir.path()).unwrap();
    let store = Store::open_on(Arc::new(disk.clone()), keep_a_day, lock).unwrap();
    // The writer has looked once it has a time to look again.
    while super::lock(&store.0.shared.state).retention_at.is_some_and(|at| at <= std::time::Instant::now()) {
        std::thread::yield_now();
    }
    assert!(disk.paths().contains(&chunk));
    assert_eq!(store.stats().retention_files_dropped, 0);
}

/// With no limit that says what has to go, a full disk takes the oldest files, one for each try, and
/// never the newest.
#[test]
fn a_full_disk_makes_room_by_itself() {
    let day_ns = 86_400_000_000_000;
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let mut random = Random(7);
    let mut day = |day: i64| {
        let mut noise = || (0..40).map(|_| random.below(u64::from(u32::MAX)).to_string()).collect::<String>();
        (0..200).map(|n| (day * day_ns + n, format!("{day} {}", noise()))).collect::<Vec<_>>()
    };
    for n in 0..4 {
        push(&store, "a", day(n)).unwrap();
        store.flush().unwrap();
    }
    let file_bytes = store.stats().chunk_bytes / 4;
    let chunk_files = || super::lock(&store.0.shared.chunks).files().count();
    let chunks = dir.path().join("chunks");
    disk.set_quota(&chunks, file_bytes * 9 / 2);
    for n in 4..8 {
        push(&store, "a", day(n)).unwrap();
        while store.flush().is_err() {
            lock_and_retry_now(&store);
        }
        assert_eq!(store.stats().fault, None);
        let kept = read(&store, "a");
        assert_eq!(kept.len() % 200, 0, "whole days");
        assert!(kept.len() >= 600, "no more than needed was removed: {}", kept.len());
        let days = kept.iter().map(|(ns, _)| ns / day_ns).collect::<std::collections::BTreeSet<_>>();
        assert!(days.into_iter().rev().eq((0..=n).rev().take(kept.len() / 200)), "the oldest went");
    }
    let dropped = store.stats().retention_files_dropped;
    assert!((4..=5).contains(&dropped), "{dropped}");
    assert_eq!(store.stats().retention_entries_dropped, dropped * 200);

    // What does not fit even then takes everything but the newest.
    disk.set_quota(&chunks, 0);
    push(&store, "a", day(8)).unwrap();
    while chunk_files() > 1 {
        drop(store.flush());
        lock_and_retry_now(&store);
    }
    for _ in 0..20 {
        drop(store.flush());
        lock_and_retry_now(&store);
    }
    assert_eq!(chunk_files(), 1);
    let kept = read(&store, "a");
    assert_eq!(kept.len(), 400, "the newest file, and what could not be sealed");
    assert!(kept.iter().all(|(ns, _)| ns / day_ns >= 7));
    disk.set_quota(&chunks, u64::MAX);
    while store.flush().is_err() {
        lock_and_retry_now(&store);
    }
    assert_eq!(read(&store, "a").len(), 400);
}
