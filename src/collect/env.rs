//! What all followers share, and what one of them is handed for one step.

use std::{collections::HashSet, time::Duration};

use super::{
    Options,
    batch::Outgoing,
    generation::{Buffers, Generation},
    job::Prepared,
    meta::FileId,
    positions::{BootId, Key, boot_id},
    siblings::Siblings,
    stats::Stats,
    watch::Watcher,
};

/// The time of a step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Now {
    /// Since some moment before the start; never goes back.
    pub(super) elapsed: Duration,
    /// Nanoseconds since 1970.
    pub(super) wall_ns: i64,
}

/// What all followers share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) jobs: Vec<Prepared>,
    pub(super) watcher: Watcher,
    pub(super) siblings: Siblings,
    pub(super) buffers: Buffers,
    pub(super) stats: Stats,
    pub(super) next_number: u64,
    pub(super) known: HashSet<FileId>,
    pub(super) rescan: bool,
    boot: BootId,
}

impl Shared {
    /// With nothing known yet; numbers begin with `next_number`.
    pub(super) fn new(options: Options, jobs: Vec<Prepared>, next_number: u64) -> Self {
        Self {
            options,
            jobs,
            watcher: Watcher::new(),
            siblings: Siblings::default(),
            buffers: Buffers::default(),
            stats: Stats::default(),
            next_number,
            known: HashSet::new(),
            rescan: false,
            boot: boot_id(),
        }
    }

    /// What one follower is handed.
    pub(super) fn env(&mut self, now: Now) -> Env<'_> {
        Env {
            now,
            options: &self.options,
            jobs: &self.jobs,
            boot: self.boot,
            watcher: &mut self.watcher,
            siblings: &mut self.siblings,
            buffers: &mut self.buffers,
            stats: &mut self.stats,
            next_number: &mut self.next_number,
            known: &self.known,
            rescan: &mut self.rescan,
            outgoing: Outgoing::default(),
        }
    }

    /// The present boot.
    pub(super) fn boot(&self) -> &BootId {
        &self.boot
    }
}

/// What a follower works with.
pub(super) struct Env<'a> {
    pub(super) now: Now,
    pub(super) options: &'a Options,
    pub(super) jobs: &'a [Prepared],
    pub(super) boot: BootId,
    pub(super) watcher: &'a mut Watcher,
    pub(super) siblings: &'a mut Siblings,
    pub(super) buffers: &'a mut Buffers,
    pub(super) stats: &'a mut Stats,
    next_number: &'a mut u64,
    /// Every file that is followed under some name, as of the last discovery.
    pub(super) known: &'a HashSet<FileId>,
    /// Set if the directories must be looked at again.
    pub(super) rescan: &'a mut bool,
    /// What goes to the store besides entries.
    pub(super) outgoing: Outgoing,
}

impl Env<'_> {
    /// The number of a new generation.
    pub(super) fn number(&mut self) -> u64 {
        let number = *self.next_number;
        *self.next_number += 1;
        number
    }

    /// Lets the store forget a generation.
    pub(super) fn forget(&mut self, generation: &Generation) {
        self.watcher.forget_file(generation.number);
        if generation.stored || generation.moved {
            self.outgoing.positions.insert(Key::File(generation.number).encode(), None);
        }
    }
}
