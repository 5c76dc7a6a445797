//! What the collector's stages share with the language: names and values found in a line, templates
//! over them, and tests of the line. A pipeline of a query has its own, faster ways to all of them.

use std::sync::LazyLock;

use super::ast::LineFilter;
use super::entry::Labels;
use super::filter::LineTest;
use super::template::{Clock, Regexes, Scope, Template};
use super::wanted::Wanted;
use crate::labels::LabelSet;

static NO_METADATA: LazyLock<LabelSet> = LazyLock::new(LabelSet::default);
static EVERYTHING: LazyLock<Wanted> = LazyLock::new(Wanted::default);

/// Names and values laid over the labels of a stream. Their text lies in one buffer that is used
/// again for the next line, so that a line allocates nothing.
#[derive(Debug)]
pub struct Fields<'s>(Labels<'s>);

impl<'s> Fields<'s> {
    /// Nothing but the labels of a stream.
    pub fn over(stream: &'s LabelSet) -> Self {
        Self(Labels::new(stream, &EVERYTHING))
    }

    /// Forgets what was set and removed, for the next line.
    pub fn start(&mut self) {
        self.0.start(&NO_METADATA);
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Gives a name the value that `write` appends.
    pub fn set(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        self.0.set(name, write);
    }

    /// Removes a name.
    pub fn remove(&mut self, name: &str) {
        self.0.drop_label(name);
    }

    /// Removes every name for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }

    /// Whether anything was set or removed since the start of the line.
    pub fn is_changed(&self) -> bool {
        self.0.is_changed()
    }

    /// All names and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.all()
    }
}

/// A template over [`Fields`], with the functions of `line_format`.
#[derive(Debug)]
pub struct FieldTemplate {
    template: Template,
    clock: Clock,
}

impl FieldTemplate {
    /// Parses a template; the error is Go's.
    pub fn new(text: &str) -> Result<Self, String> {
        Ok(Self { template: Template::new("pipeline_template", text)?, clock: Clock::default() })
    }

    /// Whether the template reads a field of this name.
    pub fn reads(&self, name: &str) -> bool {
        let mut found = false;
        self.template.each_field(&mut |field| found |= field == name);
        found
    }

    /// Appends what the template makes of the fields of a line; the error is Go's, and `out` may hold a part then.
    pub fn run(
        &self,
        fields: &Fields<'_>,
        line: &[u8],
        expressions: &Expressions,
        out: &mut String,
    ) -> Result<(), String> {
        let Self { template, clock } = self;
        let scope = Scope { labels: &fields.0, line, timestamp_ns: 0, clock, regexes: &expressions.0 };
        template.run(&scope, out)
    }
}

/// The regular expressions that templates were run with, compiled once.
#[derive(Debug, Default)]
pub struct Expressions(Regexes);

/// Line filters, all of which a line must pass.
#[derive(Debug)]
pub struct LineFilters(Vec<LineTest>);

impl LineFilters {
    /// Compiles the filters; the error is the part of Loki's message behind the filter.
    pub fn new<'f>(filters: impl IntoIterator<Item = &'f LineFilter>) -> Result<Self, String> {
        Ok(Self(filters.into_iter().map(LineTest::new).collect::<Result<_, _>>()?))
    }

    /// Whether a line passes.
    pub fn keep(&self, line: &[u8]) -> bool {
        self.0.iter().all(|test| test.keeps(line))
    }
}
