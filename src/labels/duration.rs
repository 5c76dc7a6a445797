//! Durations as text, in the two notations that Loki reads and prints: Prometheus' and Go's. A
//! duration is nanoseconds.

use std::{fmt, time::Duration};

use super::label_set::Quoted;

const MICROSECOND_NS: u64 = 1_000;
const MILLISECOND_NS: u64 = 1_000 * MICROSECOND_NS;
const SECOND_NS: u64 = 1_000 * MILLISECOND_NS;
const MINUTE_NS: u64 = 60 * SECOND_NS;
const HOUR_NS: u64 = 60 * MINUTE_NS;
const DAY_NS: u64 = 24 * HOUR_NS;

/// Units of a Prometheus duration in the order they must stand in.
const PROMETHEUS_UNITS: [(&str, u64); 7] = [
    ("y", 365 * DAY_NS),
    ("w", 7 * DAY_NS),
    ("d", DAY_NS),
    ("h", HOUR_NS),
    ("m", MINUTE_NS),
    ("s", SECOND_NS),
    ("ms", MILLISECOND_NS),
];

/// Why a text is no duration. `Display` is the message of Go or Prometheus, which Loki passes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// Prometheus: "empty duration string"
    Empty,
    /// Prometheus: "not a valid duration string: "1h1h""
    NotPrometheus(String),
    /// Prometheus: "unknown unit "mo" in duration "1mo"": the unit and the text.
    UnknownPrometheusUnit(String, String),
    /// Prometheus: "duration out of range"
    TooLong,
    /// Go: "time: invalid duration "x""
    NotGo(String),
    /// Go: "time: missing unit in duration "10""
    MissingGoUnit(String),
    /// Go: "time: unknown unit "d" in duration "1d"": the unit and the text.
    UnknownGoUnit(String, String),
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty duration string"),
            Self::NotPrometheus(text) => write!(f, "not a valid duration string: {}", Quoted(text)),
            Self::UnknownPrometheusUnit(unit, text) => {
                write!(f, "unknown unit {} in duration {}", Quoted(unit), Quoted(text))
            }
            Self::TooLong => f.write_str("duration out of range"),
            Self::NotGo(text) => write!(f, "time: invalid duration {}", Quoted(text)),
            Self::MissingGoUnit(text) => {
                write!(f, "time: missing unit in duration {}", Quoted(text))
            }
            Self::UnknownGoUnit(unit, text) => {
                write!(f, "time: unknown unit {} in duration {}", Quoted(unit), Quoted(text))
            }
        }
    }
}

impl std::error::Error for DurationError {}

/// Reads `1d12h`, `90s`: whole numbers with the units y (365 d) w d h m s ms, each at most once and
/// in this order; `0` alone needs none. No sign, no fraction, no blanks.
pub fn parse_prometheus_duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::NotPrometheus(text.to_owned());
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let mut units_left = PROMETHEUS_UNITS.as_slice();
    let mut total_ns = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, behind) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, behind) = split_where(behind, |c| c.is_ascii_digit());
        if number.is_empty() || unit.is_empty() {
            return Err(invalid());
        }
        if !PROMETHEUS_UNITS.iter().any(|&(name, _)| name == unit) {
            return Err(DurationError::UnknownPrometheusUnit(unit.to_owned(), text.to_owned()));
        }
        let at = units_left.iter().position(|&(name, _)| name == unit).ok_or_else(invalid)?;
        let number: u64 = number.parse().map_err(|_| invalid())?;
        total_ns = number
            .checked_mul(units_left[at].1)
            .and_then(|part_ns| total_ns.checked_add_unsigned(part_ns))
            .ok_or(DurationError::TooLong)?;
        units_left = &units_left[at + 1..];
        rest = behind;
    }
    Ok(total_ns)
}

/// Reads `1.5s`, `-2m`, `10ms5s`: decimal numbers with the units ns us µs ms s m h in any order, with
/// a sign before all; `0` alone needs none. What is below a nanosecond is dropped.
pub fn parse_go_duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::NotGo(text.to_owned());
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total_ns = 0_u64;
    while !rest.is_empty() {
        let (whole, behind) = split_where(rest, |c| !c.is_ascii_digit());
        let (fraction, behind) = match behind.strip_prefix('.') {
            Some(behind) => split_where(behind, |c| !c.is_ascii_digit()),
            None => ("", behind),
        };
        let (unit, behind) = split_where(behind, |c| c.is_ascii_digit() || c == '.');
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        if unit.is_empty() {
            return Err(DurationError::MissingGoUnit(text.to_owned()));
        }
        let unit_ns = go_unit_ns(unit).ok_or_else(|| DurationError::UnknownGoUnit(unit.to_owned(), text.to_owned()))?;
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total_ns = whole
            .checked_mul(unit_ns)
            .and_then(|part_ns| part_ns.checked_add(part_of(fraction, unit_ns)))
            .and_then(|part_ns| part_ns.checked_add(total_ns))
            .ok_or_else(invalid)?;
        rest = behind;
    }
    let signed = if negative { 0_i64.checked_sub_unsigned(total_ns) } else { 0_i64.checked_add_unsigned(total_ns) };
    signed.ok_or_else(invalid)
}

/// A span in nanoseconds; the greatest number for what 64 bits cannot hold.
pub fn nanoseconds(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// `1h0m0s`, `1m30s`, `1.5s`, `300ms`, `5µs`, `0s`, as Go prints a duration.
pub fn format_go_duration(duration_ns: i64) -> String {
    let sign = if duration_ns < 0 { "-" } else { "" };
    let ns = duration_ns.unsigned_abs();
    let (minutes, below_minute_ns) = (ns / MINUTE_NS, ns % MINUTE_NS);
    let seconds = Decimal(below_minute_ns, SECOND_NS);
    match (ns, minutes / 60, minutes % 60) {
        (0, ..) => "0s".to_owned(),
        (..MICROSECOND_NS, ..) => format!("{sign}{ns}ns"),
        (..MILLISECOND_NS, ..) => format!("{sign}{}µs", Decimal(ns, MICROSECOND_NS)),
        (..SECOND_NS, ..) => format!("{sign}{}ms", Decimal(ns, MILLISECOND_NS)),
        (_, 0, 0) => format!("{sign}{seconds}s"),
        (_, 0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (_, hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `1d12h`, `1m30s`, `0s`, as Prometheus prints a duration: whole milliseconds, years and weeks only
/// where they leave no rest.
pub fn format_prometheus_duration(duration_ns: i64) -> String {
    let mut ms = duration_ns.unsigned_abs() / MILLISECOND_NS;
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = if duration_ns < 0 { "-".to_owned() } else { String::new() };
    for (unit, unit_ns) in PROMETHEUS_UNITS {
        let unit_ms = unit_ns / MILLISECOND_NS;
        let only_exact = matches!(unit, "y" | "w");
        if ms >= unit_ms && (!only_exact || ms.is_multiple_of(unit_ms)) {
            text += &(ms / unit_ms).to_string();
            text += unit;
            ms %= unit_ms;
        }
    }
    text
}

fn go_unit_ns(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND_NS,
        "ms" => MILLISECOND_NS,
        "s" => SECOND_NS,
        "m" => MINUTE_NS,
        "h" => HOUR_NS,
        _ => return None,
    })
}

/// The digits behind a point, of a unit, in whole nanoseconds.
fn part_of(digits: &str, unit_ns: u64) -> u64 {
    // Further digits are less than a nanosecond of an hour.
    let (value, scale) = digits
        .bytes()
        .take(15)
        .fold((0, 1), |(value, scale), digit| (value * 10 + u128::from(digit - b'0'), scale * 10));
    u64::try_from(value * u128::from(unit_ns) / scale).unwrap_or(unit_ns)
}

/// The text before and from the first character that `ends` it.
fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// A count of nanoseconds in another unit, a power of ten of them: `1.5`, without trailing zeros.
struct Decimal(u64, u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ns, unit_ns) = *self;
        let (mut fraction, mut width) = (ns % unit_ns, unit_ns.ilog10() as usize);
        write!(f, "{}", ns / unit_ns)?;
        if fraction == 0 {
            return Ok(());
        }
        while fraction.is_multiple_of(10) {
            (fraction, width) = (fraction / 10, width - 1);
        }
        write!(f, ".{fraction:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    /// Both directions, where Prometheus prints what it read.
    #[test]
    fn prometheus_durations() {
        for (text, ns, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("90s", 90 * S, "1m30s"),
            ("1h30m", 5400 * S, "1h30m"),
            ("1d12h", 129_600 * S, "1d12h"),
            ("1w", 604_800 * S, "1w"),
            ("1w2d", 777_600 * S, "9d"),
            ("365d", 31_536_000 * S, "1y"),
            ("1y1s", 31_536_001 * S, "365d1s"),
            ("1y2w3d4h5m6s7ms", 33_019_506_007 * 1_000_000, "382d4h5m6s7ms"),
            ("007ms", 7_000_000, "7ms"),
            ("9223372036854ms", 9_223_372_036_854_000_000, "106751d23h47m16s854ms"),
        ] {
            assert_eq!(parse_prometheus_duration(text), Ok(ns), "{text}");
            assert_eq!(format_prometheus_duration(ns), printed);
        }
        assert_eq!(format_prometheus_duration(-90 * S), "-1m30s");
        assert_eq!(format_prometheus_duration(999_999), "0s");
        for (text, message) in [
            ("", "empty duration string"),
            ("5", r#"not a valid duration string: "5""#),
            (" 5m ", r#"not a valid duration string: " 5m ""#),
            ("-5m", r#"not a valid duration string: "-5m""#),
            ("1m30", r#"not a valid duration string: "1m30""#),
            ("30m1h", r#"not a valid duration string: "30m1h""#),
            ("1h1h", r#"not a valid duration string: "1h1h""#),
            ("99999999999999999999s", r#"not a valid duration string: "99999999999999999999s""#),
            ("1.5s", r#"unknown unit "." in duration "1.5s""#),
            ("1mo", r#"unknown unit "mo" in duration "1mo""#),
            ("1us", r#"unknown unit "us" in duration "1us""#),
            ("5m:1m", r#"unknown unit "m:" in duration "5m:1m""#),
            ("9223372036855ms", "duration out of range"),
            ("292y172d", "duration out of range"),
            ("9999999999y", "duration out of range"),
        ] {
            let error = parse_prometheus_duration(text).unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    /// Both directions, where Go prints what it read.
    #[test]
    fn go_durations() {
        for (text, ns, printed) in [
            ("0", 0, "0s"),
            ("+0", 0, "0s"),
            ("-0", 0, "0s"),
            ("0.000s", 0, "0s"),
            ("1ns", 1, "1ns"),
            ("-5us", -5_000, "-5µs"),
            ("5µs", 5_000, "5µs"),
            ("5\u{3bc}s", 5_000, "5µs"),
            ("1500ns", 1_500, "1.5µs"),
            ("300ms", 300_000_000, "300ms"),
            ("1.000001ms", 1_000_001, "1.000001ms"),
            ("1s", S, "1s"),
            ("1.5s", S * 3 / 2, "1.5s"),
            (".5s", S / 2, "500ms"),
            ("1.s", S, "1s"),
            ("1.05s", 1_050_000_000, "1.05s"),
            ("90s", 90 * S, "1m30s"),
            ("1h", 3600 * S, "1h0m0s"),
            ("-1h0m0.5s", -3600 * S - S / 2, "-1h0m0.5s"),
            ("800h", 2_880_000 * S, "800h0m0s"),
            ("10ms5s", 5 * S + 10_000_000, "5.01s"),
            ("1.5h1.5h", 10_800 * S, "3h0m0s"),
            ("0.3333333333333333333h", 1_199_999_999_999, "19m59.999999999s"),
            ("9223372036854775807ns", i64::MAX, "2562047h47m16.854775807s"),
            ("-9223372036854775808ns", i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(parse_go_duration(text), Ok(ns), "{text}");
            assert_eq!(format_go_duration(ns), printed);
            assert_eq!(parse_go_duration(printed), Ok(ns), "{printed}");
        }
        for (text, message) in [
            ("", r#"time: invalid duration """#),
            ("-", r#"time: invalid duration "-""#),
            ("x", r#"time: invalid duration "x""#),
            (".s", r#"time: invalid duration ".s""#),
            ("--1s", r#"time: invalid duration "--1s""#),
            (" 1s", r#"time: invalid duration " 1s""#),
            ("10", r#"time: missing unit in duration "10""#),
            ("1s5", r#"time: missing unit in duration "1s5""#),
            ("1..5s", r#"time: missing unit in duration "1..5s""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("1S", r#"time: unknown unit "S" in duration "1S""#),
            ("1 s", r#"time: unknown unit " s" in duration "1 s""#),
            ("1s-1s", r#"time: unknown unit "s-" in duration "1s-1s""#),
            ("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#),
            ("-9223372036854775809ns", r#"time: invalid duration "-9223372036854775809ns""#),
            ("99999999999999999999s", r#"time: invalid duration "99999999999999999999s""#),
            ("9999999999h", r#"time: invalid duration "9999999999h""#),
            ("2562047.9999h1h", r#"time: invalid duration "2562047.9999h1h""#),
        ] {
            let error = parse_go_duration(text).unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    /// One duration in both notations, and what each says of what it cannot read.
    #[test]
    fn both_notations_side_by_side() {
        for (ns, go, prometheus) in [
            (5_400_000_000_000, "1h30m0s", "1h30m"),
            (1_500_000_000, "1.5s", "1s500ms"),
            (5_000, "5µs", "0s"),
            (250_000_000, "250ms", "250ms"),
            (129_600_000_000_000, "36h0m0s", "1d12h"),
            (604_800_000_000_000, "168h0m0s", "1w"),
            (-60_000_000_000, "-1m0s", "-1m"),
            (0, "0s", "0s"),
        ] {
            assert_eq!((&*format_go_duration(ns), &*format_prometheus_duration(ns)), (go, prometheus));
        }
        for (text, message) in [
            ("1.5h", r#"unknown unit "." in duration "1.5h""#),
            (" 5m ", r#"not a valid duration string: " 5m ""#),
            ("5", r#"not a valid duration string: "5""#),
            ("5m:1m", r#"unknown unit "m:" in duration "5m:1m""#),
            ("5m1h", r#"not a valid duration string: "5m1h""#),
        ] {
            assert_eq!(parse_prometheus_duration(text).unwrap_err().to_string(), message);
        }
        for (text, message) in [
            ("x", r#"time: invalid duration "x""#),
            ("10", r#"time: missing unit in duration "10""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
        ] {
            assert_eq!(parse_go_duration(text).unwrap_err().to_string(), message);
        }
    }
}
