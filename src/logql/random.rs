//! Random input for tests: deterministic, so that a failure can be repeated.

/// A generator (xorshift64*).
pub(super) struct Random(u64);

impl Random {
    /// A generator that gives the same sequence every time.
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    /// One of `items`.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    /// Up to `most` of `pieces`, one behind the other.
    pub(super) fn text(&mut self, pieces: &[&str], most: u64) -> String {
        (0..self.below(most + 1)).map(|_| self.pick(pieces)).collect()
    }
}
