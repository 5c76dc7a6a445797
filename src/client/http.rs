//! One request and its answer, on a connection of its own.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::{error::Error, transport, url::Url};

/// Bytes of a body that are read: eight times what this server gives by default.
pub(super) const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Bytes of a head, or of a line between chunks.
const HEAD_BYTES_MAX: u64 = 64 << 10;
const HEADERS_MAX: usize = 100;
/// How often who waits is told.
const TICK: Duration = Duration::from_millis(500);
/// A server that says nothing for so long is gone; a query may take a minute, and more with another configuration.
const SILENCE_MAX: Duration = Duration::from_mins(5);

/// Names and values of headers.
pub(super) type Headers = Vec<(&'static str, String)>;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// When to try again, in seconds.
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// What a server answers to who wants a WebSocket.
pub(super) enum Handshake {
    /// The connection, and what came behind the answer already.
    Switched(TcpStream, Vec<u8>),
    /// Something else.
    Refused(Answer),
}

/// Asks for a target; `waiting` is called while there is nothing to read, with the bytes so far.
pub(super) fn get(url: &Url, target: &str, headers: &Headers, waiting: &dyn Fn(usize)) -> Result<Answer, Error> {
    let stream = send(url, target, headers, "Connection: close\r\n")?;
    let mut reader = Reader::new(url, stream, waiting);
    let head = reader.head()?;
    reader.answer(&head)
}

/// Asks for a WebSocket, as in RFC 6455, 4.1.
pub(super) fn upgrade(url: &Url, target: &str, headers: &Headers, waiting: &dyn Fn(usize)) -> Result<Handshake, Error> {
    let key = generate_key();
    let asking = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    let stream = send(url, target, headers, &asking)?;
    let mut reader = Reader::new(url, stream, waiting);
    let head = reader.head()?;
    if head.status != 101 {
        return reader.answer(&head).map(Handshake::Refused);
    }
    if head.accept_key.as_deref() != Some(&derive_accept_key(key.as_bytes())) {
        return Err(reader.not_http("it agrees to a WebSocket with a wrong key".to_owned()));
    }
    let read = reader.stream.buffer().to_vec();
    Ok(Handshake::Switched(reader.stream.into_inner().stream, read))
}

fn send(url: &Url, target: &str, headers: &Headers, more: &str) -> Result<TcpStream, Error> {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n{more}", url.authority);
    for (name, value) in headers {
        request.extend([*name, ": ", value, "\r\n"]);
    }
    request.push_str("\r\n");
    let mut stream = transport::connect(url)?;
    let sent = stream
        .set_read_timeout(Some(TICK))
        .and_then(|()| stream.set_write_timeout(Some(SILENCE_MAX)))
        .and_then(|()| stream.write_all(request.as_bytes()));
    sent.map_err(|source| Error::Lost { server: url.to_string(), source })?;
    Ok(stream)
}

/// A connection on which one waits for long, and tells somebody.
struct Patient<'a> {
    stream: TcpStream,
    waiting: &'a dyn Fn(usize),
    /// Bytes that have come.
    bytes: usize,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let started = Instant::now();
        loop {
            match self.stream.read(buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    (self.waiting)(self.bytes);
                    if started.elapsed() > SILENCE_MAX {
                        let why = format!("nothing came for {} s", SILENCE_MAX.as_secs());
                        return Err(io::Error::new(ErrorKind::TimedOut, why));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(bytes) => {
                    self.bytes += bytes;
                    return Ok(bytes);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Where a body ends.
enum Length {
    Known(usize),
    Chunks,
    /// With the connection.
    Open,
}

/// What stands in front of a body.
struct Head {
    status: u16,
    retry_after_s: Option<u64>,
    accept_key: Option<String>,
    length: Length,
}

struct Reader<'a> {
    server: &'a Url,
    stream: BufReader<Patient<'a>>,
    body: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(server: &'a Url, stream: TcpStream, waiting: &'a dyn Fn(usize)) -> Self {
        Self { server, stream: BufReader::new(Patient { stream, waiting, bytes: 0 }), body: Vec::new() }
    }

    /// Reads the body that belongs to a head.
    fn answer(mut self, head: &Head) -> Result<Answer, Error> {
        match head.length {
            _ if matches!(head.status, 204 | 304) => {}
            Length::Known(bytes) => self.take(bytes)?,
            Length::Chunks => self.chunks()?,
            Length::Open => {
                let bytes = self.read_up_to(ANSWER_BYTES_MAX + 1)?;
                self.check(bytes)?;
            }
        }
        Ok(Answer { status: head.status, retry_after_s: head.retry_after_s, body: self.body })
    }

    /// Reads the head of the answer; a server may send others first (RFC 9110, 15.2).
    fn head(&mut self) -> Result<Head, Error> {
        loop {
            let head = self.any_head()?;
            if head.status == 101 || head.status >= 200 {
                return Ok(head);
            }
        }
    }

    /// Reads to the empty line behind the headers.
    fn any_head(&mut self) -> Result<Head, Error> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") && !text.ends_with(b"\n\n") {
            self.line(&mut text)?;
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&text).map_err(|error| self.not_http(error.to_string()))?;
        let status = response.code.filter(|_| parsed.is_complete());
        let status = status.ok_or_else(|| self.not_http("its head is not complete".to_owned()))?;
        let header = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        let length = match (header("Transfer-Encoding"), header("Content-Length")) {
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Length::Chunks,
            (Some(coding), _) => return Err(self.not_http(format!("it sends the coding {coding:?}"))),
            (None, Some(bytes)) => {
                let bytes = bytes.parse().map_err(|_| self.not_http(format!("the length {bytes:?} is no number")))?;
                Length::Known(bytes)
            }
            (None, None) => Length::Open,
        };
        Ok(Head {
            status,
            retry_after_s: header("Retry-After").and_then(|seconds| seconds.parse().ok()),
            accept_key: header("Sec-WebSocket-Accept").map(str::to_owned),
            length,
        })
    }

    fn chunks(&mut self) -> Result<(), Error> {
        loop {
            let mut line = Vec::new();
            self.line(&mut line)?;
            let size = match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, size))) => usize::try_from(size).unwrap_or(usize::MAX),
                _ => return Err(self.not_http("its chunks have no length".to_owned())),
            };
            if size == 0 {
                // Trailers, up to an empty line, mean nothing here. That the connection ends instead harms nobody.
                return Ok(());
            }
            self.take(size)?;
            line.clear();
            self.line(&mut line)?;
        }
    }

    /// Reads so many bytes of the body.
    fn take(&mut self, bytes: usize) -> Result<(), Error> {
        self.check(self.body.len().saturating_add(bytes))?;
        if self.read_up_to(bytes)? < bytes {
            return Err(self.truncated());
        }
        Ok(())
    }

    /// Reads into the body until so many bytes or the end of the connection, and says how many came.
    fn read_up_to(&mut self, bytes: usize) -> Result<usize, Error> {
        let read = (&mut self.stream).take(bytes as u64).read_to_end(&mut self.body);
        read.map_err(|source| self.lost(source))
    }

    /// Appends one line of a head, with its end.
    fn line(&mut self, line: &mut Vec<u8>) -> Result<(), Error> {
        let left = HEAD_BYTES_MAX.saturating_sub(line.len() as u64);
        let read = (&mut self.stream).take(left).read_until(b'\n', line).map_err(|source| self.lost(source))?;
        match line.last() {
            Some(b'\n') if read > 0 => Ok(()),
            _ if line.len() as u64 >= HEAD_BYTES_MAX => Err(self.not_http("its head does not end".to_owned())),
            _ => Err(self.truncated()),
        }
    }

    fn check(&self, bytes: usize) -> Result<(), Error> {
        if bytes > ANSWER_BYTES_MAX {
            return Err(Error::TooLarge { server: self.server.to_string(), bytes_max: ANSWER_BYTES_MAX });
        }
        Ok(())
    }

    fn truncated(&self) -> Error {
        Error::Truncated { server: self.server.to_string(), bytes: self.body.len() }
    }

    fn lost(&self, source: io::Error) -> Error {
        Error::Lost { server: self.server.to_string(), source }
    }

    fn not_http(&self, why: String) -> Error {
        Error::NotHttp { server: self.server.to_string(), why }
    }
}
