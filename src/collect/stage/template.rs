//! `template`: a value made of others.

use std::{fmt, sync::Arc};

use super::{Entry, Flow};
use crate::logql::{Expressions, FieldTemplate, Fields};

/// The template's name for what it changes, and for the line.
const VALUE: &str = "Value";
const ENTRY: &str = "Entry";

/// Makes a value, or changes one. If nothing comes out, the value is removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The value's name.
    pub source: String,
    /// What it becomes.
    pub template: LineTemplate,
}

/// A template of the language, over what stages found; `.Value` is what is changed, `.Entry` the line.
#[derive(Clone)]
pub struct LineTemplate {
    text: String,
    compiled: Arc<FieldTemplate>,
    reads_value: bool,
    reads_entry: bool,
    /// The template is nothing but text.
    literal: bool,
}

impl LineTemplate {
    /// Parses a template.
    ///
    /// # Errors
    /// Go's words: `template: pipeline_template:1: function "x" not defined`.
    pub fn new(text: &str) -> Result<Self, String> {
        let compiled = FieldTemplate::new(text)?;
        Ok(Self {
            reads_value: compiled.reads(VALUE),
            reads_entry: compiled.reads(ENTRY),
            literal: !text.contains("{{"),
            compiled: Arc::new(compiled),
            text: text.to_owned(),
        })
    }

    /// Whether the template reads a value of this name.
    pub fn reads(&self, name: &str) -> bool {
        self.compiled.reads(name)
    }

    /// Appends what the template makes of a value and a line.
    pub(super) fn run(
        &self,
        fields: &mut Fields<'_>,
        value: &str,
        line: &str,
        expressions: &Expressions,
        out: &mut String,
    ) -> Result<(), &'static str> {
        if self.literal {
            out.push_str(&self.text);
            return Ok(());
        }
        if self.reads_value {
            fields.set(VALUE, |text| text.push_str(value));
        }
        if self.reads_entry {
            fields.set(ENTRY, |text| text.push_str(line));
        }
        let made = self.compiled.run(fields, line.as_bytes(), expressions, out);
        if self.reads_value {
            fields.remove(VALUE);
        }
        if self.reads_entry {
            fields.remove(ENTRY);
        }
        made.map_err(|_| "the template cannot be run")
    }
}

impl PartialEq for LineTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for LineTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Template,
    expressions: Expressions,
    value: String,
    made: String,
}

impl Step {
    pub(super) fn new(stage: &Template) -> Self {
        Self { stage: stage.clone(), expressions: Expressions::default(), value: String::new(), made: String::new() }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        self.value.clear();
        self.value.push_str(entry.fields.get(&self.stage.source).unwrap_or(""));
        self.made.clear();
        let super::entry::Parts { line, fields, .. } = entry.parts();
        let Template { source, template } = &self.stage;
        match template.run(fields, &self.value, line, &self.expressions, &mut self.made) {
            Ok(()) if self.made.is_empty() => fields.remove(source),
            Ok(()) => fields.set(source, |out| out.push_str(&self.made)),
            Err(what) => entry.failure = Some(what),
        }
        Flow::Next
    }
}
