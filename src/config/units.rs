//! Durations and sizes as an operator writes them, and back. A duration is what `LogQL` takes (`1h30m`, `90s`, `7d`);
//! a size is a number of bytes with or without a unit, where `KB` is 1024 bytes as in Loki and the same as `KiB`.

use std::time::Duration;

/// Longest duration a configuration may hold, 100 years, and the value of a duration that is switched off where
/// the option has no other way to say so: added to any clock of today it does not overflow.
pub const NEVER: Duration = Duration::from_hours(876_000);

/// Units of a duration, largest first, in nanoseconds.
const DURATION_UNITS: &[(&str, u128)] = &[
    ("y", 365 * 86_400_000_000_000),
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

/// Units of a size, in lower case, as powers of 1024.
const SIZE_UNITS: &[(&str, u32)] =
    &[("", 0), ("b", 0), ("kb", 1), ("kib", 1), ("mb", 2), ("mib", 2), ("gb", 3), ("gib", 3), ("tb", 4), ("tib", 4)];

const DURATION_HINT: &str =
    "a duration is whole numbers with units, as in \"90s\", \"1h30m\" or \"7d\"; units are ns us ms s m h d w y";
const SIZE_HINT: &str =
    "a size is a number of bytes or has a unit, as in \"256KiB\" or \"1GiB\"; units are KiB MiB GiB TiB";

/// What is wrong with a text, and how to write it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) what: String,
    pub(super) hint: &'static str,
}

/// Reads a duration: numbers with units in any order, which are added. `0` needs no unit.
///
/// # Errors
/// Anything else, and what is longer than [`NEVER`].
pub(super) fn parse_duration(text: &str) -> Result<Duration, Unreadable> {
    let unreadable = |what: String| Unreadable { what, hint: DURATION_HINT };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(unreadable("the duration is empty".to_owned()));
    }
    let mut total_ns = 0u128;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, behind) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, behind) = split_while(behind, |c| !c.is_ascii_digit());
        if digits.is_empty() {
            return Err(unreadable(format!("`{text}` is not a duration")));
        }
        if unit.is_empty() {
            return Err(unreadable(format!("`{text}` is not a duration: the unit of {digits} is missing")));
        }
        let Some((_, unit_ns)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(unreadable(format!("`{text}` is not a duration: unknown unit `{unit}`")));
        };
        // More than 20 digits do not fit; the sum cannot overflow u128 before it exceeds NEVER.
        let count = digits.parse::<u64>().unwrap_or(u64::MAX);
        total_ns += u128::from(count) * unit_ns;
        if total_ns > NEVER.as_nanos() {
            return Err(Unreadable { what: format!("`{text}` is longer than 100 years"), hint: "" });
        }
        rest = behind;
    }
    let (seconds, rest_ns) = (total_ns / 1_000_000_000, total_ns % 1_000_000_000);
    Ok(Duration::new(u64::try_from(seconds).unwrap_or(u64::MAX), u32::try_from(rest_ns).unwrap_or(0)))
}

/// Reads a size in bytes: a number, perhaps with a fraction, and a unit in any letter case.
///
/// # Errors
/// Anything else, and what does not fit 63 bits.
pub(super) fn parse_size(text: &str) -> Result<u64, Unreadable> {
    let unreadable = |what: String| Unreadable { what, hint: SIZE_HINT };
    let (number, unit) = split_while(text, |c| c.is_ascii_digit() || c == '.');
    let unit = unit.trim_start().to_ascii_lowercase();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
        return Err(unreadable(format!("`{text}` is not a size")));
    }
    let Some((_, power)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(unreadable(format!("`{text}` is not a size: unknown unit `{unit}`")));
    };
    let unit_bytes = 1u128 << (10 * power);
    let scale = 10u128.pow(u32::try_from(fraction.len()).unwrap_or(9));
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    let fraction = fraction.parse::<u64>().unwrap_or(0);
    let bytes = u128::from(whole) * unit_bytes + u128::from(fraction) * unit_bytes / scale;
    match u64::try_from(bytes) {
        Ok(bytes) if i64::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(Unreadable { what: format!("`{text}` is larger than any disk"), hint: "" }),
    }
}

/// A duration in the largest units that keep it whole, as `1h30m`.
pub(super) fn format_duration(duration: Duration) -> String {
    let mut rest_ns = duration.as_nanos();
    let mut text = String::new();
    for (unit, unit_ns) in DURATION_UNITS {
        // Years and weeks are read, not written: "30d" is what an operator expects to see again.
        if *unit != "y" && *unit != "w" && rest_ns >= *unit_ns {
            text.push_str(&(rest_ns / unit_ns).to_string());
            text.push_str(unit);
            rest_ns %= unit_ns;
        }
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

/// A size in the largest unit that keeps it whole, as `256KiB`.
pub(super) fn format_size(bytes: u64) -> String {
    let units = ["TiB", "GiB", "MiB", "KiB"];
    for (at, unit) in units.iter().enumerate() {
        let unit_bytes = 1u64 << (10 * (units.len() - at));
        if bytes >= unit_bytes && bytes.is_multiple_of(unit_bytes) {
            return format!("{}{unit}", bytes / unit_bytes);
        }
    }
    bytes.to_string()
}

/// Splits behind the leading characters that fulfil a test.
fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        let rows: &[(&str, Option<u128>)] = &[
            ("0", Some(0)),
            ("0s", Some(0)),
            ("90s", Some(90_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("30m1h", Some(5_400_000_000_000)),
            ("7d", Some(604_800_000_000_000)),
            ("1w", Some(604_800_000_000_000)),
            ("1y", Some(31_536_000_000_000_000)),
            ("5µs", Some(5_000)),
            ("5us1ns", Some(5_001)),
            ("100y", Some(NEVER.as_nanos())),
            ("", None),
            ("30", None),
            ("1h30", None),
            ("1.5h", None),
            ("-1h", None),
            ("1 h", None),
            ("h", None),
            ("1x", None),
            ("101y", None),
            ("99999999999999999999999y", None),
        ];
        for (text, expected_ns) in rows {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_nanos()), *expected_ns, "{text}");
        }
    }

    #[test]
    fn reads_sizes() {
        let rows: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("17", Some(17)),
            ("17B", Some(17)),
            ("256KB", Some(256 << 10)),
            ("256KiB", Some(256 << 10)),
            ("256kb", Some(256 << 10)),
            ("16 MiB", Some(16 << 20)),
            ("1.5GiB", Some(3 << 29)),
            ("2TB", Some(2 << 40)),
            ("", None),
            ("MiB", None),
            ("1.MiB", None),
            ("1.2.3MiB", None),
            ("-1", None),
            ("5M", None),
            ("9000000TiB", None),
            ("99999999999999999999999", None),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_size(text).ok(), *expected, "{text}");
        }
    }

    #[test]
    fn writes_what_can_be_read_again() {
        for text in ["0", "90s", "1h30m", "30d", "250ms", "1d2h3m4s5ms6us7ns"] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration, "{text}");
        }
        assert_eq!(format_duration(Duration::from_mins(90)), "1h30m");
        for (bytes, text) in [(0, "0"), (1000, "1000"), (1024, "1KiB"), (1 << 30, "1GiB"), (1536, "1536")] {
            assert_eq!((format_size(bytes), parse_size(text)), (text.to_owned(), Ok(bytes)));
        }
    }
}
