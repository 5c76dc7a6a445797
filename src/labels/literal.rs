//! A literal: a text that a line must hold.

/// A text that must occur in a line; with `fold_case` in any ASCII case (then `text` is lower case).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The bytes.
    pub text: Vec<u8>,
    /// Whether ASCII letters match in either case.
    pub fold_case: bool,
}

impl Literal {
    /// A literal that is matched byte by byte.
    pub fn exact(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), fold_case: false }
    }

    /// Whether `text` is the literal.
    pub fn equals(&self, text: &[u8]) -> bool {
        if self.fold_case { self.text.eq_ignore_ascii_case(text) } else { self.text == text }
    }
}
