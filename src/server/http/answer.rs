//! Writing an answer: the head as `tiny_http` prints it, the body as this connection frames it.
//!
//! Nothing is sent before the first bytes of the body are there, so an answer that fails early can still become a 500. The mark
//! of a complete answer (its last byte, the closing chunk, an orderly close) is written only after the body ended well.

use std::any::Any;
use std::io::{self, Read};
use std::time::Duration;

use tiny_http::{HTTPVersion, Header, Response, ResponseBox, StatusCode};

use super::connection::Connection;
use super::deadline::send_all;
use super::head::{Version, is_token_byte};

/// The largest chunk. Bodies of unknown length are mostly made while they are sent, and a piece goes out as it comes.
const CHUNK_BYTES_MAX: usize = 16 * 1024;
/// About the most that is gathered of a body of known length before it is sent.
const COUNTED_PIECE_BYTES: usize = 64 * 1024;
/// "4000\r\n": the size of a chunk of at most `CHUNK_BYTES_MAX`, with leading zeros.
const CHUNK_HEAD_BYTES: usize = 6;
const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n";

/// What the request asks of the form of its answer.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// HEAD: no body.
    pub(super) head_only: bool,
    pub(super) allows_chunks: bool,
    pub(super) version: Version,
    /// The connection stays open as far as the request is concerned.
    pub(super) keep_alive: bool,
}

/// Why an answer is not complete.
pub(super) enum Failure {
    /// The client is gone or reads nothing.
    Client,
    /// The answer itself failed: its reader, or a header that must not be written.
    Answer(io::Error),
    /// The handler, its answer's reader or an upgraded connection panicked, with this payload.
    Panic(Box<dyn Any + Send>),
}

/// How the end of the body is told.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    NoBody,
    Counted(u64),
    Chunked,
    /// By closing the connection: unknown length, and no chunks allowed.
    Closed,
}

/// The bytes of one answer on their way to the client.
pub(super) struct Output<'c> {
    connection: &'c Connection,
    timeout: Duration,
    buffer: Vec<u8>,
    /// Something of the answer is with the client, so it cannot be replaced any more.
    pub(super) is_begun: bool,
}

impl<'c> Output<'c> {
    pub(super) fn new(connection: &'c Connection, timeout: Duration) -> Self {
        Self { connection, timeout, buffer: Vec::with_capacity(512), is_begun: false }
    }

    /// Sends a whole answer. `Ok(true)` if the connection may be kept.
    pub(super) fn write(&mut self, response: ResponseBox, form: Form) -> Result<bool, Failure> {
        self.buffer.clear();
        check_headers(response.headers()).map_err(Failure::Answer)?;
        let status = response.status_code();
        let framing = match response.data_length() {
            _ if form.head_only || has_no_content(status) || status == 304 => Framing::NoBody,
            Some(length) => Framing::Counted(length as u64),
            None if form.allows_chunks => Framing::Chunked,
            None => Framing::Closed,
        };
        let keep = form.keep_alive && framing != Framing::Closed;
        let length = if has_no_content(status) { Some(0) } else { response.data_length() };
        let headers = response.headers().to_vec();
        let head = Response::new(status, headers, io::empty(), length, None);
        print_head(&mut self.buffer, head, None).map_err(Failure::Answer)?;
        self.finish_head(status, keep, form);

        let mut body = response.into_reader();
        match framing {
            Framing::NoBody => {}
            Framing::Counted(length) => self.write_counted(&mut body, length)?,
            Framing::Chunked => self.write_chunks(&mut body)?,
            Framing::Closed => {
                while self.read_piece(&mut body, CHUNK_BYTES_MAX)? > 0 {
                    self.flush()?;
                }
            }
        }
        self.flush()?;
        Ok(keep)
    }

    /// Sends the head that ends HTTP on this connection.
    pub(super) fn write_upgrade(&mut self, headers: Vec<Header>, protocol: &str) -> Result<(), Failure> {
        check_headers(&headers).map_err(Failure::Answer)?;
        let head = Response::new(101.into(), headers, io::empty(), Some(0), None);
        print_head(&mut self.buffer, head, Some(protocol)).map_err(Failure::Answer)?;
        self.flush()
    }

    /// Replaces the framing lines that `tiny_http` has printed by those of this connection.
    fn finish_head(&mut self, status: StatusCode, keep: bool, form: Form) {
        let mut end = self.buffer.len().saturating_sub(2);
        let printed = self.buffer.get(..end).unwrap_or_default();
        if printed.ends_with(CHUNKED) && !form.allows_chunks {
            end -= CHUNKED.len();
        }
        // RFC 9110, section 8.6: no length where there can be no content.
        if has_no_content(status) && printed.ends_with(b"\r\nContent-Length: 0\r\n") {
            end -= b"Content-Length: 0\r\n".len();
        }
        self.buffer.truncate(end);
        if !keep {
            self.buffer.extend_from_slice(b"Connection: close\r\n");
        } else if form.version == Version::Http10 {
            self.buffer.extend_from_slice(b"Connection: keep-alive\r\n");
        }
        self.buffer.extend_from_slice(b"\r\n");
    }

    fn write_counted(&mut self, body: &mut dyn Read, mut left: u64) -> Result<(), Failure> {
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(COUNTED_PIECE_BYTES);
            let count = self.read_piece(body, wanted)?;
            if count == 0 {
                let short = format!("the answer's body ended {left} bytes before its length");
                return Err(Failure::Answer(io::Error::new(io::ErrorKind::UnexpectedEof, short)));
            }
            left -= count as u64;
            if self.buffer.len() >= COUNTED_PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn write_chunks(&mut self, body: &mut dyn Read) -> Result<(), Failure> {
        loop {
            let head = self.buffer.len();
            self.buffer.extend_from_slice(&[0; CHUNK_HEAD_BYTES]);
            let count = self.read_piece(body, CHUNK_BYTES_MAX)?;
            if count == 0 {
                self.buffer.truncate(head);
                self.buffer.extend_from_slice(b"0\r\n\r\n");
                return Ok(());
            }
            let size = format!("{count:04x}\r\n");
            self.buffer[head..head + CHUNK_HEAD_BYTES].copy_from_slice(size.as_bytes());
            self.buffer.extend_from_slice(b"\r\n");
            // What the reader delivers is sent at once: it may be slow, and the client may be waiting.
            self.flush()?;
        }
    }

    /// Appends what one read of the body delivers.
    fn read_piece(&mut self, body: &mut dyn Read, wanted: usize) -> Result<usize, Failure> {
        let length = self.buffer.len();
        self.buffer.resize(length + wanted, 0);
        loop {
            match body.read(&mut self.buffer[length..]) {
                Ok(count) => {
                    let count = count.min(wanted);
                    self.buffer.truncate(length + count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Answer(error)),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.is_begun = true;
        send_all(&self.connection.stream, &self.buffer, self.timeout).map_err(|_| Failure::Client)?;
        self.buffer.clear();
        Ok(())
    }
}

/// RFC 9110, sections 15.2 and 15.3.5. (304 has none either, but tells the length it would have.)
fn has_no_content(status: StatusCode) -> bool {
    matches!(status.0, 100..=199 | 204)
}

/// Prints status line and headers. The version is always ours, 1.1 (RFC 9110, section 6.2), and no request header has a say.
fn print_head(buffer: &mut Vec<u8>, mut head: Response<io::Empty>, upgrade: Option<&str>) -> io::Result<()> {
    if !head.headers().iter().any(|header| header.field.equiv("Server"))
        && let Ok(server) = Header::from_bytes("Server", "narvi")
    {
        head.add_header(server);
    }
    head.with_chunked_threshold(usize::MAX).raw_print(buffer, HTTPVersion(1, 1), &[], true, upgrade)
}

/// A line end inside a header would let its author write the rest of the answer (CVE-2026-66753).
fn check_headers(headers: &[Header]) -> io::Result<()> {
    for header in headers {
        let name = header.field.as_str().as_bytes();
        let value = header.value.as_bytes();
        if name.is_empty()
            || !name.iter().all(|byte| is_token_byte(*byte))
            || !value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
        {
            let what =
                format!("the answer's header {:?} has characters that a header cannot carry", header.field.as_str());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    }
    Ok(())
}
