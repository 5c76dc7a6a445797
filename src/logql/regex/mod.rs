//! Regular expressions in the dialect that queries are written in (Go's RE2), on engines that know
//! neither that dialect nor broken text. One type for every use in the language.
//!
//! A text that is a literal in disguise is searched for as one. Otherwise a required literal may
//! refuse the text first; then the lazy DFA (feature `dfa`) answers, or regex-lite where that
//! refuses. All three give the same answers. Each byte of a text that is not UTF-8 counts as U+FFFD.

mod class;
#[cfg(feature = "dfa")]
mod dfa;
mod lines;
mod plan;
mod required;
mod syntax;
mod write;

use std::borrow::Cow;
use std::fmt;

use regex_lite::CaptureLocations;

use super::filter::Needle;
use crate::labels::Literal;
pub use lines::{GaveUp, LineSearcher};
use plan::Plan;
use syntax::{Node, Parsed};
use write::Reader;

/// What a compiled expression may occupy in either engine; Go's own limit is of this order.
const SIZE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How deep the expressions that `write` makes may nest; a multiple of what `syntax` lets through.
const NESTING_MAX: u32 = 250;

/// How much of a text an expression must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Some part: line filters, `regexp`, template functions.
    Part,
    /// The whole, `.` not matching a newline: label filters, `label_replace`.
    Whole,
    /// The whole, `.` matching a newline too: stream selectors, `drop` and `keep`.
    WholeDotAll,
}

/// A replacement would become longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// A compiled regular expression; shared by all threads of a query.
pub struct Regex {
    source: String,
    plan: Option<Plan>,
    /// The literals to look for before an engine runs.
    needles: Vec<Needle>,
    required: Vec<Vec<Literal>>,
    names: Vec<Option<String>>,
    lite: regex_lite::Regex,
    #[cfg(feature = "dfa")]
    dfa: dfa::OnDemand,
    /// For a text of many lines, and whether none of them may have a newline within it.
    #[cfg(feature = "dfa")]
    lines: (dfa::OnDemand, bool),
}

impl Regex {
    /// Compiles an expression in Go's syntax. The error is Go's: "error parsing regexp: ...".
    pub fn new(source: &str, form: Form) -> Result<Self, String> {
        let Parsed { node, names } = syntax::parse(source, form == Form::WholeDotAll)?;
        let plan = match form {
            Form::Part => Plan::search(&node),
            Form::Whole | Form::WholeDotAll => Plan::whole(&node),
        };
        let required = required::required(&node);
        let needles = match plan {
            Some(_) => Vec::new(),
            None => required::best(required.clone()).unwrap_or_default().iter().map(Needle::new).collect(),
        };
        #[cfg(feature = "dfa")]
        let lines = match lines::per_line(&node) {
            Some((lines, needs_plain_lines)) if form == Form::Part => {
                (dfa::OnDemand::new(write::write(&lines, Reader::Automata)), needs_plain_lines)
            }
            _ => (dfa::OnDemand::never(), true),
        };
        let node = match form {
            Form::Part => node,
            Form::Whole | Form::WholeDotAll => Node::Concat(vec![Node::TextStart, node, Node::TextEnd]),
        };
        let lite = regex_lite::RegexBuilder::new(&write::write(&node, Reader::Lite))
            .size_limit(SIZE_BYTES_MAX)
            .nest_limit(NESTING_MAX)
            .build()
            .map_err(|_| format!("error parsing regexp: expression too large: `{source}`"))?;
        Ok(Self {
            source: source.to_owned(),
            plan,
            needles,
            required,
            names,
            lite,
            #[cfg(feature = "dfa")]
            dfa: match form {
                Form::Part | Form::Whole => dfa::OnDemand::new(write::write(&node, Reader::Automata)),
                Form::WholeDotAll => dfa::OnDemand::never(),
            },
            #[cfg(feature = "dfa")]
            lines,
        })
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether `text` matches.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.searcher().is_match(text)
    }

    /// A searcher for one thread that tests many texts: it keeps what is borrowed for a search.
    pub fn searcher(&self) -> Searcher<'_> {
        Searcher {
            regex: self,
            #[cfg(feature = "dfa")]
            cache: None,
        }
    }

    /// A searcher for the lines of a text that match; `None` if only a look at each line can tell. The text is
    /// UTF-8; it is lines with a newline behind each.
    pub fn line_searcher(&self, text: &[u8], lines: usize) -> Option<LineSearcher<'_>> {
        #[cfg(feature = "dfa")]
        {
            let (dfa, needs_plain_lines) = &self.lines;
            let dfa = dfa.get()?;
            let are_plain = || memchr::memchr_iter(b'\n', text).count() == lines;
            let fits = (!needs_plain_lines || are_plain()) && std::str::from_utf8(text).is_ok();
            fits.then(|| LineSearcher::new(dfa))
        }
        #[cfg(not(feature = "dfa"))]
        {
            _ = (text, lines);
            None
        }
    }

    /// What a text must hold to match: of each inner list, at least one. Empty if nothing is known.
    pub fn required_literals(&self) -> &[Vec<Literal>] {
        &self.required
    }

    /// Whether the expression is tested without an engine.
    pub fn is_simple(&self) -> bool {
        self.plan.is_some()
    }

    /// The names of the groups, group 1 first; `None` for a group without a name.
    pub fn group_names(&self) -> &[Option<String>] {
        &self.names
    }

    /// Room for the places that [`Regex::captures_at`] finds.
    pub fn locations(&self) -> CaptureLocations {
        self.lite.capture_locations()
    }

    /// Finds the first match at or after byte `start` and the places of its groups; group 0 is the
    /// whole match.
    pub fn captures_at(&self, locations: &mut CaptureLocations, text: &str, start: usize) -> bool {
        self.lite.captures_read_at(locations, text, start).is_some()
    }

    /// Appends `replacement` with its `$1`, `${name}` and `$$` filled in from a match in `text`. A
    /// group that is unknown or took no part gives nothing; a `$` before anything else stays. Gives up
    /// once `out` is longer than `bytes_max`: a short replacement can name a long group many times.
    pub fn expand(
        &self,
        places: &CaptureLocations,
        text: &str,
        replacement: &str,
        bytes_max: usize,
        out: &mut String,
    ) -> Result<(), TooLong> {
        let mut rest = replacement;
        while let Some(at) = rest.find('$') {
            if out.len() > bytes_max {
                return Err(TooLong);
            }
            out.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            if let Some(after) = tail.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let braced = tail.strip_prefix('{');
            let body = braced.unwrap_or(tail);
            let length = body.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(body.len());
            let closed = braced.is_none() || body[length..].starts_with('}');
            if length == 0 || !closed {
                out.push('$');
                rest = tail;
                continue;
            }
            let group = self.group(&body[..length]).filter(|group| *group < places.len());
            if let Some((start, end)) = group.and_then(|group| places.get(group)) {
                out.push_str(&text[start..end]);
            }
            rest = &body[length + usize::from(braced.is_some())..];
        }
        out.push_str(rest);
        if out.len() > bytes_max { Err(TooLong) } else { Ok(()) }
    }

    /// The number of a group that is named by its number or its name.
    fn group(&self, name: &str) -> Option<usize> {
        let named = || self.names.iter().position(|known| known.as_deref() == Some(name)).map(|at| at + 1);
        name.parse().ok().or_else(named)
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.source)
    }
}

/// A regular expression in the hands of one thread.
pub struct Searcher<'r> {
    regex: &'r Regex,
    #[cfg(feature = "dfa")]
    cache: Option<dfa::CacheGuard<'r>>,
}

impl Searcher<'_> {
    /// Whether `text` matches.
    pub fn is_match(&mut self, text: &[u8]) -> bool {
        let regex = self.regex;
        if let Some(plan) = &regex.plan {
            return plan.is_match(text);
        }
        if !regex.needles.is_empty() && !regex.needles.iter().any(|needle| needle.is_in(text)) {
            return false;
        }
        let text = readable(text);
        self.engine_says(&text)
    }

    #[cfg(feature = "dfa")]
    fn engine_says(&mut self, text: &str) -> bool {
        if let Some(dfa) = self.regex.dfa.get() {
            let cache = self.cache.get_or_insert_with(|| dfa.cache());
            if let Some(answer) = dfa.is_match(cache, text.as_bytes()) {
                return answer;
            }
        }
        self.regex.lite.is_match(text)
    }

    #[cfg(not(feature = "dfa"))]
    fn engine_says(&mut self, text: &str) -> bool {
        self.regex.lite.is_match(text)
    }
}

/// `bytes` as text, each byte that belongs to no character replaced by U+FFFD.
pub fn readable(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(replace_broken(bytes)),
    }
}

fn replace_broken(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests;
