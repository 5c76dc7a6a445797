//! Loki's HTTP API: the one room that knows HTTP, JSON and status codes.
//!
//! `http` takes connections and calls [`Api::handle`](http::Handler::handle) on the connection's own thread. `routes` finds
//! the endpoint, `params` checks what the client asks for, the endpoint (one file each) asks the rooms
//! below and makes a `Reply`, whose body is written while it is sent. An error becomes a status in
//! `error`, in one place.

pub mod access;
mod buildinfo;
mod call;
mod config;
mod delete;
mod deletions;
mod detected_fields;
mod detected_labels;
mod drilldown;
mod error;
mod failures;
mod flush;
mod format_query;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gzip;
pub mod http;
mod index_stats;
mod index_volume;
mod json;
mod labels;
mod legacy;
mod log_level;
mod metric;
mod metrics;
mod options;
mod otlp;
mod params;
mod patterns;
mod permits;
pub mod push;
mod query;
mod query_range;
mod ready;
mod receive;
mod reply;
mod result;
mod root;
mod routes;
mod rules;
mod series;
mod tail;
mod tenants;
#[cfg(test)]
mod tests;
mod times;
mod visitors;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tiny_http::Method;

pub use metrics::Metrics;
pub use options::Options;
pub use tenants::check_name as check_tenant_name;

use self::{
    access::Gate,
    call::Call,
    deletions::Deletions,
    error::Error,
    failures::Failures,
    http::{Answer, Handler, Request},
    metrics::Requests,
    params::Params,
    permits::{Budget, Permits},
    receive::Received,
    reply::Reply,
    routes::{Endpoint, Found, Streams},
    tenants::Tenants,
};
use crate::ingest;
use crate::query::Limits;
use crate::store::Store;

/// What the server shows of the rooms it does not know.
pub struct Sources {
    /// Adds the metrics of the other rooms to a page.
    pub metrics: Box<dyn Fn(&mut Metrics) + Send + Sync>,
    /// The running configuration, without secrets.
    pub config: Box<dyn Fn() -> String + Send + Sync>,
}

/// What the server stands on.
pub struct Rooms {
    /// Where entries are stored and read.
    pub store: Store,
    /// Bounds of queries.
    pub query_limits: Limits,
    /// Bounds of what is pushed.
    pub ingest_limits: ingest::Limits,
    /// What it shows of the others.
    pub sources: Sources,
}

/// A running server.
pub struct Server {
    running: Arc<Running>,
    address: SocketAddr,
}

/// The connections, once they are taken; shared with `/metrics`, which shows their counters.
type Running = Mutex<Option<http::Server>>;

impl Server {
    /// Listens and answers from now on.
    pub fn start(options: Options, rooms: Rooms) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {}: {error} (server.listen)", options.listen))
        })?;
        Self::start_on(listener, options, rooms)
    }

    /// Answers on a socket that listens already, instead of on [`Options::listen`].
    pub fn start_on(listener: TcpListener, options: Options, rooms: Rooms) -> io::Result<Self> {
        let options = Options { listen: listener.local_addr()?, ..options };
        let running: Arc<Running> = Arc::default();
        let http_limits = options.http.clone();
        let api = Api {
            gate: Gate::new(&options.users),
            requests: Requests::default(),
            failures: Failures::default(),
            received: Received::default(),
            queries: Permits::new(rooms.query_limits.max_concurrent_queries.max(1)),
            tails: Permits::new(rooms.query_limits.max_tails),
            push_memory: Budget::new(options.push_memory_max),
            decoders: Permits::new(std::thread::available_parallelism().map_or(1, usize::from)),
            connections: Arc::downgrade(&running),
            deletions: Deletions::start(&rooms.store, options.delete_cancel_period),
            tenants: options.tenants_max.map(|count_max| Tenants::of(&rooms.store, count_max)),
            whole_store: rooms.store,
            query_limits: rooms.query_limits,
            ingest_limits: rooms.ingest_limits,
            sources: rooms.sources,
            options,
        };
        let server = http::Server::start(listener, http_limits, Arc::new(api))?;
        let address = server.local_addr();
        *lock(&running) = Some(server);
        Ok(Self { running, address })
    }

    /// The address that is listened on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets running ones finish until `deadline`, then cuts every connection.
    pub fn stop(self, deadline: Duration) {
        let server = lock(&self.running).take();
        if let Some(server) = server {
            server.stop(deadline);
        }
    }
}

fn lock(running: &Running) -> MutexGuard<'_, Option<http::Server>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all endpoints share.
struct Api {
    options: Options,
    /// Of all tenants; an endpoint that is about streams uses that of its call.
    whole_store: Store,
    tenants: Option<Tenants>,
    deletions: Arc<Deletions>,
    query_limits: Limits,
    ingest_limits: ingest::Limits,
    sources: Sources,
    connections: Weak<Running>,
    gate: Gate,
    requests: Requests,
    failures: Failures,
    received: Received,
    /// Queries that use all cores.
    queries: Arc<Permits>,
    tails: Arc<Permits>,
    /// Bodies of pushes that are in memory, as they were sent.
    push_memory: Budget,
    /// Pushes that are being decoded: one for each core.
    decoders: Arc<Permits>,
}

impl Handler for Api {
    fn handle(&self, request: &mut Request<'_>) -> Answer {
        let started = Instant::now();
        let (route, result) = self.respond(request);
        let reply = result.unwrap_or_else(|error| {
            self.log_failure(request, route, &error);
            Reply::error(&error)
        });
        let method = match request.method() {
            Method::Get => "GET",
            Method::Post => "POST",
            _ => "other",
        };
        self.requests.count(method, route, reply.status(), started.elapsed());
        reply.into_answer(request.header("Accept-Encoding").is_some_and(gzip::is_accepted))
    }
}

impl Api {
    /// The answer and, for the statistics, the route that gave it.
    fn respond(&self, request: &mut Request<'_>) -> (&'static str, Result<Reply, Error>) {
        let found = match routes::find(request.method(), request.target()) {
            Ok(found) => found,
            Err(error) => return ("other", Err(error)),
        };
        match found {
            Found::Elsewhere(path) => {
                let query = request.target().split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
                ("other", Ok(Reply::nothing().with_status(301).with("Location", &format!("{path}{query}"))))
            }
            Found::Route(route, name) => (route.path, self.answer(route, name, request)),
        }
    }

    /// What is our fault is worth a line in the log; what is the client's is in its answer.
    fn log_failure(&self, request: &Request<'_>, route: &'static str, error: &Error) {
        if !matches!(error.status(), 500 | 503) {
            return;
        }
        let Some(unsaid) = self.failures.note(route, error, Instant::now()) else { return };
        let path = request.target().split('?').next().unwrap_or("");
        let more = if unsaid > 0 { format!("; {unsaid} more like this were not logged") } else { String::new() };
        log::warn!("{} {path} from {}: {}{more}", request.method(), request.peer(), error.to_string().trim_end());
    }

    fn answer(&self, route: &routes::Route, name: String, request: &mut Request<'_>) -> Result<Reply, Error> {
        // An address that others reach was opened to them on purpose (`allow_anonymous`), or has users.
        if self.options.listen.ip().is_loopback() {
            visitors::check(request, self.gate.is_open())?;
        }
        if request.is_reserve() && !route.when_full {
            return Err(Error::Unavailable("too many connections (server.connections_max); try again".to_owned()));
        }
        if let Some(right) = route.right {
            self.gate.check(request, right)?;
        }
        let store = match (&self.tenants, route.streams) {
            (None, _) | (Some(_), Streams::Nobodys) => self.whole_store.clone(),
            (Some(tenants), Streams::Asked) => tenants.asked(request, &self.whole_store)?,
            (Some(tenants), Streams::Fed) => tenants.fed(request, &self.whole_store)?,
        };
        let params = Params::of(request, route.takes_form)?;
        let mut call = Call { request, params, name, store };
        match route.endpoint {
            Endpoint::Checked(answer) => answer(self, &mut call),
            Endpoint::Always(answer) => Ok(answer(self, &mut call)),
        }
    }

    /// Counters of the connections; `None` before the start and after the stop.
    fn connections(&self) -> Option<http::Stats> {
        let running = self.connections.upgrade()?;
        lock(&running).as_ref().map(http::Server::stats)
    }
}
