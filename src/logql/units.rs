//! Durations and byte sizes: the three notations that Loki reads (Prometheus durations, Go
//! durations, sizes) and the two ways it prints them.

use std::fmt::Write;

use super::literal::quoted;

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000 * NS_PER_MS;
const NS_PER_DAY: u64 = 86_400 * NS_PER_S;

/// Units of a Prometheus duration, largest first, in nanoseconds.
const PROMETHEUS_UNITS: [(&str, u64); 7] = [
    ("y", 365 * NS_PER_DAY),
    ("w", 7 * NS_PER_DAY),
    ("d", NS_PER_DAY),
    ("h", 3_600 * NS_PER_S),
    ("m", 60 * NS_PER_S),
    ("s", NS_PER_S),
    ("ms", NS_PER_MS),
];

/// Reads `1d12h`, `90s`: whole numbers with the units y w d h m s ms, each at most once and in this
/// order; `0` alone needs none. In nanoseconds. The error is Prometheus' message.
pub fn parse_prometheus_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("not a valid duration string: {}", quoted(text));
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let mut rest = text;
    let mut units_left = &PROMETHEUS_UNITS[..];
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        if number.is_empty() || unit.is_empty() {
            return Err(invalid());
        }
        if !PROMETHEUS_UNITS.iter().any(|known| known.0 == unit) {
            return Err(format!("unknown unit {} in duration {}", quoted(unit), quoted(text)));
        }
        let at = units_left.iter().position(|known| known.0 == unit).ok_or_else(invalid)?;
        let number: u64 = number.parse().map_err(|_| invalid())?;
        total = number
            .checked_mul(units_left[at].1)
            .and_then(|part| part.checked_add(total))
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or("duration out of range")?;
        units_left = &units_left[at + 1..];
        rest = tail;
    }
    Ok(total.cast_signed())
}

/// Reads a Go duration: `1.5s`, `-2m`, `10ms5s`; units ns us µs ms s m h. In nanoseconds. The
/// error is Go's message.
pub fn parse_go_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0_u64;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(invalid());
        }
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit_ns = match unit {
            "" => return Err(format!("time: missing unit in duration {}", quoted(text))),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => NS_PER_MS,
            "s" => NS_PER_S,
            "m" => 60 * NS_PER_S,
            "h" => 3_600 * NS_PER_S,
            _ => {
                let (unit, text) = (quoted(unit), quoted(text));
                return Err(format!("time: unknown unit {unit} in duration {text}"));
            }
        };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole
            .checked_mul(unit_ns)
            .and_then(|part| part.checked_add(fraction_of(fraction, unit_ns)))
            .and_then(|part| part.checked_add(total))
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or_else(invalid)?;
        rest = tail;
    }
    let total = total.cast_signed();
    Ok(if negative { -total } else { total })
}

/// The fraction `digits` of a unit, rounded down to nanoseconds.
fn fraction_of(digits: &str, unit_ns: u64) -> u64 {
    let mut scale = 1_u64;
    let mut value = 0_u64;
    for digit in digits.bytes().take(18) {
        value = value * 10 + u64::from(digit - b'0');
        scale *= 10;
    }
    let exact = u128::from(value) * u128::from(unit_ns) / u128::from(scale);
    u64::try_from(exact).unwrap_or(0)
}

/// Reads a duration as a query writes it: Prometheus' notation, else Go's. In nanoseconds.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    parse_prometheus_duration(text).or_else(|error| parse_go_duration(text).map_err(|_| error))
}

/// Reads a size as a label's value or a query writes it: `5KB`, `1.5 MiB`, `1,005k`, any case, no
/// unit for bytes. The error is the message Loki shows.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let number = number.replace(',', "");
    let value: f64 =
        number.parse().map_err(|_| format!("strconv.ParseFloat: parsing {}: invalid syntax", quoted(&number)))?;
    let unit = unit.trim().to_lowercase();
    let prefix = unit.strip_suffix('b').unwrap_or(&unit);
    let (prefix, base) = match prefix.strip_suffix('i') {
        Some(prefix) => (prefix, 1024.0_f64),
        None => (prefix, 1000.0),
    };
    let power = match (prefix, base > 1000.0) {
        ("", false) => 0,
        ("k", _) => 1,
        ("m", _) => 2,
        ("g", _) => 3,
        ("t", _) => 4,
        ("p", _) => 5,
        ("e", _) => 6,
        _ => return Err(format!("unhandled size name: {unit}")),
    };
    let bytes = value * base.powi(power);
    if bytes >= 18_446_744_073_709_551_615.0 {
        return Err(format!("too large: {text}"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range; the fraction is dropped by rule"
    )]
    Ok(bytes as u64)
}

/// Prints a duration as Go does: `1h30m0s`, `1.5s`, `250ms`, `5µs`, `0s`.
pub fn print_go_duration(duration_ns: i64) -> String {
    let ns = duration_ns.unsigned_abs();
    let sign = if duration_ns < 0 { "-" } else { "" };
    if ns == 0 {
        return "0s".to_owned();
    }
    if ns < NS_PER_S {
        let (unit_ns, unit) = match ns {
            ..1_000 => (1, "ns"),
            1_000..NS_PER_MS => (1_000, "µs"),
            _ => (NS_PER_MS, "ms"),
        };
        return format!("{sign}{}{unit}", decimal(ns, unit_ns));
    }
    let (minutes, rest) = (ns / (60 * NS_PER_S), ns % (60 * NS_PER_S));
    let seconds = decimal(rest, NS_PER_S);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / unit` as a decimal without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, mut fraction) = (value / unit, value % unit);
    let mut text = whole.to_string();
    let mut digit_value = unit / 10;
    if fraction > 0 {
        text.push('.');
    }
    while fraction > 0 {
        text.push(char::from(b'0' + u8::try_from(fraction / digit_value).unwrap_or(0)));
        fraction %= digit_value;
        digit_value /= 10;
    }
    text
}

/// Prints a duration as Prometheus does, in whole milliseconds: `1m30s`, `1d12h`, `0s`.
pub fn print_prometheus_duration(duration_ns: i64) -> String {
    let mut ms = duration_ns.unsigned_abs() / NS_PER_MS;
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = if duration_ns < 0 { "-".to_owned() } else { String::new() };
    for (at, (unit, unit_ns)) in PROMETHEUS_UNITS.iter().enumerate() {
        let unit_ms = unit_ns / NS_PER_MS;
        let exact_only = at < 2; // years and weeks appear only where they leave no rest
        if ms >= unit_ms && (!exact_only || ms.is_multiple_of(unit_ms)) {
            let _ = write!(text, "{}{unit}", ms / unit_ms); // a String takes every write
            ms %= unit_ms;
        }
    }
    text
}

/// Prints a size as Loki does, rounded to two digits in powers of 1000: `5B`, `5.0kB`, `15MB`.
pub fn print_bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes}B");
    }
    let (mut unit, mut scale) = (0, 1_u64);
    while unit + 1 < UNITS.len() && bytes / scale >= 1000 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (u128::from(bytes) * 10 + u128::from(scale) / 2) / u128::from(scale);
    if tenths < 100 {
        format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{}{}", (tenths + 5) / 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_in_both_notations() {
        const S: i64 = 1_000_000_000;
        for (text, seconds) in [
            ("1.5h", 5400),
            ("1h30m", 5400),
            ("1d12h", 129_600),
            ("1w2d", 777_600),
            ("90s", 90),
            ("0", 0),
            ("-5m", -300),
        ] {
            assert_eq!(parse_duration(text), Ok(seconds * S), "{text}");
        }
        assert_eq!(parse_duration("10ms5s"), Ok(5_010_000_000));
        assert_eq!(parse_duration("5µs"), Ok(5_000));
        assert_eq!(parse_duration("1.5us"), Ok(1_500));
        for text in ["", "5", "1.5d", "12h1d", "h", "1x", ".s", "9999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_duration() {
        for (text, message) in [
            ("1.5h", r#"unknown unit "." in duration "1.5h""#),
            (" 5m ", r#"not a valid duration string: " 5m ""#),
            ("5", r#"not a valid duration string: "5""#),
            ("5m:1m", r#"unknown unit "m:" in duration "5m:1m""#),
            ("5m1h", r#"not a valid duration string: "5m1h""#),
        ] {
            assert_eq!(parse_prometheus_duration(text).unwrap_err(), message);
        }
        for (text, message) in [
            ("x", r#"time: invalid duration "x""#),
            ("10", r#"time: missing unit in duration "10""#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
        ] {
            assert_eq!(parse_go_duration(text).unwrap_err(), message);
        }
    }

    #[test]
    fn reads_sizes() {
        for (text, bytes) in [
            ("1.5KiB", 1536),
            ("5KB", 5000),
            ("5K", 5000),
            ("1,005KB", 1_005_000),
            ("5 kb", 5000),
            ("7", 7),
            ("5B", 5),
            ("5e", 5_000_000_000_000_000_000),
            ("1Gi", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse_bytes("5xx").unwrap_err(), "unhandled size name: xx");
        assert_eq!(parse_bytes("5i").unwrap_err(), "unhandled size name: i");
        assert!(parse_bytes("100e").unwrap_err().starts_with("too large"));
        assert!(parse_bytes("-5kb").is_err());
    }

    #[test]
    fn prints_as_loki_does() {
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
            assert_eq!((print_go_duration(ns).as_str(), print_prometheus_duration(ns).as_str()), (go, prometheus));
        }
        for (bytes, text) in [
            (5, "5B"),
            (5000, "5.0kB"),
            (1_500_000, "1.5MB"),
            (15_000, "15kB"),
            (999, "999B"),
            (10, "10B"),
            (1000, "1.0kB"),
        ] {
            assert_eq!(print_bytes(bytes), text);
        }
    }
}
