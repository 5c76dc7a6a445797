//! Layouts of times, compiled: Go's, which write the reference time Mon Jan 2 15:04:05 2006, and those of
//! strftime(3). Templates print and read by them, the collector reads.
//! Source: <https://pkg.go.dev/time#pkg-constants>.

/// The names of the months.
pub(super) const MONTHS: [&str; 12] = [
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
/// The names of the days, Sunday first as in Go.
pub(super) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A piece of a layout.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Chunk {
    Literal(String),
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

/// A compiled layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout(Vec<Chunk>);

/// What a text said about a time. What it did not say is `None`, or zero for a time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written<'t> {
    /// The year.
    pub year: Option<i16>,
    /// 1 to 12.
    pub month: Option<i8>,
    /// 1 to 31.
    pub day: Option<i8>,
    /// 1 to 366.
    pub day_of_year: Option<i16>,
    /// 0 to 23, if the text is sound.
    pub hour: i8,
    /// 0 to 59, if the text is sound.
    pub minute: i8,
    /// 0 to 60, if the text is sound.
    pub second: i8,
    /// Below a second.
    pub nanosecond: i32,
    /// Seconds east of UTC.
    pub offset_s: Option<i32>,
    /// The abbreviation of a zone.
    pub zone: Option<&'t str>,
}

impl Layout {
    /// A layout of Go's. Every text is one: what is no element stands for itself.
    pub fn go(layout: &str) -> Self {
        Self(chunks(layout))
    }

    /// A layout of strftime(3).
    ///
    /// # Errors
    /// The first conversion that is not known, with its percent sign.
    pub fn strftime(layout: &str) -> Result<Self, String> {
        let mut found = Vec::new();
        let mut rest = layout;
        while let Some(at) = rest.find('%') {
            if at > 0 {
                found.push(Chunk::Literal(rest[..at].to_owned()));
            }
            let behind = &rest[at + 1..];
            let fitting = CONVERSIONS.iter().find(|(text, _)| behind.starts_with(text));
            let Some((text, meaning)) = fitting else {
                return Err(rest[at..].chars().take(2).collect());
            };
            found.extend_from_slice(&chunks(meaning));
            rest = &behind[text.len()..];
        }
        if !rest.is_empty() {
            found.push(Chunk::Literal(rest.to_owned()));
        }
        Ok(Self(found))
    }

    /// The pieces.
    pub(super) fn chunks(&self) -> &[Chunk] {
        &self.0
    }

    /// Whether the layout says which day it is: not only a time of day.
    pub fn has_date(&self) -> bool {
        let is_day = |chunk: &Chunk| matches!(chunk, Chunk::DayOfMonth { .. } | Chunk::DayOfYear { .. });
        self.0.iter().any(is_day)
    }

    /// Whether the layout has a year.
    pub fn has_year(&self) -> bool {
        self.0.iter().any(|chunk| matches!(chunk, Chunk::Year | Chunk::YearShort))
    }

    /// Whether a text says how far it is from UTC.
    pub fn has_zone(&self) -> bool {
        self.0.iter().any(|chunk| matches!(chunk, Chunk::ZoneName | Chunk::Offset(_)))
    }

    /// Reads a time; `None` if the text does not fit.
    pub fn read<'t>(&self, text: &'t str) -> Option<Written<'t>> {
        let mut rest = text;
        let mut read = Written::default();
        let mut afternoon = None;
        for (at, chunk) in self.0.iter().enumerate() {
            match *chunk {
                Chunk::Literal(ref literal) => rest = rest.strip_prefix(literal.as_str())?,
                Chunk::Month => read.month = Some(named(&mut rest, &MONTHS, usize::MAX)?),
                Chunk::MonthShort => read.month = Some(named(&mut rest, &MONTHS, 3)?),
                Chunk::MonthNumber { padded } => {
                    read.month = Some(digits(&mut rest, if padded { 2 } else { 1 }, 2)?);
                }
                Chunk::Day => drop(named(&mut rest, &DAYS, usize::MAX)?),
                Chunk::DayShort => drop(named(&mut rest, &DAYS, 3)?),
                Chunk::DayOfMonth { pad } => {
                    if pad == Some(' ') {
                        rest = rest.strip_prefix(' ').unwrap_or(rest);
                    }
                    read.day = Some(digits(&mut rest, if pad == Some('0') { 2 } else { 1 }, 2)?);
                }
                Chunk::DayOfYear { pad: '0' } => read.day_of_year = Some(digits(&mut rest, 3, 3)?),
                Chunk::DayOfYear { .. } => {
                    let blanks = rest.bytes().take(2).take_while(|byte| *byte == b' ').count();
                    rest = &rest[blanks..];
                    read.day_of_year = Some(digits(&mut rest, 3 - blanks, 3 - blanks)?);
                }
                Chunk::Year => read.year = Some(digits(&mut rest, 4, 4)?),
                Chunk::YearShort => {
                    let short: i16 = digits(&mut rest, 2, 2)?;
                    read.year = Some(if short >= 69 { 1900 + short } else { 2000 + short });
                }
                Chunk::Hour24 => read.hour = digits(&mut rest, 1, 2)?,
                Chunk::Hour12 { padded } => read.hour = digits(&mut rest, if padded { 2 } else { 1 }, 2)?,
                Chunk::Minute { padded } => read.minute = digits(&mut rest, if padded { 2 } else { 1 }, 2)?,
                Chunk::Second { padded } => {
                    read.second = digits(&mut rest, if padded { 2 } else { 1 }, 2)?;
                    // A fraction may follow the seconds even if the layout has none.
                    if !matches!(self.0.get(at + 1), Some(Chunk::Fraction { .. }))
                        && rest.starts_with(['.', ','])
                        && rest[1..].starts_with(|c: char| c.is_ascii_digit())
                    {
                        read.nanosecond = fraction(&mut rest)?;
                    }
                }
                Chunk::Fraction { .. } => {
                    if rest.starts_with(['.', ',']) {
                        read.nanosecond = fraction(&mut rest)?;
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
                    read.zone = Some(&rest[..length]);
                    rest = &rest[length..];
                }
                Chunk::Offset(style) => read.offset_s = Some(read_offset(&mut rest, style)?),
            }
        }
        match afternoon {
            Some(true) if read.hour < 12 => read.hour += 12,
            Some(false) if read.hour == 12 => read.hour = 0,
            _ => {}
        }
        rest.is_empty().then_some(read)
    }
}

/// What a conversion of strftime(3) means in Go's layout, the longer of two that begin alike first.
const CONVERSIONS: &[(&str, &str)] = &[
    ("%", "%"),
    ("Y", "2006"),
    ("y", "06"),
    ("m", "01"),
    ("B", "January"),
    ("b", "Jan"),
    ("h", "Jan"),
    ("d", "02"),
    ("e", "_2"),
    ("j", "002"),
    ("A", "Monday"),
    ("a", "Mon"),
    ("H", "15"),
    ("k", "15"),
    ("I", "03"),
    ("M", "04"),
    ("S", "05"),
    ("p", "PM"),
    ("P", "pm"),
    ("T", "15:04:05"),
    ("F", "2006-01-02"),
    ("D", "01/02/06"),
    ("R", "15:04"),
    (".3f", ".000"),
    (".6f", ".000000"),
    (".9f", ".000000000"),
    (".f", ".999999999"),
    ("z", "-0700"),
    (":z", "-07:00"),
    ("Z", "MST"),
];

/// The layout's elements, the longer of two that begin alike first.
const ELEMENTS: &[(&str, Chunk)] = &[
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

/// Cuts a layout of Go's into its chunks.
fn chunks(layout: &str) -> Vec<Chunk> {
    let mut found = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while at < layout.len() {
        let Some((length, chunk)) = element(&layout[at..]) else {
            at += layout[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        if literal < at {
            found.push(Chunk::Literal(layout[literal..at].to_owned()));
        }
        found.push(chunk);
        at += length;
        literal = at;
    }
    if literal < layout.len() {
        found.push(Chunk::Literal(layout[literal..].to_owned()));
    }
    found
}

/// The element at the start of a layout and its length.
fn element(rest: &str) -> Option<(usize, Chunk)> {
    if rest.starts_with("_2006") {
        return None; // an underscore, then the year
    }
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
    Some((text.len(), chunk.clone()))
}

/// How many of hours, minutes and seconds an offset is written with.
pub(super) fn offset_parts(style: &str) -> usize {
    style.bytes().filter(u8::is_ascii_digit).count() / 2
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

/// Reads an offset as seconds east of UTC.
fn read_offset(rest: &mut &str, style: &str) -> Option<i32> {
    if style.starts_with('Z')
        && let Some(tail) = rest.strip_prefix('Z')
    {
        *rest = tail;
        return Some(0);
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
    Some(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_read_the_same() {
        for (go, strftime, text) in [
            ("2006-01-02 15:04:05.000 -0700", "%Y-%m-%d %H:%M:%S%.3f %z", "2026-11-22 10:00:01.250 +0130"),
            ("2006-01-02T15:04:05", "%FT%T", "2026-11-22T10:00:01"),
            ("Jan _2 15:04:05", "%b %e %H:%M:%S", "Nov  2 10:00:01"),
            ("Monday, 02-Jan-06 03:04:05 PM MST", "%A, %d-%b-%y %I:%M:%S %p %Z", "Sunday, 22-Nov-26 10:00:01 PM CET"),
        ] {
            let read = Layout::go(go).read(text);
            assert!(read.is_some_and(|read| read.second == 1), "{go}: {read:?}");
            assert_eq!(Layout::strftime(strftime).unwrap().read(text), read, "{strftime}");
        }
        assert_eq!(Layout::strftime("%Y-%Q"), Err("%Q".to_owned()));
    }

    #[test]
    fn knows_what_a_layout_says() {
        for (layout, date, year, zone) in [
            ("2006-01-02T15:04:05Z07:00", true, true, true),
            ("Jan _2 15:04:05", true, false, false),
            ("15:04:05", false, false, false),
            ("yyyy-MM-dd", false, false, false),
        ] {
            let compiled = Layout::go(layout);
            assert_eq!((compiled.has_date(), compiled.has_year(), compiled.has_zone()), (date, year, zone), "{layout}");
        }
    }
}
