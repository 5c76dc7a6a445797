//! Times in templates: Go's layouts, which write the reference time Mon Jan 2 15:04:05 2006, for
//! printing and for reading.
//! Source: <https://pkg.go.dev/time#pkg-constants>.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ZonedDateTime};

use super::super::layout::{Chunk, DAYS, Layout, MONTHS, offset_parts};
use super::value::Value;

/// What templates know of the world: the language has no clock of its own.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The time that `now` gives, in nanoseconds since 1970.
    pub now_ns: i64,
    /// The zone in which times are printed and read.
    pub zone: TimeZone,
}

impl Default for Clock {
    fn default() -> Self {
        Self { now_ns: 0, zone: TimeZone::UTC }
    }
}

/// A point in time, seen in some zone.
#[derive(Clone, Debug)]
pub(super) struct Instant(ZonedDateTime);

impl Instant {
    /// A time in nanoseconds since 1970.
    pub(super) fn new(timestamp_ns: i64, zone: &TimeZone) -> Self {
        let timestamp = Timestamp::from_nanosecond(i128::from(timestamp_ns)).unwrap_or_default();
        Self(timestamp.to_zoned_datetime(zone.clone()))
    }

    /// Go's zero time, which stands for a text that is no time.
    pub(super) fn zero() -> Self {
        let first = DateTime::constant(1, 1, 1, 0, 0, 0, 0);
        Self(first.to_zoned_datetime(TimeZone::UTC).unwrap_or_default())
    }

    /// Nanoseconds since 1970, as far as they can be told.
    pub(super) fn nanoseconds(&self) -> i128 {
        self.0.timestamp().as_nanosecond()
    }

    /// Whole units of so many nanoseconds since 1970, rounded down.
    pub(super) fn since_1970(&self, unit_ns: i128) -> i64 {
        i64::try_from(self.nanoseconds().div_euclid(unit_ns)).unwrap_or(i64::MAX)
    }

    /// A method of Go's `time.Time`.
    pub(super) fn method<'c>(&self, name: &str, arguments: &[Value<'c>]) -> Result<Value<'c>, String> {
        let out_of_range = || "time out of range".to_owned();
        match (name, arguments) {
            ("Format", [Value::Text(layout)]) => return Ok(Value::text(format(self, layout))),
            ("After", [Value::Time(other)]) => return Ok(Value::Bool(self.nanoseconds() > other.nanoseconds())),
            ("Before", [Value::Time(other)]) => return Ok(Value::Bool(self.nanoseconds() < other.nanoseconds())),
            ("Equal", [Value::Time(other)]) => return Ok(Value::Bool(self.nanoseconds() == other.nanoseconds())),
            // A duration is a number of nanoseconds.
            ("Add", [Value::Int(duration_ns)]) => {
                let moved = self.0.checked_add(SignedDuration::from_nanos(*duration_ns));
                return moved.map(|zoned| Value::Time(Self(zoned))).map_err(|_| out_of_range());
            }
            ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
                return self.add_date(*years, *months, *days).map(Value::Time).ok_or_else(out_of_range);
            }
            _ => {}
        }
        if !arguments.is_empty() {
            return Err(format!("wrong number of args for {name}: want 0 got {}", arguments.len()));
        }
        let number = |value: i64| Ok(Value::Int(value));
        match name {
            "Unix" => number(self.since_1970(1_000_000_000)),
            "UnixMilli" => number(self.since_1970(1_000_000)),
            "UnixMicro" => number(self.since_1970(1_000)),
            "UnixNano" => number(self.since_1970(1)),
            "Year" => number(self.0.year().into()),
            "Month" => Ok(Value::text(MONTHS[month_index(&self.0)])),
            "Day" => number(self.0.day().into()),
            "Hour" => number(self.0.hour().into()),
            "Minute" => number(self.0.minute().into()),
            "Second" => number(self.0.second().into()),
            "Nanosecond" => number(self.0.subsec_nanosecond().into()),
            "YearDay" => number(self.0.day_of_year().into()),
            "Weekday" => Ok(Value::text(DAYS[day_index(&self.0)])),
            "UTC" => Ok(Value::Time(Self(self.0.with_time_zone(TimeZone::UTC)))),
            "String" => Ok(Value::text(Value::Time(self.clone()).printed())),
            "IsZero" => Ok(Value::Bool(self.nanoseconds() == Self::zero().nanoseconds())),
            _ => Err(format!("can't evaluate field {name} in type time.Time")),
        }
    }
}

impl Instant {
    /// The time of day so many years, months and days later. As in Go a day that the month does not have
    /// counts on into the next: a month after October 31 is December 1.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Option<Self> {
        let months = i64::from(self.0.month() - 1).checked_add(months)?;
        let year = i64::from(self.0.year()).checked_add(years)?.checked_add(months.div_euclid(12))?;
        let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
        let first = self.0.datetime().with().year(i16::try_from(year).ok()?).month(month).day(1).build().ok()?;
        let days = Span::new().try_days(i64::from(self.0.day() - 1).checked_add(days)?).ok()?;
        first.checked_add(days).ok()?.to_zoned_datetime(self.0.time_zone().clone()).ok().map(Self)
    }
}

fn month_index(zoned: &ZonedDateTime) -> usize {
    usize::try_from(zoned.month() - 1).unwrap_or(0)
}

fn day_index(zoned: &ZonedDateTime) -> usize {
    usize::try_from(zoned.weekday().to_sunday_zero_offset()).unwrap_or(0)
}

/// Prints a time by a layout.
pub(super) fn format(instant: &Instant, layout: &str) -> String {
    let zoned = &instant.0;
    let mut out = String::new();
    for chunk in Layout::go(layout).chunks() {
        let hour12 = if zoned.hour() % 12 == 0 { 12 } else { zoned.hour() % 12 };
        let text = match *chunk {
            Chunk::Literal(ref text) => text.clone(),
            Chunk::Month => MONTHS[month_index(zoned)].to_owned(),
            Chunk::MonthShort => MONTHS[month_index(zoned)][..3].to_owned(),
            Chunk::MonthNumber { padded } => number(zoned.month(), padded),
            Chunk::Day => DAYS[day_index(zoned)].to_owned(),
            Chunk::DayShort => DAYS[day_index(zoned)][..3].to_owned(),
            Chunk::DayOfMonth { pad: Some(' ') } => format!("{:2}", zoned.day()),
            Chunk::DayOfMonth { pad } => number(zoned.day(), pad.is_some()),
            Chunk::DayOfYear { pad: '0' } => format!("{:03}", zoned.day_of_year()),
            Chunk::DayOfYear { .. } => format!("{:3}", zoned.day_of_year()),
            Chunk::Year => format!("{:04}", zoned.year()),
            Chunk::YearShort => format!("{:02}", zoned.year().rem_euclid(100)),
            Chunk::Hour24 => number(zoned.hour(), true),
            Chunk::Hour12 { padded } => number(hour12, padded),
            Chunk::Minute { padded } => number(zoned.minute(), padded),
            Chunk::Second { padded } => number(zoned.second(), padded),
            Chunk::Noon { upper } => match (zoned.hour() >= 12, upper) {
                (true, true) => "PM".to_owned(),
                (false, true) => "AM".to_owned(),
                (true, false) => "pm".to_owned(),
                (false, false) => "am".to_owned(),
            },
            Chunk::ZoneName => zone_name(zoned),
            Chunk::Offset(style) => print_offset(zoned.offset(), style),
            Chunk::Fraction { separator, digits, trimmed } => {
                let all = format!("{:09}", zoned.subsec_nanosecond());
                let kept = &all[..digits.min(9)];
                let kept = if trimmed { kept.trim_end_matches('0') } else { kept };
                if kept.is_empty() { String::new() } else { format!("{separator}{kept}") }
            }
        };
        out.push_str(&text);
    }
    out
}

fn number(value: i8, padded: bool) -> String {
    if padded { format!("{value:02}") } else { value.to_string() }
}

fn zone_name(zoned: &ZonedDateTime) -> String {
    let name = zoned.strftime("%Z").to_string();
    if zoned.offset() == Offset::UTC && (name.is_empty() || name.starts_with('+')) { "UTC".to_owned() } else { name }
}

fn print_offset(offset: Offset, style: &str) -> String {
    let total = offset.seconds();
    if style.starts_with('Z') && total == 0 {
        return "Z".to_owned();
    }
    let (sign, total) = (if total < 0 { '-' } else { '+' }, total.abs());
    let parts = [total / 3600, total / 60 % 60, total % 60].map(|part| format!("{part:02}"));
    format!("{sign}{}", parts[..offset_parts(style)].join(if style.contains(':') { ":" } else { "" }))
}

/// Reads a time by a layout, in `zone` unless the text names an offset; `None` if it does not fit.
pub(super) fn parse(text: &str, layout: &str, zone: &TimeZone) -> Option<Instant> {
    let read = Layout::go(layout).read(text)?;
    let year = read.year.unwrap_or(0);
    let (month, day) = (read.month.unwrap_or(1), read.day.unwrap_or(1));
    let mut civil = DateTime::new(year, month, day, read.hour, read.minute, read.second, read.nanosecond).ok()?;
    if let Some(day) = read.day_of_year {
        civil = civil.with().day_of_year(day).build().ok()?;
    }
    let offset = match (read.offset_s, read.zone) {
        (Some(offset_s), _) => Some(Offset::from_seconds(offset_s).ok()?),
        (None, Some("UTC" | "GMT")) => Some(Offset::UTC),
        (None, _) => None,
    };
    let zone = offset.map_or_else(|| zone.clone(), TimeZone::fixed);
    civil.to_zoned_datetime(zone).ok().map(Instant)
}
