//! What is removed, and what is not.

use super::*;
use crate::store::FreeDisk;

const DAY_NS: i64 = 86_400_000_000_000;

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
    let limit = Some(stats.chunk_bytes * 3 / 5 + stats.wal_segments * crate::store::wal::SEGMENT_BYTES);
    let store = Store::open(Options { retention_size: limit, ..options(dir.path()) }).unwrap();
    while store.stats().retention_files_dropped == 0 {
        std::thread::yield_now();
    }
    let kept = read(&store, "a");
    assert!(kept.len() < 400 && kept.len().is_multiple_of(100), "whole days: {}", kept.len());
    assert_eq!(kept.last().unwrap().1.as_bytes()[0], b'3', "the newest is kept");
}

/// Nobody knows how old the entries behind a damaged header are, so the file gets the age of its day.
#[test]
fn a_file_of_damage_alone_is_not_removed_before_its_time() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    push(&store, "a", [(crate::store::now_ns(), "today".to_owned())]).unwrap();
    store.flush().unwrap();
    drop(store);
    let chunk = disk.paths().into_iter().find(|path| path.ends_with("mixed.chunk")).unwrap();
    disk.edit(&chunk, |bytes| bytes[8] ^= 1);
    let keep_a_day = Options { retention: Some(Duration::from_hours(24)), ..options(dir.path()) };
    let lock = DirLock::take(dir.path()).unwrap();
    let store = Store::open_on(Arc::new(disk.clone()), keep_a_day, lock).unwrap();
    // The writer has looked once it has a time to look again.
    while crate::store::lock(&store.0.shared.state).retention_at.is_some_and(|at| at <= std::time::Instant::now()) {
        std::thread::yield_now();
    }
    assert!(disk.paths().contains(&chunk));
    assert_eq!(store.stats().retention_files_dropped, 0);
}

/// 200 lines of a day that hardly compress.
fn noisy_day(random: &mut Random, day: i64) -> Vec<(i64, String)> {
    let mut noise = || (0..40).map(|_| random.below(u64::from(u32::MAX)).to_string()).collect::<String>();
    (0..200).map(|n| (day * DAY_NS + n, format!("{day} {}", noise()))).collect()
}

/// What has to stay free is made free before a block is written, not after a write has failed.
#[test]
fn the_disk_never_gets_fuller_than_configured() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let mut random = Random(3);
    let text_bytes: u64 = noisy_day(&mut random, 1).iter().map(|(_, line)| line.len() as u64 + 1).sum();
    disk.set_quota(&dir.path().join("chunks"), text_bytes * 6);
    let keep_free = Options { free_disk_min: Some(FreeDisk::Bytes(text_bytes * 2)), ..options(dir.path()) };
    let store = Store::open_on(Arc::new(disk.clone()), keep_free, DirLock::take(dir.path()).unwrap()).unwrap();
    for day in 0..12 {
        push(&store, "a", noisy_day(&mut random, day)).unwrap();
        store.flush().unwrap();
        assert!(store.stats().chunk_bytes <= text_bytes * 4, "day {day}: {:?}", store.stats());
    }
    let kept = read(&store, "a");
    assert!(kept.len() >= 600 && kept.len().is_multiple_of(200), "{} lines", kept.len());
    assert!(kept.iter().all(|(ns, _)| ns / DAY_NS >= 12 - kept.len() as i64 / 200), "the oldest went");
}

/// With no limit that says what has to go, a full disk takes the oldest files, one for each try, and
/// never the newest.
#[test]
fn a_full_disk_makes_room_by_itself() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let mut random = Random(7);
    let mut day = |day| noisy_day(&mut random, day);
    for n in 0..4 {
        push(&store, "a", day(n)).unwrap();
        store.flush().unwrap();
    }
    let file_bytes = store.stats().chunk_bytes / 4;
    let chunk_files = || crate::store::lock(&store.0.shared.chunks).files().count();
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
        let days = kept.iter().map(|(ns, _)| ns / DAY_NS).collect::<std::collections::BTreeSet<_>>();
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
    assert!(kept.iter().all(|(ns, _)| ns / DAY_NS >= 7));
    disk.set_quota(&chunks, u64::MAX);
    while store.flush().is_err() {
        lock_and_retry_now(&store);
    }
    assert_eq!(read(&store, "a").len(), 400);
}

/// Streams that come and go, such as those of files with a date in their names, do not pile up.
#[test]
fn streams_whose_entries_are_gone_are_forgotten_by_a_start() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let name = |n: usize| format!("{n} {}", "long ".repeat(40));
    for n in 0..600 {
        push(&store, &name(n), [(if n < 500 { 1 } else { DAY_NS * 9 }, "line".to_owned())]).unwrap();
    }
    store.flush().unwrap();
    let old = disk.paths().into_iter().find(|path| path.to_string_lossy().contains("1970-01-01")).unwrap();
    let day = crate::store::lock(&store.0.shared.chunks).files().next().map(|(key, _)| key.clone()).unwrap();
    crate::store::lock(&store.0.shared.chunks).remove(&day).unwrap();
    assert!(!disk.paths().contains(&old));
    // The log still has the entries; what is let go of it is not at issue here.
    for path in disk.paths().iter().filter(|path| path.extension().is_some_and(|extension| extension == "wal")) {
        disk.edit(path, |bytes| bytes.fill(0));
    }
    drop(store);
    let log_bytes = |disk: &MemDisk| {
        let mut len = 0;
        disk.edit(&dir.path().join("streams.log"), |bytes| len = bytes.len());
        len
    };
    let before = log_bytes(&disk);
    let disk = disk.after_kill();
    drop(open(&disk, &dir).unwrap());
    assert!(log_bytes(&disk) * 4 < before, "{} of {before} bytes", log_bytes(&disk));
    let disk = disk.after_power_cut(&mut Random(1));
    let store = open(&disk, &dir).unwrap();
    assert_eq!(store.stats().streams, 100);
    assert_eq!(read(&store, &name(599)).len(), 1);
    // A stream that comes back is a new one.
    push(&store, &name(3), [(DAY_NS * 9, "again".to_owned())]).unwrap();
    store.commit().unwrap();
    drop(store);
    let store = open(&disk.after_kill(), &dir).unwrap();
    assert_eq!(read(&store, &name(3)), [(DAY_NS * 9, "again".to_owned())]);
    assert_eq!(store.streams(&[], 0, i64::MAX).len(), 101);
}

/// Whichever way the clock jumps, nothing that is stored goes for it, and what comes then is stored too.
#[test]
fn a_clock_that_jumps_takes_nothing_away() {
    for jump_ns in [DAY_NS / 24, -DAY_NS / 24, 365 * DAY_NS, -365 * DAY_NS] {
        let (dir, disk) = (TempDir::new(), MemDisk::default());
        let keep_a_month = Options { retention: Some(Duration::from_hours(24 * 30)), ..options(dir.path()) };
        let store = Store::open_on(Arc::new(disk.clone()), keep_a_month, DirLock::take(dir.path()).unwrap()).unwrap();
        let shared = &store.0.shared;
        shared.retain(0).unwrap();
        let now_ns = crate::store::now_ns();
        push(&store, "a", [(now_ns, "before".to_owned())]).unwrap();
        store.flush().unwrap();
        disk.shift_clock(jump_ns);
        push(&store, "a", [(now_ns + jump_ns, "after".to_owned())]).unwrap();
        store.flush().unwrap();
        tidy(&store);
        shared.retain(0).unwrap();
        assert_eq!(read(&store, "a").len(), 2, "jump of {jump_ns} ns");
        drop(store);
        let store = open(&disk.after_kill(), &dir).unwrap();
        assert_eq!(read(&store, "a").len(), 2, "jump of {jump_ns} ns, reopened");
    }
}

/// Without room for a whole segment a commit still finds its place, or nothing could be sealed that would
/// make some.
#[test]
fn a_commit_needs_no_more_room_than_it_has_bytes() {
    let (dir, disk) = (TempDir::new(), MemDisk::default());
    let store = open(&disk, &dir).unwrap();
    let mut random = Random(9);
    let wal = dir.path().join("wal");
    disk.set_quota(&wal, crate::store::wal::SEGMENT_BYTES * 5 / 2);
    let lines: Vec<_> = (1..4).flat_map(|day| noisy_day(&mut random, day)).collect();
    let (mut pushed, mut small) = (0, 0);
    // About 2 KB each: after two whole segments there is room for some of them, but not for a third.
    for lines in lines.chunks(10) {
        push(&store, "a", lines.iter().cloned()).unwrap();
        store.commit().unwrap();
        pushed += lines.len();
        if store.stats().wal_segments > 3 {
            small += 1;
            store.flush().unwrap();
        }
    }
    assert!(small > 0, "{:?}", store.stats());
    drop(store);
    let store = open(&disk.after_kill(), &dir).unwrap();
    assert_eq!(read(&store, "a").len(), pushed);
}
