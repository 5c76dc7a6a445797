//! LEB128 numbers (as in DWARF and protobuf), zigzag for signed ones, and length-prefixed bytes.

use super::Malformed;

/// Appends a number, seven bits per byte, the lowest first.
pub(in crate::store) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a length and that many bytes.
pub(in crate::store) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Maps small numbers of either sign to small unsigned ones.
pub(in crate::store) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(in crate::store) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Reads what the functions above wrote.
#[derive(Clone, Debug)]
pub(in crate::store) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::store) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::store) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::store) fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed("ends early"))?;
        self.0 = rest;
        Ok(*first)
    }

    #[inline]
    pub(in crate::store) fn u64(&mut self) -> Result<u64, Malformed> {
        match self.0 {
            [first @ ..0x80, rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(*first))
            }
            _ => self.long_u64(),
        }
    }

    /// A number of several bytes: up to eight at once, by moving the groups of seven bits together.
    fn long_u64(&mut self) -> Result<u64, Malformed> {
        if let Some(word) = self.0.first_chunk() {
            let word = u64::from_le_bytes(*word);
            let last = !word & 0x8080_8080_8080_8080;
            if last != 0 {
                let bits = last.trailing_zeros() + 1;
                self.0 = &self.0[bits as usize / 8..];
                let groups = word & (u64::MAX >> (u64::BITS - bits)) & 0x7f7f_7f7f_7f7f_7f7f;
                let pairs = (groups & 0x007f_007f_007f_007f) | ((groups & 0x7f00_7f00_7f00_7f00) >> 1);
                let fours = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
                return Ok((fours & 0x0fff_ffff) | ((fours & 0x0fff_ffff_0000_0000) >> 4));
            }
        }
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("number over 64 bits"))
    }

    pub(in crate::store) fn u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.u64()?).map_err(|_| Malformed("number over 32 bits"))
    }

    /// A count of things of which each takes at least one byte of what is left: bounds allocations.
    pub(in crate::store) fn count(&mut self) -> Result<usize, Malformed> {
        match usize::try_from(self.u64()?) {
            Ok(count) if count <= self.0.len() => Ok(count),
            _ => Err(Malformed("count beyond the end")),
        }
    }

    pub(in crate::store) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.size()?;
        self.take(len)
    }

    /// A number of bytes, as large as memory may be.
    pub(in crate::store) fn size(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u64()?).map_err(|_| Malformed("length over the address space"))
    }

    /// The next `len` bytes.
    pub(in crate::store) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(Malformed("length beyond the end"))?;
        self.0 = rest;
        Ok(head)
    }

    pub(in crate::store) fn str(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("text that is no UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_cut_ones_are_malformed() {
        let powers = (0..64).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) | 0x55]);
        for value in powers.chain([u64::MAX - 1, u64::MAX]) {
            let mut bytes = Vec::new();
            put_u64(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).u64(), Ok(value));
            assert!(Reader::new(&bytes[..bytes.len() - 1]).u64().is_err(), "{value} cut");
            bytes.extend([0xff; 8]);
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.u64(), reader.len()), (Ok(value), 8), "{value} with bytes behind it");
        }
        assert!(Reader::new(&[0xff; 10]).u64().is_err(), "more than 64 bits");
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed_and_allocates_nothing() {
        let mut bytes = Vec::new();
        put_u64(&mut bytes, u64::MAX);
        assert!(Reader::new(&bytes).bytes().is_err());
        assert!(Reader::new(&bytes).count().is_err());
    }
}
