//! What time an entry gets: the line's own, the one before it, or the time of reading; and which
//! of the line's times are not believed.

use super::{FUTURE_GRACE_NS, Recogniser, Stamp, Zone, civil::SECOND_NS, clock_is_set, latest_ns};
use crate::collect::TimestampSource;

/// 2000-01-01. Earlier times are those of a device whose clock was not set.
const CREDIBLE_NS: i64 = 946_684_800 * SECOND_NS;

/// A clock set back by less than this must not put new lines before old ones.
const BACKWARD_STEP_NS: i64 = 3600 * SECOND_NS;

/// A line that was read this long after the one before is not its continuation.
const CONTINUATION_GAP_NS: i64 = 60 * SECOND_NS;

/// How many lines got their time from where. All but `old` were stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// The line's own time.
    pub(crate) auto: u64,
    /// The time of the line before.
    pub(crate) previous: u64,
    /// The time of reading. Counts the three below as well.
    pub(crate) read: u64,
    /// Rejected: the line's time is more than ten minutes ahead.
    pub(crate) rejected_future: u64,
    /// Rejected: the line's time is before 2000.
    pub(crate) rejected_past: u64,
    /// Read while the host's clock was not set.
    pub(crate) clock_not_set: u64,
    /// Dropped: older than the retention.
    pub(crate) old: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.auto += other.auto;
        self.previous += other.previous;
        self.read += other.read;
        self.rejected_future += other.rejected_future;
        self.rejected_past += other.rejected_past;
        self.clock_not_set += other.clock_not_set;
        self.old += other.old;
    }
}

/// Gives the entries of one file their times.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// `None`: the time of reading is wanted.
    recogniser: Option<Recogniser>,
    retention_ns: Option<i64>,
    /// The last line's time, if it came from that line or one it continues.
    line: Option<LineTime>,
    /// The last time of reading that was given.
    read_ns: Option<i64>,
    stats: Stats,
}

/// The time of the last line.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a name ends with its unit")]
struct LineTime {
    /// As it stands in the last line that had one.
    written_ns: i64,
    /// As it was given: later by one for each line since then that has no other.
    given_ns: i64,
    /// When the line was read.
    read_at_ns: i64,
}

impl Clock {
    /// A clock for one file. `zone` is that of times that carry none; entries older than
    /// `retention_ns` get no time (`None`: all get one).
    pub(crate) fn new(source: TimestampSource, zone: Zone, retention_ns: Option<i64>) -> Self {
        let recogniser = match source {
            TimestampSource::Auto => Some(Recogniser::new(zone)),
            TimestampSource::Read => None,
        };
        Self { recogniser, retention_ns, line: None, read_ns: None, stats: Stats::default() }
    }

    /// The time of the file's next line, in nanoseconds since 1970-01-01 UTC; `None` if the line is
    /// older than the retention and must not be stored. `now_ns` is the time of reading, which a
    /// batch of lines may share, `modified_ns` the file's last change.
    ///
    /// Lines that carry one time, or none, follow each other by a nanosecond: their order stays and
    /// equal lines remain distinct entries.
    pub(crate) fn stamp(&mut self, line: &[u8], now_ns: i64, modified_ns: i64) -> Option<i64> {
        let stamp = self.recogniser.as_mut().map_or(Stamp::None, |it| it.recognise(line, now_ns, modified_ns));
        self.give(stamp, now_ns, modified_ns)
    }

    /// The same for a line whose time is known from elsewhere.
    pub(crate) fn take(&mut self, ns: i64, now_ns: i64, modified_ns: i64) -> Option<i64> {
        self.give(Stamp::Found(ns), now_ns, modified_ns)
    }

    fn give(&mut self, stamp: Stamp, now_ns: i64, modified_ns: i64) -> Option<i64> {
        match (stamp, self.line) {
            (Stamp::Found(ns), _) if ns > latest_ns(now_ns, modified_ns).saturating_add(FUTURE_GRACE_NS) => {
                self.stats.rejected_future += 1;
                Some(self.read(now_ns))
            }
            (Stamp::Found(ns), _) if ns < CREDIBLE_NS && clock_is_set(now_ns) => {
                self.stats.rejected_past += 1;
                Some(self.read(now_ns))
            }
            (Stamp::Found(ns), last) => {
                let given_ns = match last {
                    Some(last) if last.written_ns == ns => last.given_ns.saturating_add(1),
                    _ => ns,
                };
                self.line = Some(LineTime { written_ns: ns, given_ns, read_at_ns: now_ns });
                let kept = self.kept(given_ns, now_ns);
                self.stats.auto += u64::from(kept.is_some());
                kept
            }
            (Stamp::Continuation, Some(last))
                if now_ns.abs_diff(last.read_at_ns) < CONTINUATION_GAP_NS.unsigned_abs() =>
            {
                let given_ns = last.given_ns.saturating_add(1);
                self.line = Some(LineTime { given_ns, read_at_ns: now_ns, ..last });
                let kept = self.kept(given_ns, now_ns);
                self.stats.previous += u64::from(kept.is_some());
                kept
            }
            (Stamp::Continuation | Stamp::None, _) => Some(self.read(now_ns)),
        }
    }

    /// What was given so far.
    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }

    /// The time of reading, later than the last one given unless the clock was set back by much:
    /// then somebody meant it.
    fn read(&mut self, now_ns: i64) -> i64 {
        let given_ns = match self.read_ns {
            Some(last_ns) if last_ns >= now_ns && last_ns.saturating_sub(now_ns) < BACKWARD_STEP_NS => {
                last_ns.saturating_add(1)
            }
            _ => now_ns,
        };
        self.read_ns = Some(given_ns);
        self.line = None;
        self.stats.read += 1;
        self.stats.clock_not_set += u64::from(!clock_is_set(now_ns));
        given_ns
    }

    /// A line's time, unless the retention is over.
    fn kept(&mut self, ns: i64, now_ns: i64) -> Option<i64> {
        let old = self.retention_ns.is_some_and(|retention_ns| ns < now_ns.saturating_sub(retention_ns));
        self.stats.old += u64::from(old);
        (!old).then_some(ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T12:00:00Z
    const NOW_NS: i64 = 1_795_521_600 * SECOND_NS;
    const HOUR_NS: i64 = 3600 * SECOND_NS;
    const DAY_NS: i64 = 24 * HOUR_NS;
    /// 1970-01-01T00:00:09Z
    const BOOT_NS: i64 = 9 * SECOND_NS;
    /// 2026-11-24T11:00:00Z
    const ELEVEN_NS: i64 = NOW_NS - HOUR_NS;
    const ELEVEN: &[u8] = b"2026-11-24 11:00:00 x";

    fn clock(source: TimestampSource) -> Clock {
        Clock::new(source, Zone::utc(), Some(30 * DAY_NS))
    }

    /// Each row: a line, when it is read, the time it gets.
    fn check(mut clock: Clock, rows: &[(&[u8], i64, Option<i64>)]) -> Stats {
        for (row, &(line, now_ns, expected)) in rows.iter().enumerate() {
            let name = String::from_utf8_lossy(line);
            assert_eq!(clock.stamp(line, now_ns, now_ns), expected, "row {row}: {name}");
        }
        clock.stats()
    }

    #[test]
    fn the_lines_own_time_is_used_and_continued() {
        let stats = check(
            clock(TimestampSource::Auto),
            &[
                (b"no time yet", NOW_NS, Some(NOW_NS)),
                (b"  nothing to continue", NOW_NS, Some(NOW_NS + 1)),
                (ELEVEN, NOW_NS, Some(ELEVEN_NS)),
                (b"\tat a", NOW_NS, Some(ELEVEN_NS + 1)),
                (b"Caused by: b", NOW_NS, Some(ELEVEN_NS + 2)),
                // the same second behind its continuation, and an equal line: order stays, both are kept
                (ELEVEN, NOW_NS, Some(ELEVEN_NS + 3)),
                (ELEVEN, NOW_NS, Some(ELEVEN_NS + 4)),
                (b"2026-11-24 11:00:01 x", NOW_NS, Some(ELEVEN_NS + SECOND_NS)),
                // out of order is stored where it belongs
                (b"2026-11-24 10:00:00 x", NOW_NS, Some(ELEVEN_NS - HOUR_NS)),
                (b"tail", NOW_NS, Some(ELEVEN_NS - HOUR_NS + 1)),
                // a line that comes a minute later continues nothing
                (b"tail", NOW_NS + 60 * SECOND_NS, Some(NOW_NS + 60 * SECOND_NS)),
                (b"tail", NOW_NS + 60 * SECOND_NS, Some(NOW_NS + 60 * SECOND_NS + 1)),
            ],
        );
        assert_eq!(stats, Stats { auto: 5, previous: 3, read: 4, ..Stats::default() });
    }

    #[test]
    fn the_time_of_reading_only() {
        let stats = check(
            clock(TimestampSource::Read),
            &[
                (ELEVEN, NOW_NS, Some(NOW_NS)),
                (ELEVEN, NOW_NS, Some(NOW_NS + 1)),
                (b" x", NOW_NS, Some(NOW_NS + 2)),
                (b" x", NOW_NS + 2, Some(NOW_NS + 3)),
                (b" x", NOW_NS + 9, Some(NOW_NS + 9)),
            ],
        );
        assert_eq!(stats, Stats { read: 5, ..Stats::default() });
    }

    #[test]
    fn incredible_times_are_replaced_and_old_lines_dropped() {
        let stats = check(
            clock(TimestampSource::Auto),
            &[
                (b"2026-11-24 12:10:00 ten minutes ahead", NOW_NS, Some(NOW_NS + 600 * SECOND_NS)),
                (b"2026-11-24 12:10:00.000000001 more", NOW_NS, Some(NOW_NS)),
                (b"its continuation", NOW_NS, Some(NOW_NS + 1)),
                (b"1999-12-31 23:59:59 x", NOW_NS, Some(NOW_NS + 2)),
                (b"2026-10-25 12:00:00 just kept", NOW_NS, Some(NOW_NS - 30 * DAY_NS)),
                (b"2026-10-25 11:59:59 old", NOW_NS, None),
                (b"its continuation", NOW_NS, None),
                (b"2000-01-01 00:00:00 very old", NOW_NS, None),
            ],
        );
        let expected = Stats { auto: 2, read: 3, rejected_future: 1, rejected_past: 1, old: 3, ..Stats::default() };
        assert_eq!(stats, expected);
    }

    #[test]
    fn without_retention_nothing_is_too_old() {
        let clock = Clock::new(TimestampSource::Auto, Zone::utc(), None);
        check(clock, &[(b"2000-01-01 00:00:00 x", NOW_NS, Some(CREDIBLE_NS))]);
    }

    #[test]
    fn a_clock_set_back() {
        let (half, more) = (HOUR_NS / 2, HOUR_NS + SECOND_NS);
        check(
            clock(TimestampSource::Read),
            &[
                (b"x", NOW_NS, Some(NOW_NS)),
                (b"x", NOW_NS - half, Some(NOW_NS + 1)),
                (b"x", NOW_NS - half + 5, Some(NOW_NS + 2)),
                (b"x", NOW_NS - more, Some(NOW_NS - more)),
                (b"x", NOW_NS - more, Some(NOW_NS - more + 1)),
            ],
        );
    }

    /// Before the clock is set, a line may carry the right time (the file's last change bears it
    /// out), or the same wrong time.
    #[test]
    fn a_clock_that_is_not_set() {
        let mut clock = clock(TimestampSource::Auto);
        for (line, modified_ns, expected) in [
            (ELEVEN, ELEVEN_NS, ELEVEN_NS),
            (b"Nov 24 11:00:01 x", ELEVEN_NS, ELEVEN_NS + SECOND_NS),
            (b"1970-01-01 00:00:09 x", ELEVEN_NS, BOOT_NS),
            (ELEVEN, BOOT_NS, BOOT_NS),
            (b"Nov 24 11:00:01 x", BOOT_NS, BOOT_NS + 1),
        ] {
            let name = String::from_utf8_lossy(line);
            assert_eq!(clock.stamp(line, BOOT_NS, modified_ns), Some(expected), "{name}");
        }
        let expected = Stats { auto: 3, read: 2, rejected_future: 1, clock_not_set: 2, ..Stats::default() };
        assert_eq!(clock.stats(), expected);
    }

    #[test]
    fn counts_add_up() {
        let one =
            Stats { auto: 1, previous: 2, read: 3, rejected_future: 4, rejected_past: 5, clock_not_set: 6, old: 7 };
        let mut sum = one;
        sum += one;
        let twice =
            Stats { auto: 2, previous: 4, read: 6, rejected_future: 8, rejected_past: 10, clock_not_set: 12, old: 14 };
        assert_eq!(sum, twice);
    }
}
