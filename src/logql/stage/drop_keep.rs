//! `| drop a, b="c"` and `| keep a, b="c"`: which labels an entry keeps.

use super::super::ast::LabelChoice;
use super::super::entry::Entry;
use super::{Compiled, Worker};

/// `| drop ...`
#[derive(Debug)]
pub(super) struct Drop(pub(super) Vec<LabelChoice>);

impl Compiled for Drop {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }

    fn reads_line(&self) -> bool {
        false
    }
}

impl Worker for &Drop {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        for choice in &self.0 {
            let (name, chosen) = match choice {
                LabelChoice::Name(name) => (name, true),
                LabelChoice::Matching(matcher) => {
                    let value = entry.labels.get(&matcher.name);
                    (&matcher.name, value.is_some_and(|value| matcher.matches(value)))
                }
            };
            if chosen {
                entry.labels.drop_label(name);
            }
        }
        true
    }
}

/// `| keep ...`
#[derive(Debug)]
pub(super) struct Keep(pub(super) Vec<LabelChoice>);

impl Compiled for Keep {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }

    fn reads_line(&self) -> bool {
        false
    }
}

impl Worker for &Keep {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        entry.labels.retain(|name, value| {
            self.0.iter().any(|choice| match choice {
                LabelChoice::Name(kept) => kept == name,
                LabelChoice::Matching(matcher) => matcher.name == name && matcher.matches(value),
            })
        });
        true
    }
}
