//! `| regexp "(?P<x>...)"`: the named groups of the first match become labels.

use regex_lite::CaptureLocations;

use super::super::entry::{Entry, append_sanitized};
use super::super::regex::{Form, Regex, readable};
use super::{Compiled, Worker};

/// `| regexp "..."`
#[derive(Debug)]
pub(super) struct Regexp {
    regex: Regex,
    /// The number of a group and the label it becomes.
    groups: Vec<(usize, String)>,
}

impl Regexp {
    /// Compiles the expression; the error is Go's.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let regex = Regex::new(text, Form::Part)?;
        let named = regex.group_names().iter().enumerate();
        let groups = named.filter_map(|(at, name)| {
            let mut label = String::new();
            append_sanitized(&mut label, name.as_deref()?);
            Some((at + 1, label))
        });
        let groups = groups.collect();
        Ok(Self { regex, groups })
    }
}

impl Compiled for Regexp {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(RegexpWorker { stage: self, places: self.regex.locations() })
    }
}

struct RegexpWorker<'p> {
    stage: &'p Regexp,
    places: CaptureLocations,
}

impl Worker for RegexpWorker<'_> {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let (line, labels) = entry.parts();
        let line = readable(line);
        if self.stage.regex.captures_at(&mut self.places, &line, 0) {
            for (group, label) in &self.stage.groups {
                let value = self.places.get(*group).map_or("", |(start, end)| &line[start..end]);
                labels.extract(label, false, |out| out.push_str(value));
            }
        }
        true
    }
}
