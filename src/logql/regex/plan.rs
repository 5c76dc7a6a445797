//! Expressions that need no engine: those that are a text, or texts beside `.*`, in disguise.

use super::super::filter::Needle;
use super::class::{ANY, ANY_BUT_NEWLINE};
use super::required::{ALTERNATIVES_MAX, exact};
use super::syntax::Node;
use crate::labels::Literal;

/// How to test a text without an engine.
#[derive(Debug)]
pub(super) enum Plan {
    /// Matches whatever the text is.
    Always,
    /// Holds one of these.
    Contains(Vec<Needle>),
    /// Is one of these, in any case if so marked.
    Equals(Vec<Literal>),
    /// Starts with `start`, ends with `end` and has between them at least `more` bytes.
    Affixes {
        /// How it begins.
        start: Vec<u8>,
        /// How it ends.
        end: Vec<u8>,
        /// The fewest bytes in between: 0 for `.*`, 1 for `.+`.
        more: usize,
        /// Whether there may be newlines in between.
        newlines: bool,
    },
}

impl Plan {
    /// The plan for finding `node` anywhere in a text.
    pub(super) fn search(node: &Node) -> Option<Self> {
        let literals = match inside_dots(node) {
            [only] => alternatives(only)?,
            run => vec![exact_run(run)?],
        };
        if literals.iter().any(|literal| literal.text.is_empty()) {
            return Some(Self::Always);
        }
        Some(Self::Contains(literals.iter().map(Needle::new).collect()))
    }

    /// The plan for matching the whole of a text.
    pub(super) fn whole(node: &Node) -> Option<Self> {
        if let Some(literals) = alternatives(node) {
            return Some(Self::Equals(literals));
        }
        let nodes = nodes_of(node);
        let dots_at = nodes.iter().position(|node| dots(node).is_some())?;
        let (more, newlines) = dots(&nodes[dots_at])?;
        let (before, after) = (&nodes[..dots_at], &nodes[dots_at + 1..]);
        if let ([], [middle @ .., last], 0, true) = (before, after, more, newlines)
            && dots(last) == Some((0, true))
            && let Some(literal) = exact_run(middle)
            && !literal.text.is_empty()
        {
            return Some(Self::Contains(vec![Needle::new(&literal)]));
        }
        let (start, end) = (exact_run(before)?, exact_run(after)?);
        if start.fold_case || end.fold_case {
            return None;
        }
        if (start.text.len() + end.text.len() + more, newlines) == (0, true) {
            return Some(Self::Always);
        }
        Some(Self::Affixes { start: start.text, end: end.text, more, newlines })
    }

    /// Whether `text` matches.
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Always => true,
            Self::Contains(needles) => needles.iter().any(|needle| needle.is_in(text)),
            Self::Equals(literals) => literals.iter().any(|literal| literal.equals(text)),
            Self::Affixes { start, end, more, newlines } => {
                text.len() >= start.len() + end.len() + more
                    && text.starts_with(start)
                    && text.ends_with(end)
                    && (*newlines || memchr::memchr(b'\n', &text[start.len()..text.len() - end.len()]).is_none())
            }
        }
    }
}

/// The texts that `node` is an alternation of; `None` if it is anything else.
fn alternatives(node: &Node) -> Option<Vec<Literal>> {
    match ungrouped(node) {
        Node::Alternate(branches) if branches.len() <= ALTERNATIVES_MAX => branches.iter().map(exact).collect(),
        node => Some(vec![exact(node)?]),
    }
}

fn ungrouped(node: &Node) -> &Node {
    match node {
        Node::Group(node) => ungrouped(node),
        node => node,
    }
}

/// The nodes that `node` consists of, without the `.*` at both ends that a search does not need.
fn inside_dots(node: &Node) -> &[Node] {
    let mut nodes = nodes_of(node);
    let idle = |node: &Node| matches!(dots(node), Some((0, _)));
    while let [first, rest @ ..] = nodes
        && idle(first)
    {
        nodes = rest;
    }
    while let [rest @ .., last] = nodes
        && idle(last)
    {
        nodes = rest;
    }
    nodes
}

fn nodes_of(node: &Node) -> &[Node] {
    match ungrouped(node) {
        Node::Concat(nodes) => nodes,
        node => std::slice::from_ref(node),
    }
}

/// For `.*` and `.+`: the fewest bytes they match and whether newlines are among them.
fn dots(node: &Node) -> Option<(usize, bool)> {
    let Node::Repeat { node, min: min @ (0 | 1), max: None, .. } = ungrouped(node) else {
        return None;
    };
    let Node::Class(class) = ungrouped(node) else {
        return None;
    };
    let newlines = match class.ranges() {
        ranges if ranges == ANY => true,
        ranges if ranges == ANY_BUT_NEWLINE => false,
        _ => return None,
    };
    Some((*min as usize, newlines))
}

/// The text that `nodes` form together.
fn exact_run(nodes: &[Node]) -> Option<Literal> {
    exact(&Node::Concat(nodes.to_vec()))
}
