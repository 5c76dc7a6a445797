//! Joining, closing, deleting.

use super::*;

/// The blocks of a stream.
fn blocks_of(store: &Store, app: &str) -> usize {
    let snapshot = store.snapshot(&[Matcher::text("app", true, app)], i64::MIN, i64::MAX);
    snapshot.streams.iter().map(|stream| stream.pieces.len()).sum()
}

#[test]
fn small_blocks_are_joined_once_their_day_is_over() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let lines = |round: i64| (0..5).map(move |n| (round * 10 + n, format!("line {round} {n}")));
    for round in 0..12 {
        for app in ["a", "b"] {
            push(&store, app, lines(round)).unwrap();
        }
        store.flush().unwrap();
    }
    let expected: Vec<(i64, String)> = (0..12).flat_map(lines).collect();
    let before = store.snapshot(&[Matcher::text("app", true, "a")], i64::MIN, i64::MAX);
    assert_eq!((blocks_of(&store, "a"), blocks_of(&store, "b")), (12, 12));
    let bytes_before = store.stats().chunk_bytes;
    tidy(&store);
    assert_eq!((blocks_of(&store, "a"), blocks_of(&store, "b")), (1, 1));
    assert!(store.stats().chunk_bytes * 3 < bytes_before, "{} of {bytes_before}", store.stats().chunk_bytes);
    let old: usize = before.streams[0].pieces.iter().map(|piece| piece.read().unwrap().len()).sum();
    assert_eq!(old, 60, "a query that had begun reads on");
    for _ in 0..2 {
        assert_eq!(read(&store, "a"), expected);
    }
    // Late lines open the file again; they alone are not worth writing it anew.
    push(&store, "a", [(500, "late".to_owned())]).unwrap();
    store.flush().unwrap();
    tidy(&store);
    assert_eq!(blocks_of(&store, "a"), 2);
    drop(store);
    let disk = disk.after_kill();
    let names: Vec<String> = disk.paths().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(names.iter().filter(|name| name.contains("/chunks/")).count(), 1, "{names:?}");
    let store = open(&disk, &dir).unwrap();
    assert_eq!((blocks_of(&store, "a"), blocks_of(&store, "b"), read(&store, "a").len()), (2, 1, 61));
    assert_eq!(read(&store, "b"), expected);
}

/// The entries that a joined block jumps over may be in a head, if a crash took their block: they stay.
#[test]
fn joining_does_not_cover_what_is_in_no_block() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let day_ns = 86_400_000_000_000;
    // Two blocks of one day with a block of another between them.
    for (at, line) in [(1, "first"), (day_ns * 3, "elsewhere"), (2, "third")] {
        push(&store, "a", [(at, line.to_owned())]).unwrap();
        store.flush().unwrap();
    }
    drop(store);
    let elsewhere = disk.paths().into_iter().find(|path| path.to_string_lossy().contains("1970-01-04")).unwrap();
    let disk = disk.after_kill();
    disk.edit(&elsewhere, |bytes| bytes.truncate(20));
    let store = open(&disk, &dir).unwrap();
    assert_eq!(read(&store, "a").len(), 3, "the log gives it back");
    tidy(&store);
    drop(store);
    let store = open(&disk.after_kill(), &dir).unwrap();
    assert_eq!(read(&store, "a").len(), 3);
}

fn delete_even(store: &Store, app: &str, end_ns: i64) -> Result<u64, crate::store::Error> {
    let verdict = |_: &LabelSet, entries: &Entries| {
        (0..entries.len()).map(|at| entries.line(at).last().is_some_and(|digit| digit % 2 == 0)).collect()
    };
    let verdict: Arc<crate::store::Verdict> = Arc::new(verdict);
    store.delete(&[Matcher::text("app", true, app)], 0, end_ns, &[], &verdict)
}

#[test]
fn deleted_entries_are_gone_for_good() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let lines = |from: i64| (from..from + 6).map(|n| (n, format!("line {n}")));
    for app in ["a", "b"] {
        push(&store, app, lines(0)).unwrap();
        store.flush().unwrap();
        push(&store, app, lines(6)).unwrap();
    }
    assert_eq!(delete_even(&store, "a", 8).unwrap(), 5);
    assert_eq!(delete_even(&store, "a", 8).unwrap(), 0);
    let expected: Vec<(i64, String)> =
        (0..12).filter(|n| n % 2 == 1 || *n > 8).map(|n| (n, format!("line {n}"))).collect();
    assert_eq!(read(&store, "a"), expected);
    assert_eq!(read(&store, "b").len(), 12);
    // A whole stream: its blocks are gone, and the log must not bring it back.
    push(&store, "c", [(1, "2".to_owned()), (2, "4".to_owned())]).unwrap();
    assert_eq!(delete_even(&store, "c", 100).unwrap(), 2);
    assert_eq!(read(&store, "c"), []);
    drop(store);
    let disk = disk.after_kill();
    let store = open(&disk, &dir).unwrap();
    assert_eq!(read(&store, "a"), expected);
    assert_eq!((read(&store, "b").len(), read(&store, "c").len()), (12, 0));
    push(&store, "c", [(3, "1".to_owned())]).unwrap();
    store.commit().unwrap();
    drop(store);
    let store = open(&disk.after_kill(), &dir).unwrap();
    assert_eq!(read(&store, "c"), [(3, "1".to_owned())], "numbers of deleted entries are not given out again");
}

/// Wherever a deletion is cut short, nothing else is lost; once it has said so, nothing comes back.
#[test]
fn a_crash_while_deleting_loses_nothing_else() {
    let mut random = Random(5);
    let mut from = 0;
    loop {
        let (dir, disk) = (TempDir::new(), MemDisk::default());
        let store = open(&disk, &dir).unwrap();
        for app in ["a", "b"] {
            push(&store, app, (0..6).map(|n| (n, format!("line {n}")))).unwrap();
        }
        store.flush().unwrap();
        push(&store, "a", [(7, "line 7".to_owned())]).unwrap();
        store.commit().unwrap();
        let start = disk.changes();
        disk.set_fault(Some(Fault { from: start + from, until: u64::MAX, error: rustix::io::Errno::IO }));
        let deleted = delete_even(&store, "a", 100).is_ok();
        drop(store);
        for crashed in [disk.after_kill(), disk.after_power_cut(&mut random), disk.after_power_cut(&mut random)] {
            let store = open(&crashed, &dir).unwrap();
            let kept = read(&store, "a").len();
            assert!(kept == 4 || (!deleted && kept == 7), "{kept} lines, deleted: {deleted}, from change {from}");
            assert_eq!(read(&store, "b").len(), 6, "from change {from}");
        }
        if deleted {
            return;
        }
        from += 1;
    }
}

/// What a deletion says is gone stays gone after a power cut, also if an earlier try had failed wherever.
#[test]
fn a_deletion_that_succeeds_at_last_is_durable() {
    let mut random = Random(6);
    let mut from = 0;
    loop {
        let (dir, disk) = (TempDir::new(), MemDisk::default());
        let store = open(&disk, &dir).unwrap();
        // Of one file a part goes, another goes as a whole.
        push(&store, "a", (0..6).map(|n| (n, format!("line {n}")))).unwrap();
        store.flush().unwrap();
        push(&store, "a", (0..3).map(|n| (86_400_000_000_000 * 3 + n, "line 2".to_owned()))).unwrap();
        store.flush().unwrap();
        let start = disk.changes();
        disk.set_fault(Some(Fault { from: start + from, until: start + from + 1, error: rustix::io::Errno::IO }));
        while delete_even(&store, "a", i64::MAX).is_err() {
            lock_and_retry_now(&store);
        }
        let reached = disk.changes() > start + from;
        drop(store);
        for _ in 0..6 {
            let store = open(&disk.after_power_cut(&mut random), &dir).unwrap();
            assert_eq!(read(&store, "a").len(), 3, "a failure at change {from}");
        }
        if !reached {
            return;
        }
        from += 1;
    }
}
