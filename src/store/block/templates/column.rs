//! Writes the values of one slot over many lines in the form that is likely to be the smallest.

use super::{
    super::super::codec::{
        DIGITS_MAX, Interner, bit_width, is_plain, pack_bits, parse_decimal, put_bytes, put_u64, zigzag,
    },
    cost::{BIT, Entropy},
    hexadecimal,
    lanes::{CONSTANT, DICTIONARY, HEXADECIMAL, Lanes, PACKED, SMALL, STEPS, TEXT},
    split::{DIGIT, HEX, LETTER, OTHER, Slot},
};

/// Values from so many bytes on are worth finding again elsewhere in the block.
const WIDE_BYTES_MIN: usize = 6;
/// About what LZ77 takes to point at an earlier occurrence.
const MATCH_COST: usize = 20 * BIT;
/// About what a byte of text takes, and what describes a column.
const LETTER_COST: usize = 48 * BIT / 10;
const FORM_COST: usize = 24 * BIT;
/// Distinct values of a dictionary, so that a place in it takes two bytes.
const DICTIONARY_MAX: usize = 1 << 16;
/// So many values are looked at before a dictionary is given up.
const DICTIONARY_TRIAL: usize = 128;

/// Chooses and writes; the buffers are kept from column to column.
pub(super) struct Columns {
    seen: Seen,
    entropy: Entropy,
    numbers: Vec<u64>,
    small: Vec<u8>,
    steps: Vec<u8>,
    dictionary: Interner,
    places: Vec<u32>,
}

/// How a column is written: the kinds of `lanes` with what they need to know.
#[derive(Clone, Copy, Debug)]
enum Form {
    Constant,
    Small {
        base: u64,
        width: u8,
    },
    Steps {
        width: u8,
    },
    Packed {
        base: u64,
        width: u8,
        bits: u32,
    },
    Dictionary,
    /// `len` is that of each value, if they are equally long.
    Text {
        bytes: usize,
        len: Option<usize>,
    },
    Hexadecimal {
        digits: usize,
    },
}

/// What all values of a column have in common.
struct Shape {
    kinds: u8,
    len_min: usize,
    len_max: usize,
    bytes: usize,
    /// Wide values that occur elsewhere in the block.
    repeated: usize,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self {
            seen: Seen::new(),
            entropy: Entropy::new(),
            numbers: Vec::new(),
            small: Vec::new(),
            steps: Vec::new(),
            dictionary: Interner::new(),
            places: Vec::new(),
        }
    }

    /// Looks at all values of a block before its columns are written.
    pub(super) fn look_at(&mut self, text: &[u8], slots: impl Iterator<Item = Slot>) {
        self.seen.clear();
        for slot in slots.filter(|slot| is_wide(*slot)) {
            self.seen.add(slot.of(text));
        }
    }

    /// Writes a column that has at least one value.
    pub(super) fn put(&mut self, text: &[u8], column: &[Slot], lanes: &mut Lanes) {
        let (form, _) = self.choose(text, column);
        let layout = &mut lanes.layout;
        match form {
            Form::Constant => {
                layout.push(CONSTANT);
                put_bytes(layout, column[0].of(text));
            }
            Form::Small { base, width } => {
                layout.extend([SMALL, width]);
                put_u64(layout, base);
                lanes.numbers.extend_from_slice(&self.small);
            }
            Form::Steps { width } => {
                layout.extend([STEPS, width]);
                put_u64(layout, self.numbers[0]);
                put_u64(layout, self.steps.len() as u64);
                lanes.numbers.extend_from_slice(&self.steps);
            }
            Form::Packed { base, width, bits } => {
                layout.extend([PACKED, width]);
                put_u64(layout, base);
                layout.push(bits as u8);
                pack_bits(self.numbers.iter().map(|number| number - base), bits, &mut lanes.side);
            }
            Form::Dictionary => self.put_dictionary(lanes),
            Form::Text { bytes, len } => put_text(text, column, bytes, len, lanes),
            Form::Hexadecimal { digits } => {
                layout.push(HEXADECIMAL);
                put_u64(layout, digits as u64);
                for slot in column {
                    hexadecimal::put(slot.of(text), &mut lanes.side);
                }
            }
        }
    }

    /// About what a column costs; unit: 1/256 of a bit.
    pub(super) fn cost(&mut self, text: &[u8], column: &[Slot]) -> usize {
        self.choose(text, column).1 + FORM_COST
    }

    /// The same, if the column has few distinct values.
    pub(super) fn cost_of_few(&mut self, text: &[u8], column: &[Slot]) -> Option<usize> {
        let (form, cost) = self.choose(text, column);
        matches!(form, Form::Constant | Form::Dictionary).then_some(cost + FORM_COST)
    }

    /// The form of a column and its cost; what is to be written is left in the buffers.
    fn choose(&mut self, text: &[u8], column: &[Slot]) -> (Form, usize) {
        let first = column[0].of(text);
        if column.iter().all(|slot| slot.of(text) == first) {
            return (Form::Constant, first.len() * LETTER_COST);
        }
        let shape = self.shape(text, column);
        if shape.kinds == DIGIT
            && shape.len_max <= DIGITS_MAX
            && let Some(choice) = self.choose_number(text, column, &shape)
        {
            return choice;
        }
        let choice = self.choose_text(text, column, &shape);
        let is_hexadecimal = shape.kinds & (LETTER | OTHER) == 0 && shape.kinds & HEX != 0;
        if is_hexadecimal && shape.len_min == shape.len_max {
            let cost = column.len() * shape.len_max.next_multiple_of(2) * 4 * BIT;
            if cost < choice.1 {
                return (Form::Hexadecimal { digits: shape.len_max }, cost);
            }
        }
        choice
    }

    fn shape(&self, text: &[u8], column: &[Slot]) -> Shape {
        let (mut wide, mut repeated) = (0, 0);
        let mut shape = Shape { kinds: 0, len_min: usize::MAX, len_max: 0, bytes: 0, repeated: 0 };
        for slot in column {
            shape.kinds |= slot.kinds();
            shape.len_min = shape.len_min.min(slot.len());
            shape.len_max = shape.len_max.max(slot.len());
            shape.bytes += slot.len();
            if is_wide(*slot) {
                wide += 1;
                repeated += usize::from(self.seen.is_repeated(slot.of(text)));
            }
        }
        shape.repeated = self.seen.really(repeated, wide);
        shape
    }

    /// The form of a column of digits; `None` if they are no numbers that could be written again.
    fn choose_number(&mut self, text: &[u8], column: &[Slot], shape: &Shape) -> Option<(Form, usize)> {
        let width = if shape.len_min == shape.len_max { shape.len_max as u8 } else { 0 };
        if width == 0 && !column.iter().all(|slot| is_plain(slot.of(text))) {
            return None;
        }
        self.numbers.clear();
        self.numbers.extend(column.iter().map(|slot| parse_decimal(slot.of(text))));
        let (mut base, mut max) = (u64::MAX, 0);
        for number in &self.numbers {
            base = base.min(*number);
            max = max.max(*number);
        }
        self.steps.clear();
        for pair in self.numbers.windows(2) {
            put_u64(&mut self.steps, zigzag(pair[1].wrapping_sub(pair[0]).cast_signed()));
        }
        let steps_cost = self.entropy.cost(&self.steps);
        let choice = if max - base < 256 {
            self.small.clear();
            self.small.extend(self.numbers.iter().map(|number| (number - base) as u8));
            (Form::Small { base, width }, self.entropy.cost(&self.small))
        } else {
            let bits = bit_width(max - base);
            let packed = (Form::Packed { base, width, bits }, column.len() * bits as usize * BIT);
            let text = self.choose_text(text, column, shape);
            if text.1 < packed.1 { text } else { packed }
        };
        // Steps take longer to decode.
        let steps_pay = steps_cost + steps_cost / 16 < choice.1;
        Some(if steps_pay { (Form::Steps { width }, steps_cost) } else { choice })
    }

    /// The form of a column as a dictionary, which is left in `dictionary` and `places`, or as text.
    fn choose_text(&mut self, text: &[u8], column: &[Slot], shape: &Shape) -> (Form, usize) {
        let letter_cost = match shape.kinds & !OTHER {
            DIGIT => 37 * BIT / 10,
            kinds if kinds & LETTER == 0 && kinds != 0 => 46 * BIT / 10,
            _ => LETTER_COST,
        };
        self.dictionary.clear();
        self.places.clear();
        for slot in column {
            self.places.push(self.dictionary.intern(slot.of(text)));
            let (looked_at, distinct) = (self.places.len(), self.dictionary.len());
            if looked_at >= DICTIONARY_TRIAL && distinct > looked_at / 4 * 3 || distinct > DICTIONARY_MAX {
                break; // values of which most are distinct, or too many
            }
        }
        let (looked_at, distinct) = (self.places.len(), self.dictionary.len());
        let repeated = (column.len() * (looked_at - distinct) / looked_at).max(shape.repeated).min(column.len());
        let repeated_bytes = shape.bytes * repeated / column.len();
        let is_fixed = shape.len_min == shape.len_max;
        let text_cost = (repeated * MATCH_COST).min(repeated_bytes * letter_cost)
            + (shape.bytes - repeated_bytes) * letter_cost
            + if is_fixed { 0 } else { column.len() * 2 * BIT };
        if looked_at == column.len() && distinct <= DICTIONARY_MAX {
            let dictionary_cost =
                self.entropy.cost_of_places(&self.places) + self.dictionary.bytes() * letter_cost + distinct * 4 * BIT;
            if dictionary_cost < text_cost {
                return (Form::Dictionary, dictionary_cost);
            }
        }
        (Form::Text { bytes: shape.bytes, len: is_fixed.then_some(shape.len_max) }, text_cost)
    }

    fn put_dictionary(&self, lanes: &mut Lanes) {
        lanes.layout.push(DICTIONARY);
        put_u64(&mut lanes.layout, self.dictionary.len() as u64);
        for number in 0..self.dictionary.len() {
            put_bytes(&mut lanes.layout, self.dictionary.get(number));
        }
        if self.dictionary.len() <= 256 {
            lanes.places.extend(self.places.iter().map(|place| *place as u8));
        } else {
            lanes.places.extend(self.places.iter().flat_map(|place| (*place as u16).to_le_bytes()));
        }
    }
}

fn put_text(text: &[u8], column: &[Slot], bytes: usize, len: Option<usize>, lanes: &mut Lanes) {
    lanes.layout.push(TEXT);
    put_u64(&mut lanes.layout, bytes as u64);
    put_u64(&mut lanes.layout, len.map_or(0, |len| len as u64 + 1));
    if len.is_none() {
        let start = lanes.places.len();
        for slot in column {
            put_u64(&mut lanes.places, slot.len() as u64);
        }
        put_u64(&mut lanes.layout, (lanes.places.len() - start) as u64);
    }
    for slot in column {
        lanes.text.extend_from_slice(slot.of(text));
    }
}

fn is_wide(slot: Slot) -> bool {
    slot.len() >= WIDE_BYTES_MIN && slot.kinds() & (LETTER | OTHER) == 0
}

/// Which values occur more than once, by a hash: some that do not may seem to.
struct Seen {
    counts: Vec<u8>,
    /// How many counts are not 0.
    used: usize,
}

impl Seen {
    const HASH_BITS: u32 = 16;

    fn new() -> Self {
        Self { counts: vec![0; 1 << Self::HASH_BITS], used: 0 }
    }

    fn clear(&mut self) {
        self.counts.fill(0);
        self.used = 0;
    }

    fn add(&mut self, value: &[u8]) {
        let count = &mut self.counts[Self::hash(value)];
        self.used += usize::from(*count == 0);
        *count = 2.min(*count + 1);
    }

    fn is_repeated(&self, value: &[u8]) -> bool {
        self.counts[Self::hash(value)] > 1
    }

    /// How many of so many values are likely to occur elsewhere, if `repeated` seem to: a value that does
    /// not finds its count taken as often as counts are.
    fn really(&self, repeated: usize, values: usize) -> usize {
        let free = self.counts.len() - self.used;
        let by_chance = values * self.used / self.counts.len();
        repeated.saturating_sub(by_chance) * self.counts.len() / free.max(1)
    }

    fn hash(value: &[u8]) -> usize {
        let word = |bytes: Option<&[u8; 8]>| bytes.map(|bytes| u64::from_le_bytes(*bytes));
        let mixed = match (word(value.first_chunk()), word(value.last_chunk())) {
            (Some(first), Some(last)) => first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ last.rotate_left(32),
            _ => value.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - Self::HASH_BITS)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form that a column of these values is written in, and what it adds to each lane.
    fn form_of(values: impl Iterator<Item = String>, kinds: u8) -> (u8, [usize; 3]) {
        let (mut text, mut column) = (String::new(), Vec::new());
        for value in values {
            column.push(Slot::new(text.len(), value.len(), kinds));
            text.push_str(&value);
        }
        let mut columns = Columns::new();
        columns.look_at(text.as_bytes(), column.iter().copied());
        let mut lanes = Lanes::default();
        columns.put(text.as_bytes(), &column, &mut lanes);
        (lanes.layout[0], [lanes.places.len(), lanes.numbers.len(), lanes.side.len()])
    }

    #[test]
    fn each_column_takes_the_form_that_fits_it() {
        let noise = |n: u64| {
            let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 1
        };
        let hex = DIGIT | HEX;
        for (form, added, values, kinds) in [
            (CONSTANT, [0, 0, 0], (0..99).map(|_| "7".to_owned()).collect::<Vec<_>>(), DIGIT),
            (SMALL, [0, 99, 0], (0..99).map(|n| format!("{:02}", noise(n) % 60)).collect(), DIGIT),
            (STEPS, [0, 98, 0], (0..99).map(|n| (1000 + 3 * n).to_string()).collect(), DIGIT),
            (PACKED, [0, 0, 99 * 17 / 8 + 1], (0..99).map(|n| (noise(n) % 90_000 + 9999).to_string()).collect(), DIGIT),
            (DICTIONARY, [99, 0, 0], (0..99).map(|n| format!("{}", noise(n) % 3 * 77_777)).collect(), DIGIT),
            (DICTIONARY, [99, 0, 0], (0..99).map(|n| format!("user{}", noise(n) % 3)).collect(), LETTER),
            (TEXT, [99, 0, 0], (0..99).map(|n| format!("{:o}x", noise(n) >> (n % 9))).collect(), LETTER),
            (TEXT, [0, 0, 0], (0..99).map(|n| format!("0{:020}", noise(n))).collect(), DIGIT),
            (HEXADECIMAL, [0, 0, 99 * 8], (0..99).map(|n| format!("{:016x}", noise(n))).collect(), hex),
            (HEXADECIMAL, [0, 0, 99 * 4], (0..99).map(|n| format!("{:07x}", noise(n) >> 36)).collect(), hex),
        ] {
            assert_eq!(form_of(values.iter().cloned(), kinds), (form, added), "{}", values[1]);
        }
    }

    /// A place in a dictionary has two bytes at most.
    #[test]
    fn a_dictionary_has_no_more_values_than_two_bytes_tell_apart() {
        // The last value is the only one of its kind.
        let values = |distinct: u32| (0..=(distinct - 1) * 8).map(|n| format!("{:05x}", n / 8));
        assert_eq!(form_of(values(1 << 16), LETTER).0, DICTIONARY);
        assert_eq!(form_of(values((1 << 16) + 1), LETTER).0, TEXT);
        assert_eq!(form_of(values(256), LETTER).1, [255 * 8 + 1, 0, 0]);
        assert_eq!(form_of(values(257), LETTER).1, [256 * 16 + 2, 0, 0]);
    }
}
