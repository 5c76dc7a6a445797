//! Requests to delete: kept in the store until they are worked off, one after the other, by a thread
//! that lives as long as there are some. A crash in the middle of one begins it again, which is as good.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{error::Error, params::now_ns};
use crate::logql::{self, Expr};
use crate::query;
use crate::store::{self, Append, Store};

/// Requests that are kept; the oldest that are done make room.
const REQUESTS_MAX: usize = 1000;
/// Begin of their keys among the store's positions; what the collector keeps there begins otherwise.
const KEY_PREFIX: &[u8] = b"d";
/// How long a deletion that failed waits for its next try.
const RETRY: Duration = Duration::from_mins(1);

/// What is to be deleted, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    /// Eight hexadecimal digits.
    pub(super) id: String,
    /// Whose streams; `None` without tenants.
    pub(super) tenant: Option<String>,
    /// A log query.
    pub(super) query: String,
    /// In nanoseconds since 1970, inclusive.
    pub(super) start_ns: i64,
    /// In nanoseconds since 1970, inclusive.
    pub(super) end_ns: i64,
    /// When it was made, in nanoseconds since 1970.
    pub(super) created_ns: i64,
    pub(super) state: State,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It waits, or is being worked off.
    Received,
    /// Its entries are gone.
    Processed,
}

/// All requests.
pub(super) struct Deletions {
    store: Store,
    /// How long a request can be taken back before it is worked off.
    cancel_period: Duration,
    list: Mutex<List>,
    changed: Condvar,
}

#[derive(Default)]
struct List {
    /// By their age.
    requests: Vec<Request>,
    /// The one that is being worked off.
    running: Option<String>,
    has_thread: bool,
}

impl Deletions {
    /// Takes up what the store holds, and goes on with what is not done.
    pub(super) fn start(store: &Store, cancel_period: Duration) -> Arc<Self> {
        let mut requests: Vec<Request> = Vec::new();
        for (_, value) in store.positions().into_iter().filter(|(key, _)| key.starts_with(KEY_PREFIX)) {
            match serde_json::from_slice(&value) {
                Ok(request) => requests.push(request),
                Err(error) => log::warn!("a request to delete cannot be read and is forgotten: {error}"),
            }
        }
        requests.sort_by_key(|request| request.created_ns);
        let list = Mutex::new(List { requests, ..List::default() });
        let deletions = Arc::new(Self { store: store.clone(), cancel_period, list, changed: Condvar::new() });
        deletions.ensure_thread(&mut deletions.lock());
        deletions
    }

    /// The requests of a tenant, oldest first.
    pub(super) fn list(&self, tenant: Option<&str>) -> Vec<Request> {
        self.lock().requests.iter().filter(|request| request.tenant.as_deref() == tenant).cloned().collect()
    }

    /// Takes a request, and says under which id: durably, before it returns. One that waits already is
    /// not taken twice.
    pub(super) fn add(
        self: &Arc<Self>,
        tenant: Option<String>,
        query: String,
        start_ns: i64,
        end_ns: i64,
    ) -> Result<String, Error> {
        let mut list = self.lock();
        let same = |known: &&Request| {
            known.state == State::Received
                && (&known.tenant, &known.query, known.start_ns, known.end_ns) == (&tenant, &query, start_ns, end_ns)
        };
        if let Some(known) = list.requests.iter().find(same) {
            return Ok(known.id.clone());
        }
        if list.requests.len() >= REQUESTS_MAX {
            let Some(done) = list.requests.iter().position(|known| known.state == State::Processed) else {
                return Err(Error::Busy(format!("{REQUESTS_MAX} requests to delete are waiting; try again later")));
            };
            self.forget(&list.requests[done].id)?;
            list.requests.remove(done);
        }
        let created_ns = now_ns();
        let mut number = (created_ns / 1_000_000).rem_euclid(1 << 32);
        while list.requests.iter().any(|known| known.id == format!("{number:08x}")) {
            number = (number + 1) % (1 << 32);
        }
        let id = format!("{number:08x}");
        let request = Request { id: id.clone(), tenant, query, start_ns, end_ns, created_ns, state: State::Received };
        self.keep(&request)?;
        list.requests.push(request);
        self.ensure_thread(&mut list);
        self.changed.notify_all();
        Ok(id)
    }

    /// Takes a request back, unless it is done or being worked off.
    pub(super) fn cancel(&self, tenant: Option<&str>, id: &str) -> Result<(), Error> {
        let mut list = self.lock();
        let found = list.requests.iter().position(|known| known.id == id && known.tenant.as_deref() == tenant);
        let Some(at) = found else {
            return Err(Error::Unknown(format!("could not find delete request with given id: {id:?}\n")));
        };
        if list.requests[at].state == State::Processed || list.running.as_deref() == Some(id) {
            return Err(Error::bad("a delete request that is in process or processed cannot be canceled\n"));
        }
        self.forget(id)?;
        list.requests.remove(at);
        self.changed.notify_all();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, request: &Request) -> Result<(), Error> {
        let value = serde_json::to_vec(request).map_err(|error| Error::bad(error.to_string()))?;
        self.store_position(&request.id, Some(value))
    }

    fn forget(&self, id: &str) -> Result<(), Error> {
        self.store_position(id, None)
    }

    fn store_position(&self, id: &str, value: Option<Vec<u8>>) -> Result<(), Error> {
        let positions = vec![([KEY_PREFIX, id.as_bytes()].concat(), value)];
        self.store.append(&Append { positions, ..Append::default() })?;
        Ok(self.store.commit()?)
    }

    /// Starts the thread if there is something to do and it is not there.
    fn ensure_thread(self: &Arc<Self>, list: &mut List) {
        if list.has_thread || list.next().is_none() {
            return;
        }
        let deletions = Arc::clone(self);
        match thread::Builder::new().name("delete".to_owned()).spawn(move || deletions.work()) {
            Ok(_) => list.has_thread = true,
            Err(error) => log::warn!("no thread to delete with: {error}; the next request or start tries again"),
        }
    }

    /// Works off what there is. Ends with the last request, or with the store.
    fn work(&self) {
        let mut list = self.lock();
        while let Some(request) = list.next().cloned() {
            let wait = self.wait_for(&request);
            if !wait.is_zero() {
                list = self.changed.wait_timeout(list, wait).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            list.running = Some(request.id.clone());
            drop(list);
            let result = self.run(&request);
            list = self.lock();
            list.running = None;
            match result {
                Ok(()) => {
                    if let Some(known) = list.requests.iter_mut().find(|known| known.id == request.id) {
                        known.state = State::Processed;
                    }
                }
                Err(Error::Query(query::Error::Store(store::Error::Closing)) | Error::Store(store::Error::Closing)) => {
                    break;
                }
                Err(error) => {
                    log::warn!("cannot delete {:?}: {error}; it is tried again", request.query);
                    list = self.changed.wait_timeout(list, RETRY).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        list.has_thread = false;
    }

    /// How much of the time in which it can be taken back is left to a request.
    fn wait_for(&self, request: &Request) -> Duration {
        let age = Duration::from_nanos(u64::try_from(now_ns() - request.created_ns).unwrap_or(0));
        self.cancel_period.saturating_sub(age)
    }

    fn run(&self, request: &Request) -> Result<(), Error> {
        let Expr::Log(expr) = logql::parse(&request.query)? else {
            return Err(Error::bad("only log queries can be deleted"));
        };
        let store = match &request.tenant {
            Some(tenant) => self.store.of_tenants(std::slice::from_ref(tenant)),
            None => self.store.clone(),
        };
        let count = query::delete(&store, &expr, request.start_ns, request.end_ns)?;
        self.keep(&Request { state: State::Processed, ..request.clone() })?;
        log::info!("deleted {count} entries of {:?} (request {})", request.query, request.id);
        Ok(())
    }
}

impl List {
    /// The oldest request that is not done.
    fn next(&self) -> Option<&Request> {
        self.requests.iter().find(|request| request.state == State::Received)
    }
}
