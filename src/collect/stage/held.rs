//! What a stage keeps of lines to join them with what follows: one block per label set, how long it
//! waits, and where in which file it began, so that a restart reads it again.

use std::time::Duration;

use super::{Due, Entry, Origin, entry::Saved};
use crate::collect::lines::LineState;

/// Blocks that one stage of one file keeps; for a further one the oldest comes out.
const BLOCKS_MAX: usize = 100;

/// A place in a file: offset of a line, and what was before it.
pub(in crate::collect) type Place = (u64, LineState);

/// The beginning of an entry.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) saved: Saved,
    /// Lines that are in it.
    pub(super) lines: usize,
    /// Of a line that was too long the rest is left out.
    full: bool,
    labels: u64,
    due: Duration,
    /// The first line of it in each file.
    origins: Vec<Origin>,
}

/// All blocks of one stage, the oldest first.
#[derive(Debug)]
pub(super) struct Held {
    blocks: Vec<Block>,
    /// How long a block waits for what follows.
    wait: Duration,
    line_bytes_max: usize,
    timed_out: u64,
}

impl Held {
    pub(super) fn new(wait: Duration, line_bytes_max: usize) -> Self {
        Self { blocks: Vec::new(), wait, line_bytes_max, timed_out: 0 }
    }

    /// Takes out the block of these labels.
    pub(super) fn take(&mut self, labels: u64) -> Option<Block> {
        let at = self.blocks.iter().position(|block| block.labels == labels)?;
        Some(self.blocks.remove(at))
    }

    /// Begins a block with an entry.
    pub(super) fn begin(&self, labels: u64, entry: &mut Entry<'_>) -> Block {
        let due = entry.now.elapsed + self.wait;
        Block { saved: entry.save(), lines: 1, full: false, labels, due, origins: vec![entry.origin] }
    }

    /// Adds the entry's line to a block, behind `between`.
    pub(super) fn extend(&self, block: &mut Block, between: &str, entry: &Entry<'_>) {
        block.lines += 1;
        block.due = entry.now.elapsed + self.wait;
        if !block.origins.iter().any(|origin| origin.generation == entry.origin.generation) {
            block.origins.push(entry.origin);
        }
        if block.full {
            return;
        }
        let line = entry.line();
        let room = self.line_bytes_max.saturating_sub(block.saved.line.len() + between.len());
        let kept = line.floor_char_boundary(room.min(line.len()));
        block.saved.line.push_str(between);
        block.saved.line.push_str(&line[..kept]);
        block.full = kept < line.len();
    }

    /// Puts a block back. If there are too many, the oldest takes the place of `entry`, and the answer is true.
    pub(super) fn keep(&mut self, block: Block, entry: &mut Entry<'_>) -> bool {
        self.blocks.push(block);
        if self.blocks.len() <= BLOCKS_MAX {
            return false;
        }
        entry.restore(self.blocks.remove(0).saved);
        true
    }

    /// Puts a block that is due in place of `entry`. If one is, all are: the place where the file would be
    /// read again is that of the oldest, and none may come out twice.
    pub(super) fn release(&mut self, due: Due, entry: &mut Entry<'_>) -> bool {
        let is_due = |block: &Block| match due {
            Due::At(now) => block.due <= now,
            Due::Generation(number) => block.origins.iter().any(|origin| origin.generation == number),
        };
        let Some(at) = self.blocks.iter().position(is_due) else {
            return false;
        };
        if let Due::At(now) = due {
            self.timed_out += 1;
            self.blocks.iter_mut().for_each(|block| block.due = now);
        }
        entry.restore(self.blocks.remove(at).saved);
        true
    }

    /// When the next block is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.blocks.iter().map(|block| block.due).min()
    }

    /// Where in a file the oldest block begins.
    pub(super) fn place(&self, generation: u64) -> Option<Place> {
        let origins = self.blocks.iter().flat_map(|block| &block.origins);
        origins.filter(|origin| origin.generation == generation).map(|origin| (origin.offset, origin.state)).min()
    }

    /// Blocks that came out because nothing followed, since the last call.
    pub(super) fn take_timed_out(&mut self) -> u64 {
        std::mem::take(&mut self.timed_out)
    }
}
