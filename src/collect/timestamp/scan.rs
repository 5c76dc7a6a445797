//! A cursor over the start of a line, and the parts that the forms share: fixed digits, names of
//! months and days, time of day, zone. It only moves forward and copies nothing.

use super::civil::TimeOfDay;

/// Digits of a fraction that are read over; a longer run is not a time.
const FRACTION_DIGITS_MAX: usize = 24;

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// Whether a text is the short name of a month.
pub(crate) fn is_month(text: &str) -> bool {
    MONTHS.iter().any(|name| name.as_slice() == text.as_bytes())
}

/// The unread rest of a line.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self(line)
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        if hit {
            self.skip(1);
        }
        hit
    }

    /// Takes the text if it is next.
    pub(super) fn eat_text(&mut self, text: &[u8]) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes `byte`, or ends the form.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    /// Takes the next byte if `wanted` likes it.
    pub(super) fn eat_if(&mut self, wanted: impl FnOnce(u8) -> bool) -> Option<u8> {
        let byte = self.peek().filter(|&byte| wanted(byte))?;
        self.skip(1);
        Some(byte)
    }

    /// Takes the bytes that `wanted` likes, at most so many, and counts them.
    pub(super) fn run(&mut self, bytes_max: usize, wanted: impl Fn(&u8) -> bool) -> usize {
        let bytes = self.0.iter().take(bytes_max).take_while(|byte| wanted(byte)).count();
        self.skip(bytes);
        bytes
    }

    /// Drops bytes, at most all.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }

    /// Exactly two digits.
    pub(super) fn two(&mut self) -> Option<u8> {
        let &[tens, ones] = self.0.first_chunk()?;
        let value = digit(tens)? * 10 + digit(ones)?;
        self.skip(2);
        Some(value)
    }

    /// Exactly four digits.
    pub(super) fn four(&mut self) -> Option<i32> {
        Some(i32::from(self.two()?) * 100 + i32::from(self.two()?))
    }

    /// The day of a month: `1`, ` 1`, `01` or `22`.
    pub(super) fn day(&mut self) -> Option<u8> {
        self.eat(b' ');
        let first = digit(self.peek()?)?;
        self.skip(1);
        let Some(second) = self.peek().and_then(digit) else {
            return Some(first);
        };
        self.skip(1);
        Some(first * 10 + second)
    }

    /// `Jan` is 1.
    pub(super) fn month_name(&mut self) -> Option<u8> {
        let name = self.0.first_chunk::<3>()?;
        let month = (1..).zip(MONTHS).find_map(|(month, known)| (known == name).then_some(month))?;
        self.skip(3);
        Some(month)
    }

    /// `Mon` to `Sun`.
    pub(super) fn weekday_name(&mut self) -> Option<()> {
        let name = self.0.first_chunk::<3>()?;
        let hit = WEEKDAYS.contains(&name);
        hit.then(|| self.skip(3))
    }

    /// `10:00:00`, with a fraction of any precision after a point or a comma; digits below the
    /// nanosecond are dropped.
    pub(super) fn time_of_day(&mut self) -> Option<TimeOfDay> {
        let hour_and_minute = self.hour_and_minute()?;
        self.expect(b':')?;
        self.seconds(hour_and_minute)
    }

    /// As above, but the seconds may be missing.
    pub(super) fn time_of_day_or_minute(&mut self) -> Option<TimeOfDay> {
        let hour_and_minute = self.hour_and_minute()?;
        if self.eat(b':') {
            self.seconds(hour_and_minute)
        } else {
            Some(TimeOfDay { second: hour_and_minute, nanos: 0 })
        }
    }

    /// The zone behind a time of day, in seconds east of UTC: `Z`, `+01:00`, `+0100`, `+01`, or
    /// after a blank `+0100`, `+01:00`, `UTC`, `GMT`, `Z`. `None` and nothing read if there is none:
    /// another abbreviation cannot be told from the line's first word.
    pub(super) fn zone(&mut self) -> Option<i32> {
        let mut ahead = *self;
        let blank = ahead.eat(b' ');
        let offset_s = if ahead.eat(b'Z') || ahead.eat(b'z') || ahead.eat_text(b"UTC") || ahead.eat_text(b"GMT") {
            if blank && !matches!(ahead.peek(), None | Some(b' ' | b':' | b']' | b',')) {
                return None;
            }
            0
        } else {
            ahead.offset(!blank)?
        };
        if !ahead.at_boundary() {
            return None;
        }
        *self = ahead;
        Some(offset_s)
    }

    /// Whether a number or word ends here.
    pub(super) fn at_boundary(&self) -> bool {
        !self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric())
    }

    /// Seconds of the day at `10:00`.
    fn hour_and_minute(&mut self) -> Option<u32> {
        let hour = self.two().filter(|&hour| hour < 24)?;
        self.expect(b':')?;
        let minute = self.two().filter(|&minute| minute < 60)?;
        Some(u32::from(hour) * 3600 + u32::from(minute) * 60)
    }

    fn seconds(&mut self, hour_and_minute: u32) -> Option<TimeOfDay> {
        let second = self.two().filter(|&second| second <= 60)?;
        Some(TimeOfDay { second: hour_and_minute + u32::from(second), nanos: self.fraction()? })
    }

    /// Nanoseconds of `.123` or `,123`; 0 and nothing read if no digit follows the point.
    pub(super) fn fraction(&mut self) -> Option<u32> {
        let &[b'.' | b',', b'0'..=b'9', ..] = self.0 else {
            return Some(0);
        };
        self.skip(1);
        let (mut nanos, mut digits) = (0, 0);
        while let Some(value) = self.peek().and_then(digit) {
            if digits < 9 {
                nanos = nanos * 10 + u32::from(value);
            }
            digits += 1;
            if digits > FRACTION_DIGITS_MAX {
                return None;
            }
            self.skip(1);
        }
        Some((digits..9).fold(nanos, |nanos, _| nanos * 10))
    }

    /// `+01:00`, `+0100` and, if `hour_alone`, `+01`.
    fn offset(&mut self, hour_alone: bool) -> Option<i32> {
        let sign = if self.eat_if(|byte| matches!(byte, b'+' | b'-'))? == b'-' { -1 } else { 1 };
        let hours = self.two().filter(|&hours| hours < 16)?;
        let colon = self.eat(b':');
        let minutes = match self.two() {
            Some(minutes) => minutes,
            None if hour_alone && !colon => 0,
            None => return None,
        };
        (minutes < 60).then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}
