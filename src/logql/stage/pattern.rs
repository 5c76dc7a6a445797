//! `| pattern "<ip> - <_> <path>"`: the text at each named capture becomes a label.

use memchr::memmem::Finder;

use super::super::entry::Entry;
use super::super::filter::{Part, pattern_parts};
use super::super::regex::readable;
use super::{Compiled, Worker};

/// `| pattern "..."`
#[derive(Debug)]
pub(super) struct Pattern {
    /// What the line must start with.
    start: String,
    captures: Vec<Capture>,
}

#[derive(Debug)]
struct Capture {
    /// `None` for `<_>`.
    name: Option<String>,
    /// The literal that ends it; `None` for the last one, which takes the rest.
    end: Option<Finder<'static>>,
}

impl Pattern {
    /// Compiles the pattern; the error is Loki's.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let (mut start, mut captures) = (String::new(), Vec::<Capture>::new());
        for part in pattern_parts(text)? {
            match (part, captures.last_mut()) {
                (Part::Capture(name), _) => captures.push(Capture { name, end: None }),
                (Part::Literal(text), Some(capture)) => {
                    capture.end = Some(Finder::new(text.as_bytes()).into_owned());
                }
                (Part::Literal(text), None) => start = text,
            }
        }
        Ok(Self { start, captures })
    }
}

impl Compiled for Pattern {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }
}

impl Worker for &Pattern {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let (line, labels) = entry.parts();
        let line = readable(line);
        if line.is_empty() {
            return true;
        }
        let Some(mut rest) = line.strip_prefix(self.start.as_str()) else {
            return true;
        };
        for Capture { name, end } in &self.captures {
            // A literal that is not found leaves the rest to its capture, and nothing to those behind.
            let found = end.as_ref().and_then(|end| Some((end.find(rest.as_bytes())?, end.needle().len())));
            let (value, tail) = match found {
                Some((at, length)) => (&rest[..at], Some(&rest[at + length..])),
                None => (rest, None),
            };
            if let Some(name) = name {
                labels.extract(name, false, |out| out.push_str(value));
            }
            let Some(tail) = tail else { break };
            rest = tail;
        }
        true
    }
}
