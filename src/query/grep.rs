//! Finds the lines of a run that can pass a pipeline without running it: a search for the literals
//! that a passing line must hold, over the whole text of the run at once. Yields a superset of the
//! lines that pass, in the order asked for.

use std::ops::Range;

use memchr::memmem;

use super::Direction;
use crate::labels::{Entries, Literal};

/// The literals of one query, made ready for searching.
pub(super) struct Prefilter {
    /// Any of these leads from line to line; none: every line is a candidate.
    leading: Vec<Needle>,
    /// Each of these groups must occur somewhere in the text, or no line of it can pass.
    others: Vec<Vec<Needle>>,
}

impl Prefilter {
    /// `required` is [`crate::logql::Pipeline::required_literals`].
    pub(super) fn new(required: &[Vec<Literal>]) -> Self {
        // A group with an empty literal (or with none) says nothing about a line.
        let mut groups: Vec<&Vec<Literal>> =
            required.iter().filter(|any| !any.is_empty() && any.iter().all(|one| !one.text.is_empty())).collect();
        groups.sort_by_key(|any| std::cmp::Reverse(selectivity(any)));
        let mut groups = groups.into_iter().map(|any| any.iter().map(Needle::new).collect());
        Self { leading: groups.next().unwrap_or_default(), others: groups.collect() }
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
            return Candidates { run, direction, rest: 0..0, cursors: None };
        }
        let cursors = (!self.leading.is_empty()).then(|| {
            let mut cursors: Vec<_> = self.leading.iter().map(|needle| Cursor { needle, line: None }).collect();
            for cursor in &mut cursors {
                cursor.seek(run, &range, direction);
            }
            cursors
        });
        Candidates { run, direction, rest: range, cursors }
    }
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
    /// Where each leading literal occurs next; `None`: every line is a candidate.
    cursors: Option<Vec<Cursor<'a>>>,
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.rest.is_empty() {
            return None;
        }
        let forward = self.direction == Direction::Forward;
        let next = match &self.cursors {
            None if forward => Some(self.rest.start),
            None => Some(self.rest.end - 1),
            Some(cursors) if forward => cursors.iter().filter_map(|cursor| cursor.line).min(),
            Some(cursors) => cursors.iter().filter_map(|cursor| cursor.line).max(),
        };
        let Some(line) = next else {
            self.rest = 0..0;
            return None;
        };
        self.rest = if forward { line + 1..self.rest.end } else { self.rest.start..line };
        for cursor in self.cursors.iter_mut().flatten().filter(|cursor| cursor.line == Some(line)) {
            cursor.seek(self.run, &self.rest, self.direction);
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
        self.line = found.map(|at| {
            let at = run.start(rest.start) + at;
            run.ends()[rest.clone()].partition_point(|end| (*end as usize) < at) + rest.start
        });
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
        let (run, prefilter) = (run(lines), Prefilter::new(required));
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
