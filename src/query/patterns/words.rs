//! A line as words and what stands between them. Two lines have the same shape if what stands between
//! their words is the same; only then can one pattern fit both.
//!
//! A separator never begins within a word. So a pattern that puts `<_>` for whole words is found in a
//! line just where it was made, although a filter takes the first occurrence of each of its literals.

/// Words of a line that are told apart; what follows them is one more word.
pub(super) const WORDS_MAX: usize = 64;
/// Longer words are never part of a pattern.
const WORD_BYTES_MAX: usize = 64;

/// A line cut into words.
#[derive(Debug, Default)]
pub(super) struct Words<'l> {
    /// What stands before each word, and after the last: one more than there are words. Only the
    /// first and the last may be empty.
    pub(super) separators: Vec<&'l [u8]>,
    /// None is empty.
    pub(super) words: Vec<&'l [u8]>,
}

impl<'l> Words<'l> {
    /// Cuts a line.
    pub(super) fn of(line: &'l [u8]) -> Self {
        let is_json = line.trim_ascii_start().starts_with(b"{");
        let mut cut = Self::default();
        let mut at = 0;
        loop {
            let word = (at..line.len()).find(|at| !is_separator(line, *at, is_json)).unwrap_or(line.len());
            cut.separators.push(&line[at..word]);
            if word == line.len() {
                return cut;
            }
            at = if cut.words.len() == WORDS_MAX {
                line.len()
            } else {
                (word..line.len()).find(|at| is_separator(line, *at, is_json)).unwrap_or(line.len())
            };
            cut.words.push(&line[word..at]);
        }
    }
}

/// Whether the byte at `at` stands between words. A sign that also occurs within words (`10:00`,
/// `a.b`) does so only before a blank: with the blank it cannot be found within a word.
fn is_separator(line: &[u8], at: usize, is_json: bool) -> bool {
    match line[at] {
        byte if byte.is_ascii_whitespace() => true,
        b'=' | b'"' | b'\'' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' => true,
        b':' | b',' if is_json => true,
        b':' | b',' | b';' | b'.' => line.get(at + 1).is_some_and(u8::is_ascii_whitespace),
        _ => false,
    }
}

/// Whether a word can be part of a pattern: it has no digits, which are what differs from line to
/// line, it is not long, and a filter reads it as what it is.
pub(super) fn is_constant(word: &[u8]) -> bool {
    word.len() <= WORD_BYTES_MAX
        && !word.iter().any(|byte| byte.is_ascii_digit() || *byte == b'<')
        && std::str::from_utf8(word).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn lines_are_cut_where_patterns_can_be_found_again() {
        for (line, want) in [
            ("", ""),
            ("a", "|a|"),
            (" a  b ", " |a|  |b| "),
            ("usb 2-4: new, old. end.", "|usb| |2-4|: |new|, |old|. |end.|"),
            ("10:00:01 a.b:c;d x:", "|10:00:01| |a.b:c;d| |x:|"),
            ("k=\"v w\" [e](f)", "|k|=\"|v| |w|\" [|e|](|f|)"),
            ("{\"t\":\"10:00\",\"n\":5}", "{\"|t|\":\"|10|:|00|\",\"|n|\":|5|}"),
        ] {
            let cut = Words::of(line.as_bytes());
            let mut shown = String::new();
            for (at, separator) in cut.separators.iter().enumerate() {
                shown += &String::from_utf8_lossy(separator);
                if let Some(word) = cut.words.get(at) {
                    write!(shown, "|{}|", String::from_utf8_lossy(word)).unwrap();
                }
            }
            assert_eq!(shown, want, "{line}");
            assert_eq!(cut.separators.len(), cut.words.len() + 1);
        }
        let long = "w ".repeat(WORDS_MAX + 5);
        let cut = Words::of(long.as_bytes());
        assert_eq!(
            (cut.words.len(), cut.words[WORDS_MAX].len(), cut.separators.len()),
            (WORDS_MAX + 1, 10, WORDS_MAX + 2)
        );
    }

    #[test]
    fn words_that_differ_from_line_to_line_are_no_part_of_a_pattern() {
        for (word, want) in
            [(&b"word"[..], true), (b"w0rd", false), (b"<b>", false), (b"\xff", false), ("é".as_bytes(), true)]
        {
            assert_eq!(is_constant(word), want);
        }
        assert!(!is_constant(&[b'x'; 65]) && is_constant(&[b'x'; 64]));
    }
}
