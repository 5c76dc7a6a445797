//! From lines to the patterns that they follow. Lines of one shape that have the same constant words
//! are a template. Then templates of one shape are merged:
//!
//! 1. A word that takes many forms while all others stay the same is not constant: templates that
//!    differ in it alone are one, with `<_>` in its place. Few forms stay apart (`GET`, `POST`).
//! 2. A template of few lines joins one that fits it already, or else another of few lines that has
//!    at least half of its words.
//!
//! What comes out depends on the lines, not on their order.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
};

use foldhash::fast::FixedState;

use super::words::{WORDS_MAX, Words, is_constant};
use crate::query::{Cancel, Error};

/// Forms of a word that stay apart.
const FORMS_MAX: usize = 4;
/// Rounds in which the templates of a shape are merged by the forms of a word.
const ROUNDS_MAX: usize = 4;
/// A template of fewer lines has few.
const LINES_MIN: usize = 5;
/// Templates of one shape that others can join, the largest; bounds the time, since each of few
/// lines is compared with all of them.
const JOINABLE_MAX: usize = 64;

/// A word of a template, or `None` where lines differ.
type Slot<'l> = Option<&'l [u8]>;

/// Indices of lines, by what stands between their words and by their words.
type Shapes<'l> = BTreeMap<Vec<&'l [u8]>, BTreeMap<Vec<Slot<'l>>, Vec<usize>>>;

/// Lines that follow one pattern.
#[derive(Debug)]
struct Template<'l> {
    slots: Vec<Slot<'l>>,
    /// The sum of the hashes of its words, so that it is known without any one of them.
    hash: u64,
    /// Indices of the lines.
    lines: Vec<usize>,
    /// Whether it may lose words to fit more lines.
    is_loose: bool,
}

impl<'l> Template<'l> {
    fn new(slots: Vec<Slot<'l>>, lines: Vec<usize>) -> Self {
        let hashes = slots.iter().enumerate().map(|(word, slot)| hash_of(word, *slot));
        Self { hash: hashes.fold(0, u64::wrapping_add), slots, lines, is_loose: false }
    }

    fn hash_without(&self, word: usize) -> u64 {
        self.hash.wrapping_sub(hash_of(word, self.slots[word]))
    }

    fn is_equal_but_for(&self, word: usize, other: &Self) -> bool {
        self.slots[..word] == other.slots[..word] && self.slots[word + 1..] == other.slots[word + 1..]
    }

    /// Whether it has only words that another has, too.
    fn covers(&self, other: &Self) -> bool {
        self.slots.iter().zip(&other.slots).all(|(slot, of_other)| slot.is_none() || slot == of_other)
    }

    /// How many words it shares with another; zero if that is less than half of those that either has.
    fn alikeness(&self, other: &Self) -> usize {
        let same = self.slots.iter().zip(&other.slots).filter(|(a, b)| a.is_some() && a == b).count();
        let constant = |template: &Self| template.slots.iter().flatten().count();
        if same * 2 >= constant(self).max(constant(other)) { same } else { 0 }
    }
}

fn hash_of(word: usize, slot: Slot<'_>) -> u64 {
    FixedState::default().hash_one((word, slot))
}

/// The patterns of lines, each with the indices of the lines that follow it.
pub(super) fn patterns<'l>(
    lines: impl Iterator<Item = &'l [u8]>,
    cancel: &Cancel,
) -> Result<Vec<(String, Vec<usize>)>, Error> {
    // Maps in order, so that nothing depends on hashes.
    let mut shapes: Shapes<'_> = BTreeMap::new();
    for (at, line) in lines.enumerate() {
        let Words { separators, words } = Words::of(line);
        let slots = words.iter().enumerate();
        let slots = slots.map(|(at, word)| (at < WORDS_MAX && is_constant(word)).then_some(*word)).collect();
        shapes.entry(separators).or_default().entry(slots).or_default().push(at);
    }
    let mut patterns: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (separators, templates) in shapes {
        let templates = templates.into_iter().map(|(slots, lines)| Template::new(slots, lines));
        let merged = merge_forms(templates.collect(), cancel)?;
        for template in join_few(merged, cancel)? {
            patterns.entry(text(&separators, &template.slots)).or_default().extend(template.lines);
        }
    }
    Ok(patterns.into_iter().collect())
}

/// The text of a pattern. A separator stands between any two words, so that no two captures touch.
fn text(separators: &[&[u8]], slots: &[Slot<'_>]) -> String {
    let mut text = Vec::new();
    for (at, separator) in separators.iter().enumerate() {
        text.extend_from_slice(separator);
        if let Some(slot) = slots.get(at) {
            text.extend_from_slice(slot.unwrap_or(b"<_>"));
        }
    }
    // Separators are ASCII and constant words are UTF-8.
    String::from_utf8_lossy(&text).into_owned()
}

/// Merges templates that differ in one word alone, where that has many forms or none.
fn merge_forms<'l>(mut templates: Vec<Template<'l>>, cancel: &Cancel) -> Result<Vec<Template<'l>>, Error> {
    let words = templates.first().map_or(0, |template| template.slots.len());
    for _ in 0..ROUNDS_MAX {
        let before = templates.len();
        for word in 0..words {
            if templates.len() < 2 {
                return Ok(templates);
            }
            cancel.check()?;
            merge_forms_of(word, &mut templates);
        }
        if templates.len() == before {
            break;
        }
    }
    Ok(templates)
}

fn merge_forms_of(word: usize, templates: &mut Vec<Template<'_>>) {
    let mut groups: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, template) in templates.iter().enumerate() {
        groups.entry(template.hash_without(word)).or_default().push(at);
    }
    for (hash, mut group) in groups {
        let first = group[0];
        group.retain(|at| templates[*at].is_equal_but_for(word, &templates[first]));
        let has_none = group.iter().any(|at| templates[*at].slots[word].is_none());
        if group.len() > FORMS_MAX || group.len() > 1 && has_none {
            // Those that are merged stay in their place, without lines, until all groups are done.
            let lines = group.iter().flat_map(|at| std::mem::take(&mut templates[*at].lines)).collect();
            let merged = &mut templates[first];
            merged.lines = lines;
            merged.slots[word] = None;
            merged.hash = hash.wrapping_add(hash_of(word, None));
        }
    }
    templates.retain(|template| !template.lines.is_empty());
}

/// Lets templates of few lines join others.
fn join_few<'l>(mut templates: Vec<Template<'l>>, cancel: &Cancel) -> Result<Vec<Template<'l>>, Error> {
    templates.sort_by(|a, b| b.lines.len().cmp(&a.lines.len()).then_with(|| a.slots.cmp(&b.slots)));
    let mut kept: Vec<Template<'l>> = Vec::new();
    for mut template in templates {
        if template.lines.len() >= LINES_MIN {
            kept.push(template);
            continue;
        }
        cancel.check()?;
        let joinable = &kept[..kept.len().min(JOINABLE_MAX)];
        let fitting = joinable.iter().position(|other| other.covers(&template));
        let most_alike = || {
            let alike = joinable.iter().enumerate().filter(|(_, other)| other.is_loose);
            let alike = alike.map(|(at, other)| (other.alikeness(&template), at)).filter(|(same, _)| *same > 0);
            alike.max_by_key(|(same, at)| (*same, std::cmp::Reverse(*at))).map(|(_, at)| at)
        };
        match fitting.or_else(most_alike) {
            Some(at) => {
                let other = &mut kept[at];
                for (slot, of_template) in other.slots.iter_mut().zip(&template.slots) {
                    if slot != of_template {
                        *slot = None;
                    }
                }
                other.lines.append(&mut template.lines);
            }
            None => kept.push(Template { is_loose: true, ..template }),
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::labels::LabelSet;
    use crate::logql::{LineFilter, LineOp, LineOperand, Pipeline, Stage};

    fn mined(lines: &[impl AsRef<[u8]>]) -> Vec<(String, Vec<usize>)> {
        patterns(lines.iter().map(AsRef::as_ref), &Cancel::after(Duration::MAX)).unwrap()
    }

    fn shown(lines: &[impl AsRef<[u8]>]) -> Vec<String> {
        mined(lines).into_iter().map(|(pattern, lines)| format!("{} {pattern}", lines.len())).collect()
    }

    #[test]
    fn what_differs_becomes_a_capture() {
        for (lines, want) in [
            (&["usb 2-4: new device 7", "usb 1-3: new device 12"][..], &["2 usb <_>: new device <_>"][..]),
            (
                &["user=a ok", "user=b ok", "user=c ok", "user=d ok", "user=e ok", "user=e failed"],
                &["5 user=<_> ok", "1 user=e failed"],
            ),
            (&["user=a ok", "user=1 ok"], &["2 user=<_> ok"]),
            (&["a <b> c", "a b c"], &["2 a <_> c"]),
            (&[r#"{"n":1,"m":"x"}"#, r#"{"n":20,"m":"x"}"#], &[r#"2 {"n":<_>,"m":"x"}"#]),
            (&["one two three", "one two four"], &["2 one two <_>"]),
            (&["disk full", "user gone"], &["1 disk full", "1 user gone"]),
            (&["", ""], &["2 "]),
        ] {
            assert_eq!(shown(lines), want, "{lines:?}");
        }
    }

    #[test]
    fn few_forms_of_a_word_stay_apart_if_each_has_enough_lines() {
        let lines = |methods: &[&str], each: usize| -> Vec<String> {
            methods.iter().flat_map(|method| (0..each).map(move |n| format!("method={method} n={n}"))).collect()
        };
        assert_eq!(shown(&lines(&["GET", "POST"], 5)), ["5 method=GET n=<_>", "5 method=POST n=<_>"]);
        assert_eq!(shown(&lines(&["GET", "POST"], 4)), ["8 method=<_> n=<_>"]);
        assert_eq!(shown(&lines(&["a", "b", "c", "d", "e"], 5)), ["25 method=<_> n=<_>"]);
        let mut one_more = lines(&["GET"], 5);
        one_more.push("method=PUT n=0".to_owned());
        assert_eq!(shown(&one_more), ["5 method=GET n=<_>", "1 method=PUT n=<_>"]);
    }

    #[test]
    fn the_order_of_lines_does_not_matter() {
        // Templates of few lines each, of which several are equally like a third one.
        let word = |n: usize| ["a", "b", "c", "d"][n % 4];
        let mut lines: Vec<String> =
            (0..90).map(|n: usize| format!("{} {} {}", word(n), word(n / 4), word(n * 7 / 16))).collect();
        let forward = shown(&lines);
        lines.reverse();
        assert_eq!(shown(&lines), forward);
    }

    /// Made of what separates, what is a word and what a filter could read otherwise.
    fn random_lines(count: usize) -> Vec<Vec<u8>> {
        const PARTS: [&[u8]; 22] = [
            b"a",
            b"b",
            b"ab",
            b" ",
            b" ",
            b"  ",
            b"=",
            b"\"",
            b":",
            b": ",
            b".",
            b". ",
            b",",
            b"{",
            b"}",
            b"<_>",
            b"<",
            b">",
            b"7",
            b"\xff",
            "é".as_bytes(),
            b"\n",
        ];
        let mut seed = 7_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        (0..count).map(|_| (0..random(12)).flat_map(|_| PARTS[random(PARTS.len())].to_vec()).collect()).collect()
    }

    /// A pattern is worth nothing if it does not work as a filter.
    #[test]
    fn a_pattern_matches_every_line_that_it_stands_for() {
        let mut lines = random_lines(20_000);
        lines.push(b"w ".repeat(300));
        let stream = LabelSet::default();
        let mut stood_for = vec![false; lines.len()];
        for (pattern, of) in mined(&lines) {
            let operands = vec![LineOperand::Text(pattern.clone())];
            let filter = Stage::LineFilter(LineFilter { op: LineOp::Pattern, operands });
            let pipeline = Pipeline::compile(&[filter]).unwrap();
            let mut runner = pipeline.runner(&stream);
            for at in of {
                assert!(!std::mem::replace(&mut stood_for[at], true), "line {at} twice");
                let line = String::from_utf8_lossy(&lines[at]).into_owned();
                assert!(runner.run(0, &lines[at], &stream).is_some(), "{pattern:?} on {line:?}");
            }
        }
        assert!(stood_for.into_iter().all(|stood_for| stood_for));
    }
}
