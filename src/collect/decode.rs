//! From a file's bytes to UTF-8, a bounded piece at a time: the rest of the house, and JSON, take
//! nothing else. What cannot be decoded becomes U+FFFD.

use super::Encoding;

/// The character set of an open file, once a byte order mark has been looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

impl Charset {
    /// What a job says, where no byte order mark says more.
    pub(super) fn without_mark(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Utf8 => Self::Utf8,
            Encoding::Utf16Le | Encoding::Utf16 => Self::Utf16Le,
            Encoding::Utf16Be => Self::Utf16Be,
            Encoding::Windows1252 => Self::Windows1252,
        }
    }

    /// Bytes of the smallest character.
    pub(super) fn unit(self) -> usize {
        match self {
            Self::Utf8 | Self::Windows1252 => 1,
            Self::Utf16Le | Self::Utf16Be => 2,
        }
    }

    /// Where the next newline begins, of bytes that begin with a whole character.
    pub(super) fn newline(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Utf8 | Self::Windows1252 => memchr::memchr(b'\n', bytes),
            Self::Utf16Le => memchr::memchr_iter(b'\n', bytes).find(|at| at % 2 == 0 && bytes.get(at + 1) == Some(&0)),
            Self::Utf16Be => {
                memchr::memchr_iter(b'\n', bytes).find(|at| at % 2 == 1 && bytes[at - 1] == 0).map(|at| at - 1)
            }
        }
    }

    /// How many bytes at the end belong to a character that is not there as a whole.
    pub(super) fn incomplete_tail(self, bytes: &[u8]) -> usize {
        match self {
            Self::Windows1252 => 0,
            Self::Utf8 => {
                for back in 1..=bytes.len().min(3) {
                    let byte = bytes[bytes.len() - back];
                    let whole = match byte {
                        0xc2..=0xdf => 2,
                        0xe0..=0xef => 3,
                        0xf0..=0xf4 => 4,
                        0x80..=0xbf => continue,
                        _ => 1,
                    };
                    return if whole > back { back } else { 0 };
                }
                0
            }
            Self::Utf16Le | Self::Utf16Be => {
                let odd = bytes.len() % 2;
                let units = &bytes[..bytes.len() - odd];
                let high = units.last_chunk().is_some_and(|unit| (0xd800..0xdc00).contains(&self.code_unit(*unit)));
                odd + if high { 2 } else { 0 }
            }
        }
    }

    /// Appends the text of `bytes` to `out` until that holds `out_bytes_max` bytes or the next character
    /// would pass them. Returns how many bytes were decoded and whether each was sound.
    pub(super) fn decode(self, bytes: &[u8], out: &mut Vec<u8>, out_bytes_max: usize) -> (usize, bool) {
        let mut sound = true;
        let mut buffer = [0; 4];
        let mut at = 0;
        while at < bytes.len() {
            let (taken, character) = match self {
                Self::Utf8 => match bytes[at..].utf8_chunks().next() {
                    Some(chunk) if !chunk.valid().is_empty() => {
                        let room = out_bytes_max.saturating_sub(out.len());
                        let valid = chunk.valid();
                        let fits = valid.floor_char_boundary(room);
                        out.extend_from_slice(&valid.as_bytes()[..fits]);
                        at += fits;
                        if fits < valid.len() {
                            break;
                        }
                        continue;
                    }
                    Some(chunk) => (chunk.invalid().len(), None),
                    None => break,
                },
                Self::Windows1252 => (1, Some(windows_1252(bytes[at]))),
                Self::Utf16Le | Self::Utf16Be => self.utf16(&bytes[at..]),
            };
            let text = character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buffer).as_bytes();
            if out.len() + text.len() > out_bytes_max {
                break;
            }
            sound &= character.is_some();
            out.extend_from_slice(text);
            at += taken;
        }
        (at, sound)
    }

    fn code_unit(self, bytes: [u8; 2]) -> u16 {
        if self == Self::Utf16Be { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    /// Length and value of the first character; `None` for half a pair or half a unit.
    fn utf16(self, bytes: &[u8]) -> (usize, Option<char>) {
        let unit = |at: usize| bytes.get(at..at + 2).map(|pair| self.code_unit([pair[0], pair[1]]));
        match (unit(0), unit(2)) {
            (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                let value = 0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
                (4, char::from_u32(value))
            }
            (Some(unit), _) => (2, char::from_u32(u32::from(unit))),
            (None, _) => (bytes.len(), None),
        }
    }
}

/// The character of a byte; the five bytes that the set leaves open stand for themselves, as the WHATWG
/// encoding standard has it: <https://encoding.spec.whatwg.org/index-windows-1252.txt>.
fn windows_1252(byte: u8) -> char {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => FROM_0X80[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(charset: Charset, bytes: &[u8]) -> (String, bool) {
        let mut out = Vec::new();
        let (taken, sound) = charset.decode(bytes, &mut out, usize::MAX);
        assert_eq!(taken, bytes.len());
        (String::from_utf8(out).unwrap(), sound)
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn decodes_each_set() {
        for (charset, bytes, text, sound) in [
            (Charset::Utf8, b"gr\xc3\xbcn".to_vec(), "grün", true),
            (Charset::Utf8, b"a\xffb\xe2\x82".to_vec(), "a\u{fffd}b\u{fffd}", false),
            (Charset::Windows1252, b"gr\xfcn \x80\x81".to_vec(), "grün €\u{81}", true),
            (Charset::Utf16Le, utf16("ü😀\n", false), "ü😀\n", true),
            (Charset::Utf16Be, utf16("ü😀\n", true), "ü😀\n", true),
            (Charset::Utf16Le, vec![0x3d, 0xd8, b'x', 0, b'y'], "\u{fffd}x\u{fffd}", false),
        ] {
            assert_eq!(decoded(charset, &bytes), (text.to_owned(), sound), "{charset:?} {bytes:?}");
        }
    }

    #[test]
    fn stops_before_a_character_that_does_not_fit() {
        let mut out = Vec::new();
        assert_eq!(Charset::Utf8.decode("aü€".as_bytes(), &mut out, 4), (3, true));
        assert_eq!(out, "aü".as_bytes());
        out.clear();
        assert_eq!(Charset::Utf16Be.decode(&utf16("a😀", true), &mut out, 4), (2, true));
        out.clear();
        assert_eq!(Charset::Utf8.decode(b"\xffb", &mut out, 2), (0, true));
    }

    #[test]
    fn finds_newlines_that_are_whole_characters() {
        // U+0A0A and U+0A00 hold the byte of a newline without being one.
        let text = "\u{0a0a}\u{0a00}\u{000a}x";
        assert_eq!(Charset::Utf16Le.newline(&utf16(text, false)), Some(4));
        assert_eq!(Charset::Utf16Be.newline(&utf16(text, true)), Some(4));
        assert_eq!(Charset::Utf8.newline(b"ab\n"), Some(2));
    }

    #[test]
    fn knows_what_a_read_cut_in_half() {
        for (charset, bytes, tail) in [
            (Charset::Utf8, &b"a"[..], 0),
            (Charset::Utf8, b"a\xe2\x82", 2),
            (Charset::Utf8, b"a\xe2\x82\xac", 0),
            (Charset::Utf8, b"a\xf0", 1),
            (Charset::Utf8, b"\x80\x80\x80\x80", 0),
            (Charset::Utf8, b"a\xff", 0),
            (Charset::Utf16Le, b"a\0b", 1),
            (Charset::Utf16Le, b"a\0\x3d\xd8", 2),
            (Charset::Utf16Be, b"\xd8\x3d\xde", 3),
            (Charset::Windows1252, b"\xe2", 0),
        ] {
            assert_eq!(charset.incomplete_tail(bytes), tail, "{charset:?} {bytes:?}");
        }
    }
}
