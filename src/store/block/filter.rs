//! The skip filter of a block: which sequences of four bytes its lines hold, as a bitmap with one hash.
//! It never denies what a line holds; it errs only in the other direction.
//!
//! Layout: a power of two of bytes, from 8 to 8,192. For each four bytes in a row of a line, taken as a
//! little-endian number `g`, bit `h % 8` of byte `h / 8` is set, where `h` is the low end, as many bits
//! as the bitmap needs, of `(g | 0x20202020) * 0x9e3779b97f4a7c15 mod 2^64 / 2^46`. Setting these bits
//! makes ASCII letters of either case equal. No sequence crosses the end of a line.

use crate::labels::Entries;

/// Bytes of a sequence.
const GRAM_BYTES: usize = 4;
/// Distinct sequences are counted in a bitmap of so many bits.
const SCRATCH_BITS: u32 = 18;
const SCRATCH_WORDS: usize = 1 << (SCRATCH_BITS - 6);
/// More than this would not skip enough blocks to pay for its place on the disk.
const FILTER_BYTES_MAX: usize = 8 << 10;
const WORD_BYTES: usize = 8;

/// Builds filters; the scratch bitmap is kept from block to block.
pub(super) struct FilterBuilder(Box<[u64]>);

impl FilterBuilder {
    pub(super) fn new() -> Self {
        Self(vec![0; SCRATCH_WORDS].into_boxed_slice())
    }

    /// Appends the filter of all lines to `out`; nothing if no line has four bytes.
    pub(super) fn put(&mut self, entries: &Entries, out: &mut Vec<u8>) {
        let bitmap: &mut [u64; SCRATCH_WORDS] = (&mut *self.0).try_into().expect("its length is constant");
        bitmap.fill(0);
        let text = entries.text();
        let mut start = 0;
        for end in entries.ends() {
            for gram in text[start..*end as usize].windows(GRAM_BYTES) {
                let hash = hash(gram);
                bitmap[hash / 64] |= 1 << (hash % 64);
            }
            start = *end as usize + 1;
        }
        let distinct: usize = bitmap.iter().map(|word| word.count_ones() as usize).sum();
        if distinct == 0 {
            return;
        }
        // Two bits for each sequence, more or less as powers of two have it.
        let bytes = (distinct * 2 / 8 * 3 / 4).next_power_of_two().clamp(WORD_BYTES, FILTER_BYTES_MAX);
        let (filter, rest) = bitmap.split_at_mut(bytes / WORD_BYTES);
        for part in rest.chunks_exact(filter.len()) {
            for (word, more) in filter.iter_mut().zip(part) {
                *word |= more;
            }
        }
        out.extend(filter.iter().flat_map(|word| word.to_le_bytes()));
    }
}

/// Whether a line of the filter's block may hold `needle`, in any case of its ASCII letters. Always
/// true for a needle of less than four bytes, and for a filter that is none.
pub(in crate::store) fn may_contain(filter: &[u8], needle: &[u8]) -> bool {
    if !filter.len().is_power_of_two() || filter.len() > FILTER_BYTES_MAX {
        return true;
    }
    let mask = filter.len() * 8 - 1;
    needle.windows(GRAM_BYTES).all(|gram| {
        let hash = hash(gram) & mask;
        filter[hash / 8] & 1 << (hash % 8) != 0
    })
}

#[inline]
fn hash(gram: &[u8]) -> usize {
    let gram = u64::from(u32::from_le_bytes([gram[0], gram[1], gram[2], gram[3]]) | 0x2020_2020);
    (gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SCRATCH_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{Random, log_entries, odd_entries, random_entries},
        *,
    };

    fn filter_of(entries: &Entries) -> Vec<u8> {
        let mut filter = Vec::new();
        FilterBuilder::new().put(entries, &mut filter);
        filter
    }

    #[test]
    fn what_a_line_holds_is_never_denied() {
        let mut random = Random(1);
        let mut blocks = vec![odd_entries(), log_entries(3000)];
        blocks.extend((0..50).map(|round| random_entries(&mut random, round)));
        for entries in blocks {
            let filter = filter_of(&entries);
            for _ in 0..500 {
                let line = entries.line(random.below(entries.len()));
                let start = random.below(line.len() + 1);
                let needle = &line[start..start + random.below((line.len() - start).min(40) + 1)];
                for needle in [needle.to_vec(), needle.to_ascii_uppercase(), needle.to_ascii_lowercase()] {
                    assert!(may_contain(&filter, &needle), "{}", needle.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn most_of_what_no_line_holds_is_denied() {
        let filter = filter_of(&log_entries(3000));
        assert!(filter.len() <= FILTER_BYTES_MAX && filter.len().is_power_of_two());
        let mut random = Random(2);
        let passed = (0..1000).filter(|_| may_contain(&filter, format!("{:016x}", random.next()).as_bytes())).count();
        assert!(passed < 50, "{passed} of 1000");
        // Each of the four bytes counts.
        let ones: u32 = filter.iter().map(|byte| byte.count_ones()).sum();
        let expected = 1024 * ones as usize / (filter.len() * 8);
        for place in 0..GRAM_BYTES {
            let grams = (0..8).flat_map(|other| (0..128).map(move |byte: u8| (other, byte)));
            let passed = grams.filter(|(other, byte)| {
                let mut gram = [b'@'; GRAM_BYTES];
                gram[place] = 0x80 | byte;
                gram[(place + 1) % GRAM_BYTES] = 0x80 | other;
                may_contain(&filter, &gram)
            });
            let passed = passed.count();
            assert!(passed.abs_diff(expected) < expected / 3, "{passed}, expected {expected}, byte {place}");
        }
        assert!(may_contain(&filter, b"zzz"), "too short to tell");
    }

    #[test]
    fn no_sequence_crosses_the_end_of_a_line() {
        let mut entries = Entries::new();
        let set = entries.intern(&crate::labels::LabelSet::default());
        entries.push(1, b"abcd", set);
        entries.push(2, b"efgh", set);
        let filter = filter_of(&entries);
        let ones: u32 = filter.iter().map(|byte| byte.count_ones()).sum();
        assert_eq!((filter.len(), ones), (WORD_BYTES, 2));
    }

    #[test]
    fn a_block_of_short_lines_has_no_filter_and_no_filter_denies_nothing() {
        let mut entries = Entries::new();
        let set = entries.intern(&crate::labels::LabelSet::default());
        entries.push(1, b"abc", set);
        assert_eq!(filter_of(&entries), b"");
        assert!(may_contain(b"", b"abcdef") && may_contain(&[0; 9], b"abcdef"));
    }
}
