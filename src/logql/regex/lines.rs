//! An expression searched for in many lines at once: over a text of lines it finds those that it matches, without
//! looking at each alone. Only where there is a second engine; the answer is that of a search line by line.

#[cfg(feature = "dfa")]
use super::class::Class;
#[cfg(feature = "dfa")]
use super::dfa::{CacheGuard, LazyDfa};
#[cfg(feature = "dfa")]
use super::syntax::Node;

/// The expression that matches in a text of lines what `node` matches in one of them; `None` if it is about newlines.
/// Also, whether that holds only as long as no line has a newline within it.
#[cfg(feature = "dfa")]
pub(super) fn per_line(node: &Node) -> Option<(Node, bool)> {
    let mut needs_plain_lines = false;
    let node = rewritten(node, &mut needs_plain_lines)?;
    Some((node, needs_plain_lines))
}

#[cfg(feature = "dfa")]
fn rewritten(node: &Node, needs_plain_lines: &mut bool) -> Option<Node> {
    let mut all = |nodes: &[Node]| nodes.iter().map(|node| rewritten(node, needs_plain_lines)).collect::<Option<_>>();
    Some(match node {
        Node::Char('\n') => return None,
        Node::Class(class) => {
            let newline = Class::from_ranges(&[('\n', '\n')]);
            let mut others = class.negated();
            others.add(&newline);
            let without = others.negated();
            *needs_plain_lines |= without != *class;
            Node::Class(without)
        }
        Node::TextStart => {
            *needs_plain_lines = true;
            Node::LineStart
        }
        Node::TextEnd => {
            *needs_plain_lines = true;
            Node::LineEnd
        }
        Node::Group(node) => Node::Group(Box::new(rewritten(node, needs_plain_lines)?)),
        Node::Concat(nodes) => Node::Concat(all(nodes)?),
        Node::Alternate(nodes) => Node::Alternate(all(nodes)?),
        Node::Repeat { node, min, max, greedy } => {
            let node = Box::new(rewritten(node, needs_plain_lines)?);
            Node::Repeat { node, min: *min, max: *max, greedy: *greedy }
        }
        Node::Empty
        | Node::Char(_)
        | Node::Fold(_)
        | Node::LineStart
        | Node::LineEnd
        | Node::WordBoundary
        | Node::NotWordBoundary => node.clone(),
    })
}

/// The engine gave up on a text: its lines have to be looked at one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaveUp;

/// A search over a text of lines in the hands of one thread.
pub struct LineSearcher<'r> {
    #[cfg(feature = "dfa")]
    dfa: &'r LazyDfa,
    #[cfg(feature = "dfa")]
    cache: CacheGuard<'r>,
    #[cfg(not(feature = "dfa"))]
    never: (std::convert::Infallible, std::marker::PhantomData<&'r ()>),
}

#[cfg(feature = "dfa")]
impl<'r> LineSearcher<'r> {
    pub(super) fn new(dfa: &'r LazyDfa) -> Self {
        Self { dfa, cache: dfa.cache() }
    }

    /// A place in the first line of `text`, at or behind `from`, that matches. `text` is UTF-8, and `from` is the
    /// start of a line.
    pub fn find(&mut self, text: &[u8], from: usize) -> Result<Option<usize>, GaveUp> {
        self.dfa.find_end(&mut self.cache, text, from).map_err(|_| GaveUp)
    }
}

#[cfg(not(feature = "dfa"))]
impl LineSearcher<'_> {
    /// There is no second engine, so there is no such search.
    pub fn find(&mut self, _: &[u8], _: usize) -> Result<Option<usize>, GaveUp> {
        match self.never.0 {}
    }
}
