//! Finds the literals that every match of an expression must contain, wherever they stand in it, so
//! that a text search can refuse a line or a block before an engine runs. Giving up is always
//! right: fewer literals only mean more work.

use super::syntax::Node;
use crate::labels::Literal;

/// More alternatives than this are not worth searching for one by one.
pub(super) const ALTERNATIVES_MAX: usize = 16;

/// What a text must hold to match `node`: of each inner list, at least one.
pub(super) fn required(node: &Node) -> Vec<Vec<Literal>> {
    let mut gather = Gather::default();
    gather.visit(node);
    gather.flush();
    gather.found
}

/// The exact text that `node` stands for, if it stands for one text (in any case, perhaps).
pub(super) fn exact(node: &Node) -> Option<Literal> {
    let mut gather = Gather::default();
    gather.visit(node);
    let whole = gather.whole && gather.found.is_empty();
    whole.then(|| gather.run.take().unwrap_or(Literal { text: Vec::new(), fold_case: false }))
}

struct Gather {
    found: Vec<Vec<Literal>>,
    /// The literal that the nodes just visited form.
    run: Option<Literal>,
    /// Whether `run` has been extended by a letter, which fixes whether case counts.
    run_has_letter: bool,
    /// Nothing but `run` was visited so far.
    whole: bool,
}

impl Default for Gather {
    fn default() -> Self {
        Self { found: Vec::new(), run: None, run_has_letter: false, whole: true }
    }
}

impl Gather {
    fn visit(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            // A broken byte reads as U+FFFD, so that one is not searched for as text.
            Node::Char('\u{fffd}') => self.interrupt(),
            Node::Char(c) => self.extend(*c, false, c.is_ascii_alphabetic()),
            Node::Fold(c) => self.extend(*c, true, true),
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.visit(node)),
            Node::Group(node) | Node::Repeat { node, min: 1, max: Some(1), .. } => self.visit(node),
            Node::Repeat { node, min: 1.., .. } => {
                self.interrupt();
                self.found.extend(required(node));
            }
            Node::Alternate(branches) => {
                self.interrupt();
                self.found.extend(best_of_each(branches));
            }
            _ => self.interrupt(),
        }
    }

    fn extend(&mut self, c: char, fold_case: bool, is_letter: bool) {
        if is_letter && self.run_has_letter && self.run.as_ref().is_some_and(|run| run.fold_case != fold_case) {
            self.interrupt();
        }
        let run = self.run.get_or_insert(Literal { text: Vec::new(), fold_case: false });
        run.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        if is_letter {
            run.fold_case = fold_case;
            self.run_has_letter = true;
        }
    }

    fn interrupt(&mut self) {
        self.whole = false;
        self.flush();
    }

    fn flush(&mut self) {
        self.run_has_letter = false;
        if let Some(run) = self.run.take() {
            self.found.push(vec![run]);
        }
    }
}

/// One literal list for a whole alternation: the most selective list of each branch. `None` if a
/// branch requires nothing or there are too many.
fn best_of_each(branches: &[Node]) -> Option<Vec<Literal>> {
    let mut all = Vec::new();
    for branch in branches {
        all.extend(best(required(branch))?);
        if all.len() > ALTERNATIVES_MAX {
            return None;
        }
    }
    Some(all)
}

/// The list whose shortest literal is longest.
pub(super) fn best(lists: Vec<Vec<Literal>>) -> Option<Vec<Literal>> {
    lists.into_iter().max_by_key(|list| list.iter().map(|literal| literal.text.len()).min())
}
