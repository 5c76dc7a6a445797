//! The body of a request, as a reader that ends where the framing says and never silently earlier: a truncated body is
//! `UnexpectedEof`, a slow one `TimedOut`, broken chunks are `InvalidData`. RFC 9112, section 7.1, without its tolerances.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use memchr::memchr;

use super::Limits;
use super::connection::Connection;
use super::deadline::{after, receive, send_all};
use super::head::{Framing, Head};
use super::input::Input;

/// Unread bytes that are read and thrown away so that the connection can be kept.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// A chunk's size line, extensions included, and a line of the trailer; the lines of a trailer.
const LINE_BYTES_MAX: usize = 256;
const TRAILER_LINES_MAX: usize = 16;

/// The body of the request that is being answered.
pub(super) struct Body<'c> {
    input: &'c mut Input,
    connection: &'c Connection,
    limits: &'c Limits,
    state: State,
    /// `Content-Length`, as announced.
    length: Option<u64>,
    /// The client waits for a `100 Continue` before it sends. A body that came with its head needs none: the invitation
    /// goes out only when more has to be received.
    must_continue: bool,
    received: u64,
    /// Time spent waiting for the client; what the handler takes between reads is not the client's fault.
    waited: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Counted(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer(usize),
    Done,
    Failed(io::ErrorKind),
}

/// What an answered request leaves in the connection.
#[derive(Debug, PartialEq)]
pub(super) enum Rest {
    Nothing,
    /// Little enough to be read and thrown away.
    Drainable,
    /// Nobody knows, or cares to read, where the next request starts.
    Unknown,
}

impl<'c> Body<'c> {
    pub(super) fn new(head: &Head<'_>, input: &'c mut Input, connection: &'c Connection, limits: &'c Limits) -> Self {
        let (state, length) = match head.framing {
            Framing::Counted(0) => (State::Done, Some(0)),
            Framing::Counted(length) => (State::Counted(length), Some(length)),
            Framing::Chunked => (State::ChunkSize, None),
        };
        let must_continue = head.expects_continue && state != State::Done;
        Self { input, connection, limits, state, length, must_continue, received: 0, waited: Duration::ZERO }
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn rest(&self) -> Rest {
        match self.state {
            State::Done => Rest::Nothing,
            State::Counted(1..=DRAIN_BYTES_MAX) if !self.must_continue => Rest::Drainable,
            _ => Rest::Unknown,
        }
    }

    /// Reads what is left and throws it away.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        let mut scrap = [0; 4096];
        while self.read(&mut scrap)? > 0 {}
        Ok(())
    }

    /// Whether bytes behind this body (a pipelined request) have arrived already.
    pub(super) fn is_followed(&self) -> bool {
        !self.input.unread().is_empty()
    }

    fn advance(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Done => return Ok(0),
                State::Failed(kind) => return Err(kind.into()),
                State::Counted(left) => {
                    let count = self.read_data(target, left)?;
                    self.state = if left > count as u64 { State::Counted(left - count as u64) } else { State::Done };
                    return Ok(count);
                }
                State::ChunkData(left) => {
                    let count = self.read_data(target, left)?;
                    let left = left - count as u64;
                    self.state = if left > 0 { State::ChunkData(left) } else { State::ChunkEnd };
                    return Ok(count);
                }
                State::ChunkSize => {
                    self.state = match self.read_line(chunk_size)?.ok_or(io::ErrorKind::InvalidData)? {
                        0 => State::Trailer(0),
                        size => State::ChunkData(size),
                    };
                }
                State::ChunkEnd => {
                    if !self.read_line(<[u8]>::is_empty)? {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    self.state = State::ChunkSize;
                }
                State::Trailer(lines) => {
                    let is_last = self.read_line(<[u8]>::is_empty)?;
                    self.state = match lines {
                        _ if is_last => State::Done,
                        TRAILER_LINES_MAX.. => return Err(io::ErrorKind::InvalidData.into()),
                        _ => State::Trailer(lines + 1),
                    };
                }
            }
        }
    }

    /// At least one byte, at most `left`: from the buffer, or else straight from the socket.
    fn read_data(&mut self, target: &mut [u8], left: u64) -> io::Result<usize> {
        let wanted = target.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let target = target.get_mut(..wanted).unwrap_or_default();
        let buffered = self.input.unread();
        if buffered.is_empty() {
            return self.wait(|body, deadline| receive(&body.connection.stream, target, deadline));
        }
        let count = buffered.len().min(wanted);
        target[..count].copy_from_slice(&buffered[..count]);
        self.input.consume(count);
        Ok(count)
    }

    /// Takes one line; `read` sees it without its CR LF.
    fn read_line<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        loop {
            let unread = self.input.unread();
            if let Some(end) = memchr(b'\n', unread.get(..LINE_BYTES_MAX).unwrap_or(unread)) {
                let line = unread.get(..end).and_then(|line| line.strip_suffix(b"\r"));
                let result = read(line.ok_or(io::ErrorKind::InvalidData)?);
                self.input.consume(end + 1);
                return Ok(result);
            }
            if unread.len() >= LINE_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.wait(|body, deadline| body.input.fill(&body.connection.stream, deadline))?;
        }
    }

    /// Receives under the deadlines of a body; the end of the stream is an error.
    fn wait(&mut self, receive: impl FnOnce(&mut Self, Instant) -> io::Result<usize>) -> io::Result<usize> {
        if std::mem::take(&mut self.must_continue) {
            send_all(&self.connection.stream, b"HTTP/1.1 100 Continue\r\n\r\n", self.limits.write_timeout)?;
        }
        let earned = Duration::from_secs(self.received / self.limits.body_bytes_per_s_min);
        let left = self.limits.body_grace.saturating_add(earned).saturating_sub(self.waited);
        let start = Instant::now();
        let count = receive(self, after(left.min(self.limits.body_read_timeout)))?;
        self.waited += start.elapsed();
        self.received += count as u64;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(count)
    }
}

impl Read for Body<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        self.advance(target).inspect_err(|error| self.state = State::Failed(error.kind()))
    }
}

/// The size in a chunk's first line, extensions ignored.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}
