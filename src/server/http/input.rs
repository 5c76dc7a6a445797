//! What a connection has received and not yet used: the bytes between the socket and the readers of heads and bodies.

use std::io;
use std::net::TcpStream;
use std::time::Instant;

use super::deadline::{receive_idle, receive_spare};

/// What a connection holds while it waits; only a head that does not fit makes it grow.
const BUFFER_BYTES: usize = 4096;

/// The receive buffer of one connection.
pub(super) struct Input {
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that are used up.
    used: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(BUFFER_BYTES), used: 0 }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// Uses up `count` bytes, at most all that are there.
    pub(super) fn consume(&mut self, count: usize) {
        self.used = self.bytes.len().min(self.used + count);
        if self.used == self.bytes.len() {
            self.bytes.clear();
            self.used = 0;
        }
    }

    /// Takes the first `count` bytes out and returns the buffer to its usual size as far as what is left allows.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.unread().get(..count).unwrap_or_default().to_vec();
        self.consume(count);
        if self.bytes.capacity() > BUFFER_BYTES {
            self.compact();
            self.bytes.shrink_to(BUFFER_BYTES);
        }
        taken
    }

    /// Waits for the first bytes of a head, as long as the socket's read timeout allows.
    pub(super) fn fill_idle(&mut self, stream: &TcpStream) -> io::Result<usize> {
        self.make_room();
        receive_idle(stream, &mut self.bytes)
    }

    /// Waits for more bytes until `deadline`.
    pub(super) fn fill(&mut self, stream: &TcpStream, deadline: Instant) -> io::Result<usize> {
        self.make_room();
        receive_spare(stream, &mut self.bytes, deadline)
    }

    fn make_room(&mut self) {
        self.compact();
        if self.bytes.len() == self.bytes.capacity() {
            // Doubles. The readers ask for more only below their own limits, so this is bounded by twice the largest.
            self.bytes.reserve(self.bytes.len().max(BUFFER_BYTES));
        }
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.used);
        self.used = 0;
    }
}
