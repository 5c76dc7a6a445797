//! The threads of one query. The calling thread starts alone; others join it, one for each core, once
//! there was more to read than starting them costs.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::Cancel;

/// Bytes that the calling thread reads alone: below that, starting threads costs more than they save.
pub(super) const ALONE_BYTES_MAX: u64 = 2 << 20;
/// How often the client's connection is looked at.
pub(super) const CLIENT_CHECK_INTERVAL: Duration = Duration::from_millis(20);

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

impl Crew<'_> {
    /// Runs `work` on the calling thread and, once `bytes_read` passes the bound, on the others, never on
    /// more than there are jobs; returns when all are done. `work` takes jobs until none is left,
    /// and calls what it is given before each.
    pub(super) fn run(&self, jobs: usize, bytes_read: &dyn Fn() -> u64, work: &(dyn Fn(&mut dyn FnMut()) + Sync)) {
        thread::scope(|scope| {
            let mut last_look: Option<Instant> = None;
            let mut alone = self.workers > 1;
            work(&mut || {
                if last_look.is_none_or(|last| last.elapsed() > CLIENT_CHECK_INTERVAL) {
                    last_look = Some(Instant::now());
                    if (self.client_is_gone)() {
                        self.cancel.cancel();
                    }
                }
                if alone && bytes_read() > self.alone_bytes_max {
                    alone = false;
                    for n in 1..self.workers.min(jobs) {
                        let worker = thread::Builder::new().name(format!("query-{n}"));
                        // Without a thread the others do its share.
                        if let Err(error) = worker.spawn_scoped(scope, || work(&mut || {})) {
                            log::warn!("cannot start a query thread: {error}");
                        }
                    }
                }
            });
        });
    }
}
