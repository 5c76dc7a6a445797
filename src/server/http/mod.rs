//! HTTP/1.1 connections: what stands between a listening socket and the code that answers requests. Knows nothing of logs.
//!
//! The messages are `tiny_http`'s ([`Method`](tiny_http::Method), [`Header`], [`ResponseBox`]); its server is never started, because it
//! has neither limits nor deadlines. Here one thread serves one connection, one request at a time: it reads the head under a
//! deadline (`head`), checks the framing strictly, calls the [`Handler`], which may read the framed body (`body`), and writes
//! the answer (`answer`). A slow or hostile client blocks nothing but its own thread, and only until a limit of [`Limits`]
//! ends it. A client never takes the end of a broken answer for the end of a complete one: such a connection is reset.
//!
//! `accept` starts and stops, `registry` counts the open connections and ends them, `upgrade` hands a socket over.

mod accept;
mod answer;
mod body;
mod connection;
mod deadline;
mod head;
mod input;
mod limits;
mod registry;
mod request;
mod upgrade;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tiny_http::{Header, ResponseBox};

pub use accept::{Server, Stats};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use head::fuzz as fuzz_head;
pub use limits::Limits;
pub use request::Request;

/// What answers requests. Runs on the connection's own thread, so it may block; a panic in it becomes one 500.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. The body may be left unread: the connection is then drained or closed, whichever is safe.
    fn handle(&self, request: &mut Request<'_>) -> Answer;
}

impl<F> Handler for F
where
    F: Fn(&mut Request<'_>) -> Answer + Send + Sync + 'static,
{
    fn handle(&self, request: &mut Request<'_>) -> Answer {
        self(request)
    }
}

/// How a request ends.
pub enum Answer {
    /// A response. A body of known length is sent with `Content-Length`, one of unknown length in chunks, each as soon as the
    /// reader has delivered it. An error of the reader becomes a 500 if nothing was sent yet; later it cuts the connection.
    /// A header that holds anything but visible ASCII, spaces and tabs makes the whole answer a 500.
    Response(ResponseBox),
    /// 101 to `websocket` with these headers (`Connection` and `Upgrade` are added), then the socket is handed over.
    Upgrade(Vec<Header>, OnUpgrade),
}

/// Takes over an upgraded connection: the bare socket, blocking, unbuffered and without timeouts, and the signal by which the
/// server says that it stops. The connection ends when the function returns; the deadline of [`Server::stop`] cuts it.
pub type OnUpgrade = Box<dyn FnOnce(TcpStream, StopSignal) + Send>;

/// Tells whether the server is stopping. Clones watch the same server.
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// Whether [`Server::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
