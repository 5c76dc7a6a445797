//! The time of day, for every room that stands on this one; and how far it is to be believed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::labels::duration::nanoseconds;

/// Whoever sets a clock right moves it less than this.
const JUMP_MIN: Duration = Duration::from_hours(1);
/// How long a clock that has jumped ahead is not believed: time for whoever sets it right.
const GRACE: Duration = Duration::from_hours(24);

/// The present in nanoseconds since 1970; zero while the clock stands before that.
pub fn now_ns() -> i64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Keeps a clock that jumps ahead by mistake from making everything that is stored too old at once.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When the clock was last looked at, and what it was believed to be.
    last: Option<(Instant, i64)>,
    /// Until when it is not believed.
    doubted_until: Option<Instant>,
}

impl Watch {
    /// The time by which ages are reckoned, given what the clock says at `now`: that, but for a day after
    /// the clock has jumped ahead by more than an hour what it would say if it had not.
    pub(super) fn reckon(&mut self, now: Instant, clock_ns: i64) -> i64 {
        let expected_ns = match self.last {
            Some((then, then_ns)) => then_ns.saturating_add(nanoseconds(now.saturating_duration_since(then))),
            None => clock_ns,
        };
        let jumped = clock_ns.saturating_sub(expected_ns) > nanoseconds(JUMP_MIN);
        let believed_ns = match self.doubted_until {
            _ if !jumped => {
                self.doubted_until = None;
                clock_ns
            }
            Some(until) if now >= until => {
                self.doubted_until = None;
                clock_ns
            }
            Some(_) => expected_ns,
            None => {
                self.doubted_until = Some(now + GRACE);
                let hours = clock_ns.saturating_sub(expected_ns) / nanoseconds(JUMP_MIN);
                log::warn!(
                    "the clock has jumped ahead by {hours} hours; for a day nothing is removed for its age because of it"
                );
                expected_ns
            }
        };
        self.last = Some((now, believed_ns));
        believed_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_not_believed_for_a_day() {
        const HOUR_NS: i64 = 3_600_000_000_000;
        let start = Instant::now();
        let year = 365 * 24;
        let mut watch = Watch::default();
        // Hours that have passed, what the clock says, and what is believed, in hours.
        for (passed, clock, believed) in [
            (0, 1000, 1000),
            (1, 1001, 1001),
            (2, 1003, 1003),                // set right
            (3, 1004 + year, 1004),         // jumps ahead
            (4, 1005 + year, 1005),         // and stays there
            (5, 1006, 1006),                // until it is set right
            (6, 1007 + year, 1007),         // again
            (29, 1030 + year, 1030),        // a day less an hour later
            (30, 1031 + year, 1031 + year), // it must be true
            (31, 1032 + year, 1032 + year),
            (32, 1033, 1033), // back is no danger: nothing gets older
            (33, 1034, 1034),
        ] {
            let now = start + Duration::from_hours(passed);
            assert_eq!(watch.reckon(now, clock * HOUR_NS) / HOUR_NS, believed, "after {passed} hours");
        }
    }
}
