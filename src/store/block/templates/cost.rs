//! What bytes will cost once they are deflated, estimated: good enough to choose between encodings.
//! The unit is 1/256 of a bit.

/// One bit.
pub(super) const BIT: usize = 256;

/// Counts bytes or places; all counts are zero between calls.
pub(super) struct Entropy(Vec<u32>);

impl Entropy {
    pub(super) fn new() -> Self {
        Self(vec![0; 256])
    }

    /// The cost of bytes that occur independently of each other: what Huffman codes reach.
    pub(super) fn cost(&mut self, bytes: &[u8]) -> usize {
        for byte in bytes {
            self.0[usize::from(*byte)] += 1;
        }
        let mut cost = bytes.len() * log2(bytes.len());
        for byte in bytes {
            let count = std::mem::take(&mut self.0[usize::from(*byte)]) as usize;
            cost -= count * log2(count);
        }
        cost
    }

    /// The same for numbers below their count.
    pub(super) fn cost_of_places(&mut self, places: &[u32]) -> usize {
        if self.0.len() < places.len() {
            self.0.resize(places.len(), 0);
        }
        for place in places {
            self.0[*place as usize] += 1;
        }
        let mut cost = places.len() * log2(places.len());
        for place in places {
            let count = std::mem::take(&mut self.0[*place as usize]) as usize;
            cost -= count * log2(count);
        }
        cost
    }
}

/// The binary logarithm times 256, rounded down; of 0 it is 0.
pub(super) fn log2(n: usize) -> usize {
    let shift = (usize::BITS - n.leading_zeros()).saturating_sub(TABLE_BITS);
    usize::from(LOG2[n >> shift]) + BIT * shift as usize
}

const TABLE_BITS: u32 = 9;

static LOG2: [u16; 1 << TABLE_BITS] = {
    let mut table = [0; 1 << TABLE_BITS];
    let mut n = 1;
    while n < table.len() {
        let whole = (n as u32).ilog2();
        // The mantissa as a fraction of 2^16, between 1 and 2; each squaring yields a digit.
        let mut mantissa = (n as u64) << (16 - whole);
        let mut log = whole as u16;
        let mut digit = 0;
        while digit < 8 {
            mantissa = (mantissa * mantissa) >> 16;
            log <<= 1;
            if mantissa >= 2 << 16 {
                mantissa >>= 1;
                log |= 1;
            }
            digit += 1;
        }
        table[n] = log;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_a_hundredth() {
        for n in [1_u32, 2, 3, 7, 100, 511, 512, 1000, 123_456, 1 << 30] {
            let (exact, found) = (f64::from(n).log2() * 256.0, log2(n as usize));
            assert!((f64::from(found as u32) - exact).abs() < 2.6, "{n}: {found} instead of {exact}");
        }
        assert_eq!(log2(0), 0);
    }

    #[test]
    fn entropy_is_that_of_the_counts() {
        let mut entropy = Entropy::new();
        for _ in 0..2 {
            assert_eq!(entropy.cost(b""), 0);
            assert_eq!(entropy.cost(b"aaaaaaaa"), 0);
            assert_eq!(entropy.cost(b"abababab"), 8 * BIT);
            assert_eq!(entropy.cost(b"abcdabcd"), 16 * BIT);
            assert_eq!(entropy.cost_of_places(&[0, 1, 2, 3, 0, 1, 2, 3]), 16 * BIT);
        }
    }
}
