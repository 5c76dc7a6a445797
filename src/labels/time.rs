//! Instants as text, in the notations that Loki's clients and messages share: RFC 3339 and Go's. An
//! instant is nanoseconds since 1970-01-01 UTC.

use jiff::{SignedDuration, Timestamp};

/// `2026-01-05T08:00:00.5Z`: UTC, the fraction without trailing zeros, none if it is zero.
pub fn format_rfc3339_ns(instant_ns: i64) -> String {
    timestamp(instant_ns).to_string()
}

/// `2026-01-05 08:00:00.5 +0000 UTC`, as Go prints a UTC time; the fraction as above.
pub fn format_go_utc(instant_ns: i64) -> String {
    timestamp(instant_ns).strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string()
}

/// The UTC day, `2026-01-05`.
pub fn utc_day(instant_ns: i64) -> String {
    timestamp(instant_ns).strftime("%Y-%m-%d").to_string()
}

/// Reads `2026-11-22T14:00:00.5+01:00`: capital `T`, `Z` or a numeric offset, a fraction of up to
/// nine digits. `None` for another form, for a date or time that does not exist (also leap seconds),
/// and for what 64 bits cannot hold: before 1677-09-21 and after 2262-04-11.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
    let (head, tail) = text.as_bytes().split_first_chunk::<19>()?;
    let fits = |(&byte, &shape): (&u8, &u8)| {
        if shape == b'0' { byte.is_ascii_digit() } else { byte == shape }
    };
    let leap_second = head.ends_with(b"60");
    if !head.iter().zip(SHAPE).all(fits) || leap_second || !is_fraction_and_zone(tail) {
        return None;
    }
    let timestamp: Timestamp = text.parse().ok()?;
    i64::try_from(timestamp.as_nanosecond()).ok()
}

/// Every `i64` of nanoseconds is within jiff's years, -9999 to 9999.
fn timestamp(instant_ns: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_nanos(instant_ns)
}

/// Whether a time of day may be followed by this: `Z`, `+01:00`, `.123456789Z`. This checks the
/// notation; jiff knows more of them, but checks the numbers, only that it takes hours up to 25.
fn is_fraction_and_zone(tail: &[u8]) -> bool {
    let digits = |tail: &[u8]| tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let zone = tail.strip_prefix(b".").map_or(tail, |tail| &tail[digits(tail)..]);
    match *zone {
        [b'Z'] => true,
        [b'+' | b'-', hour_tens, hour_ones, b':', _, _] => [hour_tens, hour_ones] < *b"24",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;
    /// 2026-01-05T08:00:00Z
    const MONDAY_NS: i64 = 1_767_600_000 * S;

    #[test]
    fn instants_are_printed() {
        for (ns, rfc3339, go, day) in [
            (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 +0000 UTC", "1970-01-01"),
            (MONDAY_NS, "2026-01-05T08:00:00Z", "2026-01-05 08:00:00 +0000 UTC", "2026-01-05"),
            (MONDAY_NS + S / 2, "2026-01-05T08:00:00.5Z", "2026-01-05 08:00:00.5 +0000 UTC", "2026-01-05"),
            (MONDAY_NS + 120_000, "2026-01-05T08:00:00.00012Z", "2026-01-05 08:00:00.00012 +0000 UTC", "2026-01-05"),
            (MONDAY_NS + 1, "2026-01-05T08:00:00.000000001Z", "2026-01-05 08:00:00.000000001 +0000 UTC", "2026-01-05"),
            (-1, "1969-12-31T23:59:59.999999999Z", "1969-12-31 23:59:59.999999999 +0000 UTC", "1969-12-31"),
            (i64::MIN, "1677-09-21T00:12:43.145224192Z", "1677-09-21 00:12:43.145224192 +0000 UTC", "1677-09-21"),
            (i64::MAX, "2262-04-11T23:47:16.854775807Z", "2262-04-11 23:47:16.854775807 +0000 UTC", "2262-04-11"),
        ] {
            assert_eq!(format_rfc3339_ns(ns), rfc3339);
            assert_eq!(format_go_utc(ns), go);
            assert_eq!(utc_day(ns), day);
            assert_eq!(parse_rfc3339(rfc3339), Some(ns), "{rfc3339}");
        }
    }

    #[test]
    fn rfc_3339_is_read() {
        for (text, expected) in [
            ("2026-01-05T08:00:00Z", MONDAY_NS),
            ("2026-01-05T09:00:00.5+01:00", MONDAY_NS + S / 2),
            ("2026-01-05T09:00:00.500000000+01:00", MONDAY_NS + S / 2),
            ("2026-01-05T03:00:00-05:00", MONDAY_NS),
            ("2026-01-05T13:30:00+05:30", MONDAY_NS),
            ("2026-01-06T07:59:00+23:59", MONDAY_NS),
            ("2026-01-05T08:00:00-00:00", MONDAY_NS),
            ("2024-02-29T00:00:00Z", 1_709_164_800 * S),
        ] {
            assert_eq!(parse_rfc3339(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "now",
            "2026-01-05",
            "2026-01-05T08:00:00",
            "2026-01-05T08:00Z",
            "2026-01-05 08:00:00Z",
            "2026-01-05t08:00:00Z",
            "2026-01-05T08:00:00z",
            "2026-01-05T08:00:00,5Z",
            "2026-01-05T08:00:00.Z",
            "2026-01-05T08:00:00.1234567890Z",
            "2026-01-05T08:00:00Zx",
            "2026-01-05T08:00:00 Z",
            "2026-01-05T08:00:00+01",
            "2026-01-05T08:00:00+0100",
            "2026-01-05T08:00:00+24:00",
            "2026-01-05T08:00:00+01:60",
            "2026-01-05T08:00:00+0a:00",
            "2026-01-05T08:00:00Z[UTC]",
            "2026-01-05T24:00:00Z",
            "2026-01-05T08:60:00Z",
            "2026-01-05T08:00:60Z",
            "2026-00-05T08:00:00Z",
            "2026-13-05T08:00:00Z",
            "2026-02-29T08:00:00Z",
            "26-01-05T08:00:00Z",
            "+2026-01-05T08:00:00Z",
            "-002026-01-05T08:00:00Z",
            "1677-09-21T00:12:43.145224191Z",
            "2262-04-11T23:47:16.854775808Z",
            "2026-01-05T08:00:0\u{e9}Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
