//! A literal to be searched for, and the searcher for it. Case is folded for ASCII letters only.

use memchr::memmem::Finder;

use crate::labels::Literal;

/// A literal ready to be searched for.
#[derive(Debug)]
pub struct Needle(Kind);

#[derive(Debug)]
enum Kind {
    Exact(Box<Finder<'static>>),
    Folded {
        text: Vec<u8>,
        /// Offset of the byte that is looked for first: the one likely to be rarest.
        rare_at: usize,
    },
}

impl Needle {
    /// Prepares the search for a literal.
    pub fn new(literal: &Literal) -> Self {
        let text = &literal.text;
        if !literal.fold_case || !text.iter().any(u8::is_ascii_alphabetic) {
            return Self(Kind::Exact(Box::new(Finder::new(text).into_owned())));
        }
        let rare_at = (0..text.len()).min_by_key(|at| frequency(text[*at])).unwrap_or(0);
        Self(Kind::Folded { text: text.clone(), rare_at })
    }

    /// Whether `text` holds the literal.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }

    /// Where `text` first holds the literal.
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.0 {
            Kind::Exact(finder) => finder.find(text),
            Kind::Folded { text: needle, rare_at } => find_folded(needle, *rare_at, text),
        }
    }
}

fn find_folded(needle: &[u8], rare_at: usize, text: &[u8]) -> Option<usize> {
    let last_start = text.len().checked_sub(needle.len())?;
    let rare = needle[rare_at];
    let window = &text[rare_at..=last_start + rare_at];
    let is_needle = |start: &usize| needle.eq_ignore_ascii_case(&text[*start..*start + needle.len()]);
    if rare.is_ascii_alphabetic() {
        memchr::memchr2_iter(rare, rare.to_ascii_uppercase(), window).find(is_needle)
    } else {
        memchr::memchr_iter(rare, window).find(is_needle)
    }
}

/// How often a byte is met in logs, roughly; only the order counts.
fn frequency(byte: u8) -> u8 {
    const COMMON_FIRST: &[u8] = b" etaoinsrdlcu0123pmfhgbyw.:-/456789=v\"k,_()[]x";
    let rank = COMMON_FIRST.iter().position(|common| *common == byte).unwrap_or(COMMON_FIRST.len());
    u8::try_from(COMMON_FIRST.len() - rank).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_search_agrees_with_a_search_in_lower_case() {
        let texts = ["", "x", "Xy", "authentication Failure", "aAaAB", "--Z--z", "ÉrrOR é"];
        for text in texts {
            for needle in ["x", "ab", "failure", "aab", "-z", "error", "rror", "z--z"] {
                let literal = Literal { text: needle.into(), fold_case: true };
                let expected = text.to_ascii_lowercase().find(needle);
                assert_eq!(Needle::new(&literal).find(text.as_bytes()), expected, "{needle} in {text}");
            }
        }
    }
}
