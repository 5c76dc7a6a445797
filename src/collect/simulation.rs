//! Random histories on real files: writers append, rotate, truncate and delete, the collector steps, is
//! killed, loses what was not committed, is refused by its store. In the end every record that was
//! written must be there exactly once, and in order. Deterministic: a seed is a history.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
    time::Duration,
};

use super::{
    Options, Watch,
    env::Now,
    rounds::Rounds,
    scratch::Scratch,
    testing::{Memory, options},
};
use crate::ingest::Limits;

/// Files of one history.
const FILES: usize = 2;
/// What happens in one history.
const EVENTS: u64 = 60;
/// Histories of one test; seeds up to several hundred were run when this was written.
const HISTORIES: u64 = 25;
/// Rotated copies that are left when a writer cleans up.
const COPIES_KEPT: u32 = 3;

/// A linear congruential generator; the constants are Knuth's for MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A program that writes records: `x12;` after `x11;`, some per line, some lines in two writes.
struct Writer {
    name: String,
    path: PathBuf,
    file: File,
    next: u32,
    /// What remains to be written of the present line.
    half: String,
    copies: u32,
}

impl Writer {
    fn new(scratch: &Scratch, name: &str) -> Self {
        let path = scratch.path(&format!("{name}.log"));
        Self { name: name.into(), file: append(&path), path, next: 0, half: String::new(), copies: 0 }
    }

    fn write(&mut self, text: &str) {
        self.file.write_all(text.as_bytes()).unwrap();
    }

    fn finish_line(&mut self) {
        let rest = std::mem::take(&mut self.half);
        self.write(&rest);
    }

    fn lines(&mut self, random: &mut Random) {
        self.finish_line();
        let mut text = String::new();
        for _ in 0..=random.below(4) {
            for _ in 0..=random.below(3) {
                write!(text, "{}{};", self.name, self.next).unwrap();
                self.next += 1;
            }
            // Some lines are longer than what the marks of identity cover.
            let filler = usize::try_from(random.below(4)).unwrap().saturating_sub(1) * 500;
            text.push_str(&" ".repeat(filler));
            text.push('\n');
        }
        self.write(&text);
    }

    fn half_a_line(&mut self) {
        self.finish_line();
        let text = format!("{}{};\n", self.name, self.next);
        self.next += 1;
        let (first, second) = text.split_at(text.len() / 2);
        self.write(first);
        self.half = second.to_owned();
    }

    fn copy(&self, number: u32) -> PathBuf {
        self.path.with_extension(format!("log.{number}"))
    }

    fn shift(&mut self) {
        for number in (1..=self.copies).rev() {
            fs::rename(self.copy(number), self.copy(number + 1)).unwrap();
        }
        self.copies += 1;
    }

    /// As logrotate's `create`; the writer goes over to the new file when it is told, perhaps in the
    /// middle of a line.
    fn rename_and_create(&mut self, late_lines: bool, random: &mut Random) {
        self.shift();
        fs::rename(&self.path, self.copy(1)).unwrap();
        let new = append(&self.path);
        if late_lines {
            self.lines(random);
        }
        self.finish_line();
        self.file = new;
    }

    /// As logrotate's `copytruncate`, with nothing written between the two.
    fn copy_and_truncate(&mut self) {
        self.finish_line();
        self.shift();
        fs::copy(&self.path, self.copy(1)).unwrap();
        self.file.set_len(0).unwrap();
    }

    fn clean_up(&mut self) {
        for number in COPIES_KEPT + 1..=self.copies {
            fs::remove_file(self.copy(number)).unwrap();
        }
        self.copies = self.copies.min(COPIES_KEPT);
    }
}

fn append(path: &PathBuf) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// The world of one history.
struct History {
    scratch: Scratch,
    options: Options,
    seed: u64,
    random: Random,
    writers: Vec<Writer>,
    sink: Memory,
    collector: Option<Rounds<Memory>>,
    now: Now,
    log: Vec<String>,
}

impl History {
    fn new(seed: u64, change: impl Fn(&mut Options)) -> Self {
        let scratch = Scratch::new();
        let writers = (0..FILES).map(|n| Writer::new(&scratch, ["x", "y"][n])).collect();
        let mut options = options(&scratch, &["*.log"]);
        change(&mut options);
        Self {
            options,
            seed,
            random: Random(seed),
            writers,
            sink: Memory::default(),
            collector: None,
            now: Now { elapsed: Duration::ZERO, wall_ns: 1_800_000_000_000_000_000 },
            log: Vec::new(),
            scratch,
        }
    }

    /// Each file was seen once: what comes and goes before that belongs to nobody.
    fn begin(&mut self) {
        for writer in &mut self.writers {
            writer.lines(&mut self.random);
        }
        self.settle();
    }

    fn pass(&mut self, millis: u64) {
        self.now.elapsed += Duration::from_millis(millis);
        self.now.wall_ns += i64::try_from(millis).unwrap() * 1_000_000;
    }

    fn start(&mut self) {
        if self.collector.is_none() {
            let limits = Limits::default();
            self.collector = Some(Rounds::new(self.options.clone(), limits, self.sink.clone(), self.now).unwrap());
        }
    }

    fn step(&mut self) {
        let now = self.now;
        if let Some(collector) = &mut self.collector {
            collector.step(now);
        }
    }

    /// Lets the collector run until nothing is left to be done, and makes it durable.
    fn settle(&mut self) {
        self.sink.failing.set(0);
        self.start();
        for _ in 0..20 {
            self.pass(150);
            self.step();
        }
        for _ in 0..8 {
            self.pass(11_000); // beyond every polling interval and the wait after a refusal
            self.step();
            self.pass(150);
            self.step();
        }
        super::sink::Sink::commit(&self.sink).unwrap();
    }

    fn copies_truncated(&self, writer: usize) -> bool {
        (self.seed >> writer) & 1 == 1 && self.options.jobs[0].default_excludes
    }

    fn event(&mut self) {
        let at = usize::try_from(self.random.below(FILES as u64)).unwrap();
        // As on a real host each file is rotated in one way.
        let kind = match self.random.below(20) {
            6..=8 if self.copies_truncated(at) => 8,
            8 => 7,
            kind => kind,
        };
        self.log.push(format!("{kind} on {}", self.writers[at].name));
        let writer = &mut self.writers[at];
        match kind {
            0..=4 => writer.lines(&mut self.random),
            5 => writer.half_a_line(),
            6 => writer.rename_and_create(false, &mut self.random),
            7 => writer.rename_and_create(true, &mut self.random),
            8 => writer.copy_and_truncate(),
            9 => {
                writer.finish_line();
                self.settle(); // else the loss would be right
                self.writers[at].file.set_len(0).unwrap();
            }
            10 => {
                writer.finish_line();
                self.settle();
                let writer = &mut self.writers[at];
                fs::remove_file(&writer.path).unwrap();
                writer.file = append(&writer.path);
                writer.clean_up();
            }
            11 => self.collector = None,
            12 => {
                self.collector = None;
                self.sink.lose();
            }
            13 => super::sink::Sink::commit(&self.sink).unwrap_or_default(),
            14 => self.sink.failing.set(u32::try_from(self.random.below(3)).unwrap()),
            15 => {
                self.writers.iter_mut().for_each(Writer::finish_line);
                self.pass(31_000);
                self.step();
                self.pass(31_000);
                self.step();
            }
            _ => {
                self.start();
                let millis = self.random.below(300);
                self.pass(millis);
                self.step();
            }
        }
    }

    /// What is stored of each file, and what should be.
    fn check(&mut self, seed: u64) {
        self.writers.iter_mut().for_each(Writer::finish_line);
        self.settle();
        let mut stored: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for writer in &self.writers {
            let text = self.sink.lines(Some(&format!("{}.log", writer.name))).concat().replace(' ', "");
            let records = text.split_terminator(';').map(str::to_owned).collect();
            stored.insert(writer.name.clone(), records);
        }
        for writer in &self.writers {
            let written: Vec<String> = (0..writer.next).map(|number| format!("{}{number}", writer.name)).collect();
            assert_eq!(
                stored[&writer.name],
                written,
                "seed {seed}, in {}: {:?}",
                self.scratch.root().display(),
                self.log
            );
        }
        self.check_nothing_is_left(seed);
    }

    /// As [`History::check`], but a file may have been met under the name of a rotated copy.
    fn check_all_names(&mut self, seed: u64) {
        self.writers.iter_mut().for_each(Writer::finish_line);
        self.settle();
        let mut names: Vec<String> = self.sink.names();
        names.sort();
        names.dedup();
        let texts: Vec<String> =
            names.iter().map(|name| self.sink.lines(Some(name)).concat().replace(' ', "")).collect();
        let mut stored: Vec<&str> = texts.iter().flat_map(|text| text.split_terminator(';')).collect();
        let written =
            |writer: &Writer| (0..writer.next).map(|number| format!("{}{number}", writer.name)).collect::<Vec<_>>();
        let mut written: Vec<String> = self.writers.iter().flat_map(written).collect();
        stored.sort_unstable();
        written.sort_unstable();
        assert_eq!(stored, written, "seed {seed}: {:?}", self.log);
        self.check_nothing_is_left(seed);
    }

    fn check_nothing_is_left(&self, seed: u64) {
        let stats = self.collector.as_ref().unwrap().stats();
        assert_eq!((stats.lag_bytes, stats.read_errors), (0, 0), "seed {seed}");
    }
}

fn histories(change: impl Fn(&mut Options)) {
    for seed in 0..HISTORIES {
        let mut history = History::new(seed, &change);
        history.begin();
        for _ in 0..EVENTS {
            history.event();
        }
        history.check(seed);
    }
}

#[test]
fn every_record_is_there_exactly_once() {
    histories(|_| {});
}

/// Without inotify everything is found by looking.
#[test]
fn every_record_is_there_exactly_once_when_polled() {
    histories(|options| options.jobs[0].watch = Watch::Poll);
}

/// With fewer descriptors than files each is opened, read and closed in turn.
#[test]
fn every_record_is_there_exactly_once_with_few_descriptors() {
    histories(|options| options.max_open_files = 1);
}

/// Patterns that match the rotated copies as well must not read them again.
#[test]
fn every_record_is_there_exactly_once_when_copies_match_too() {
    for seed in 0..HISTORIES {
        let mut history = History::new(seed, |options| {
            options.jobs[0].default_excludes = false;
            options.jobs[0].paths[0].push('*');
        });
        history.begin();
        for _ in 0..EVENTS {
            let before = history.random.0;
            // A copy is a file of its own to such a pattern: its lines are stored under its name as well.
            if history.random.below(FILES as u64) < FILES as u64 && history.random.below(20) != 8 {
                history.random.0 = before;
                history.event();
            }
        }
        history.check_all_names(seed);
    }
}
