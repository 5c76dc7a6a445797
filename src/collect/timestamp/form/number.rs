//! Times that are counts since 1970: at a line's start, and in the Linux audit log.

use crate::collect::timestamp::{
    civil::{Reading, SECOND_NS},
    scan::Scan,
};

/// Smaller numbers at a line's start are counts of something else: 2000-01-01.
const EPOCH_MIN_NS: i64 = 946_684_800 * SECOND_NS;

/// Bytes in which the audit record's time must begin; a node's name may be before it.
const AUDIT_BYTES_MAX: usize = 64;

/// A number at the start with something behind it.
pub(super) fn epoch_at_start(scan: &mut Scan<'_>, max_ns: i64) -> Option<Reading> {
    epoch(scan, max_ns).filter(|_| matches!(scan.peek(), Some(b' ' | b'\t' | b':')))
}

/// Seconds (10 digits, perhaps a fraction), milliseconds (13), microseconds (16) or nanoseconds (19)
/// since 1970, if that is between 2000 and `max_ns`.
pub(super) fn epoch(scan: &mut Scan<'_>, max_ns: i64) -> Option<Reading> {
    let digits = scan.rest().iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    let unit_ns: u64 = match digits {
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return None,
    };
    let count = count(scan, digits);
    let fraction_ns = if digits == 10 { scan.fraction()? } else { 0 };
    // Below 10^19 in every unit, which 64 bits hold without a sign.
    let ns = i64::try_from(count * unit_ns).ok()?.checked_add(i64::from(fraction_ns))?;
    (EPOCH_MIN_NS..=max_ns).contains(&ns).then_some(Reading::Instant(ns))
}

/// `type=SYSCALL msg=audit(1364481363.243:24287):`. The kernel writes no other number there, so
/// that any second of ten digits is a time.
pub(super) fn audit(line: &[u8]) -> Option<Reading> {
    const MARK: &[u8] = b"msg=audit(";
    let head = line.get(..AUDIT_BYTES_MAX).unwrap_or(line);
    let mark = memchr::memchr_iter(b'm', head).find(|&at| line[at..].starts_with(MARK))?;
    let mut scan = Scan::new(&line[mark + MARK.len()..]);
    let reading = epoch(&mut scan, i64::MAX)?;
    scan.eat(b':').then_some(reading)
}

/// At most 19 digits, which are known to be there.
fn count(scan: &mut Scan<'_>, digits: usize) -> u64 {
    let count = scan.rest().iter().take(digits).fold(0, |count, byte| count * 10 + u64::from(byte - b'0'));
    scan.skip(digits);
    count
}
