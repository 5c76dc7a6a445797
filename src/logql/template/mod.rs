//! The templates of `line_format` and `label_format`: Go's `text/template` with the functions that
//! Loki adds. A template is parsed once per query and run once per line, within bounds on its
//! steps and its output.
//! Source: <https://pkg.go.dev/text/template>.

mod exec;
mod functions;
mod lexer;
mod parser;
mod printf;
mod time;
mod value;

use std::cell::RefCell;
use std::sync::Arc;

use super::entry::{ERROR, ERROR_DETAILS, Labels};
use super::regex::{Form, Regex};
use parser::{Node, Operand, Pipe, Tree};

pub use time::Clock;

/// The error that a template which cannot be run is noted as.
pub(super) const TEMPLATE_ERROR: &str = "TemplateFormatErr";
/// How many expressions that templates use one thread keeps compiled.
const REGEXES_MAX: usize = 16;

/// A parsed template.
#[derive(Debug)]
pub(super) struct Template {
    /// What errors call it: `line` or `label`.
    name: &'static str,
    text: String,
    tree: Tree,
}

impl Template {
    /// Parses a template; the error is Go's, "template: line:1: ...".
    pub(super) fn new(name: &'static str, text: &str) -> Result<Self, String> {
        let fail = |(at, message): (usize, String)| format!("template: {name}:{}: {message}", line_of(text, at));
        let tree = parser::parse(text).map_err(fail)?;
        Ok(Self { name, text: text.to_owned(), tree })
    }

    /// The label that the template is nothing but.
    pub(super) fn only_field(&self) -> Option<&str> {
        let [Node::Action(Pipe { variables, commands, .. })] = &self.tree.nodes[..] else {
            return None;
        };
        match &commands[..] {
            [command] if variables.is_empty() => match &command.operands[..] {
                [Operand::Fields(inner, names)] if matches!(**inner, Operand::Dot) && names.len() == 1 => {
                    Some(&names[0])
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Appends to `out` what the template makes of an entry. The error is Go's; `out` may hold a
    /// part then.
    pub(super) fn run<'c>(&'c self, scope: &Scope<'c>, out: &mut String) -> Result<(), String> {
        if let Some(label) = self.only_field() {
            // As in Loki, such a template does not see the errors.
            if !matches!(label, ERROR | ERROR_DETAILS) {
                out.push_str(scope.labels.get(label).unwrap_or(""));
            }
            return Ok(());
        }
        exec::run(&self.tree, scope, out).map_err(|failure| {
            let exec::Failure { at, text, message } = failure;
            let line_start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let (name, line, column) = (self.name, line_of(&self.text, at), at - line_start);
            format!("template: {name}:{line}:{column}: executing {name:?} at <{text}>: {message}")
        })
    }

    /// Calls `take` with the name of every field the template reads.
    pub(super) fn each_field(&self, take: &mut impl FnMut(&str)) {
        for nodes in std::iter::once(&self.tree.nodes).chain(self.tree.defined.values()) {
            fields_of_nodes(nodes, take);
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn fields_of_nodes(nodes: &[Node], take: &mut impl FnMut(&str)) {
    for node in nodes {
        match node {
            Node::Action(pipe) | Node::Template { pipe: Some(pipe), .. } => fields_of_pipe(pipe, take),
            Node::If { pipe, then, otherwise }
            | Node::With { pipe, then, otherwise }
            | Node::Range { pipe, then, otherwise } => {
                fields_of_pipe(pipe, take);
                fields_of_nodes(then, take);
                fields_of_nodes(otherwise, take);
            }
            Node::Text(_) | Node::Break | Node::Continue | Node::Template { pipe: None, .. } => {}
        }
    }
}

fn fields_of_pipe(pipe: &Pipe, take: &mut impl FnMut(&str)) {
    for operand in pipe.commands.iter().flat_map(|command| &command.operands) {
        fields_of_operand(operand, take);
    }
}

fn fields_of_operand(operand: &Operand, take: &mut impl FnMut(&str)) {
    match operand {
        Operand::Fields(inner, names) => {
            for name in names {
                take(name);
            }
            fields_of_operand(inner, take);
        }
        Operand::Pipe(pipe) => fields_of_pipe(pipe, take),
        _ => {}
    }
}

/// What a template sees of an entry and of the world.
pub(super) struct Scope<'c> {
    /// The labels: the dot.
    pub(super) labels: &'c Labels<'c>,
    /// The line: `__line__`.
    pub(super) line: &'c [u8],
    /// The time of the entry in nanoseconds since 1970: `__timestamp__`.
    pub(super) timestamp_ns: i64,
    /// Now, and where the server is.
    pub(super) clock: &'c Clock,
    /// The expressions that functions were called with.
    pub(super) regexes: &'c Regexes,
}

/// The expressions that one thread's templates have used, compiled.
#[derive(Debug, Default)]
pub(super) struct Regexes(RefCell<Vec<(String, Arc<Regex>)>>);

impl Regexes {
    /// The compiled expression; the error is Go's.
    fn get(&self, source: &str) -> Result<Arc<Regex>, String> {
        let mut known = self.0.borrow_mut();
        if let Some((_, regex)) = known.iter().find(|(text, _)| text == source) {
            return Ok(Arc::clone(regex));
        }
        let regex = Arc::new(Regex::new(source, Form::Part)?);
        if known.len() == REGEXES_MAX {
            known.remove(0);
        }
        known.push((source.to_owned(), Arc::clone(&regex)));
        Ok(regex)
    }
}

#[cfg(test)]
mod tests;
