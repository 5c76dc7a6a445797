//! The threads of one query. The calling thread starts alone; others join it, one for each core, once
//! there was more to read than starting them costs.

use std::thread;

use super::{Cancel, cancel::Watch};

/// Bytes that the calling thread reads alone: below that, starting threads costs more than they save.
pub(super) const ALONE_BYTES_MAX: u64 = 2 << 20;

/// Who works on a query.
#[derive(Clone, Copy)]
pub(super) struct Crew<'c> {
    /// Threads, the calling one included.
    pub(super) workers: usize,
    /// Bytes after which the others join.
    pub(super) alone_bytes_max: u64,
    pub(super) cancel: &'c Cancel,
    /// Asked now and then on the calling thread.
    pub(super) client_is_gone: &'c dyn Fn() -> bool,
}

/// What each thread of a query does.
type Work<'w> = dyn Fn(&Watch<'_>, &mut dyn FnMut()) + Sync + 'w;

impl Crew<'_> {
    /// Runs `work` on the calling thread and, once `bytes_read` passes the bound, on the others, never on
    /// more than there are jobs; returns when all are done. `work` takes jobs until none is left or the
    /// watch it is given says so, and calls the other thing it is given before each.
    pub(super) fn run(&self, jobs: usize, bytes_read: &dyn Fn() -> u64, work: &Work<'_>) {
        thread::scope(|scope| {
            let mut alone = self.workers > 1;
            work(&Watch::of_client(self.cancel, self.client_is_gone), &mut || {
                if alone && bytes_read() > self.alone_bytes_max {
                    alone = false;
                    for n in 1..self.workers.min(jobs) {
                        let worker = thread::Builder::new().name(format!("query-{n}"));
                        // Without a thread the others do its share.
                        if let Err(error) = worker.spawn_scoped(scope, || work(&Watch::new(self.cancel), &mut || {})) {
                            log::warn!("cannot start a query thread: {error}");
                        }
                    }
                }
            });
        });
    }
}
