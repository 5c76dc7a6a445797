//! Cuts a line into runs of letters and digits. Some of the runs are slots, whose text goes to
//! columns; what is left, with a mark for each slot, is the line's template.

/// Stands for a slot in a template. Every run with a digit is a slot, so a template has no other digits.
pub(super) const MARK: u8 = b'0';

/// The run holds a digit.
pub(super) const DIGIT: u8 = 1;
/// The run holds a letter from a to f, in lower case.
pub(super) const HEX: u8 = 2;
/// The run holds another letter, or a byte beyond ASCII.
pub(super) const LETTER: u8 = 4;
/// The slot is no run but any bytes.
pub(super) const OTHER: u8 = 8;

/// Which kind of run a byte belongs to; 0: to none.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' => HEX,
            b'A'..=b'Z' | b'g'..=b'z' | 0x80.. => LETTER,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// A piece of a line that is kept in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Where it starts in the text of the block.
    start: u32,
    /// Its length, and in the lowest bits the kinds of its bytes.
    len_and_kinds: u32,
}

const KIND_BITS: u32 = 4;

impl Slot {
    /// A piece of the block's text; lengths stay below 256 MiB.
    pub(super) fn new(start: usize, len: usize, kinds: u8) -> Self {
        Self { start: start as u32, len_and_kinds: (len as u32) << KIND_BITS | u32::from(kinds) }
    }

    /// The kinds of its bytes, one bit each.
    pub(super) fn kinds(self) -> u8 {
        self.len_and_kinds as u8 & ((1 << KIND_BITS) - 1)
    }

    pub(super) fn len(self) -> usize {
        (self.len_and_kinds >> KIND_BITS) as usize
    }

    /// The piece from this slot to a later one of its line.
    pub(super) fn to(self, last: Self) -> Self {
        let kinds = self.kinds() | last.kinds() | OTHER;
        Self::new(self.start as usize, last.end() - self.start as usize, kinds)
    }

    /// Its bytes within the text of the block.
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end()]
    }

    /// Where it starts in the text of the block.
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    /// Where it ends in the text of the block.
    pub(super) fn end(self) -> usize {
        self.start as usize + self.len()
    }
}

/// What the slots of a line are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slots {
    /// Runs with a digit.
    Digits,
    /// What stands between double quotes, whatever it is; outside of them runs with a digit.
    Quoted,
    /// All runs.
    Runs,
}

/// Appends the slots of `text[start..end]` to `slots`, and writes its template to the start of `key`,
/// which is at least as long as the line. Returns the length of the template.
pub(super) fn split(
    text: &[u8],
    start: usize,
    end: usize,
    kind: Slots,
    key: &mut [u8],
    slots: &mut Vec<Slot>,
) -> usize {
    let line = &text[start..end];
    let key = &mut key[..line.len()];
    let (mut at, mut written) = (0, 0);
    while at < line.len() {
        let mut kinds = CLASS[usize::from(line[at])];
        key[written] = line[at];
        if kinds == 0 {
            (at, written) = (at + 1, written + 1);
            if kind == Slots::Quoted && line[at - 1] == QUOTE {
                let len = quoted_len(&line[at..]);
                if len > 0 {
                    slots.push(Slot::new(start + at, len, OTHER));
                    key[written] = MARK;
                    (at, written) = (at + len, written + 1);
                }
                if at < line.len() {
                    key[written] = QUOTE;
                    (at, written) = (at + 1, written + 1);
                }
            }
            continue;
        }
        let (run_at, run_written) = (at, written);
        loop {
            (at, written) = (at + 1, written + 1);
            if at == line.len() {
                break;
            }
            let class = CLASS[usize::from(line[at])];
            if class == 0 {
                break;
            }
            kinds |= class;
            key[written] = line[at];
        }
        if kinds & DIGIT != 0 || kind == Slots::Runs {
            slots.push(Slot::new(start + run_at, at - run_at, kinds));
            key[run_written] = MARK;
            written = run_written + 1;
        }
    }
    written
}

/// Begins and ends a quotation.
pub(super) const QUOTE: u8 = b'"';

/// How many bytes stand before the quote that ends a quotation; all if none does. A backslash
/// takes the meaning from the byte behind it.
fn quoted_len(line: &[u8]) -> usize {
    let mut at = 0;
    while at < line.len() && line[at] != QUOTE {
        at += if line[at] == b'\\' { 2 } else { 1 };
    }
    at.min(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_text(text: &str, kind: Slots) -> (String, Vec<(&str, u8)>) {
        let (mut key, mut slots) = (vec![0; text.len()], Vec::new());
        let len = split(text.as_bytes(), 0, text.len(), kind, &mut key, &mut slots);
        let slots = slots.iter().map(|slot| (std::str::from_utf8(slot.of(text.as_bytes())).unwrap(), slot.kinds()));
        (String::from_utf8(key[..len].to_vec()).unwrap(), slots.collect())
    }

    #[test]
    fn runs_with_digits_are_slots() {
        let (template, slots) = split_text("Jun 14 12:01 sshd[0af]: über2 x", Slots::Digits);
        assert_eq!(template, "Jun 0 0:0 sshd[0]: 0 x");
        let expected =
            [("14", DIGIT), ("12", DIGIT), ("01", DIGIT), ("0af", DIGIT | HEX), ("über2", DIGIT | HEX | LETTER)];
        assert_eq!(slots, expected);
    }

    #[test]
    fn at_the_second_chance_every_run_is_a_slot() {
        let (template, slots) = split_text("ab, x-1", Slots::Runs);
        assert_eq!((template.as_str(), slots), ("0, 0-0", vec![("ab", HEX), ("x", LETTER), ("1", DIGIT)]));
        assert_eq!(split_text("", Slots::Runs), (String::new(), Vec::new()));
        assert_eq!(split_text("1g 1f", Slots::Digits).1, [("1g", DIGIT | LETTER), ("1f", DIGIT | HEX)]);
    }

    #[test]
    fn quotations_are_slots_whatever_they_hold() {
        let (template, slots) = split_text(r#"7 "a \" b", "" x "open 1"#, Slots::Quoted);
        assert_eq!(template, r#"0 "0", "" x "0"#);
        assert_eq!(slots, [("7", DIGIT), (r#"a \" b"#, OTHER), ("open 1", OTHER)]);
    }
}
