//! Times in templates: Go's layouts, which write the reference time Mon Jan 2 15:04:05 2006, for
//! printing and for reading.
//! Source: <https://pkg.go.dev/time#pkg-constants>.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ZonedDateTime};

use super::value::Value;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

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

/// A piece of a layout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Chunk<'l> {
    Literal(&'l str),
    Month,
    MonthShort,
    MonthNumber {
        padded: bool,
    },
    Day,
    DayShort,
    DayOfMonth {
        pad: Option<char>,
    },
    DayOfYear {
        pad: char,
    },
    Year,
    YearShort,
    Hour24,
    Hour12 {
        padded: bool,
    },
    Minute {
        padded: bool,
    },
    Second {
        padded: bool,
    },
    Noon {
        upper: bool,
    },
    ZoneName,
    /// `-07:00` and its kin, as the layout writes it; with `Z` in front, UTC is written as Z.
    Offset(&'static str),
    /// Digits behind the second, with the separator that leads them.
    Fraction {
        separator: char,
        digits: usize,
        trimmed: bool,
    },
}

/// The layout's elements, the longer of two that begin alike first.
const ELEMENTS: &[(&str, Chunk<'static>)] = &[
    ("January", Chunk::Month),
    ("Jan", Chunk::MonthShort),
    ("Monday", Chunk::Day),
    ("Mon", Chunk::DayShort),
    ("MST", Chunk::ZoneName),
    ("01", Chunk::MonthNumber { padded: true }),
    ("002", Chunk::DayOfYear { pad: '0' }),
    ("__2", Chunk::DayOfYear { pad: ' ' }),
    ("02", Chunk::DayOfMonth { pad: Some('0') }),
    ("03", Chunk::Hour12 { padded: true }),
    ("04", Chunk::Minute { padded: true }),
    ("05", Chunk::Second { padded: true }),
    ("06", Chunk::YearShort),
    ("15", Chunk::Hour24),
    ("1", Chunk::MonthNumber { padded: false }),
    ("2006", Chunk::Year),
    ("_2006", Chunk::Literal("_")),
    ("_2", Chunk::DayOfMonth { pad: Some(' ') }),
    ("2", Chunk::DayOfMonth { pad: None }),
    ("3", Chunk::Hour12 { padded: false }),
    ("4", Chunk::Minute { padded: false }),
    ("5", Chunk::Second { padded: false }),
    ("PM", Chunk::Noon { upper: true }),
    ("pm", Chunk::Noon { upper: false }),
    ("-07:00:00", Chunk::Offset("-07:00:00")),
    ("-070000", Chunk::Offset("-070000")),
    ("-07:00", Chunk::Offset("-07:00")),
    ("-0700", Chunk::Offset("-0700")),
    ("-07", Chunk::Offset("-07")),
    ("Z07:00:00", Chunk::Offset("Z07:00:00")),
    ("Z070000", Chunk::Offset("Z070000")),
    ("Z07:00", Chunk::Offset("Z07:00")),
    ("Z0700", Chunk::Offset("Z0700")),
    ("Z07", Chunk::Offset("Z07")),
];

/// Cuts a layout into its chunks.
fn chunks(layout: &str) -> Vec<Chunk<'_>> {
    let mut found = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while at < layout.len() {
        let Some((length, chunk)) = element(&layout[at..]) else {
            at += layout[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if literal < at {
            found.push(Chunk::Literal(&layout[literal..at]));
        }
        found.push(chunk);
        at += length;
        literal = at;
    }
    if literal < layout.len() {
        found.push(Chunk::Literal(&layout[literal..]));
    }
    found
}

/// The element at the start of a layout and its length.
fn element(rest: &str) -> Option<(usize, Chunk<'static>)> {
    if let Some(separator @ ('.' | ',')) = rest.chars().next()
        && let Some(digit @ (b'0' | b'9')) = rest.as_bytes().get(1).copied()
    {
        let digits = rest.bytes().skip(1).take_while(|byte| *byte == digit).count();
        if !rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit()) {
            return Some((1 + digits, Chunk::Fraction { separator, digits, trimmed: digit == b'9' }));
        }
    }
    let fitting = ELEMENTS.iter().filter(|(text, _)| rest.starts_with(text));
    let (text, chunk) = fitting.max_by_key(|(text, _)| text.len())?;
    // `Jan` in `January` is found as the longer; in `Janet` it is text.
    let word_goes_on = matches!(chunk, Chunk::MonthShort | Chunk::DayShort)
        && rest[text.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    if word_goes_on {
        return None;
    }
    if *text == "_2006" {
        return Some((1, *chunk));
    }
    Some((text.len(), *chunk))
}

/// Prints a time by a layout.
pub(super) fn format(instant: &Instant, layout: &str) -> String {
    let zoned = &instant.0;
    let mut out = String::new();
    for chunk in chunks(layout) {
        let hour12 = if zoned.hour() % 12 == 0 { 12 } else { zoned.hour() % 12 };
        let text = match chunk {
            Chunk::Literal(text) => text.to_owned(),
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

/// How many of hours, minutes and seconds an offset is written with.
fn offset_parts(style: &str) -> usize {
    style.bytes().filter(u8::is_ascii_digit).count() / 2
}

/// Reads a time by a layout, in `zone` unless the text names an offset; `None` if it does not fit.
pub(super) fn parse(text: &str, layout: &str, zone: &TimeZone) -> Option<Instant> {
    let mut rest = text;
    let (mut year, mut month, mut day, mut day_of_year) = (0_i16, 1_i8, 1_i8, None);
    let (mut hour, mut minute, mut second, mut nanosecond) = (0_i8, 0_i8, 0_i8, 0_i32);
    let (mut afternoon, mut given_offset) = (None, None);
    let all = chunks(layout);
    for (at, chunk) in all.iter().enumerate() {
        match *chunk {
            Chunk::Literal(literal) => rest = rest.strip_prefix(literal)?,
            Chunk::Month => month = named(&mut rest, &MONTHS, usize::MAX)?,
            Chunk::MonthShort => month = named(&mut rest, &MONTHS, 3)?,
            Chunk::MonthNumber { padded } => {
                month = digits(&mut rest, if padded { 2 } else { 1 }, 2)?;
            }
            Chunk::Day => drop(named(&mut rest, &DAYS, usize::MAX)?),
            Chunk::DayShort => drop(named(&mut rest, &DAYS, 3)?),
            Chunk::DayOfMonth { pad } => {
                if pad == Some(' ') {
                    rest = rest.strip_prefix(' ').unwrap_or(rest);
                }
                day = digits(&mut rest, if pad == Some('0') { 2 } else { 1 }, 2)?;
            }
            Chunk::DayOfYear { pad: '0' } => day_of_year = Some(digits::<i16>(&mut rest, 3, 3)?),
            Chunk::DayOfYear { .. } => {
                let blanks = rest.bytes().take(2).take_while(|byte| *byte == b' ').count();
                rest = &rest[blanks..];
                day_of_year = Some(digits::<i16>(&mut rest, 3 - blanks, 3 - blanks)?);
            }
            Chunk::Year => year = digits(&mut rest, 4, 4)?,
            Chunk::YearShort => {
                let short: i16 = digits(&mut rest, 2, 2)?;
                year = if short >= 69 { 1900 + short } else { 2000 + short };
            }
            Chunk::Hour24 => hour = digits(&mut rest, 1, 2)?,
            Chunk::Hour12 { padded } => hour = digits(&mut rest, if padded { 2 } else { 1 }, 2)?,
            Chunk::Minute { padded } => minute = digits(&mut rest, if padded { 2 } else { 1 }, 2)?,
            Chunk::Second { padded } => {
                second = digits(&mut rest, if padded { 2 } else { 1 }, 2)?;
                // A fraction may follow the seconds even if the layout has none.
                if !matches!(all.get(at + 1), Some(Chunk::Fraction { .. }))
                    && rest.starts_with(['.', ','])
                    && rest[1..].starts_with(|c: char| c.is_ascii_digit())
                {
                    nanosecond = fraction(&mut rest)?;
                }
            }
            Chunk::Fraction { .. } => {
                if rest.starts_with(['.', ',']) {
                    nanosecond = fraction(&mut rest)?;
                }
            }
            Chunk::Noon { .. } => {
                let word = rest.get(..2)?;
                afternoon = Some(word.eq_ignore_ascii_case("pm"));
                if !word.eq_ignore_ascii_case("am") && afternoon != Some(true) {
                    return None;
                }
                rest = &rest[2..];
            }
            Chunk::ZoneName => {
                let length = rest.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(rest.len());
                if length < 3 {
                    return None;
                }
                if matches!(&rest[..length], "UTC" | "GMT") {
                    given_offset = Some(Offset::UTC);
                }
                rest = &rest[length..];
            }
            Chunk::Offset(style) => {
                given_offset = Some(read_offset(&mut rest, style)?);
            }
        }
    }
    if !rest.is_empty() {
        return None;
    }
    match afternoon {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    let mut civil = DateTime::new(year, month, day, hour, minute, second, nanosecond).ok()?;
    if let Some(day) = day_of_year {
        civil = civil.with().day_of_year(day).build().ok()?;
    }
    let zone = given_offset.map_or_else(|| zone.clone(), TimeZone::fixed);
    civil.to_zoned_datetime(zone).ok().map(Instant)
}

/// Reads a name, of which `letters` count; its place in the list, from 1.
fn named(rest: &mut &str, names: &[&str], letters: usize) -> Option<i8> {
    let at = names.iter().position(|name| {
        let name = &name[..letters.min(name.len())];
        rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    })?;
    *rest = &rest[letters.min(names[at].len())..];
    i8::try_from(at + 1).ok()
}

/// Reads at least `min` and at most `max` digits.
fn digits<T: std::str::FromStr>(rest: &mut &str, min: usize, max: usize) -> Option<T> {
    let count = rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
    if count < min {
        return None;
    }
    let (number, tail) = rest.split_at(count);
    *rest = tail;
    number.parse().ok()
}

/// Reads `.123` as nanoseconds.
fn fraction(rest: &mut &str) -> Option<i32> {
    let count = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
    let number = &rest[1..=count];
    *rest = &rest[1 + count..];
    format!("{:0<9}", number.get(..9).unwrap_or(number)).parse().ok()
}

fn read_offset(rest: &mut &str, style: &str) -> Option<Offset> {
    if style.starts_with('Z')
        && let Some(tail) = rest.strip_prefix('Z')
    {
        *rest = tail;
        return Some(Offset::UTC);
    }
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    *rest = &rest[1..];
    let mut total = 0;
    for (at, unit) in [3600, 60, 1].into_iter().take(offset_parts(style)).enumerate() {
        if at > 0 && style.contains(':') {
            *rest = rest.strip_prefix(':')?;
        }
        total += digits::<i32>(rest, 2, 2)? * unit;
    }
    Offset::from_seconds(sign * total).ok()
}
