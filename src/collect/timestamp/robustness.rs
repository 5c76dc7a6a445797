//! Damaged lines: the examples cut, overwritten, with huge numbers, and lines made of the parts of
//! all forms. Whatever a line holds, nothing panics (tests check arithmetic for overflow), and an
//! entry's time stays within the bounds that a clock promises.

use super::{
    Clock, FUTURE_GRACE_NS, Recogniser, Stamp, Zone,
    civil::{DAY_S, SECOND_NS},
    clock_is_set,
    examples::LINES,
    latest_ns,
};
use crate::collect::TimestampSource;

/// 2026-11-24T12:00:00Z
const NOW_NS: i64 = 1_795_521_600 * SECOND_NS;
const RETENTION_NS: i64 = 30 * DAY_S * SECOND_NS;

/// Times of reading and of the file's last change: usual, of a host without clock, and nonsense.
const MOMENTS: [(i64, i64); 8] = [
    (NOW_NS, NOW_NS),
    (NOW_NS, 0),
    (NOW_NS, i64::MAX),
    (0, NOW_NS),
    (0, 0),
    (i64::MAX, i64::MAX),
    (i64::MIN, i64::MIN),
    (i64::MIN, i64::MAX),
];

/// Bytes that mean something in one of the forms, and some that no text has.
const BYTES: &[u8] = b"0129 :.,-+/TtZz[]<>{}\"\\=JNMSIa\t\r\n\0\x7f\x80\xff";

/// Parts of the forms, whole and broken.
const PARTS: &[&[u8]] = &[
    b"<34>",
    b"<191>1 ",
    b"[",
    b"]",
    b"{\"time\":",
    b"\"ts\":",
    b"{",
    b"}",
    b"\"",
    b"\\",
    b"time=",
    b"msg=audit(",
    b"Nov",
    b"Feb",
    b"Sun",
    b"Sun, ",
    b" ",
    b"  ",
    b"\t",
    b"-",
    b"/",
    b":",
    b".",
    b",",
    b"T",
    b"Z",
    b"+",
    b" UTC",
    b"22",
    b"29",
    b"00",
    b"60",
    b"99",
    b"1",
    b"2026",
    b"0000",
    b"9999",
    b"1677",
    b"2262",
    b"10:00:00",
    b"23:59:60",
    b"+23:59",
    b"-0000",
    b"1364481363",
    b"1364481363243",
    b"9999999999999999999",
    b"99999999999999999999999999",
    b"I1122",
    b"1:M ",
    b"word ",
    b"10.0.0.1 - - ",
    b"\xc3\xa9",
    b"\xff",
];

/// A small generator with a fixed seed, so that a failure returns: `SplitMix64`,
/// <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap() % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Gives lines to one clock for each moment, which thereby also remembers the forms of the lines before.
struct Subject {
    clocks: Vec<Clock>,
    /// One more, for which time jumps from line to line.
    wanderer: Clock,
    lines: u32,
    found: usize,
}

impl Subject {
    fn new() -> Self {
        let zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
        let clock = || Clock::new(TimestampSource::Auto, zone.clone(), Some(RETENTION_NS));
        Self { clocks: MOMENTS.iter().map(|_| clock()).collect(), wanderer: clock(), lines: 0, found: 0 }
    }

    fn check(&mut self, line: &[u8]) {
        self.lines += 1;
        for (clock, (now_ns, modified_ns)) in self.clocks.iter_mut().zip(MOMENTS) {
            let Some(ns) = clock.stamp(line, now_ns, modified_ns) else {
                continue;
            };
            // Each line may be a nanosecond behind the one before.
            let latest_ns =
                latest_ns(now_ns, modified_ns).saturating_add(FUTURE_GRACE_NS).saturating_add(i64::from(self.lines));
            let oldest_ns = now_ns.saturating_sub(RETENTION_NS);
            assert!(
                (oldest_ns..=latest_ns).contains(&ns),
                "{ns} for {:?} read at {now_ns}, changed at {modified_ns}",
                line.escape_ascii().to_string(),
            );
        }
        let (now_ns, modified_ns) = MOMENTS[self.lines as usize % MOMENTS.len()];
        self.wanderer.stamp(line, now_ns, modified_ns);
        if matches!(recognise(line), Stamp::Found(_)) {
            self.found += 1;
        }
        if self.lines.is_multiple_of(4) {
            nothing_beyond_the_windows_counts(line);
        }
    }
}

/// The time is at the start: behind 4 KiB, two different ends make no difference.
fn nothing_beyond_the_windows_counts(line: &[u8]) {
    let mut long = line.to_vec();
    long.resize(4200.max(line.len()), b' ');
    let times: &[u8] = b"[22/Nov/2026:10:00:00 +0100] msg=audit(1364481363:1): \"time\":1364481363 ";
    let stamps = [times, b"x"].map(|end| recognise(&[&long, end].concat()));
    assert_eq!(stamps[0], stamps[1], "{:?}", line.escape_ascii().to_string());
}

fn recognise(line: &[u8]) -> Stamp {
    Recogniser::new(Zone::utc()).recognise(line, NOW_NS, NOW_NS)
}

#[test]
fn cut_lines() {
    let mut subject = Subject::new();
    for (line, _) in LINES {
        for cut in 0..=line.len() {
            subject.check(&line.as_bytes()[..cut]);
            subject.check(&line.as_bytes()[cut..]);
        }
    }
    assert!(subject.found > LINES.len(), "most cuts are behind the time");
}

#[test]
fn overwritten_bytes() {
    let mut subject = Subject::new();
    let mut random = Random(1);
    for (line, _) in LINES {
        for at in 0..line.len().min(64) {
            for _ in 0..8 {
                let mut line = line.as_bytes().to_vec();
                line[at] = random.pick(BYTES);
                subject.check(&line);
            }
        }
    }
    assert!(subject.found > LINES.len(), "many bytes do not matter");
}

/// Each run of digits becomes as large as its width allows, and far larger.
#[test]
fn huge_numbers() {
    let mut subject = Subject::new();
    for (line, _) in LINES {
        let line = line.as_bytes();
        let mut at = 0;
        while let Some(start) = line[at..].iter().position(u8::is_ascii_digit) {
            let start = at + start;
            at = start + line[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            for digits in [0, 1, at - start, at - start + 1, 9, 10, 13, 16, 19, 20, 100, 300] {
                for digit in [b"0", b"1", b"9"] {
                    let number = digit.repeat(digits);
                    subject.check(&[&line[..start], &number, &line[at..]].concat());
                }
            }
        }
    }
    assert!(subject.found > 0, "some of it is still a time");
}

#[test]
fn lines_made_of_parts() {
    let mut subject = Subject::new();
    let mut random = Random(22);
    for _ in 0..5_000 {
        let parts = 1 + random.below(12);
        let line: Vec<u8> = (0..parts).flat_map(|_| random.pick(PARTS)).copied().collect();
        subject.check(&line);
    }
    for _ in 0..5_000 {
        let (one, _) = random.pick(LINES);
        let (other, _) = random.pick(LINES);
        let head = &one.as_bytes()[..random.below(one.len())];
        let tail = &other.as_bytes()[random.below(other.len())..];
        subject.check(&[head, random.pick(PARTS), tail].concat());
    }
    assert!(subject.found > 0, "some of it is a time");
}

/// A time without year is never more than a day ahead of what is known of the present.
#[test]
fn years_are_never_guessed_ahead() {
    let mut random = Random(7);
    for _ in 0..5_000 {
        let now_ns = NOW_NS + i64::try_from(random.below(400_000_000)).unwrap() * SECOND_NS;
        let modified_ns = NOW_NS + i64::try_from(random.below(400_000_000)).unwrap() * SECOND_NS;
        let month = random.pick(&["Jan", "Feb", "Mar", "Jun", "Jul", "Oct", "Nov", "Dec"]);
        let line = format!("{month} {:2} 10:00:00 x", 1 + random.below(29));
        let stamp = Recogniser::new(Zone::utc()).recognise(line.as_bytes(), now_ns, modified_ns);
        let bound_ns = now_ns.min(modified_ns) + DAY_S * SECOND_NS;
        assert!(clock_is_set(now_ns));
        // A leap day may be eight years back, any other day is less than a year.
        let back = if line.starts_with("Feb 29") { 8 * 366 } else { 366 };
        let oldest_ns = bound_ns - back * DAY_S * SECOND_NS;
        assert!(
            matches!(stamp, Stamp::Found(ns) if (oldest_ns..=bound_ns).contains(&ns)),
            "{line} at {now_ns}: {stamp:?}"
        );
    }
}
