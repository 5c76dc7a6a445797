//! `| decolorize`: takes the ANSI escape sequences out of a line.

use super::super::entry::Entry;
use super::{Compiled, Worker};

const ESCAPE: u8 = 0x1b;
/// The character U+009B, which means the same as `ESC [`, in UTF-8.
const CONTROL_SEQUENCE: [u8; 2] = [0xc2, 0x9b];
const BELL: u8 = 0x07;

/// `| decolorize`
#[derive(Debug)]
pub(super) struct Decolorize;

impl Compiled for Decolorize {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }
}

impl Worker for &Decolorize {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        entry.rewrite(|line, _, out| decolorize(line, out));
        true
    }
}

/// Appends a line without its escape sequences. Returns false if there may be none, and the line is as it was.
pub fn decolorize(line: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = line;
    while let Some(at) = memchr::memchr2(ESCAPE, CONTROL_SEQUENCE[0], rest) {
        out.extend_from_slice(&rest[..at]);
        let length = sequence_length(&rest[at..]);
        if length == 0 {
            out.push(rest[at]);
        }
        rest = &rest[at + length.max(1)..];
    }
    out.extend_from_slice(rest);
    rest.len() < line.len()
}

/// The length of the sequence that `text` starts with; 0 if it starts with none. After the
/// introducer come either words and a bell, or parameters and one final byte.
fn sequence_length(text: &[u8]) -> usize {
    let run =
        |from: usize, holds: &dyn Fn(u8) -> bool| from + text[from..].iter().take_while(|byte| holds(**byte)).count();
    let introducer = if text[0] == ESCAPE {
        1
    } else if text.starts_with(&CONTROL_SEQUENCE) {
        2
    } else {
        return 0;
    };
    let start = run(introducer, &|byte| b"[]()#;?".contains(&byte));
    let words = run(start, &|byte| byte == b';' || byte.is_ascii_alphanumeric());
    if text.get(words) == Some(&BELL) {
        return words + 1;
    }
    let digits = |from: usize| run(from, &|byte| byte.is_ascii_digit()).min(from + 4);
    let mut at = digits(start);
    while at > start && text.get(at) == Some(&b';') {
        at = digits(at + 1);
    }
    let is_final = |byte: u8| {
        matches!(byte, b'0'..=b'9' | b'A'..=b'P' | b'R' | b'Z' | b'c' | b'f'..=b'n') || b"tqry=><~".contains(&byte)
    };
    // A digit may be the final byte, so what was read as parameters is given back where needed.
    (start..=at).rev().find(|end| text.get(*end).copied().is_some_and(is_final)).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_long_a_sequence_is() {
        for (text, length) in [
            (&b"\x1b[31mred"[..], 5),
            (b"\x1b[0m", 4),
            (b"\x1b[1;31;40mx", 10),
            (b"\x1b[Kx", 3),
            (b"\x1b]0;title\x07x", 10),
            (b"\xc2\x9b31mx", 5),
            ("é".as_bytes(), 0),
            (b"\x1b[38;5;196mx", 11),
            (b"\x1b", 0),
            (b"\x1b[", 0),
            (b"\x1b!", 0),
        ] {
            assert_eq!(sequence_length(text), length, "{text:?}");
        }
    }
}
