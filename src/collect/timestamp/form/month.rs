//! Forms with the name of the month: RFC 3164, ctime, Apache's logs, redis, and all that write
//! day, month and year.

use crate::collect::timestamp::{
    civil::{Reading, Wall},
    scan::Scan,
};

/// Bytes in which the time of an access log must begin: the user's name is before it.
const ACCESS_LOG_BYTES_MAX: usize = 256;
/// Digits of a process id: Linux counts to 2^22.
const PID_DIGITS_MAX: usize = 10;
/// Letters of a zone's abbreviation: POSIX promises that six are possible.
const ABBREVIATION_BYTES_MAX: usize = 6;

/// `Oct  1 22:14:15`, `Oct  1 2026 22:14:15`, `Oct  1 22:14:15 2026`, with or without a fraction.
pub(super) fn month_day(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.eat(b'[');
    month_day_time(scan).map(Reading::Wall)
}

/// `Sun Nov 22 10:00:00.123456 2026`, `Sun Nov 22 10:00:00 CET 2026`, `Sun, 22 Nov 2026 10:00:00 +0100`.
pub(super) fn weekday(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.eat(b'[');
    scan.weekday_name()?;
    scan.eat(b',');
    scan.expect(b' ')?;
    let mut day_first = *scan;
    month_day_time(scan).or_else(|| date_and_time(&mut day_first)).map(Reading::Wall)
}

/// `22-Nov-2026 10:00:00.123`, `[22/Nov/2026:10:00:00 +0100]`, `22 Nov 2026 10:00:00`.
pub(super) fn day_month_year(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.eat(b'[');
    date_and_time(scan).map(Reading::Wall)
}

/// `1:M 22 Nov 2026 10:00:00.123 *`; before redis 5 there was no year.
pub(super) fn redis(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.run(PID_DIGITS_MAX, u8::is_ascii_digit);
    scan.expect(b':')?;
    scan.eat_if(|byte| byte.is_ascii_uppercase())?;
    scan.expect(b' ')?;
    let mut yearless = *scan;
    date_and_time(scan).or_else(|| day_month_time(&mut yearless)).map(Reading::Wall)
}

/// `10.0.0.1 - - [22/Nov/2026:10:00:00 +0100] "GET`: the first bracket behind a blank that holds a date.
pub(super) fn common_log(line: &[u8]) -> Option<Reading> {
    let head = line.get(..ACCESS_LOG_BYTES_MAX).unwrap_or(line);
    memchr::memchr_iter(b'[', head)
        .filter(|&bracket| bracket > 0 && line[bracket - 1] == b' ')
        .find_map(|bracket| date_and_time(&mut Scan::new(&line[bracket + 1..])))
        .map(Reading::Wall)
}

fn month_day_time(scan: &mut Scan<'_>) -> Option<Wall> {
    let month = scan.month_name()?;
    scan.expect(b' ')?;
    let day = scan.day()?;
    scan.expect(b' ')?;
    let mut ahead = *scan;
    let year_before = ahead.four().filter(|_| ahead.eat(b' '));
    if year_before.is_some() {
        *scan = ahead;
    }
    let time = scan.time_of_day()?;
    let offset_s = scan.zone();
    if !scan.at_boundary() {
        return None;
    }
    let year = year_before.or_else(|| year_behind(scan));
    Some(Wall { year, month, day, time, offset_s })
}

/// The year behind a time of day, perhaps with the zone's abbreviation before it. The word there is
/// often a host name, so only this century's and the last years of the one before count.
fn year_behind(scan: &mut Scan<'_>) -> Option<i32> {
    scan.expect(b' ')?;
    if scan.run(ABBREVIATION_BYTES_MAX, u8::is_ascii_uppercase) > 0 {
        scan.expect(b' ')?;
    }
    let year = scan.four().filter(|year| (1990..2100).contains(year))?;
    matches!(scan.peek(), None | Some(b' ' | b':' | b']' | b',')).then_some(year)
}

/// Day, month and year, joined by `/`, `-` or blanks, and the time of day behind a blank or a colon.
fn date_and_time(scan: &mut Scan<'_>) -> Option<Wall> {
    let day = scan.day()?;
    let separator = scan.eat_if(|byte| matches!(byte, b'/' | b'-' | b' '))?;
    let month = scan.month_name()?;
    scan.expect(separator)?;
    let year = scan.four()?;
    scan.eat_if(|byte| matches!(byte, b' ' | b':'))?;
    let time = scan.time_of_day()?;
    let offset_s = scan.zone();
    scan.at_boundary().then_some(Wall { year: Some(year), month, day, time, offset_s })
}

/// `22 Nov 10:00:00.123`.
fn day_month_time(scan: &mut Scan<'_>) -> Option<Wall> {
    let day = scan.day()?;
    scan.expect(b' ')?;
    let month = scan.month_name()?;
    scan.expect(b' ')?;
    let time = scan.time_of_day()?;
    scan.at_boundary().then_some(Wall { year: None, month, day, time, offset_s: None })
}
