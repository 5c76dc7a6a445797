//! `sampling`: stores a share of the entries, always the same ones.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::fast::FixedState;

use super::{Entry, Flow};

/// Stores a share of the entries. Which ones depends on where they stand, so that a line which is read again
/// after a crash meets the same decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// The share that is stored, 0 to 1.
    pub rate: f64,
    /// The reason under which the others are counted.
    pub reason: Arc<str>,
}

impl super::Step for Sampling {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let place = (entry.origin.generation, entry.origin.offset, entry.line());
        let hash = FixedState::default().hash_one(place);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no 64 bits")]
        let share = (hash >> 11) as f64 / (1_u64 << 53) as f64;
        if share < self.rate { Flow::Next } else { Flow::Drop(Arc::clone(&self.reason)) }
    }
}
