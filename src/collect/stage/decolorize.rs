//! `decolorize`: takes the ANSI escape sequences out of the line.

use super::{Entry, Flow};
use crate::logql::{decolorize, readable};

#[derive(Debug)]
pub(super) struct Step;

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        if !entry.line().bytes().any(|byte| byte == 0x1b || byte == 0xc2) {
            return Flow::Next;
        }
        let parts = entry.parts();
        let mut plain = Vec::with_capacity(parts.line.len());
        if decolorize(parts.line.as_bytes(), &mut plain) {
            parts.next.push_str(&readable(&plain));
            entry.take_next();
        }
        Flow::Next
    }
}
