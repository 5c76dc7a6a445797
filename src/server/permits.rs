//! Counted permits, so that few things that are heavy run at a time; and a budget of bytes that all
//! bodies in memory share. What is taken comes back when its guard is dropped, on a panic too.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How often a waiting request looks whether its client is still there.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A fixed number of permits.
pub(super) struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

/// A permit that is taken.
pub(super) struct Permit(Arc<Permits>);

impl Permits {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count), returned: Condvar::new() })
    }

    /// A permit, if one is free within `patience` and nobody `gave_up` meanwhile.
    pub(super) fn take(self: &Arc<Self>, patience: Duration, gave_up: &dyn Fn() -> bool) -> Option<Permit> {
        let deadline = Instant::now() + patience;
        let mut free = self.lock();
        while *free == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || gave_up() {
                return None;
            }
            free = self.returned.wait_timeout(free, left.min(LOOK_INTERVAL)).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Permit(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.returned.notify_one();
    }
}

/// Bytes that may be in memory at a time.
pub(super) struct Budget {
    free_bytes: AtomicU64,
}

/// Bytes that are taken from a budget.
pub(super) struct Taken<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { free_bytes: AtomicU64::new(bytes) }
    }

    /// Takes bytes if they are free.
    pub(super) fn take(&self, bytes: u64) -> Option<Taken<'_>> {
        let mut taken = Taken { budget: self, bytes: 0 };
        taken.grow(bytes).then_some(taken)
    }
}

impl Taken<'_> {
    /// Takes more bytes; false, and nothing taken, if they are not free.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let free = &self.budget.free_bytes;
        let done = free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes)).is_ok();
        if done {
            self.bytes += bytes;
        }
        done
    }

    /// How many bytes are taken.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.free_bytes.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_comes_back_when_it_is_dropped() {
        let permits = Permits::new(1);
        let held = permits.take(Duration::ZERO, &|| false).unwrap();
        assert!(permits.take(Duration::ZERO, &|| false).is_none());
        assert!(permits.take(Duration::from_hours(1), &|| true).is_none(), "a client that left waits no longer");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| permits.take(Duration::from_hours(1), &|| false).is_some());
            drop(held);
            assert!(waiting.join().unwrap());
        });
        assert!(permits.take(Duration::ZERO, &|| false).is_some());
    }

    #[test]
    fn a_budget_gives_no_more_than_it_has_and_gets_it_back() {
        let budget = Budget::new(10);
        let mut taken = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert!(taken.grow(4) && !taken.grow(1));
        assert_eq!(taken.bytes(), 10);
        drop(taken);
        assert!(budget.take(10).is_some());
    }
}
