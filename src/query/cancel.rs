//! When a query must stop early: its time is up, or nobody waits for the answer. Shared by all
//! workers of the query, which look at it between pieces and every few thousand lines.

use std::{
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

#[cfg(test)]
mod tests {
    use super::*;

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
