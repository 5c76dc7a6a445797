//! The first word of a line that names a level.

use super::Level;

/// A word may begin after this byte.
const OPENS: u8 = 1;
/// A word may end before this byte.
const CLOSES: u8 = 2;

/// What each byte may be beside a word.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let marks: [(&[u8], u8); 2] = [(b" \t\n[({\"=", OPENS), (b" \t\n[](){}:,!\"=", CLOSES)];
    let mut mark = 0;
    while mark < marks.len() {
        let mut at = 0;
        while at < marks[mark].0.len() {
            class[marks[mark].0[at] as usize] |= marks[mark].1;
            at += 1;
        }
        mark += 1;
    }
    class
};

/// Places that are tested at a time.
const STEP: usize = 32;

/// The earliest level word that stands alone, in any letter case.
///
/// Nearly all places are ruled out 32 at a time, by the byte before a word and its first two; only
/// where one of them is left are words compared.
pub(super) fn first_level(line: &[u8]) -> Option<Level> {
    if let Some(level) = level_at(line) {
        return Some(level);
    }
    let mut at = 1;
    while at + STEP < line.len() {
        if word_may_begin(&line[at - 1..=at + STEP])
            && let Some(level) = first_level_in(line, at, at + STEP)
        {
            return Some(level);
        }
        at += STEP;
    }
    first_level_in(line, at, line.len())
}

/// The first level word that begins within `start..end`; `start` is not 0.
fn first_level_in(line: &[u8], start: usize, end: usize) -> Option<Level> {
    (start..end).filter(|at| CLASS[usize::from(line[at - 1])] & OPENS != 0).find_map(|at| level_at(&line[at..]))
}

/// Whether a level word may begin at one of the bytes between the first and the last. Written
/// without a branch, so that the compiler tests many bytes in one vector instruction.
#[expect(clippy::needless_bitwise_bool, reason = "the lazy operators branch")]
fn word_may_begin(bytes: &[u8]) -> bool {
    let opens = |b: u8| {
        (b == b' ') | (b == b'\t') | (b == b'\n') | (b == b'[') | (b == b'(') | (b == b'{') | (b == b'"') | (b == b'=')
    };
    let begins = |first: u8, second: u8| {
        let (a, b) = (first | 0x20, second | 0x20);
        (b == b'r') & ((a == b'e') | (a == b't') | (a == b'c'))
            | (b == b'a') & ((a == b'w') | (a == b'f'))
            | (b == b'n') & (a == b'i')
            | (b == b'e') & (a == b'd')
    };
    let places = bytes.iter().zip(&bytes[1..]).zip(&bytes[2..]);
    places.fold(false, |any, ((before, first), second)| any | (opens(*before) & begins(*first, *second)))
}

/// The level word that a text begins with.
fn level_at(text: &[u8]) -> Option<Level> {
    let words: &[(&[u8], Level)] = match text.first()?.to_ascii_lowercase() {
        b't' => &[(b"trace", Level::Trace)],
        b'd' => &[(b"debug", Level::Debug)],
        b'f' => &[(b"fatal", Level::Fatal)],
        b'c' => &[(b"critical", Level::Critical)],
        b'e' => &[(b"error", Level::Error), (b"err", Level::Error)],
        b'w' => &[(b"warn", Level::Warn), (b"warning", Level::Warn)],
        b'i' => &[(b"info", Level::Info)],
        _ => return None,
    };
    let stands = |word: &[u8]| {
        text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && text.get(word.len()).is_none_or(|after| CLASS[usize::from(*after)] & CLOSES != 0)
    };
    words.iter().find(|(word, _)| stands(word)).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word is found wherever it stands in a line, long or short, and its near misses are not.
    #[test]
    fn words_are_found_at_every_place() {
        for word in ["trace", "DEBUG", "Fatal", "critical", "error", "eRR", "warn", "Warning", "INFO"] {
            for before in 0..100 {
                for after in [0, 1, 40] {
                    let line = |left: &str, right: &str| {
                        format!("{}{left}{word}{right}{}", "x".repeat(before), "y".repeat(after)).into_bytes()
                    };
                    assert!(first_level(&line(" ", ":")).is_some(), "{word} after {before} bytes");
                    assert!(first_level(&line(";", ":")).is_none(), "{word} after {before} bytes");
                    assert!(first_level(&line("=", ";")).is_none(), "{word} after {before} bytes");
                }
            }
        }
    }
}
