//! Times as a person writes and reads them, in a zone.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::labels::{
    duration::{parse_go_duration, parse_prometheus_duration},
    time::parse_rfc3339,
};

/// Where the clock hangs.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// `Local`, `UTC`, or a name such as `Europe/Berlin`; `None` if there is no such zone.
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("local") {
            return Some(Self(TimeZone::system()));
        }
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self(TimeZone::UTC));
        }
        TimeZone::get(name).ok().map(Self)
    }

    /// RFC 3339 in this zone: to the second, or with `nanoseconds` as exact as it is.
    pub(super) fn format(&self, timestamp_ns: i64, nanoseconds: bool) -> String {
        // Every i64 of nanoseconds is within jiff's years.
        let time =
            Timestamp::from_nanosecond(timestamp_ns.into()).unwrap_or_default().to_zoned_datetime(self.0.clone());
        let zone = if time.offset().seconds() == 0 { "Z" } else { "%:z" };
        let second = if nanoseconds { "%Y-%m-%dT%H:%M:%S%.f" } else { "%Y-%m-%dT%H:%M:%S" };
        time.strftime(&format!("{second}{zone}")).to_string()
    }
}

/// Reads a time: RFC 3339, with an offset or in `zone`; a date; seconds since 1970, or nanoseconds if they have more
/// than ten digits. Nanoseconds since 1970.
///
/// # Errors
/// Anything else, with a reason that completes "`text` ...".
pub fn parse_time(text: &str, zone: &Zone) -> Result<i64, String> {
    const SECOND_NS: i64 = 1_000_000_000;
    if let Ok(number) = text.parse::<i64>() {
        return Ok(if text.len() <= 10 { number.saturating_mul(SECOND_NS) } else { number });
    }
    if let Some(time_ns) = parse_rfc3339(text) {
        return Ok(time_ns);
    }
    let local = text.parse::<DateTime>().ok().filter(|_| !text.contains(['Z', 'z', '[']));
    let time = local.and_then(|time| time.to_zoned_datetime(zone.0.clone()).ok());
    time.and_then(|time| i64::try_from(time.timestamp().as_nanosecond()).ok())
        .ok_or_else(|| "is not a time as in 2026-01-05T08:00:00Z, 2026-01-05T08:00, or 1767600000".to_owned())
}

/// Reads a span of time in either notation, `7d` or `1.5h`, in nanoseconds; it is not negative.
///
/// # Errors
/// Anything else, with a reason that completes "`text` ...".
pub fn parse_span(text: &str) -> Result<i64, String> {
    let span = parse_prometheus_duration(text).ok().or_else(|| parse_go_duration(text).ok());
    span.filter(|span_ns| *span_ns >= 0).ok_or_else(|| "is not a duration as in 30m, 1.5h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY_NS: i64 = 1_767_600_000_000_000_000;

    #[test]
    fn times_are_read() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let rows = [
            ("2026-01-05T08:00:00Z", Some(MONDAY_NS)),
            ("2026-01-05T10:00:00.5+02:00", Some(MONDAY_NS + 500_000_000)),
            ("2026-01-05T09:00:00", Some(MONDAY_NS)),
            ("2026-01-05T09:00", Some(MONDAY_NS)),
            ("2026-01-05 09:00:00.000000001", Some(MONDAY_NS + 1)),
            ("2026-01-05", Some(MONDAY_NS - 9 * 3_600_000_000_000)),
            ("1767600000", Some(MONDAY_NS)),
            ("1767600000000000001", Some(MONDAY_NS + 1)),
            ("", None),
            ("today", None),
            ("2026-13-05", None),
            ("2026-01-05T09:00:00[UTC]", None),
            ("9999-01-01", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_time(text, &berlin).ok(), expected, "{text}");
        }
    }

    #[test]
    fn times_are_written() {
        let rows = [
            ("UTC", false, "2026-01-05T08:00:00Z"),
            ("utc", true, "2026-01-05T08:00:00.000000001Z"),
            ("Europe/Berlin", false, "2026-01-05T09:00:00+01:00"),
            ("Asia/Kolkata", true, "2026-01-05T13:30:00.000000001+05:30"),
        ];
        for (zone, nanoseconds, expected) in rows {
            assert_eq!(Zone::parse(zone).unwrap().format(MONDAY_NS + 1, nanoseconds), expected, "{zone}");
        }
        assert!(Zone::parse("Nowhere/Land").is_none());
        assert!(Zone::parse("Local").is_some());
    }

    #[test]
    fn spans_are_read() {
        const HOUR_NS: i64 = 3_600_000_000_000;
        let rows = [
            ("1h", Some(HOUR_NS)),
            ("1.5h", Some(HOUR_NS * 3 / 2)),
            ("7d", Some(168 * HOUR_NS)),
            ("0", Some(0)),
            ("", None),
            ("-1h", None),
            ("1", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_span(text).ok(), expected, "{text}");
        }
    }
}
