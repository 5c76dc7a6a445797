//! A request as its handler sees it.

use std::io::Read;
use std::net::SocketAddr;

use tiny_http::Method;

use super::body::Body;
use super::connection::Connection;
use super::deadline::is_gone;
use super::head::Head;

/// One request whose head has been read.
pub struct Request<'c> {
    pub(super) head: Head<'c>,
    pub(super) body: Body<'c>,
    pub(super) connection: &'c Connection,
}

impl Request<'_> {
    /// The method, extension methods included.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// Path and query as they were sent: percent-encoding untouched, visible ASCII only, never empty.
    pub fn target(&self) -> &str {
        self.head.target
    }

    /// The first header of that name, in any letter case, without the spaces around it. ASCII without control characters but tabs.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The other end of the connection, as `accept` reported it.
    pub fn peer(&self) -> SocketAddr {
        self.connection.peer
    }

    /// The announced `Content-Length`, up to 2^64-1, not yet to be trusted; `None` for a chunked body; `Some(0)` without a body.
    pub fn body_length(&self) -> Option<u64> {
        self.body.length()
    }

    /// The framed body; ends where the body ends. A truncated body is `UnexpectedEof`, one that comes too slowly `TimedOut`
    /// (the answer to which is 408), broken chunks are `InvalidData` (400). After an error every read fails; the connection
    /// is closed after the answer. The first read sends `100 Continue` to a client that waits for it.
    pub fn body(&mut self) -> &mut (dyn Read + Send) {
        &mut self.body
    }

    /// Whether the client has hung up meanwhile. Does not block; unread bytes of the client hide that it left after them.
    pub fn client_is_gone(&self) -> bool {
        is_gone(&self.connection.stream)
    }

    /// This connection is above [`Limits::connections_max`](super::Limits::connections_max) and gets this one answer: only
    /// cheap requests should be served, the others told to come back later.
    pub fn is_reserve(&self) -> bool {
        self.connection.is_reserve
    }

    /// Neither a body nor a further request came with this one.
    pub(super) fn is_alone(&self) -> bool {
        self.body.length() == Some(0) && !self.body.is_followed()
    }
}
