//! Entries for tests of the block's files.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "samples are small, or meant to be cut"
)]

use crate::labels::{Entries, LabelSet};

/// A small generator of pseudo-random numbers: a linear congruential one, of which the upper half is used.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        let mut half = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0 >> 32
        };
        half() << 32 | half()
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Entries that meet every corner: out of order, equal times, newlines within lines, bytes that
/// are no UTF-8, empty lines, one very long line, several metadata sets.
pub(super) fn odd_entries() -> Entries {
    let mut entries = Entries::new();
    let none = entries.intern(&LabelSet::default());
    let level = entries.intern(&LabelSet::new(vec![("detected_level".into(), "info".into())]));
    let long = vec![b'x'; 256 << 10];
    for (ts, line, set) in [
        (5_i64, &b"later"[..], none),
        (1, b"", level),
        (1, b"same time\nsecond row", none),
        (-7, b"\xff\xfe\0", level),
        (9, &long, none),
        (9, b"", none),
    ] {
        entries.push(ts, line, set);
    }
    entries
}

/// A few lines of any bytes of a small or large alphabet.
pub(super) fn random_entries(random: &mut Random, round: usize) -> Entries {
    let alphabet: &[u8] = match round % 4 {
        0 => &[],
        1 => b"0123456789",
        2 => b"ab01f \n[]",
        _ => b"0 ",
    };
    let mut entries = Entries::new();
    for _ in 0..=random.below(60) {
        let set = entries.intern(&LabelSet::new(vec![("n".into(), random.below(4).to_string())]));
        let mut byte = || match alphabet {
            [] => random.next() as u8,
            some => some[random.below(some.len())],
        };
        let line: Vec<u8> = (0..byte() % 48).map(|_| byte()).collect();
        entries.push(random.below(50) as i64 - 25, &line, set);
    }
    entries
}

/// Lines as programs log them, with every kind of column: the time, constant, small, rising, random, repeated and
/// padded numbers, numbers over 64 bits, ids in hexadecimal, words, and lines that are like no others.
pub(super) fn log_entries(lines: usize) -> Entries {
    let mut random = Random(lines as u64);
    let mut entries = Entries::new();
    let sets = ["info", "warn", "error"]
        .map(|level| entries.intern(&LabelSet::new(vec![("detected_level".into(), level.into())])));
    let mut request = 1_000_000_u64;
    for n in 0..lines {
        request += random.next() % 90;
        let (second, user) = (n / 7, ["root", "jürgen", "a1", "admin"][random.below(4)]);
        let time = format!("Jan 02 {:02}:{:02}:{:02}", second / 3600 % 24, second / 60 % 60, second % 60);
        let line = match random.below(12) {
            0 => {
                format!("{time} host7 sshd[{}]: Accepted password for {user} port {}", 400 + n % 5, random.below(65536))
            }
            1 => format!("{time} host7 app[77]: request {request} took {}ms trace={:032x}", random.below(400), {
                u128::from(random.next()) << 64 | u128::from(random.next())
            }),
            2 => format!("{time} host7 app[77]: block blk_{} of {:08x}", random.next() / 2, random.next() as u32),
            3 => format!("{time} host7 kernel: [{:>6}.{:06}] eth0: link 00:0{}", n, random.below(1_000_000), n % 10),
            4 => format!("{time} host7 {user} said: {}", ["yes", "no", "17 maybe", "ab12-cd34"][random.below(4)]),
            5 => format!("{time} host7 huge {}{:020}", 1 + random.below(9), random.next()),
            6 => format!("\tat com.example.Class{}.method(File.java:{})", random.below(30), random.below(2000)),
            7 => format!("{time} host7 odd {}-{:x}", "#".repeat(random.below(9)), random.below(1 << 20)),
            8 => "-".repeat(random.below(60)),
            9 => format!("{time} host7 up {:03} id {}", random.below(300), ["0041", "17", "5"][random.below(3)]),
            10 => {
                format!("{time} host7 from 10.0.{}.{} again {}", n % 3, random.below(256), 900_000_000 + n % 2 * 77_777)
            }
            _ => format!("{time} host7 three\nrows\n{n}"),
        };
        let time_ns = 1_767_610_800_000_000_000 + second as i64 * 1_000_000_000 + n as i64 % 7 * 13_000_000;
        entries.push(time_ns, line.as_bytes(), sets[random.below(3)]);
    }
    entries
}

/// Asserts that two runs hold the same entries.
pub(super) fn same(a: &Entries, b: &Entries) {
    assert_eq!(a.len(), b.len());
    for at in 0..a.len() {
        assert_eq!(
            (a.timestamp_ns(at), a.line(at), a.metadata(at)),
            (b.timestamp_ns(at), b.line(at), b.metadata(at)),
            "entry {at}"
        );
    }
}
