//! Waiting for a condition.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far above anything that is waited for, also on a busy machine: who waits this long has found a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until there is something; fails the test if there never is. `what` completes "gave up waiting for ...".
pub(crate) fn eventually<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    within_patience(attempt).unwrap_or_else(|| panic!("gave up waiting for {what}"))
}

/// Tries until there is something; `None` if there never is.
pub(crate) fn within_patience<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let found = attempt();
        if found.is_some() {
            return found;
        }
        thread::yield_now();
    }
    None
}
