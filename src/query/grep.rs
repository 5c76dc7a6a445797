//! Finds the lines of a run that can pass a pipeline without running it: a search for the literals
//! that a passing line must hold, or for the expression that it must match, over the whole text of the
//! run at once. Yields a superset of the lines that pass, in the order asked for.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use memchr::memmem;

use super::Direction;
use crate::labels::{Entries, Literal};
use crate::logql::{GaveUp, Pipeline, Regex};

/// An expression leads from line to line if the literals that could are shorter than this: they stand in most lines ...
const LEADING_BYTES_MIN: usize = 3;
/// ... or are more than this: each is searched for by itself.
const LEADING_MAX: usize = 8;

/// What the lines of one query must hold, made ready for searching.
pub(super) struct Prefilter {
    /// Leads from line to line where it can; where not, the literals do.
    regex: Option<Arc<Regex>>,
    /// Any of these leads from line to line; none: every line is a candidate.
    leading: Vec<Needle>,
    /// Each of these groups must occur somewhere in the text, or no line of it can pass.
    others: Vec<Vec<Needle>>,
}

impl Prefilter {
    /// What the lines that pass a pipeline must hold.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        Self::new(pipeline.required_literals(), pipeline.required_regex())
    }

    fn new(required: &[Vec<Literal>], regex: Option<&Arc<Regex>>) -> Self {
        // A group with an empty literal (or with none) says nothing about a line.
        let mut groups: Vec<&Vec<Literal>> =
            required.iter().filter(|any| !any.is_empty() && any.iter().all(|one| !one.text.is_empty())).collect();
        groups.sort_by_key(|any| std::cmp::Reverse(selectivity(any)));
        let is_weak = |any: &&Vec<Literal>| any.len() > LEADING_MAX || selectivity(any).0 < LEADING_BYTES_MIN;
        let regex = regex.filter(|_| groups.first().is_none_or(is_weak)).map(Arc::clone);
        let mut groups = groups.into_iter().map(|any| any.iter().map(Needle::new).collect());
        Self { regex, leading: groups.next().unwrap_or_default(), others: groups.collect() }
    }

    /// The lines `range` of a run that can pass, in order of their index or against it.
    pub(super) fn candidates<'a>(
        &'a self,
        run: &'a Entries,
        range: Range<usize>,
        direction: Direction,
    ) -> Candidates<'a> {
        if range.is_empty() || !self.others.iter().all(|any| any.iter().any(|one| one.occurs_in(text_of(run, &range))))
        {
            return Candidates { run, direction, rest: 0..0, lead: Lead::EveryLine };
        }
        if let Some(lines) = self.regex.as_ref().and_then(|regex| matching(regex, run, &range)) {
            return Candidates { run, direction, rest: range, lead: Lead::Lines(lines) };
        }
        let lead = if self.leading.is_empty() {
            Lead::EveryLine
        } else {
            let mut cursors: Vec<_> = self.leading.iter().map(|needle| Cursor { needle, line: None }).collect();
            for cursor in &mut cursors {
                cursor.seek(run, &range, direction);
            }
            Lead::Literals(cursors)
        };
        Candidates { run, direction, rest: range, lead }
    }
}

/// The lines that `regex` matches; `None` if only a look at each can tell. Behind a place where the engine gives
/// up, all.
fn matching(regex: &Regex, run: &Entries, range: &Range<usize>) -> Option<VecDeque<usize>> {
    let start = run.start(range.start);
    // Every line ends in a newline.
    let text = &run.text()[start..=run.ends()[range.end - 1] as usize];
    let mut searcher = regex.line_searcher(text, range.len())?;
    let (mut lines, mut rest) = (VecDeque::new(), range.clone());
    while !rest.is_empty() {
        match searcher.find(text, run.start(rest.start) - start) {
            // A match of the empty text behind the last newline is none.
            Ok(Some(at)) if at < text.len() => {
                let line = line_at(run, &rest, start + at, Direction::Forward);
                lines.push_back(line);
                rest.start = line + 1;
            }
            Ok(_) => break,
            Err(GaveUp) => {
                lines.extend(rest);
                break;
            }
        }
    }
    Some(lines)
}

/// The line of `rest` that holds the byte `at`: a search in growing steps from where the last line was found.
fn line_at(run: &Entries, rest: &Range<usize>, at: usize, direction: Direction) -> usize {
    let ends = &run.ends()[rest.clone()];
    let ends_before = |end: &u32| (*end as usize) < at;
    let mut reach = 1;
    let within = match direction {
        Direction::Forward => {
            while reach < ends.len() && ends_before(&ends[reach - 1]) {
                reach *= 2;
            }
            reach / 2..reach.min(ends.len())
        }
        Direction::Backward => {
            while reach < ends.len() && !ends_before(&ends[ends.len() - reach]) {
                reach *= 2;
            }
            ends.len() - reach.min(ends.len())..ends.len() - reach / 2
        }
    };
    rest.start + within.start + ends[within.clone()].partition_point(ends_before)
}

/// Which group leads: the longest shortest literal, few alternatives, and an exact literal before a folded one.
fn selectivity(any: &[Literal]) -> (usize, std::cmp::Reverse<usize>, bool) {
    let shortest = any.iter().map(|one| one.text.len()).min().unwrap_or(0);
    (shortest, std::cmp::Reverse(any.len()), any.iter().all(|one| !one.fold_case))
}

fn text_of<'a>(run: &'a Entries, range: &Range<usize>) -> &'a [u8] {
    &run.text()[run.start(range.start)..run.ends()[range.end - 1] as usize]
}

/// Indices of the lines that can pass.
pub(super) struct Candidates<'a> {
    run: &'a Entries,
    direction: Direction,
    /// Lines that were not looked at yet.
    rest: Range<usize>,
    lead: Lead<'a>,
}

/// What leads from line to line.
enum Lead<'a> {
    /// Every line is a candidate.
    EveryLine,
    /// Where each of them occurs next.
    Literals(Vec<Cursor<'a>>),
    /// These lines, in order.
    Lines(VecDeque<usize>),
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.rest.is_empty() {
            return None;
        }
        let forward = self.direction == Direction::Forward;
        let next = match &mut self.lead {
            Lead::EveryLine if forward => Some(self.rest.start),
            Lead::EveryLine => Some(self.rest.end - 1),
            Lead::Literals(cursors) if forward => cursors.iter().filter_map(|cursor| cursor.line).min(),
            Lead::Literals(cursors) => cursors.iter().filter_map(|cursor| cursor.line).max(),
            Lead::Lines(lines) if forward => lines.pop_front(),
            Lead::Lines(lines) => lines.pop_back(),
        };
        let Some(line) = next else {
            self.rest = 0..0;
            return None;
        };
        self.rest = if forward { line + 1..self.rest.end } else { self.rest.start..line };
        if let Lead::Literals(cursors) = &mut self.lead {
            for cursor in cursors.iter_mut().filter(|cursor| cursor.line == Some(line)) {
                cursor.seek(self.run, &self.rest, self.direction);
            }
        }
        Some(line)
    }
}

/// One literal and the line of its next occurrence.
struct Cursor<'a> {
    needle: &'a Needle,
    line: Option<usize>,
}

impl Cursor<'_> {
    /// Finds the first (or last) line of `rest` in which the literal starts. A literal that holds
    /// a newline may run on into the next line: the pipeline decides about such a line.
    fn seek(&mut self, run: &Entries, rest: &Range<usize>, direction: Direction) {
        if rest.is_empty() {
            self.line = None;
            return;
        }
        let found = match direction {
            Direction::Forward => self.needle.find(text_of(run, rest)),
            Direction::Backward => self.needle.rfind(text_of(run, rest)),
        };
        self.line = found.map(|at| line_at(run, rest, run.start(rest.start) + at, direction));
    }
}

/// A literal and how it is searched.
enum Needle {
    /// Byte by byte, forward and backward.
    Exact(Box<(memmem::Finder<'static>, memmem::FinderRev<'static>)>),
    /// Lower-case text in any ASCII case. `rare` is the index of its rarest byte, which is searched
    /// first; `lower` and `upper` are that byte in both cases (the same byte if it has none).
    Folded { text: Vec<u8>, rare: usize, lower: u8, upper: u8 },
}

impl Needle {
    fn new(literal: &Literal) -> Self {
        if !literal.fold_case {
            let forward = memmem::Finder::new(&literal.text).into_owned();
            let backward = memmem::FinderRev::new(&literal.text).into_owned();
            return Self::Exact(Box::new((forward, backward)));
        }
        let text = literal.text.to_ascii_lowercase();
        let rare = (0..text.len()).min_by_key(|at| commonness(text[*at])).unwrap_or(0);
        let lower = text.get(rare).copied().unwrap_or(0);
        Self::Folded { rare, lower, upper: lower.to_ascii_uppercase(), text }
    }

    fn occurs_in(&self, text: &[u8]) -> bool {
        self.find(text).is_some()
    }

    fn find(&self, haystack: &[u8]) -> Option<usize> {
        match self {
            Self::Exact(finders) => finders.0.find(haystack),
            Self::Folded { text, rare, lower, upper } => {
                memchr::memchr2_iter(*lower, *upper, haystack).find_map(|at| occurrence(haystack, text, at, *rare))
            }
        }
    }

    fn rfind(&self, haystack: &[u8]) -> Option<usize> {
        match self {
            Self::Exact(finders) => finders.1.rfind(haystack),
            Self::Folded { text, rare, lower, upper } => memchr::memchr2_iter(*lower, *upper, haystack)
                .rev()
                .find_map(|at| occurrence(haystack, text, at, *rare)),
        }
    }
}

/// Where `text` starts if its byte `rare` lies at `at`.
fn occurrence(haystack: &[u8], text: &[u8], at: usize, rare: usize) -> Option<usize> {
    let start = at.checked_sub(rare)?;
    haystack.get(start..start + text.len())?.eq_ignore_ascii_case(text).then_some(start)
}

/// How often a byte occurs in logs, roughly: rarer bytes make fewer false starts.
fn commonness(byte: u8) -> u8 {
    /// Letters from the most to the least frequent in English.
    const LETTERS: &[u8; 26] = b"etaoinsrhldcumfpgwybvkxjqz";
    match byte {
        b' ' => 255,
        b'0'..=b'9' => 220,
        b'-' | b'.' | b':' | b'/' | b'=' | b'"' | b',' | b'_' => 180,
        b'a'..=b'z' => {
            let rank = LETTERS.iter().position(|letter| *letter == byte).unwrap_or(25);
            170_u8.saturating_sub(u8::try_from(rank).unwrap_or(25) * 5)
        }
        _ => 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelSet;
    use crate::logql::Form;

    fn run(lines: &[&str]) -> Entries {
        let mut run = Entries::new();
        let set = run.intern(&LabelSet::default());
        for (at, line) in lines.iter().enumerate() {
            run.push(i64::try_from(at).unwrap(), line.as_bytes(), set);
        }
        run
    }

    fn exact(text: &str) -> Literal {
        Literal { text: text.into(), fold_case: false }
    }

    fn folded(text: &str) -> Literal {
        Literal { text: text.into(), fold_case: true }
    }

    fn check(lines: &[&str], required: &[Vec<Literal>], range: Range<usize>, want: &[usize]) {
        let (run, prefilter) = (run(lines), Prefilter::new(required, None));
        let forward: Vec<_> = prefilter.candidates(&run, range.clone(), Direction::Forward).collect();
        let mut backward: Vec<_> = prefilter.candidates(&run, range, Direction::Backward).collect();
        backward.reverse();
        assert_eq!(forward, want, "{required:?} forward");
        assert_eq!(backward, want, "{required:?} backward");
    }

    #[test]
    fn only_lines_with_the_literals_are_candidates_in_both_directions() {
        let lines = ["an error", "", "Error: error", "fine", "the ERROR", "err", "or"];
        let all = 0..lines.len();
        check(&lines, &[], all.clone(), &[0, 1, 2, 3, 4, 5, 6]);
        check(&lines, &[], 2..4, &[2, 3]);
        check(&lines, &[], 3..3, &[]);
        check(&lines, &[vec![exact("error")]], all.clone(), &[0, 2]);
        check(&lines, &[vec![folded("error")]], all.clone(), &[0, 2, 4]);
        check(&lines, &[vec![folded("error")]], 1..4, &[2]);
        check(&lines, &[vec![exact("fine"), exact("err")]], all.clone(), &[0, 2, 3, 5]);
        check(&lines, &[vec![exact("absent")]], all.clone(), &[]);
        // An empty alternative says nothing about a line.
        check(&lines, &[vec![exact("error"), exact("")]], all.clone(), &[0, 1, 2, 3, 4, 5, 6]);
        // "error" leads; the other group only has to occur somewhere.
        check(&lines, &[vec![exact("fi")], vec![exact("error")]], all.clone(), &[0, 2]);
        check(&lines, &[vec![exact("no")], vec![exact("error")]], all, &[]);
    }

    /// What an expression leads to are the lines that match it. Where it cannot lead, every line is a candidate.
    #[test]
    fn an_expression_leads_to_the_lines_that_match_it() {
        let plain = ["", "took 12ms", "x", "1.5s", "12 ms", "\u{e9} 7ms", "a b", "abc"];
        let with_newlines = ["7ms\nx", "x\n", "", "12ms", "a\nb"];
        let sources = [
            "[0-9]+ms|[0-9]+[.][0-9]+s",
            "^a",
            "s$",
            "^$",
            "\\s",
            "[^0-9]",
            "(?s).",
            "a|b|c",
            "\\bms\\b",
            "",
            "x*",
            "(?i)\u{c9}",
        ];
        for source in sources.into_iter().chain(["\\n", "b\\n|x"]) {
            let regex = Arc::new(Regex::new(source, Form::Part).unwrap());
            let prefilter = Prefilter::new(&[], Some(&regex));
            for lines in [&plain[..], &with_newlines] {
                let run = run(lines);
                let matching: Vec<_> = (0..lines.len()).filter(|at| regex.is_match(lines[*at].as_bytes())).collect();
                let candidates = |direction| prefilter.candidates(&run, 0..lines.len(), direction).collect::<Vec<_>>();
                let (forward, mut backward) = (candidates(Direction::Forward), candidates(Direction::Backward));
                backward.reverse();
                assert_eq!(forward, backward, "{source:?}");
                let passing: Vec<_> = forward.iter().copied().filter(|at| matching.contains(at)).collect();
                assert_eq!(passing, matching, "{source:?} on {lines:?}");
                if cfg!(feature = "dfa") && lines == plain && !source.contains("\\n") {
                    assert_eq!(forward, matching, "{source:?} on {lines:?}");
                }
            }
        }
    }

    #[test]
    fn broken_characters_and_weak_literals_do_not_lead() {
        let regex = Arc::new(Regex::new("a.", Form::Part).unwrap());
        let mut entries = Entries::new();
        let set = entries.intern(&LabelSet::default());
        entries.push(0, b"a\xff", set);
        entries.push(1, b"b", set);
        let prefilter = Prefilter::new(&[], Some(&regex));
        assert_eq!(prefilter.candidates(&entries, 0..2, Direction::Forward).collect::<Vec<_>>(), [0, 1]);
        let many: Vec<_> = ["one", "two", "six", "ten", "red", "sea", "sky", "sun", "ice"].map(exact).to_vec();
        for (group, leads) in
            [(vec![exact("ab")], true), (vec![exact("abc")], false), (many[..8].to_vec(), false), (many, true)]
        {
            assert_eq!(Prefilter::new(&[group], Some(&regex)).regex.is_some(), leads);
        }
    }

    #[test]
    fn lines_with_newlines_are_found_by_their_own_bounds() {
        let lines = ["a\nb", "b", "x\n", "\nb"];
        check(&lines, &[vec![exact("a\nb")]], 0..4, &[0]);
        check(&lines, &[vec![exact("b")]], 0..4, &[0, 1, 3]);
        check(&lines, &[vec![exact("x\n")]], 0..4, &[2]);
    }

    #[test]
    fn no_occurrence_crosses_from_one_line_into_the_next() {
        check(&["err", "or"], &[vec![exact("error")]], 0..2, &[]);
        check(&["err", "or"], &[vec![folded("rro")]], 0..2, &[]);
    }
}
