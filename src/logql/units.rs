//! Byte sizes as Loki reads and prints them, and durations as a query writes them.

use super::literal::quoted;
use crate::labels::duration::{DurationError, parse_go_duration, parse_prometheus_duration};

/// Reads a duration as a query writes it: Prometheus' notation, else Go's. In nanoseconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, DurationError> {
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

/// Prints a size as Loki does, rounded to two digits in powers of 1000: `5B`, `5.0kB`, `15MB`.
pub(super) fn print_bytes(bytes: u64) -> String {
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
    fn prints_sizes_as_loki_does() {
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
