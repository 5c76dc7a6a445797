//! The skip filter of a block: which sequences of four bytes its lines hold, as a bitmap with one hash.
//! It never denies what a line holds; it errs only in the other direction.
//!
//! Layout: one byte, which kinds of sequences are not recorded (bit 0: four decimal digits; bit 1: four
//! hexadecimal digits that are not all decimal), then a bitmap of 1 to 8,192 bytes. For each four bytes in a
//! row of a line, taken as a little-endian number `g`, let `h` be the upper 18 bits of `(g | 0x20202020) *
//! 0x9e3779b97f4a7c15 mod 2^64`: of the `n` bits of the bitmap, bit `h * n / 2^18` is set. Setting these bits
//! of `g` makes ASCII letters of either case equal. No sequence crosses the end of a line.
//!
//! There are only 10,000 sequences of decimal digits, and 55,536 others of hexadecimal ones. A block with
//! many ids holds so many of them that they tell little, while they crowd the bitmap for all others.

/// Bytes of a sequence.
pub(super) const GRAM_BYTES: usize = 4;
/// Distinct sequences are counted in a bitmap of so many bits.
const SCRATCH_BITS: u32 = 18;
const SCRATCH_WORDS: usize = 1 << (SCRATCH_BITS - 6);
/// More than this would not skip enough blocks to pay for its place on the disk.
const BITMAP_BYTES_MAX: usize = 8 << 10;
/// Bits of the bitmap for four distinct sequences: 0.44 of the bits are set.
const BITS_PER_FOUR_GRAMS: usize = 7;

/// Sequences of four decimal digits are not recorded.
const DECIMAL: u8 = 1;
/// More of them than this tell too little.
const DECIMAL_MAX: usize = 10_000 / 8 * 7;
/// Sequences of four hexadecimal digits that are not all decimal are not recorded.
const HEXADECIMAL: u8 = 2;
const HEXADECIMAL_MAX: usize = 55_536 / 2;
const HEXADECIMAL_WORDS: usize = 1 << (4 * GRAM_BYTES - 6);

/// Builds filters; the scratch bitmap is kept from block to block.
pub(super) struct FilterBuilder {
    /// Sequences by their hash, and behind them those of hexadecimal digits by what they are.
    scratch: Box<[u64; SCRATCH_WORDS + HEXADECIMAL_WORDS]>,
}

impl FilterBuilder {
    pub(super) fn new() -> Self {
        let scratch = vec![0; SCRATCH_WORDS + HEXADECIMAL_WORDS].into_boxed_slice();
        Self { scratch: scratch.try_into().expect("its length is constant") }
    }

    /// Marks the sequences of a line, or of a piece of one.
    pub(super) fn mark(&mut self, piece: &[u8]) {
        let (first, rest) = piece.split_at(piece.len().min(GRAM_BYTES - 1));
        let mut window = Window::default();
        for byte in first {
            window.push(*byte);
        }
        for byte in rest {
            window.push(*byte);
            let place = window.place();
            self.scratch[place / 64] |= 1 << (place % 64);
        }
    }

    /// Appends the filter of all that was marked to `out`, nothing if nothing was, and begins anew.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let left_out = self.sort_out();
        let distinct: usize = self.scratch[..SCRATCH_WORDS].iter().map(|word| word.count_ones() as usize).sum();
        if distinct > 0 || left_out > 0 {
            let bytes = (distinct * BITS_PER_FOUR_GRAMS).div_ceil(4 * 8).clamp(1, BITMAP_BYTES_MAX);
            out.push(left_out);
            let start = out.len();
            out.resize(start + bytes, 0);
            let bitmap = &mut out[start..];
            for hash in marked(&self.scratch[..SCRATCH_WORDS]) {
                let place = place(hash, bytes);
                bitmap[place / 8] |= 1 << (place % 8);
            }
        }
        self.scratch.fill(0);
    }

    /// Joins the sequences of hexadecimal digits with the others, unless there are too many to be of use: seven
    /// eighths of the decimal ones, half of the others. Returns the kinds that are left out.
    fn sort_out(&mut self) -> u8 {
        let (hashes, hexadecimal) = self.scratch.split_at_mut(SCRATCH_WORDS);
        let is_decimal = |digits: usize| (0..GRAM_BYTES).all(|place| digits >> (4 * place) & 0xf < 10);
        let (mut decimal, mut others) = (0, 0);
        for digits in marked(hexadecimal) {
            if is_decimal(digits) {
                decimal += 1;
            } else {
                others += 1;
            }
        }
        let mut left_out = 0;
        if decimal > DECIMAL_MAX {
            left_out |= DECIMAL;
        }
        if others > HEXADECIMAL_MAX {
            left_out |= HEXADECIMAL;
        }
        for digits in marked(hexadecimal) {
            let kind = if is_decimal(digits) { DECIMAL } else { HEXADECIMAL };
            if kind & left_out == 0 {
                let gram = [3, 2, 1, 0].map(|place| b"0123456789abcdef"[digits >> (4 * place) & 0xf]);
                let hash = hash(u32::from_le_bytes(gram));
                hashes[hash / 64] |= 1 << (hash % 64);
            }
        }
        left_out
    }
}

/// The places of the bits that are set.
fn marked(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(at, word)| {
        let mut left = *word;
        std::iter::from_fn(move || {
            let place = at * 64 + left.trailing_zeros() as usize;
            (left != 0).then(|| left &= left - 1).map(|()| place)
        })
    })
}

/// The last four bytes of a line so far.
#[derive(Default)]
struct Window {
    bytes: u32,
    /// The values of the hexadecimal digits, four bits each, the last one lowest.
    digits: usize,
    /// Which bytes are no hexadecimal digit, one bit each.
    others: u32,
}

impl Window {
    #[inline]
    fn push(&mut self, byte: u8) {
        let digit = DIGIT[usize::from(byte)];
        self.bytes = self.bytes >> 8 | u32::from(byte) << 24;
        self.digits = self.digits << 4 | usize::from(digit & 0xf);
        self.others = self.others << 1 | u32::from(digit >> 4);
    }

    /// Where the sequence has its mark in the scratch bitmap.
    #[inline]
    fn place(&self) -> usize {
        let digits = SCRATCH_WORDS * 64 + (self.digits & 0xffff);
        let hash = hash(self.bytes);
        if self.others.trailing_zeros() >= 4 { digits } else { hash }
    }
}

/// The value of each hexadecimal digit; 16 for any other byte.
static DIGIT: [u8; 256] = {
    let mut digit = [16; 256];
    let digits = b"0123456789abcdef";
    let mut value = 0u8;
    while value < 16 {
        digit[digits[value as usize] as usize] = value;
        digit[digits[value as usize].to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    digit
};

/// Whether a line of the filter's block may hold `needle`, in any case of its ASCII letters. Always
/// true for a needle of less than four bytes, and for a filter that is none.
pub(in crate::store) fn may_contain(filter: &[u8], needle: &[u8]) -> bool {
    let Some((left_out, bitmap)) = filter.split_first() else { return true };
    if bitmap.is_empty() || bitmap.len() > BITMAP_BYTES_MAX {
        return true;
    }
    needle.windows(GRAM_BYTES).all(|gram| {
        let place = place(hash(u32::from_le_bytes([gram[0], gram[1], gram[2], gram[3]])), bitmap.len());
        bitmap[place / 8] & 1 << (place % 8) != 0 || kind(gram) & left_out != 0
    })
}

#[inline]
fn hash(gram: u32) -> usize {
    let gram = u64::from(gram | 0x2020_2020);
    (gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SCRATCH_BITS)) as usize
}

/// Where a hash has its bit in a bitmap of so many bytes.
fn place(hash: usize, bytes: usize) -> usize {
    (hash * bytes * 8) >> SCRATCH_BITS
}

/// Which kind a sequence is of that may be left out; 0 if of none.
fn kind(gram: &[u8]) -> u8 {
    if !gram.iter().all(u8::is_ascii_hexdigit) {
        0
    } else if gram.iter().all(u8::is_ascii_digit) {
        DECIMAL
    } else {
        HEXADECIMAL
    }
}

#[cfg(test)]
mod tests {
    use crate::labels::Entries;

    use super::{
        super::samples::{Random, log_entries, odd_entries, random_entries},
        *,
    };

    fn filter_of(entries: &Entries) -> Vec<u8> {
        let (mut builder, mut filter) = (FilterBuilder::new(), Vec::new());
        for at in 0..entries.len() {
            builder.mark(entries.line(at));
        }
        builder.finish(&mut filter);
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
        assert!(filter.len() <= 1 + BITMAP_BYTES_MAX && filter[0] == 0, "{}", filter[0]);
        let mut random = Random(2);
        let passed = (0..1000).filter(|_| may_contain(&filter, format!("{:016x}", random.next()).as_bytes())).count();
        assert!(passed < 50, "{passed} of 1000");
        // Each of the four bytes counts.
        let ones: u32 = filter.iter().map(|byte| byte.count_ones()).sum();
        let expected = 1024 * ones as usize / ((filter.len() - 1) * 8);
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
        assert_eq!((filter.len(), ones), (2, 2));
    }

    #[test]
    fn a_block_of_short_lines_has_no_filter_and_no_filter_denies_nothing() {
        let mut entries = Entries::new();
        let set = entries.intern(&crate::labels::LabelSet::default());
        entries.push(1, b"abc", set);
        assert_eq!(filter_of(&entries), b"");
        assert!(may_contain(b"", b"abcdef") && may_contain(b"\0", b"abcdef"));
        assert!(may_contain(&[0; BITMAP_BYTES_MAX + 2], b"abcdef") && !may_contain(&[0; 9], b"abcdef"));
    }

    /// A block of ids holds nearly all sequences of digits: they are left out, and all other text is still told apart.
    #[test]
    fn digits_of_which_there_are_too_many_are_left_out() {
        let mut random = Random(4);
        let mut filter_of_ids = |id: fn(u64) -> String| {
            let mut entries = Entries::new();
            let set = entries.intern(&crate::labels::LabelSet::default());
            for n in 0..9000 {
                entries.push(n, format!("id {}", id(random.next())).as_bytes(), set);
            }
            filter_of(&entries)
        };
        for (id, left_out, len_max, needle, other) in [
            ((|n| format!("{}", n % 10_000_000_000)) as fn(u64) -> String, DECIMAL, 250, "12345678", "abcdef"),
            (|n| format!("{n:016x}"), HEXADECIMAL, 4000, "c0ffee11", "12 34 56"),
            (|n| format!("{}", n % 50), 0, 40, "id 4", "12345678"),
        ] {
            let filter = filter_of_ids(id);
            assert_eq!(filter[0], left_out);
            assert!(filter.len() < len_max, "{}", filter.len());
            assert!(may_contain(&filter, needle.as_bytes()), "{needle}");
            assert!(!may_contain(&filter, other.as_bytes()), "{other}");
        }
    }
}
