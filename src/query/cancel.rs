//! When a query must stop early: its time is up, or nobody waits for the answer. Shared by all
//! workers of the query, which look at it between pieces and every few lines.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::Error;

/// The stop sign of one query.
#[derive(Debug)]
pub struct Cancel {
    started: Instant,
    timeout: Duration,
    canceled: AtomicBool,
}

impl Cancel {
    /// A query that starts now and may take `timeout`.
    pub fn after(timeout: Duration) -> Self {
        Self { started: Instant::now(), timeout, canceled: AtomicBool::new(false) }
    }

    /// Stops the query at its next look.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Relaxed);
    }

    /// How long the query has been running.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// An error once the query must stop.
    pub fn check(&self) -> Result<(), Error> {
        if self.canceled.load(Ordering::Relaxed) {
            return Err(Error::Canceled);
        }
        if self.elapsed() > self.timeout {
            return Err(Error::TimedOut { timeout: self.timeout });
        }
        Ok(())
    }
}

/// How often the client's connection is looked at: a query must end within 100 ms of its client.
pub(super) const CLIENT_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The stop sign as one thread of the query looks at it. On the thread that knows the client, a look is also
/// one at its connection now and then.
pub(super) struct Watch<'c> {
    cancel: &'c Cancel,
    client_is_gone: Option<&'c dyn Fn() -> bool>,
    last_look: Cell<Option<Instant>>,
}

impl<'c> Watch<'c> {
    /// For the thread that serves the client.
    pub(super) fn of_client(cancel: &'c Cancel, client_is_gone: &'c dyn Fn() -> bool) -> Self {
        Self { cancel, client_is_gone: Some(client_is_gone), last_look: Cell::new(None) }
    }

    /// For any other thread.
    pub(super) fn new(cancel: &'c Cancel) -> Self {
        Self { cancel, client_is_gone: None, last_look: Cell::new(None) }
    }

    /// An error once the query must stop.
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(client_is_gone) = self.client_is_gone
            && self.last_look.get().is_none_or(|last| last.elapsed() > CLIENT_CHECK_INTERVAL)
        {
            self.last_look.set(Some(Instant::now()));
            if client_is_gone() {
                self.cancel.cancel();
            }
        }
        self.cancel.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_left_stops_every_thread() {
        let cancel = Cancel::after(Duration::from_hours(1));
        let other = Watch::new(&cancel);
        assert!(Watch::of_client(&cancel, &|| false).check().is_ok());
        assert!(other.check().is_ok());
        assert!(matches!(Watch::of_client(&cancel, &|| true).check(), Err(Error::Canceled)));
        assert!(matches!(other.check(), Err(Error::Canceled)));
    }

    #[test]
    fn stops_for_a_client_that_left_and_for_time() {
        let cancel = Cancel::after(Duration::from_hours(1));
        assert!(cancel.check().is_ok());
        cancel.cancel();
        assert!(matches!(cancel.check(), Err(Error::Canceled)));
        let late = Cancel { started: Instant::now(), timeout: Duration::ZERO, canceled: AtomicBool::new(false) };
        while late.elapsed().is_zero() {}
        assert!(late.check().unwrap_err().to_string().contains("timed out"));
    }
}
