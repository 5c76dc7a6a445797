//! The bounds of one server: how many connections, how large, how slow.

use std::io;
use std::time::Duration;

/// Bounds of a server and of each of its connections. Everything but `connections_reserve` must be above zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections that are served fully.
    pub connections_max: usize,
    /// Connections above `connections_max` that get one answer each ([`Request::is_reserve`](super::Request::is_reserve)), so
    /// that a busy server can still say that it is busy. Whatever comes on top is closed at once.
    pub connections_reserve: usize,
    /// Bytes of a request line with its headers; more is answered with 431. Large, because a GET carries a whole query; a
    /// connection that is not receiving such a head holds 4 KiB.
    pub head_bytes_max: usize,
    /// Header lines of a request; more is answered with 431.
    pub headers_max: usize,
    /// From the first byte of a head to its last; later is answered with 408. Also how long a reserve connection may be idle.
    pub head_timeout: Duration,
    /// Without a byte before a head. Longer than the clients' pools keep connections, so that the client closes first.
    pub idle_timeout: Duration,
    /// Without a byte of a body that is being read.
    pub body_read_timeout: Duration,
    /// All the waiting for a body: this, and one second for each `body_bytes_per_s_min` received so far.
    pub body_grace: Duration,
    /// See `body_grace`.
    pub body_bytes_per_s_min: u64,
    /// Without progress while an answer is being sent: the client reads nothing, the connection is cut.
    pub write_timeout: Duration,
    /// Stack of a connection's thread. Handlers run on it.
    pub stack_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            connections_reserve: 16,
            head_bytes_max: 256 * 1024,
            headers_max: 64,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_read_timeout: Duration::from_secs(15),
            body_grace: Duration::from_secs(10),
            body_bytes_per_s_min: 64 * 1024,
            write_timeout: Duration::from_secs(30),
            stack_bytes: 512 * 1024,
        }
    }
}

impl Limits {
    /// Refuses a limit of zero, which would refuse every request.
    pub(super) fn check(&self) -> io::Result<()> {
        let zero_durations =
            [self.head_timeout, self.idle_timeout, self.body_read_timeout, self.body_grace, self.write_timeout];
        let zero_sizes = [self.connections_max, self.head_bytes_max, self.headers_max, self.stack_bytes];
        if zero_durations.iter().any(Duration::is_zero) || zero_sizes.contains(&0) || self.body_bytes_per_s_min == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a limit of the HTTP server is zero; give it a value",
            ));
        }
        Ok(())
    }
}
