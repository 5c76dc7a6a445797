//! The level field of a line that is a JSON object. Not a parser: it walks keys and steps over
//! values, tolerates what it steps over, and gives up where the text stops looking like JSON.

use memchr::memchr2;

use super::NAMES;

/// How deep a key may lie: in the object itself, or in an object that is one of its values.
const DEPTH_MAX: usize = 2;

/// The value of the first key, in the order of the text, that is named like a level and holds a string.
pub(super) fn level_field(object: &[u8]) -> Option<&[u8]> {
    let mut walk = Walk { text: object, at: 1 };
    let mut depth = 1;
    loop {
        match walk.next_token()? {
            b'}' if depth > 1 => depth -= 1,
            b',' => {}
            b'"' => {
                let key = walk.string()?;
                if walk.next_token()? != b':' {
                    return None;
                }
                match walk.next_token()? {
                    b'"' => {
                        let value = walk.string()?;
                        if is_level_name(key) {
                            return Some(value);
                        }
                    }
                    b'{' if depth < DEPTH_MAX => depth += 1,
                    b'{' | b'[' => walk.skip_nested()?,
                    _ => walk.skip_scalar(),
                }
            }
            _ => return None,
        }
    }
}

fn is_level_name(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'l' | b'L' | b's' | b'S')) && NAMES.iter().any(|name| name.as_bytes() == key)
}

/// A place in a JSON text.
struct Walk<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Walk<'t> {
    /// Steps over blanks and over one more byte, which it returns.
    fn next_token(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.at += 1;
        Some(self.text[self.at - 1])
    }

    /// The rest of a string, escapes as they are, after its opening quote.
    fn string(&mut self) -> Option<&'t [u8]> {
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(&self.text[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    /// Steps to the end of an object or array whose opening bracket was read.
    fn skip_nested(&mut self) -> Option<()> {
        let mut open = 1;
        while open > 0 {
            match self.next_token()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
        }
        Some(())
    }

    /// Steps to what follows a number or word.
    fn skip_scalar(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| !matches!(byte, b',' | b'}')) {
            self.at += 1;
        }
    }
}
