//! Functions on times.

use jiff::tz::TimeZone;

use super::super::Scope;
use super::super::time::{Instant, format, parse};
use super::super::value::Value;
use super::{Function, Outcome, exactly, text_of, wrong_type};

const NS_PER_S: i64 = 1_000_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly(0, "__timestamp__", |scope: &Scope<'_>, _| {
        Ok(Value::Time(Instant::new(scope.timestamp_ns, &scope.clock.zone)))
    }),
    exactly(0, "now", |scope: &Scope<'_>, _| Ok(Value::Time(now(scope)))),
    exactly(2, "date", |scope, a| Ok(Value::text(format(&date_of(scope, &a[1]), text_of(&a[0])?)))),
    exactly(2, "toDate", |scope, a| Ok(to_date(text_of(&a[0])?, text_of(&a[1])?, &scope.clock.zone))),
    exactly(3, "toDateInZone", |scope, a| {
        let zone = match text_of(&a[1])? {
            "Local" => scope.clock.zone.clone(),
            name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
        };
        Ok(to_date(text_of(&a[0])?, text_of(&a[2])?, &zone))
    }),
    exactly(1, "unixEpoch", |_, a| epoch(&a[0], i128::from(NS_PER_S))),
    exactly(1, "unixEpochMillis", |_, a| epoch(&a[0], 1_000_000)),
    exactly(1, "unixEpochNanos", |_, a| epoch(&a[0], 1)),
    exactly(1, "unixToTime", |scope, a| unix_to_time(text_of(&a[0])?, &scope.clock.zone)),
];

fn now(scope: &Scope<'_>) -> Instant {
    Instant::new(scope.clock.now_ns, &scope.clock.zone)
}

/// A time, or seconds since 1970; now for anything else.
fn date_of(scope: &Scope<'_>, value: &Value<'_>) -> Instant {
    match value {
        Value::Time(instant) => instant.clone(),
        Value::Int(seconds) => Instant::new(seconds.saturating_mul(NS_PER_S), &scope.clock.zone),
        _ => now(scope),
    }
}

fn to_date<'c>(layout: &str, text: &str, zone: &TimeZone) -> Value<'c> {
    Value::Time(parse(text, layout, zone).unwrap_or_else(Instant::zero))
}

fn epoch<'c>(value: &Value<'c>, unit_ns: i128) -> Outcome<'c> {
    match value {
        Value::Time(instant) => Ok(Value::text(instant.since_1970(unit_ns).to_string())),
        other => Err(wrong_type("time.Time", other)),
    }
}

/// Reads digits since 1970 whose unit is told by how many they are.
fn unix_to_time<'c>(text: &str, zone: &TimeZone) -> Outcome<'c> {
    let count: i64 = text
        .parse()
        .map_err(|_| format!("unable to parse time '{text}': strconv.ParseInt: parsing {text:?}: invalid syntax"))?;
    let unit_ns = match text.len() {
        5 => 86_400 * NS_PER_S,
        10 => NS_PER_S,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return Err(format!("unable to parse time '{text}': invalid length")),
    };
    Ok(Value::Time(Instant::new(count.saturating_mul(unit_ns), zone)))
}
