//! The zone of times that carry none. jiff knows the rules; the span of wall time around the last
//! question in which one offset holds is remembered, so that almost no line has to ask it.

use std::fmt;

use jiff::{
    Timestamp,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::civil::SECOND_NS;

/// How often the host's zone is looked up again, so that a change of `/etc/localtime` is noticed
/// without a restart. jiff itself looks at the file every five minutes.
const HOST_ZONE_CHECK_NS: i64 = 60 * SECOND_NS;

/// A zone that cannot be used.
#[derive(Debug)]
pub(crate) enum Error {
    /// "unknown time zone `Europe/Berlni`: ...; write an IANA name such as `Europe/Berlin`, or `UTC`"
    UnknownZone {
        /// The name as it was given.
        name: String,
        /// What jiff says.
        source: jiff::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::UnknownZone { name, source } = self;
        write!(f, "unknown time zone `{name}`: {source}; write an IANA name such as `Europe/Berlin`, or `UTC`")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let Self::UnknownZone { source, .. } = self;
        Some(source)
    }
}

/// A time zone: the host's or a named one.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    rules: TimeZone,
    /// For the host's zone, the time of the last look at it.
    host_checked_ns: Option<i64>,
    span: Span,
}

/// A span of wall time in which exactly one offset is possible.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a name ends with its unit")]
struct Span {
    from_s: i64,
    /// Exclusive; at or before `from_s` nothing is known.
    until_s: i64,
    offset_s: i64,
}

/// The instants that a wall clock may mean, in seconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instants {
    /// The usual case. A time that the clock skipped is read with the offset from before.
    One(i64),
    /// The clock was set back and showed this time twice.
    Two {
        /// The first showing.
        early_s: i64,
        /// The second.
        late_s: i64,
    },
}

impl Zone {
    /// The zone of the host: `TZ` if set, else `/etc/localtime`, else UTC.
    pub(crate) fn host() -> Self {
        Self { host_checked_ns: Some(i64::MIN), ..Self::of(TimeZone::system()) }
    }

    /// The zone of that name in the host's tz database. `Local` means the host's, `UTC` needs no database.
    pub(crate) fn named(iana: &str) -> Result<Self, Error> {
        match iana {
            "Local" => Ok(Self::host()),
            "UTC" => Ok(Self::utc()),
            name => {
                TimeZone::get(name).map(Self::of).map_err(|source| Error::UnknownZone { name: name.to_owned(), source })
            }
        }
    }

    /// Coordinated universal time.
    pub(crate) fn utc() -> Self {
        Self::of(TimeZone::UTC)
    }

    fn of(rules: TimeZone) -> Self {
        Self { rules, host_checked_ns: None, span: Span { from_s: 0, until_s: 0, offset_s: 0 } }
    }

    /// Follows a change of the host's zone; nothing to do for the others.
    pub(super) fn refresh(&mut self, now_ns: i64) {
        let Some(checked_ns) = self.host_checked_ns else {
            return;
        };
        // A clock that was set back counts as time gone by.
        if now_ns.abs_diff(checked_ns) >= HOST_ZONE_CHECK_NS.unsigned_abs() {
            let rules = TimeZone::system();
            if rules != self.rules {
                *self = Self::of(rules);
            }
            self.host_checked_ns = Some(now_ns);
        }
    }

    /// Whether this is what the zone is called at an instant, as in `CEST`.
    pub(super) fn is_called(&self, abbreviation: &str, utc_s: i64) -> bool {
        let at = Timestamp::from_second(utc_s);
        at.is_ok_and(|at| self.rules.to_offset_info(at).abbreviation() == abbreviation)
    }

    /// What a wall clock in this zone means. `local_s` is its reading as if it were UTC. `None` if
    /// it is beyond jiff's calendar.
    pub(super) fn instants(&mut self, local_s: i64) -> Option<Instants> {
        let span = self.span;
        if (span.from_s..span.until_s).contains(&local_s) {
            return Some(Instants::One(local_s - span.offset_s));
        }
        let wall = Offset::UTC.to_datetime(Timestamp::from_second(local_s).ok()?);
        Some(match self.rules.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let utc_s = local_s - i64::from(offset.seconds());
                self.span = self.span_around(utc_s)?;
                Instants::One(utc_s)
            }
            AmbiguousOffset::Gap { before, .. } => Instants::One(local_s - i64::from(before.seconds())),
            AmbiguousOffset::Fold { before, after } => Instants::Two {
                early_s: local_s - i64::from(before.seconds()),
                late_s: local_s - i64::from(after.seconds()),
            },
        })
    }

    /// The span between the changes of offset before and after an instant, without what it shares
    /// with its neighbours.
    fn span_around(&self, utc_s: i64) -> Option<Span> {
        let second = Timestamp::from_second(utc_s).ok()?;
        let offset_s = self.offset_s(utc_s)?;
        let mut span = Span { from_s: i64::MIN, until_s: i64::MAX, offset_s };
        // `preceding` excludes its argument, and a change may fall on this very second.
        if let Some(change) = self.rules.preceding(Timestamp::from_second(utc_s + 1).ok()?).next() {
            let change_s = change.timestamp().as_second();
            span.from_s = change_s + offset_s.max(self.offset_s(change_s - 1)?);
        }
        if let Some(change) = self.rules.following(second).next() {
            span.until_s = change.timestamp().as_second() + offset_s.min(i64::from(change.offset().seconds()));
        }
        Some(span)
    }

    fn offset_s(&self, utc_s: i64) -> Option<i64> {
        let offset = self.rules.to_offset(Timestamp::from_second(utc_s).ok()?);
        Some(i64::from(offset.seconds()))
    }
}

#[cfg(test)]
impl Zone {
    /// The zone of a POSIX `TZ` string, so that tests need no tz database.
    pub(super) fn posix(rules: &str) -> Self {
        Self::of(TimeZone::posix(rules).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_S: i64 = 30 * 60;
    const STEPS: i64 = 366 * 86_400 / STEP_S;

    /// Whatever was asked before, the remembered span gives what jiff gives.
    #[test]
    fn remembered_spans_agree_with_jiff() {
        let zones = [
            Zone::named("Europe/Berlin").unwrap_or_else(|_| Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3")),
            Zone::named("Africa/Casablanca").unwrap_or_else(|_| Zone::posix("<+01>-1")),
            Zone::posix("AEST-10AEDT,M10.1.0,M4.1.0/3"),
            Zone::posix("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
            Zone::posix("NST3:30NDT,M3.2.0,M11.1.0"),
            Zone::posix("<-12>12"),
            Zone::utc(),
        ];
        let start_s = 1_704_067_200; // 2024-01-01
        for mut zone in zones {
            let rules = zone.rules.clone();
            // In order, and in jumps that visit every step as the two numbers share no factor.
            for stride in [1, 7919] {
                for step in 0..STEPS {
                    let local_s = start_s + step * stride % STEPS * STEP_S;
                    let wall = Offset::UTC.to_datetime(Timestamp::from_second(local_s).unwrap());
                    let ambiguous = rules.to_ambiguous_timestamp(wall);
                    let early_s = ambiguous.compatible().unwrap().as_second();
                    let expected = match ambiguous.offset() {
                        AmbiguousOffset::Fold { .. } => {
                            Instants::Two { early_s, late_s: ambiguous.later().unwrap().as_second() }
                        }
                        _ => Instants::One(early_s),
                    };
                    assert_eq!(zone.instants(local_s), Some(expected), "{wall} in {rules:?}");
                }
            }
        }
    }

    /// A line in the usual case is not worth a question to jiff.
    #[test]
    fn one_question_serves_a_season() {
        // 2025-10-26 03:00, from when no clock shows summer time again, to 2026-03-29 02:00; then
        // from 03:00 to 2026-10-25 02:00, from when clocks show each time twice.
        let winter = (1_761_447_600, 1_774_749_600, 3600);
        let summer = (1_774_753_200, 1_792_893_600, 7200);
        let mut zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
        for season in [winter, summer] {
            for local_s in [season.0, season.0 + 1, season.1 - 1] {
                zone.instants(0).unwrap();
                zone.instants(local_s).unwrap();
                let span = zone.span;
                assert_eq!((span.from_s, span.until_s, span.offset_s), season, "asked at {local_s}");
            }
        }
    }

    #[test]
    fn names_are_looked_up() {
        for known in ["UTC", "Local"] {
            assert!(Zone::named(known).is_ok(), "{known}");
        }
        let error = Zone::named("Europe/Berlni").unwrap_err();
        assert!(error.to_string().starts_with("unknown time zone `Europe/Berlni`: "), "{error}");
    }

    #[test]
    fn the_ends_of_the_calendar_have_no_instant() {
        let mut zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3");
        for local_s in [i64::MIN, -1_000_000_000_000, 1_000_000_000_000, i64::MAX] {
            assert_eq!(zone.instants(local_s), None, "{local_s}");
        }
    }
}
