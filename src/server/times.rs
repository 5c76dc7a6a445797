//! Times and steps as Loki's parameters write them.
//! <https://grafana.com/docs/loki/latest/reference/loki-http-api/#timestamps>

use crate::labels::{duration::parse_prometheus_duration, time::parse_rfc3339};

/// Nanoseconds of a second.
pub(super) const SECOND_NS: i64 = 1_000_000_000;
const MILLISECOND_NS: i64 = 1_000_000;

/// A time in nanoseconds since 1970: seconds with a decimal point, whole seconds of at most ten
/// characters, nanoseconds of more, or RFC 3339. The error is the text after `could not parse '...' parameter: `.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return seconds_to_ns(seconds).ok_or_else(|| format!("time {text} is out of range"));
    }
    match text.parse::<i64>() {
        Ok(seconds) if text.len() <= 10 => Ok(seconds.saturating_mul(SECOND_NS)),
        Ok(nanoseconds) => Ok(nanoseconds),
        Err(_) => parse_rfc3339(text).ok_or_else(|| format!("strconv.ParseInt: parsing \"{text}\": invalid syntax")),
    }
}

/// A step or an interval in nanoseconds: seconds as a number (`60`, `0.5`, `1e2`), or a Prometheus duration.
pub(super) fn parse_step(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds_to_ns(seconds)
            .ok_or_else(|| format!("cannot parse \"{text}\" to a valid duration. It overflows int64"));
    }
    parse_prometheus_duration(text).map_err(|_| format!("cannot parse \"{text}\" to a valid duration"))
}

/// Seconds in nanoseconds, rounded to milliseconds. `None` for what 64 bits cannot hold.
fn seconds_to_ns(seconds: f64) -> Option<i64> {
    /// Largest number of milliseconds whose nanoseconds fit into 64 bits.
    const MILLISECONDS_MAX: f64 = 9.223_372_036_854e12;
    let milliseconds = (seconds * 1000.0).round();
    if milliseconds.is_nan() || milliseconds.abs() > MILLISECONDS_MAX {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the bound above is far within 64 bits")]
    let milliseconds = milliseconds as i64;
    Some(milliseconds * MILLISECOND_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, want_ns) in [
            ("1795356123", 1_795_356_123_000_000_000),
            ("4000000000", 4_000_000_000_000_000_000),
            ("1795356123000000001", 1_795_356_123_000_000_001),
            ("1795356123000", 1_795_356_123_000), // milliseconds are nanoseconds
            ("1795356123.25", 1_795_356_123_250_000_000),
            ("1795356123.2506", 1_795_356_123_251_000_000),
            ("-5", -5_000_000_000),
            ("0", 0),
            ("2026-11-22T14:00:00Z", 1_795_356_000_000_000_000),
            ("2026-11-22T14:00:00.5+01:00", 1_795_352_400_500_000_000),
            ("2026-11-22T14:00:00.000000001Z", 1_795_356_000_000_000_001),
        ] {
            assert_eq!(parse_time(text), Ok(want_ns), "{text}");
        }
        for text in ["yesterday", "2026-01-05", "x", "1.79e+18", "1.2.3", "12 ", "NaN."] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        let want = "strconv.ParseInt: parsing \"2026-01-05\": invalid syntax";
        assert_eq!(parse_time("2026-01-05"), Err(want.to_owned()));
    }

    #[test]
    fn steps() {
        for (text, want_ms) in
            [("60", 60_000), ("0.5", 500), ("1e2", 100_000), ("250ms", 250), ("-5", -5000), ("1m", 60_000)]
        {
            assert_eq!(parse_step(text), Ok(want_ms * MILLISECOND_NS), "{text}");
        }
        assert_eq!(parse_step("often"), Err("cannot parse \"often\" to a valid duration".to_owned()));
        for text in ["nan", "1e300", "inf", ""] {
            assert!(parse_step(text).is_err(), "{text}");
        }
    }
}
