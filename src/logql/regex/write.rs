//! Writes a tree back as text that both engines read alike: no flags, every class spelled out,
//! every character that could mean something escaped by its number.

use std::fmt::Write;

use super::class::Class;
use super::syntax::Node;

/// Which engine reads the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// regex-lite
    Lite,
    /// regex-automata, whose word boundaries are Unicode's unless told otherwise
    #[cfg(feature = "dfa")]
    Automata,
}

/// The text of `node`.
pub(super) fn write(node: &Node, reader: Reader) -> String {
    let mut out = String::new();
    append(node, reader, &mut out);
    out
}

fn append(node: &Node, reader: Reader, out: &mut String) {
    match node {
        Node::Empty => out.push_str("(?:)"),
        Node::Char(c) => append_char(*c, out),
        Node::Fold(c) => {
            out.extend(['[', c.to_ascii_uppercase(), *c, ']']);
        }
        Node::Class(class) => append_class(class, out),
        Node::TextStart => out.push_str("\\A"),
        Node::TextEnd => out.push_str("\\z"),
        Node::LineStart => out.push_str("(?m:^)"),
        Node::LineEnd => out.push_str("(?m:$)"),
        Node::WordBoundary => append_boundary("\\b", reader, out),
        Node::NotWordBoundary => append_boundary("\\B", reader, out),
        Node::Group(node) => {
            // Only regex-lite is asked where groups are.
            out.push_str(if reader == Reader::Lite { "(" } else { "(?:" });
            append(node, reader, out);
            out.push(')');
        }
        Node::Concat(nodes) => {
            for node in nodes {
                append_unit(node, matches!(node, Node::Alternate(_)), reader, out);
            }
        }
        Node::Alternate(nodes) => {
            for (at, node) in nodes.iter().enumerate() {
                if at > 0 {
                    out.push('|');
                }
                append(node, reader, out);
            }
        }
        Node::Repeat { node, min, max, greedy } => {
            let atom = matches!(**node, Node::Char(_) | Node::Fold(_) | Node::Class(_) | Node::Group(_));
            append_unit(node, !atom, reader, out);
            let _ = match (min, max) {
                (0, None) => write!(out, "*"),
                (1, None) => write!(out, "+"),
                (0, Some(1)) => write!(out, "?"),
                (min, None) => write!(out, "{{{min},}}"),
                (min, Some(max)) => write!(out, "{{{min},{max}}}"),
            }; // a String takes every write
            if !greedy {
                out.push('?');
            }
        }
    }
}

fn append_unit(node: &Node, bracketed: bool, reader: Reader, out: &mut String) {
    if bracketed {
        out.push_str("(?:");
    }
    append(node, reader, out);
    if bracketed {
        out.push(')');
    }
}

fn append_boundary(text: &str, reader: Reader, out: &mut String) {
    match reader {
        Reader::Lite => out.push_str(text),
        #[cfg(feature = "dfa")]
        Reader::Automata => {
            let _ = write!(out, "(?-u:{text})");
        }
    }
}

fn append_char(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() || !c.is_ascii() {
        out.push(c);
    } else {
        let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
    }
}

fn append_class(class: &Class, out: &mut String) {
    if class.ranges().is_empty() {
        out.push_str("[^\\x{0}-\\x{10ffff}]"); // matches nothing
        return;
    }
    out.push('[');
    for (low, high) in class.ranges() {
        append_char(*low, out);
        if low != high {
            out.push('-');
            append_char(*high, out);
        }
    }
    out.push(']');
}
