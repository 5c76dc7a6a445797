//! The head of a request: receiving it under limits and a deadline, and refusing whatever two readers could understand in two
//! ways. RFC 9112, sections 2 to 6, without its tolerances. Lines are counted as they arrive; httparse sees a whole head, once.

use std::io;
use std::net::TcpStream;

use memchr::memchr;
use tiny_http::Method;

use super::Limits;
use super::deadline::after;
use super::input::Input;

/// A request that is answered by the connection itself and is its last.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The answer's body: one sentence for whoever reads it.
    pub(super) reason: &'static str,
}

/// Why no head was received.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The client closed, idled too long or was cut: there is nobody to answer.
    Ended,
    Refused(Refusal),
}

/// The bytes of one head, the empty line included.
pub(super) struct HeadBytes {
    pub(super) bytes: Vec<u8>,
    pub(super) headers: usize,
}

/// Waits for a head: for its first byte as long as the socket's read timeout allows, for the rest until the head's deadline.
pub(super) fn receive(input: &mut Input, stream: &TcpStream, limits: &Limits) -> Result<HeadBytes, NoHead> {
    if input.unread().is_empty() && !matches!(input.fill_idle(stream), Ok(1..)) {
        return Err(NoHead::Ended);
    }
    let deadline = after(limits.head_timeout);
    let mut lines = LineScan { length: 0, lines: 0 };
    loop {
        if lines.advance(input.unread(), limits).map_err(NoHead::Refused)? {
            return Ok(HeadBytes { bytes: input.take(lines.length), headers: lines.lines - 1 });
        }
        match input.fill(stream, deadline) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(NoHead::Refused(refusal(408, "the request's head did not arrive in time")));
            }
            Ok(0) | Err(_) => return Err(NoHead::Ended),
        }
    }
}

/// Finds the end of a head line by line, looking at each byte once.
struct LineScan {
    /// Bytes of the complete lines seen so far.
    length: usize,
    lines: usize,
}

impl LineScan {
    /// Whether the head is complete; its bytes are then `length`, the empty line not counted in `lines`.
    fn advance(&mut self, received: &[u8], limits: &Limits) -> Result<bool, Refusal> {
        // Most that is no HTTP at all (TLS, say) shows in the first byte and need not wait for the deadline.
        if !received.first().is_none_or(|first| is_token_byte(*first)) {
            return Err(refusal(400, "this is not an HTTP request"));
        }
        while let Some(rest) = received.get(self.length..)
            && let Some(end) = memchr(b'\n', rest)
        {
            let Some(line) = rest.get(..end).and_then(|line| line.strip_suffix(b"\r")) else {
                return Err(refusal(400, "a line of the head ends without a carriage return"));
            };
            self.length += end + 1;
            if self.length > limits.head_bytes_max {
                return Err(too_large());
            }
            if line.is_empty() {
                return Ok(true);
            }
            if self.lines == 0 {
                check_version(line)?;
            }
            self.lines += 1;
            if self.lines - 1 > limits.headers_max {
                return Err(refusal(431, "the request has too many headers"));
            }
        }
        if received.len() > limits.head_bytes_max {
            return Err(too_large());
        }
        Ok(false)
    }
}

fn too_large() -> Refusal {
    refusal(431, "the request line and the headers are too large")
}

/// A version that is well formed but not 1.0 or 1.1 has a status of its own; httparse only sees something malformed.
fn check_version(request_line: &[u8]) -> Result<(), Refusal> {
    let last = request_line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    match last.strip_prefix(b"HTTP/") {
        None => Err(refusal(400, "the request line does not end in an HTTP version")),
        Some(b"1.1" | b"1.0") => Ok(()),
        Some(version) if !version.is_empty() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') => {
            Err(refusal(505, "this server speaks HTTP/1.1"))
        }
        Some(_) => Err(refusal(400, "the HTTP version is malformed")),
    }
}

/// The versions that are served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Version {
    Http10,
    Http11,
}

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Framing {
    /// `Content-Length`, or 0 without a body.
    Counted(u64),
    Chunked,
}

/// A head that was understood in the only possible way.
#[derive(Debug)]
pub(super) struct Head<'h> {
    pub(super) method: Method,
    pub(super) target: &'h str,
    headers: &'h [httparse::Header<'h>],
    pub(super) framing: Framing,
    pub(super) version: Version,
    /// The client keeps the connection open after the answer.
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    /// `TE: identity`: the client asks for an answer without chunks.
    pub(super) refuses_chunks: bool,
}

impl<'h> Head<'h> {
    /// Parses a whole head; `headers` has room for its header lines.
    pub(super) fn parse(bytes: &'h [u8], headers: &'h mut [httparse::Header<'h>]) -> Result<Self, Refusal> {
        if !bytes.is_ascii() {
            return Err(refusal(400, "the head has bytes that are not ASCII"));
        }
        let mut parsed = httparse::Request::new(headers);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
            _ => return Err(refusal(400, "the head is malformed")),
        }
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(refusal(400, "the head is malformed"));
        };
        let mut head = Self {
            method: method.parse().map_err(|()| refusal(400, "the method is malformed"))?,
            target,
            headers: parsed.headers,
            framing: Framing::Counted(0),
            version: if version == 0 { Version::Http10 } else { Version::Http11 },
            keep_alive: version != 0,
            expects_continue: false,
            refuses_chunks: false,
        };
        head.framing = head.checked_framing()?;
        head.read_connection();
        head.expects_continue = head.checked_expectation()?;
        head.refuses_chunks = head.asks_for_identity();
        Ok(head)
    }

    /// The first header of that name, in any letter case.
    pub(super) fn header(&self, name: &str) -> Option<&'h str> {
        self.all(name).next()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'h str> {
        let named = self.headers.iter().filter(move |header| is(header.name, name));
        named.map(|header| str::from_utf8(header.value).unwrap_or_default().trim_matches([' ', '\t']))
    }

    /// RFC 9112, section 6.3, with every doubtful case refused: two parties that disagree about where a body ends are how
    /// requests are smuggled.
    fn checked_framing(&self) -> Result<Framing, Refusal> {
        if self.all("Host").nth(1).is_some() {
            return Err(refusal(400, "more than one Host"));
        }
        let mut codings = self.all("Transfer-Encoding");
        let mut lengths = self.all("Content-Length");
        let (coding, length) = (codings.next(), lengths.next());
        if codings.next().is_some() || lengths.next().is_some() {
            return Err(refusal(400, "more than one Content-Length or Transfer-Encoding"));
        }
        match (coding, length) {
            (None, None) => Ok(Framing::Counted(0)),
            (Some(_), Some(_)) => Err(refusal(400, "both Content-Length and Transfer-Encoding")),
            (Some(coding), None) if is(coding, "chunked") && self.version == Version::Http11 => Ok(Framing::Chunked),
            (Some(_), None) => Err(refusal(400, "the only Transfer-Encoding understood is chunked, in HTTP/1.1")),
            (None, Some(length)) if length.bytes().all(|byte| byte.is_ascii_digit()) => length
                .parse()
                .map(Framing::Counted)
                .map_err(|_| refusal(400, "the Content-Length is not a number of 64 bits")),
            (None, Some(_)) => Err(refusal(400, "the Content-Length is not a number")),
        }
    }

    fn read_connection(&mut self) {
        let (mut close, mut keep) = (false, false);
        for option in self.all("Connection").flat_map(|value| value.split(',')) {
            close |= is(option.trim(), "close");
            keep |= is(option.trim(), "keep-alive");
        }
        self.keep_alive = !close && (keep || self.version == Version::Http11);
    }

    fn asks_for_identity(&self) -> bool {
        let mut codings = self.all("TE").flat_map(|value| value.split(','));
        codings.any(|coding| is(coding.split(';').next().unwrap_or_default().trim(), "identity"))
    }

    fn checked_expectation(&self) -> Result<bool, Refusal> {
        match self.header("Expect") {
            None => Ok(false),
            Some(value) if is(value, "100-continue") => Ok(self.version == Version::Http11),
            Some(_) => Err(refusal(417, "the only expectation understood is 100-continue")),
        }
    }
}

/// For fuzzing: any bytes as the head of a request.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::server) fn fuzz(received: &[u8]) {
    let limits = Limits::default();
    let mut lines = LineScan { length: 0, lines: 0 };
    if let Ok(true) = lines.advance(received, &limits) {
        let mut headers = vec![httparse::EMPTY_HEADER; lines.lines];
        if let Ok(head) = Head::parse(&received[..lines.length], &mut headers) {
            assert!(head.target.is_ascii());
        }
    }
}

fn refusal(status: u16, reason: &'static str) -> Refusal {
    Refusal { status, reason }
}

fn is(value: &str, expected: &str) -> bool {
    value.eq_ignore_ascii_case(expected)
}

/// RFC 9110, section 5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
