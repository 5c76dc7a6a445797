//! Forms of digits: ISO 8601 and its relatives, the same behind one word, and klog.

use crate::collect::timestamp::{
    civil::{Reading, Wall},
    scan::Scan,
};

/// Bytes in which the word before a date must end.
const WORD_BYTES_MAX: usize = 64;

/// `2026-11-22T10:00:00.123+01:00` with all that is seen in the wild: a blank (apt: two) instead of
/// the `T`, a comma before the fraction, no seconds, no zone or one after a blank, slashes, and a
/// bracket before it.
pub(super) fn bare(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.eat(b'[');
    date_and_time(scan).map(Reading::Wall)
}

/// The same behind the first word: `update-alternatives 2026-11-22 10:00:00:`.
pub(super) fn behind_word(line: &[u8]) -> Option<Reading> {
    let head = line.get(..WORD_BYTES_MAX).unwrap_or(line);
    let blank = memchr::memchr(b' ', head).filter(|&blank| blank > 0)?;
    bare(&mut Scan::new(&line[blank + 1..]))
}

/// A date with a time of day.
pub(super) fn date_and_time(scan: &mut Scan<'_>) -> Option<Wall> {
    let year = scan.four()?;
    let separator = scan.eat_if(|byte| matches!(byte, b'-' | b'/'))?;
    let month = scan.two()?;
    scan.expect(separator)?;
    let day = scan.two()?;
    if scan.eat(b' ') {
        scan.eat(b' ');
    } else {
        scan.eat_if(|byte| matches!(byte, b'T' | b't'))?;
    }
    let time = scan.time_of_day_or_minute()?;
    let offset_s = scan.zone();
    let wall = Wall { year: Some(year), month, day, time, offset_s };
    scan.at_boundary().then_some(wall)
}

/// `I1122 10:00:00.123456   1 main.go:1]`: severity, month and day, no year. See
/// <https://github.com/kubernetes/klog>, `klog.go`, `formatHeader`.
pub(super) fn klog(scan: &mut Scan<'_>) -> Option<Reading> {
    scan.eat_if(|byte| matches!(byte, b'I' | b'W' | b'E' | b'F'))?;
    let month = scan.two()?;
    let day = scan.two()?;
    scan.expect(b' ')?;
    let time = scan.time_of_day()?;
    scan.at_boundary().then_some(Reading::Wall(Wall { year: None, month, day, time, offset_s: None }))
}
