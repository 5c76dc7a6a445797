//! What the collector does with files, step by step, with a store in memory.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{FileExt, symlink},
    path::PathBuf,
};

use super::*;
use crate::collect::{
    LongLines, StartAt, Watch,
    scratch::Scratch,
    testing::{Memory, job, options},
};

/// A collector, its files and its store.
struct World {
    scratch: Scratch,
    options: Options,
    sink: Memory,
    rounds: Option<Rounds<Memory>>,
    now: Now,
}

impl World {
    /// Follows `*.log`, and whatever `change` makes of it; not started yet.
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let scratch = Scratch::new();
        let mut options = options(&scratch, &["*.log"]);
        change(&mut options);
        let now = Now { elapsed: Duration::ZERO, wall_ns: 1_900_000_000_000_000_000 };
        Self { scratch, options, sink: Memory::default(), rounds: None, now }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let file = OpenOptions::new().create(true).append(true).open(self.path(name));
        file.unwrap().write_all(bytes.as_ref()).unwrap();
    }

    fn pass(&mut self, time: Duration) -> Duration {
        self.now.elapsed += time;
        self.now.wall_ns += i64::try_from(time.as_nanos()).unwrap();
        let now = self.now;
        self.rounds().step(now)
    }

    fn rounds(&mut self) -> &mut Rounds<Memory> {
        self.rounds.get_or_insert_with(|| {
            let limits = Limits { max_line_size: 0, ..Limits::default() };
            Rounds::new(self.options.clone(), limits, self.sink.clone(), self.now).unwrap()
        })
    }

    /// Lets the collector do what is to be done now.
    fn settle(&mut self) -> Duration {
        self.pass(Duration::from_millis(1));
        let mut wait = self.pass(self.options.coalesce);
        for _ in 0..10_000 {
            if !wait.is_zero() {
                return wait;
            }
            wait = self.pass(Duration::from_millis(1));
        }
        panic!("the collector does not come to rest");
    }

    fn restart(&mut self) {
        self.rounds = None;
        self.settle();
    }

    fn lines(&self, name: &str) -> Vec<String> {
        self.sink.lines(Some(name))
    }

    fn stats(&mut self) -> crate::collect::Stats {
        self.rounds().stats()
    }
}

#[test]
fn an_idle_collector_sleeps_until_the_rescan_and_writes_nothing() {
    let mut world = World::new(|_| {});
    for number in 0..20 {
        world.write(&format!("{number}.log"), "a line\n");
    }
    world.settle();
    assert_eq!(world.sink.lines(None).len(), 20);
    let appends = world.sink.appends.get();
    let wait = world.settle();
    assert!(wait > Duration::from_secs(59), "{wait:?}");
    assert_eq!(world.pass(wait), world.options.rescan);
    assert_eq!(world.sink.appends.get(), appends);
    world.write("unrelated.txt", "x");
    world.write("7.log", "another\n");
    assert_eq!(world.pass(Duration::ZERO), world.options.coalesce);
    world.settle();
    assert_eq!(world.lines("7.log"), ["a line", "another"]);
    assert_eq!(world.stats().files.live, 20);
}

#[test]
fn a_last_line_without_newline_is_stored_after_a_while_or_at_the_end() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\ntwo");
    world.settle();
    assert_eq!(world.lines("a.log"), ["one"]);
    world.pass(Duration::from_secs(29));
    assert_eq!(world.lines("a.log"), ["one"]);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.lines("a.log"), ["one", "two"]);
    world.write("a.log", "\nthree\n");
    world.restart();
    assert_eq!(world.lines("a.log"), ["one", "two", "three"]);
    world.write("a.log", "the end");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.settle();
    world.pass(Duration::from_secs(61));
    assert_eq!(world.lines("a.log"), ["one", "two", "three", "the end"]);
    assert_eq!(world.stats().files.rotated, 0);
    assert_eq!(world.stats().jobs["j"].partials, 1, "since the restart");
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_then_let_go() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\n");
    let mut writer = OpenOptions::new().append(true).open(world.path("a.log")).unwrap();
    world.settle();
    fs::remove_file(world.path("a.log")).unwrap();
    world.settle();
    world.sink.lose();
    assert_eq!(world.lines("a.log"), ["one"], "durable as soon as nobody else has it");
    writer.write_all(b"two\n").unwrap();
    world.settle();
    assert_eq!(world.lines("a.log"), ["one", "two"]);
    assert_eq!(world.rounds().open_files, 1);
    world.pass(world.options.rotate_wait);
    assert_eq!(world.rounds().open_files, 0);
    world.sink.lose();
    assert_eq!(world.lines("a.log"), ["one", "two"], "durable before it was closed");
}

#[test]
fn what_is_saved_by_an_editor_is_not_read_again() {
    let mut world = World::new(|_| {});
    let text = "a line that is long enough to prove where it came from\nand a second\n";
    world.write("a.log", text);
    world.settle();
    for round in ["while it is open", "while down"] {
        world.write("new", fs::read(world.path("a.log")).unwrap());
        world.write("new", format!("{round}\n"));
        if round == "while down" {
            world.rounds = None;
        }
        fs::rename(world.path("new"), world.path("a.log")).unwrap();
        world.settle();
        assert_eq!(world.lines("a.log").last().unwrap(), round);
    }
    assert_eq!(world.lines("a.log").len(), 4);
}

#[test]
fn a_script_that_copies_to_the_same_name_loses_nothing() {
    let mut world = World::new(|_| {});
    let mut expected = Vec::new();
    for round in 0..5 {
        for (suffix, down) in [("first", false), ("second", round % 2 == 1)] {
            if down {
                world.rounds = None;
            }
            let line = format!("round {round}, the {suffix} part of what is written to this file in it");
            world.write("a.log", format!("{line}\n"));
            expected.push(line);
            if suffix == "first" {
                world.settle();
            }
        }
        fs::copy(world.path("a.log"), world.path("a.log.1")).unwrap();
        File::options().write(true).open(world.path("a.log")).unwrap().set_len(0).unwrap();
        world.settle();
    }
    assert_eq!(world.lines("a.log"), expected);
}

/// A directory is not listed in one moment: a file that is being renamed may be missed by one look.
#[test]
fn a_file_that_was_out_of_sight_for_a_while_is_read_from_where_it_was() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\n");
    world.settle();
    world.rounds = None;
    world.write("a.log", "two\n");
    let away = Scratch::new();
    fs::rename(world.path("a.log"), away.path("a.log.1")).unwrap();
    world.write("a.log", "new\n");
    world.settle();
    world.write("b.log", "makes us look again\n");
    world.settle();
    assert_eq!(world.lines("a.log"), ["one", "new"]);
    fs::rename(away.path("a.log.1"), world.path("a.log.1")).unwrap();
    world.pass(Duration::from_secs(30));
    world.write("c.log", "makes us look again\n");
    world.settle();
    world.restart();
    assert_eq!(world.lines("a.log"), ["one", "new", "two"]);
}

#[test]
fn a_truncation_without_copy_is_counted() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\nunread");
    world.settle();
    fs::write(world.path("a.log"), "new\n").unwrap();
    world.settle();
    assert_eq!(world.lines("a.log"), ["one", "new"]);
    assert_eq!(world.stats().lost.truncated, 6);
}

/// Neither the first bytes nor the last ones alone show that a file was rewritten.
#[test]
fn a_file_that_was_rewritten_and_grew_past_the_position_is_read_from_its_start() {
    let same = |letter: &str| format!("{}\n", letter.repeat(1500));
    for (what, old, new) in [
        ("equal beginning", [same("b"), same("o")], [same("b"), same("n")]),
        ("equal end", [same("o"), same("e")], [same("n"), same("e")]),
    ] {
        for down in [false, true] {
            let mut world = World::new(|_| {});
            world.write("a.log", old.concat());
            world.settle();
            if down {
                world.rounds = None;
            }
            fs::write(world.path("a.log"), format!("{}more\n", new.concat())).unwrap();
            world.settle();
            let expected: Vec<String> =
                old.iter().chain(&new).map(|line| line.trim_end().to_owned()).chain(["more".into()]).collect();
            assert_eq!(world.lines("a.log"), expected, "{what}, down: {down}");
        }
    }
}

/// A writer that does not append goes on at its old offset after a truncation.
#[test]
fn a_hole_after_a_truncation_is_skipped() {
    let mut world = World::new(|_| {});
    let writer = File::create_new(world.path("a.log")).unwrap();
    writer.write_all_at(&[b'x'; 5000], 0).unwrap();
    writer.write_all_at(b"\n", 5000).unwrap();
    world.settle();
    writer.set_len(0).unwrap();
    writer.write_all_at(b"behind the hole\n", 5001).unwrap();
    world.settle();
    assert_eq!(world.lines("a.log")[1..], ["behind the hole"]);
    // A hole in the middle of a file, too large to be read.
    writer.write_all_at(b"far away\n", 1 << 40).unwrap();
    world.settle();
    assert_eq!(world.lines("a.log")[2..], ["far away"]);
}

#[test]
fn files_without_text_are_left_alone_until_they_hold_some() {
    let mut world = World::new(|options| options.jobs[0].default_excludes = false);
    world.write("zip.log", b"\x1f\x8b\x08\x00 compressed");
    world.write("zero.log", [0; 100]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.path("fifo.log"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    fs::create_dir(world.path("directory.log")).unwrap();
    world.settle();
    assert_eq!(world.sink.lines(None).len(), 0);
    let sparse = File::create_new(world.path("sparse.log")).unwrap();
    sparse.set_len(1 << 31).unwrap();
    world.settle();
    let stats = world.stats();
    assert_eq!((stats.files.binary, stats.files.backlog, stats.lag_bytes), (1, 0, 0));
    world.write("zero.log", "text\n");
    fs::write(world.path("zip.log"), "short\n").unwrap();
    world.pass(world.options.rescan);
    world.settle();
    assert_eq!(world.lines("zero.log"), ["text"]);
    assert_eq!(world.lines("zip.log"), ["short"]);
}

#[test]
fn starts_where_the_job_says_but_only_the_first_time() {
    let old = "1234567\n".repeat(3);
    for (start_at, backlog_limit, expected) in [
        (StartAt::Beginning, None, 4),
        (StartAt::End, None, 1),
        (StartAt::Beginning, Some(9), 2),
        (StartAt::Beginning, Some(1000), 4),
    ] {
        let mut world = World::new(|options| {
            options.jobs[0].start_at = start_at;
            options.jobs[0].backlog_limit = backlog_limit;
        });
        world.write("a.log", &old);
        world.settle();
        world.write("a.log", "new\n");
        world.write("later.log", &old);
        world.restart();
        assert_eq!(world.lines("a.log").len(), expected, "{start_at:?} {backlog_limit:?}");
        assert_eq!(world.lines("later.log").len(), 3, "{start_at:?} {backlog_limit:?}");
    }
}

#[test]
fn old_files_wait_until_they_grow() {
    let mut world = World::new(|options| options.jobs[0].ignore_older = Some(Duration::from_hours(1)));
    world.write("a.log", "old\n");
    world.settle();
    assert_eq!((world.sink.lines(None).len(), world.stats().files.old), (0, 1));
    let file = File::options().append(true).open(world.path("a.log")).unwrap();
    let since = Duration::from_nanos(u64::try_from(world.now.wall_ns).unwrap());
    file.set_modified(std::time::UNIX_EPOCH + since).unwrap();
    world.pass(world.options.rescan);
    world.settle();
    assert_eq!((world.lines("a.log"), world.stats().files.old), (vec!["old".to_owned()], 0));
}

#[test]
fn a_refusing_store_stops_reading_and_loses_nothing() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\n");
    world.sink.failing.set(7);
    let mut waits = vec![world.settle()];
    world.write("a.log", "two\n");
    for _ in 0..7 {
        let wait = *waits.last().unwrap();
        waits.push(world.pass(wait));
    }
    world.settle();
    let seconds: Vec<_> = waits[..7].iter().map(|wait| wait.as_secs_f64().round()).collect();
    assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]);
    assert_eq!(world.lines("a.log"), ["one", "two"]);
    assert_eq!(world.stats().append_failures, 7);
}

/// A file that is far behind delays the others by one quantum.
#[test]
fn live_files_come_before_a_backlog() {
    let mut world = World::new(|_| {});
    world.write("big.log", "a line of the big file\n".repeat(400_000));
    world.write("live.log", "");
    world.pass(Duration::ZERO);
    assert!(world.stats().files.backlog == 1);
    for round in 0..5 {
        world.write("live.log", format!("{round}\n"));
        world.pass(Duration::from_millis(1));
        world.pass(world.options.coalesce);
        assert_eq!(world.lines("live.log").len(), round + 1);
        assert!(world.lines("big.log").len() < 400_000);
    }
    world.settle();
    assert_eq!(world.lines("big.log").len(), 400_000);
}

/// However many files are behind, a round begins with those that are not.
#[test]
fn a_round_begins_with_live_files() {
    let mut world = World::new(|_| {});
    for number in 0..5 {
        world.write(&format!("{number}.log"), "a line of a big file\n".repeat(40_000));
    }
    world.write("z.log", "live\n");
    world.pass(Duration::ZERO);
    assert_eq!(world.sink.lines(None)[0], "live");
}

#[test]
fn a_rate_holds_the_backlog_back() {
    let mut world = World::new(|options| options.backlog_rate = Some(1024 * 1024));
    world.write("big.log", "0123456\n".repeat(1 << 17));
    world.pass(Duration::ZERO);
    let wait = world.pass(Duration::from_millis(1));
    assert!(wait > Duration::from_millis(200), "{wait:?}");
    for _ in 0..3 {
        world.pass(Duration::from_millis(300));
    }
    world.pass(Duration::from_secs(10));
    assert_eq!(world.lines("big.log").len(), 1 << 17);
}

#[test]
fn a_line_without_end_takes_no_memory_and_is_cut() {
    for (action, stored) in [(LongLines::Truncate, 2), (LongLines::Drop, 1), (LongLines::Split, 65)] {
        let mut world = World::new(|options| {
            options.max_line_action = action;
            options.max_line_size = 64 * 1024;
        });
        world.write("a.log", vec![b'x'; 4 * 1024 * 1024]);
        world.settle();
        world.restart();
        world.write("a.log", "\nnext\n");
        world.settle();
        let lines = world.lines("a.log");
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (stored, "next"), "{action:?}");
        assert!(lines[0].len() <= 64 * 1024);
    }
}

#[test]
fn a_link_that_leads_elsewhere_is_followed_there() {
    let mut world = World::new(|_| {});
    world.write("target-1", "one\n");
    world.write("target-2", "two\n");
    symlink(world.path("target-1"), world.path("a.log")).unwrap();
    world.settle();
    symlink(world.path("target-2"), world.path("new")).unwrap();
    world.write("target-1", "late\n");
    fs::rename(world.path("new"), world.path("a.log")).unwrap();
    world.settle();
    assert_eq!(world.lines("a.log"), ["one", "late", "two"]);
}

#[test]
fn directories_may_come_later_and_go() {
    let mut world = World::new(|options| {
        let paths = &mut options.jobs[0].paths;
        paths[0] = paths[0].replace("*.log", "app/*/log/*.log");
    });
    world.settle();
    for round in ["one", "two"] {
        fs::create_dir_all(world.path("app/x/log")).unwrap();
        world.write("app/x/log/a.log", format!("{round}\n"));
        world.settle();
        world.write("app/x/log/a.log", "more\n");
        world.settle();
        fs::remove_dir_all(world.path("app")).unwrap();
        world.settle();
    }
    assert_eq!(world.lines("a.log"), ["one", "more", "two", "more"]);
}

#[test]
fn a_spool_beside_the_logs_does_not_keep_us_awake() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\n");
    world.settle();
    for number in 0..700 {
        world.write(&format!("job-{number}"), "");
        fs::remove_file(world.path(&format!("job-{number}"))).unwrap();
    }
    let wait = world.settle();
    assert!(wait > Duration::from_secs(9) && wait <= Duration::from_secs(10), "{wait:?}");
    let mut events = Vec::new();
    world.write("job-last", "");
    world.write("b.log", "one\n");
    world.write("a.log", "two\n");
    world.rounds().shared.watcher.take(&mut events);
    assert!(matches!(events[..], [Event::Grown(_)]), "only the followed file is watched: {events:?}");
    world.pass(Duration::from_secs(10));
    world.settle();
    assert_eq!((world.lines("a.log").len(), world.lines("b.log").len()), (2, 1));
}

/// Without inotify, growth is found by looking more and more rarely.
#[test]
fn a_polled_file_is_looked_at_less_the_longer_it_is_quiet() {
    let mut world = World::new(|options| options.jobs[0].watch = Watch::Poll);
    world.write("a.log", "one\n");
    let mut wait = world.settle();
    let mut looks = 0;
    let end = world.now.elapsed + Duration::from_mins(1);
    while world.now.elapsed < end {
        looks += 1;
        wait = world.pass(wait);
    }
    assert!((8..25).contains(&looks), "{looks} looks in a minute");
    world.write("a.log", "two\n");
    world.pass(Duration::from_secs(10));
    assert_eq!(world.lines("a.log"), ["one", "two"]);
}

#[test]
fn damaged_positions_are_a_slow_start_and_no_refusal() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\n");
    world.settle();
    world.sink.positions_mut(|positions| {
        for value in positions.values_mut() {
            value[0] = 99;
        }
        positions.insert(b"unknown".to_vec(), Vec::new());
    });
    world.restart();
    assert_eq!(world.lines("a.log"), ["one", "one"]);
}

#[test]
fn a_reload_goes_on_where_it_was() {
    let mut world = World::new(|_| {});
    world.write("a.log", "one\n");
    world.write("b.log", "one\n");
    world.settle();
    let mut changed = world.options.clone();
    changed.jobs = vec![job("other", &[world.path("a.*").to_string_lossy().into_owned()])];
    let now = world.now;
    let back = world.options.clone();
    for options in [changed, back] {
        world.rounds().reload(options, Limits::default(), now).unwrap();
        world.write("a.log", "more\n");
        world.write("b.log", "more\n");
        world.settle();
    }
    assert_eq!(world.lines("a.log"), ["one", "more", "more"]);
    assert_eq!(world.lines("b.log"), ["one", "more", "more"]);
    assert_eq!(world.stats().jobs["other"].entries, 1);
    let mut broken = world.options.clone();
    broken.jobs[0].paths.push("/[".into());
    let error = world.rounds().reload(broken, Limits::default(), now).unwrap_err();
    assert!(error.to_string().starts_with("job `j`: pattern `/[`: column 2: unclosed"), "{error}");
}

#[test]
fn a_summary_says_what_is_followed() {
    let mut world = World::new(|options| {
        options.jobs.push(job("none", &["/nonexistent/*.log".into()]));
        options.jobs.push(job("off", &[]));
        options.jobs[2].unless_exists = vec!["/proc".into()];
    });
    world.write("a.log", "one\n");
    let now = world.now;
    world.rounds().look_around(now);
    let summary = world.rounds().summary();
    let expected = "job j follows 1 file, job none follows 0 files, job off is off, because /proc exists";
    assert_eq!(summary, expected);
}

#[test]
fn overlapping_jobs_follow_a_file_each_on_its_own() {
    let mut world = World::new(|options| {
        let mut second = job("second", &options.jobs[0].paths.clone());
        second.allow_overlap = true;
        options.jobs.push(second);
    });
    world.write("a.log", "one\n");
    world.settle();
    world.write("a.log", "two\n");
    world.restart();
    assert_eq!(world.lines("a.log").len(), 4);
    assert_eq!(world.stats().jobs["second"].entries, 1);
}
