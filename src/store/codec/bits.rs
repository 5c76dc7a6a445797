//! Numbers of a fixed count of bits, packed behind each other, the lowest bit first.

use super::Malformed;

/// Numbers of more bits than this take 64: a number and what precedes it in its first byte are read
/// as one word.
const UNALIGNED_BITS_MAX: u32 = 57;

/// The count of bits to pack numbers up to `max` with.
pub(in crate::store) fn width(max: u64) -> u32 {
    match u64::BITS - max.leading_zeros() {
        bits if bits > UNALIGNED_BITS_MAX => 64,
        bits => bits,
    }
}

/// Bytes that `count` numbers of `bits` bits take; `None` if they are more than memory can hold.
pub(in crate::store) fn packed_bytes(count: usize, bits: u32) -> Option<usize> {
    Some(count.checked_mul(bits as usize)?.div_ceil(8))
}

/// Appends numbers that all fit `bits`, a result of [`width`].
pub(in crate::store) fn pack(values: impl Iterator<Item = u64>, bits: u32, out: &mut Vec<u8>) {
    let (mut word, mut used) = (0u128, 0);
    for value in values {
        word |= u128::from(value) << used;
        used += bits;
        while used >= 8 {
            out.push(word.to_le_bytes()[0]);
            word >>= 8;
            used -= 8;
        }
    }
    if used > 0 {
        out.push(word.to_le_bytes()[0]);
    }
}

/// Reads packed numbers one after the other.
#[derive(Clone, Debug)]
pub(in crate::store) struct Unpacker {
    at_bit: usize,
    bits: u32,
}

impl Unpacker {
    /// Numbers of `bits` bits from byte `start` on; malformed if [`width`] never gives so many.
    pub(in crate::store) fn new(start: usize, bits: u32) -> Result<Self, Malformed> {
        if bits > UNALIGNED_BITS_MAX && bits != 64 {
            return Err(Malformed("numbers of a width that is never packed"));
        }
        Ok(Self { at_bit: start * 8, bits })
    }

    /// The next number in `bytes`, which hold 8 bytes more than the packed numbers.
    #[inline]
    pub(in crate::store) fn next(&mut self, bytes: &[u8]) -> Option<u64> {
        let word: &[u8; 8] = bytes.get(self.at_bit / 8..)?.first_chunk()?;
        let value = u64::from_le_bytes(*word) >> (self.at_bit % 8);
        self.at_bit += self.bits as usize;
        Some(if self.bits == 64 { value } else { value & ((1 << self.bits) - 1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back() {
        for used in 0..=64u32 {
            let max = u64::MAX.checked_shr(64 - used).unwrap_or(0);
            let bits = width(max);
            assert!(bits >= used, "{used}");
            let values: Vec<u64> = (0..50u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & max).collect();
            let mut bytes = vec![0xaa];
            pack(values.iter().copied(), bits, &mut bytes);
            assert_eq!(Some(bytes.len() - 1), packed_bytes(values.len(), bits));
            bytes.extend([0xff; 8]);
            let mut unpacker = Unpacker::new(1, bits).unwrap();
            for value in values {
                assert_eq!(unpacker.next(&bytes), Some(value), "{used} bits");
            }
        }
        assert!(Unpacker::new(0, 58).is_err() && Unpacker::new(0, 65).is_err());
    }

    #[test]
    fn reading_beyond_the_end_gives_nothing() {
        assert_eq!(Unpacker::new(3, 7).unwrap().next(&[0; 10]), None);
        assert_eq!(packed_bytes(usize::MAX, 2), None);
    }
}
