//! The open connections: counted against the limits, found again when the server stops.

use std::collections::HashMap;
use std::net::Shutdown;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::connection::{Connection, Phase};
use super::deadline::cut;

/// All open connections of a server.
#[derive(Default)]
pub(super) struct Registry {
    open: Mutex<Open>,
    /// Told whenever a connection has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    next_key: u64,
}

/// One connection's place in the registry; dropping it, in a panic too, gives the place back.
pub(super) struct Place {
    registry: Arc<Registry>,
    key: u64,
}

impl Registry {
    pub(super) fn enter(self: &Arc<Self>, connection: &Arc<Connection>) -> Place {
        let mut open = self.lock();
        let key = open.next_key;
        open.next_key += 1;
        open.connections.insert(key, Arc::clone(connection));
        Place { registry: Arc::clone(self), key }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().connections.len()
    }

    /// Ends the connections that wait for a request. What they have received already is still read and answered.
    pub(super) fn end_waiting(&self) {
        for connection in self.lock().connections.values() {
            if connection.phase() == Phase::Waiting {
                let _ = connection.stream.shutdown(Shutdown::Read);
            }
        }
    }

    /// Ends whatever is still open: in order where nothing is owed to the client, else with a reset.
    pub(super) fn end_all(&self) {
        for connection in self.lock().connections.values() {
            if connection.phase() == Phase::Waiting {
                let _ = connection.stream.shutdown(Shutdown::Both);
            } else {
                cut(&connection.stream);
            }
        }
    }

    /// Waits until no connection is open, at most until `deadline`; returns how many are left.
    pub(super) fn wait_empty(&self, deadline: Instant) -> usize {
        let mut open = self.lock();
        while !open.connections.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            open = self.ended.wait_timeout(open, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        open.connections.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // The map is whole whenever the lock is free, so a panic elsewhere does not matter.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.registry.lock();
        // Usually the last owner: the socket is closed before anybody learns that the connection has ended.
        let connection = open.connections.remove(&self.key);
        drop(connection);
        drop(open);
        self.registry.ended.notify_all();
    }
}
