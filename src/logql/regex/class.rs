//! Sets of characters: what `[a-z]`, `\d`, `[[:alpha:]]` and `\pL` stand for. ASCII in the named
//! and Perl classes, as in Go; the Unicode classes are those the standard library can tell.

use std::sync::OnceLock;

/// Every character.
pub(super) const ANY: &[(char, char)] = &[('\0', char::MAX)];
/// Every character but the newline.
pub(super) const ANY_BUT_NEWLINE: &[(char, char)] = &[('\0', '\u{9}'), ('\u{b}', char::MAX)];

/// Where letters beyond ASCII that have two cases are found; nothing else need be folded.
const CASED: &[(char, char)] = &[
    ('\u{80}', '\u{24ff}'),
    ('\u{2c00}', '\u{2dff}'),
    ('\u{a640}', '\u{a7ff}'),
    ('\u{ab30}', '\u{abbf}'),
    ('\u{ff21}', '\u{ff5a}'),
    ('\u{10400}', '\u{1e943}'),
];

/// A set of characters as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Class(Vec<(char, char)>);

impl Class {
    /// The set of all characters in these ranges.
    pub(super) fn from_ranges(ranges: &[(char, char)]) -> Self {
        let mut class = Self(ranges.to_vec());
        class.normalise();
        class
    }

    /// The ranges, in order.
    pub(super) fn ranges(&self) -> &[(char, char)] {
        &self.0
    }

    /// Adds every character of another set.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.normalise();
    }

    /// All characters that are not in the set.
    pub(super) fn negated(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.0.len() + 1);
        let mut next = Some('\0'); // first character not yet covered
        for (low, high) in &self.0 {
            if let (Some(from), Some(to)) = (next, before(*low))
                && from <= to
            {
                ranges.push((from, to));
            }
            next = after(*high);
        }
        if let Some(from) = next {
            ranges.push((from, char::MAX));
        }
        Self(ranges)
    }

    /// The set with the other case of each of its letters. A letter beyond ASCII never brings in
    /// one of ASCII: the Kelvin sign is no k here.
    pub(super) fn folded(&self) -> Self {
        let mut ranges = self.0.clone();
        for (low, high) in &self.0 {
            for (first, last, shift) in [('a', 'z', 'A'), ('A', 'Z', 'a')] {
                let (from, to) = ((*low).max(first), (*high).min(last));
                if from <= to {
                    let shifted = |c: char| char::from(c as u8 - first as u8 + shift as u8);
                    ranges.push((shifted(from), shifted(to)));
                }
            }
            for (first, last) in CASED {
                for c in (*low).max(*first)..=(*high).min(*last) {
                    ranges.extend(other_cases(c).map(|other| (other, other)));
                }
            }
        }
        Self::from_ranges(&ranges)
    }

    fn normalise(&mut self) {
        self.0.sort_unstable();
        let mut merged: Vec<(char, char)> = Vec::with_capacity(self.0.len());
        for (low, high) in self.0.drain(..) {
            match merged.last_mut() {
                Some(last) if after(last.1).is_none_or(|next| low <= next) => {
                    last.1 = last.1.max(high);
                }
                _ => merged.push((low, high)),
            }
        }
        self.0 = merged;
    }
}

fn after(c: char) -> Option<char> {
    (c..=char::MAX).nth(1)
}

fn before(c: char) -> Option<char> {
    ('\0'..c).next_back()
}

/// The other characters beyond ASCII that a letter beyond ASCII equals when case is ignored.
fn other_cases(c: char) -> impl Iterator<Item = char> {
    let single = |mut cases: Box<dyn Iterator<Item = char>>| match (cases.next(), cases.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    let lower = single(Box::new(c.to_lowercase()));
    let upper = single(Box::new(c.to_uppercase()));
    let upper_of_lower = lower.and_then(|lower| single(Box::new(lower.to_uppercase())));
    [lower, upper, upper_of_lower].into_iter().flatten().filter(move |other| *other != c && !other.is_ascii())
}

/// `\d`, `\s`, `\w` and their complements.
pub(super) fn perl_class(letter: char) -> Option<Class> {
    let ranges: &[(char, char)] = match letter.to_ascii_lowercase() {
        'd' => &[('0', '9')],
        's' => &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
        'w' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        _ => return None,
    };
    let class = Class::from_ranges(ranges);
    Some(if letter.is_ascii_uppercase() { class.negated() } else { class })
}

/// What `[:alpha:]` stands for; `^alpha` is its complement.
pub(super) fn named_class(name: &str) -> Option<Class> {
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let ranges: &[(char, char)] = match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\u{7f}')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    };
    let class = Class::from_ranges(ranges);
    Some(if negated { class.negated() } else { class })
}

/// What `\pL` and `\p{Greek}` stand for. The general categories L, Lu, Ll and N are told by the
/// standard library's properties (which count a few marks among the letters); of the scripts, those
/// with blocks of their own are known. `None` for all others.
pub(super) fn unicode_class(name: &str) -> Option<Class> {
    static LETTERS: OnceLock<Class> = OnceLock::new();
    static UPPER: OnceLock<Class> = OnceLock::new();
    static LOWER: OnceLock<Class> = OnceLock::new();
    static NUMBERS: OnceLock<Class> = OnceLock::new();
    let letter = |c: char| c.is_alphabetic() && !c.is_numeric();
    let blocks: &[(char, char)] = match name {
        "Any" => ANY,
        "L" => return Some(LETTERS.get_or_init(|| told_by(letter)).clone()),
        "Lu" => {
            return Some(UPPER.get_or_init(|| told_by(|c| c.is_uppercase() && letter(c))).clone());
        }
        "Ll" => {
            return Some(LOWER.get_or_init(|| told_by(|c| c.is_lowercase() && letter(c))).clone());
        }
        "N" => return Some(NUMBERS.get_or_init(|| told_by(char::is_numeric)).clone()),
        "Latin" => &[('A', 'Z'), ('a', 'z'), ('ª', 'ª'), ('º', 'º'), ('À', 'Ö'), ('Ø', 'ö'), ('ø', 'ʸ'), ('Ḁ', 'ỿ')],
        "Greek" => &[('Ͱ', 'ͷ'), ('ͺ', 'ͽ'), ('Ϳ', 'Ϳ'), ('Ά', 'Ά'), ('Έ', 'ϡ'), ('ϰ', 'Ͽ'), ('ἀ', '῾')],
        "Cyrillic" => &[
            ('\u{400}', '\u{484}'),
            ('\u{487}', '\u{52f}'),
            ('\u{1c80}', '\u{1c8a}'),
            ('\u{2de0}', '\u{2dff}'),
            ('\u{a640}', '\u{a69f}'),
        ],
        "Hebrew" => &[('\u{591}', '\u{5f4}')],
        "Arabic" => &[('\u{600}', '\u{604}'), ('\u{606}', '\u{6ff}'), ('\u{750}', '\u{77f}'), ('\u{8a0}', '\u{8ff}')],
        "Hiragana" => &[('\u{3041}', '\u{3096}'), ('\u{309d}', '\u{309f}')],
        "Katakana" => {
            &[('\u{30a1}', '\u{30fa}'), ('\u{30fd}', '\u{30ff}'), ('\u{31f0}', '\u{31ff}'), ('\u{ff66}', '\u{ff9d}')]
        }
        "Hangul" => &[('\u{1100}', '\u{11ff}'), ('\u{3131}', '\u{318e}'), ('\u{ac00}', '\u{d7a3}')],
        "Han" => &[
            ('\u{2e80}', '\u{2fd5}'),
            ('\u{3005}', '\u{3007}'),
            ('\u{3400}', '\u{4dbf}'),
            ('\u{4e00}', '\u{9fff}'),
            ('\u{f900}', '\u{fad9}'),
            ('\u{20000}', '\u{323af}'),
        ],
        _ => return None,
    };
    Some(Class::from_ranges(blocks))
}

/// The set of the characters that `test` holds for.
fn told_by(test: impl Fn(char) -> bool) -> Class {
    let mut ranges: Vec<(char, char)> = Vec::new();
    for c in ('\0'..=char::MAX).filter(|c| test(*c)) {
        match ranges.last_mut() {
            Some(last) if after(last.1) == Some(c) => last.1 = c,
            _ => ranges.push((c, c)),
        }
    }
    Class(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negation_is_its_own_inverse_and_merges_neighbours() {
        let class = Class::from_ranges(&[('d', 'f'), ('a', 'c'), ('x', 'x')]);
        assert_eq!(class.ranges(), [('a', 'f'), ('x', 'x')]);
        assert_eq!(class.negated().negated(), class);
        assert_eq!(Class::from_ranges(ANY).negated().ranges(), []);
        assert_eq!(Class::default().negated().ranges(), ANY);
        assert_eq!(Class::from_ranges(ANY_BUT_NEWLINE).negated().ranges(), [('\n', '\n')]);
    }

    #[test]
    fn folding_keeps_to_its_side_of_ascii() {
        let folded = |low, high| Class::from_ranges(&[(low, high)]).folded();
        assert_eq!(folded('b', 'c').ranges(), [('B', 'C'), ('b', 'c')]);
        assert_eq!(folded('é', 'é').ranges(), [('É', 'É'), ('é', 'é')]);
        assert_eq!(folded('k', 'k').ranges(), [('K', 'K'), ('k', 'k')]);
        assert_eq!(folded('\u{212a}', '\u{212a}').ranges(), [('\u{212a}', '\u{212a}')]);
    }

    #[test]
    fn knows_letters_of_other_alphabets() {
        let holds = |name, c| unicode_class(name).unwrap().ranges().iter().any(|r| (r.0..=r.1).contains(&c));
        assert!(holds("L", 'é') && holds("L", 'я') && !holds("L", '1'));
        assert!(holds("Lu", 'É') && !holds("Lu", 'é') && holds("N", '٣') && holds("Greek", 'λ') && holds("Han", '漢'));
        assert!(unicode_class("Nope").is_none());
    }
}
