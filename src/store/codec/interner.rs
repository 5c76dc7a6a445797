//! Distinct byte strings, numbered in the order in which they were first seen. Cleared and used
//! again, it allocates only while it grows.

use std::{hash::BuildHasher, ops::Range};

use foldhash::fast::FixedState;

/// Places of an empty table; a power of two.
const PLACES_MIN: usize = 64;

/// A set of byte strings with numbers.
pub(in crate::store) struct Interner {
    /// By hash: number and upper half of the hash; `EMPTY` where nothing is. At most half full.
    places: Vec<(u32, u32)>,
    bytes: Vec<u8>,
    /// Where each string ends in `bytes`.
    ends: Vec<u32>,
    hasher: FixedState,
}

const EMPTY: u32 = u32::MAX;

impl Interner {
    pub(in crate::store) fn new() -> Self {
        Self {
            places: vec![(EMPTY, 0); PLACES_MIN],
            bytes: Vec::new(),
            ends: Vec::new(),
            hasher: FixedState::default(),
        }
    }

    /// Forgets all strings, in time that grows with their number.
    pub(in crate::store) fn clear(&mut self) {
        self.places.truncate(PLACES_MIN);
        self.places.fill((EMPTY, 0));
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many distinct strings there are.
    pub(in crate::store) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all strings.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The string of a number that [`Interner::intern`] gave.
    pub(in crate::store) fn get(&self, number: usize) -> &[u8] {
        &self.bytes[self.range(number)]
    }

    fn range(&self, number: usize) -> Range<usize> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
        start..self.ends[number] as usize
    }

    /// The number of a string, which is added if it is new.
    pub(in crate::store) fn intern(&mut self, string: &[u8]) -> u32 {
        let (mut at, tag) = self.place(string);
        let mask = self.places.len() - 1;
        loop {
            let (number, known) = self.places[at];
            if number == EMPTY {
                break;
            }
            if known == tag && self.get(number as usize) == string {
                return number;
            }
            at = (at + 1) & mask;
        }
        let number = index(self.ends.len());
        self.bytes.extend_from_slice(string);
        self.ends.push(index(self.bytes.len()));
        self.places[at] = (number, tag);
        if self.ends.len() * 2 > self.places.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let len = self.places.len() * 4;
        self.places.clear();
        self.places.resize(len, (EMPTY, 0));
        for number in 0..self.ends.len() {
            let (mut at, tag) = self.place(self.get(number));
            while self.places[at].0 != EMPTY {
                at = (at + 1) & (len - 1);
            }
            self.places[at] = (index(number), tag);
        }
    }

    /// Where to look for a string first, and what tells it from most others.
    #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
    fn place(&self, string: &[u8]) -> (usize, u32) {
        let hash = self.hasher.hash_one(string);
        (hash as usize & (self.places.len() - 1), (hash >> 32) as u32)
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("the strings of a block stay below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_keep_their_numbers_while_the_table_grows() {
        let mut interner = Interner::new();
        for round in 0..2 {
            for n in 0..5000u32 {
                assert_eq!(interner.intern(n.to_string().as_bytes()), n, "round {round}");
            }
        }
        assert_eq!((interner.len(), interner.get(4321)), (5000, &b"4321"[..]));
        assert_eq!((interner.intern(b""), interner.get(5000)), (5000, &b""[..]));
        interner.clear();
        assert_eq!((interner.len(), interner.intern(b"7")), (0, 0));
        assert_eq!(interner.get(0), b"7");
    }
}
