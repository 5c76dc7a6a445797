//! Decimal numbers as logs write them: either plain, without leading zeros, or padded with zeros to
//! one width.

/// Digits of the longest number that is taken as one: all of them fit 64 bits.
pub(in crate::store) const DIGITS_MAX: usize = 19;

/// The number that up to [`DIGITS_MAX`] ASCII digits write.
pub(in crate::store) fn parse(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit & 0xf))
}

/// Whether digits are written without leading zeros.
pub(in crate::store) fn is_plain(digits: &[u8]) -> bool {
    digits.len() == 1 || digits[0] != b'0'
}

/// Bytes behind a number that writing it may change.
const SLACK_BYTES: usize = 8;
const EIGHT_DIGITS: u64 = 100_000_000;

/// Writes a number to `text` at `at`, padded with zeros to `width` digits (plain if that is 0), and
/// returns where it ends. Changes up to 8 bytes behind it; `None` if `text` ends before them.
#[expect(clippy::cast_possible_truncation, reason = "the values are compared first")]
#[inline]
pub(in crate::store) fn put(value: u64, width: usize, text: &mut [u8], at: usize) -> Option<usize> {
    if value < 1000 && width <= 3 {
        let digits = if width > 0 { width } else { 1 + usize::from(value >= 10) + usize::from(value >= 100) };
        let bytes = THREE[value as usize] >> (8 * (3 - digits));
        *text.get_mut(at..)?.first_chunk_mut::<4>()? = bytes.to_le_bytes();
        Some(at + digits)
    } else if value < EIGHT_DIGITS && width <= 8 {
        let digits = if width > 0 { width } else { digits_of(value as u32) };
        put_eight(value, digits, text, at)
    } else {
        put_long(value, width, text, at)
    }
}

#[inline(never)]
fn put_long(value: u64, width: usize, text: &mut [u8], at: usize) -> Option<usize> {
    let at = put(value / EIGHT_DIGITS, width.saturating_sub(8), text, at)?;
    put_eight(value % EIGHT_DIGITS, 8, text, at)
}

/// How many digits a number of at most eight has, known before the digits are.
#[inline]
fn digits_of(value: u32) -> usize {
    let bits = u32::BITS - (value | 1).leading_zeros();
    // 1233 / 4096 is a little more than the decimal logarithm of 2.
    let digits = ((bits * 1233) >> 12) as usize;
    digits + usize::from(value >= POWERS[digits]) + usize::from(value == 0)
}

const POWERS: [u32; 10] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Writes the last `digits` of a number of at most eight, without branches and without reading what was
/// written: reading it at once, and in larger pieces than it was written in, would stall the processor.
#[inline]
fn put_eight(value: u64, digits: usize, text: &mut [u8], at: usize) -> Option<usize> {
    // Two numbers of four digits side by side, then four of two, then eight of one; each division is
    // a multiplication that is exact in its range.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    let bytes = (ones | 0x3030_3030_3030_3030) >> (8 * (8 - digits));
    *text.get_mut(at..)?.first_chunk_mut::<SLACK_BYTES>()? = bytes.to_le_bytes();
    Some(at + digits)
}

/// The three digits of each number below 1000, the first in the lowest byte.
static THREE: [u32; 1000] = {
    let mut table = [0; 1000];
    let mut value = 0;
    while value < 1000 {
        let digits = [value / 100, value / 10 % 10, value % 10];
        table[value as usize] = 0x0030_3030 | digits[0] | (digits[1] << 8) | (digits[2] << 16);
        value += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: u64, width: usize) -> String {
        let mut text = vec![b'?'; 40];
        let end = put(value, width, &mut text, 1).unwrap();
        assert!(text[0] == b'?' && text[end + SLACK_BYTES..].iter().all(|byte| *byte == b'?'));
        assert_eq!(put(value, width, &mut text[..end - 1], 1), None);
        String::from_utf8(text[1..end].to_vec()).unwrap()
    }

    #[test]
    fn numbers_come_back_as_they_were_written() {
        for text in ["0", "7", "10", "99", "100", "999", "1000", "1001", "123456", "9999999999999999999"] {
            assert!(is_plain(text.as_bytes()));
            assert_eq!(written(parse(text.as_bytes()), 0), text);
        }
        for text in ["00", "007", "0000", "01234", "0000000000000000000", "8446744073709551615"] {
            assert_eq!(written(parse(text.as_bytes()), text.len()), text);
        }
        assert_eq!(written(u64::MAX, 0), u64::MAX.to_string());
        assert!(!is_plain(b"00") && !is_plain(b"07"));
        for value in 0..1000 {
            assert_eq!((written(value, 0), written(value, 3)), (value.to_string(), format!("{value:03}")));
        }
        for value in (0..100_000_000).step_by(7919) {
            assert_eq!(written(value, 0), value.to_string());
            assert_eq!(written(value, 8), format!("{value:08}"));
        }
    }
}
