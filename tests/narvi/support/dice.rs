//! Random numbers: xorshift64*, seeded by the clock, since the moments that a test tries should differ from run to run.

use std::hint;

use super::push::now_ns;

/// A source of random numbers.
pub(crate) struct Dice(u64);

impl From<usize> for Dice {
    fn from(seed: usize) -> Self {
        Self(seed as u64 | 1)
    }
}

impl Dice {
    pub(crate) fn new() -> Self {
        Self(now_ns().unsigned_abs() | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 1).unwrap() % end
    }

    /// Lets a random moment pass, of up to about a millisecond.
    pub(crate) fn spin(&mut self) {
        for _ in 0..self.below(100_000) {
            hint::spin_loop();
        }
    }
}
