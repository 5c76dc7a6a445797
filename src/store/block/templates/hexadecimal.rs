//! Hexadecimal digits in lower case, two in a byte, the first in the upper half.

/// The two digits of each byte.
pub(super) static PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    pairs
};

/// Appends digits; the last one of an odd number has a byte for itself.
pub(super) fn put(digits: &[u8], out: &mut Vec<u8>) {
    out.extend(digits.chunks(2).map(|pair| value(pair[0]) << 4 | pair.get(1).map_or(0, |low| value(*low))));
}

/// Whether `packed` may hold some digits in a row, wherever a byte begins. Always true for fewer than four.
pub(in super::super) fn may_contain(packed: &[u8], digits: &[u8]) -> bool {
    digits.len() < 4 || begins_byte(packed, None, digits) || begins_byte(packed, Some(digits[0]), &digits[1..])
}

/// Whether the first of some digits begins a byte, and the digit before it, if any, ends the byte before.
fn begins_byte(packed: &[u8], before: Option<u8>, digits: &[u8]) -> bool {
    let (pairs, last) = digits.as_chunks::<2>();
    let whole: Vec<u8> = pairs.iter().map(|[high, low]| value(*high) << 4 | value(*low)).collect();
    memchr::memmem::find_iter(packed, &whole).any(|at| {
        let fits_before =
            before.is_none_or(|digit| at.checked_sub(1).is_some_and(|at| packed[at] & 0xf == value(digit)));
        let behind = packed.get(at + whole.len());
        fits_before && last.iter().all(|digit| behind.is_some_and(|byte| byte >> 4 == value(*digit)))
    })
}

fn value(digit: u8) -> u8 {
    if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_found_wherever_a_byte_begins() {
        let mut packed = Vec::new();
        for value in ["0123456789abcdef", "fedcba9", "00000", "deadbeef"] {
            put(value.as_bytes(), &mut packed);
            for start in 0..value.len() {
                for end in start..=value.len() {
                    assert!(may_contain(&packed, &value.as_bytes()[start..end]), "{start}..{end} of {value}");
                }
            }
        }
        for absent in ["1324", "bcdea", "beefd", "9876", "00001", "deadbeed", "cafe"] {
            assert!(!may_contain(&packed, absent.as_bytes()), "{absent}");
        }
        assert!(may_contain(&packed, b"aaa"), "too short to tell");
        assert!(!may_contain(b"", b"aaaa") && !may_contain(b"\x12", b"1234"));
    }
}
