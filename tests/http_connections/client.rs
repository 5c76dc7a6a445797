//! A client that sends exactly the bytes it is told to and reads answers strictly.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Far above every limit under test: a client that waits this long has found a hang.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// How the server ended a connection.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Closed,
    Reset,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends while the server takes it; the connection may be closed under way.
    pub(crate) fn send_while_open(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a byte now and then until the server answers or ends the connection.
    pub(crate) fn dribble(&mut self) {
        let start = Instant::now();
        while self.stream.write_all(b"x").is_ok() && !self.has_received() {
            assert!(start.elapsed() < PATIENCE, "the server has all the time in the world");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Sends a request; whether anything comes back before the connection ends.
    pub(crate) fn send_and_see(&mut self, request: &str) -> bool {
        self.send_while_open(request.as_bytes()) && matches!(self.receive(), Ok(1..))
    }

    fn has_received(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    pub(crate) fn get(&mut self, target: &str) -> Reply {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")).reply()
    }

    pub(crate) fn finish_sending(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).unwrap();
        self
    }

    /// The next answer, which must be complete.
    pub(crate) fn reply(&mut self) -> Reply {
        self.try_reply(true).unwrap()
    }

    /// The answer to a HEAD request.
    pub(crate) fn reply_head(&mut self) -> Reply {
        self.try_reply(false).unwrap()
    }

    /// The next answer; an error if the connection ends before the answer does.
    pub(crate) fn try_reply(&mut self, has_body: bool) -> io::Result<Reply> {
        let head = self.take_until(b"\r\n\r\n")?;
        let head = String::from_utf8(head).unwrap();
        let status = head.get(9..12).unwrap().parse().unwrap();
        let mut reply = Reply { status, head, body: Vec::new() };
        if !has_body || matches!(status, 100..=199 | 204 | 304) {
            return Ok(reply);
        }
        if let Some(length) = reply.header("Content-Length") {
            assert_eq!(reply.header("Transfer-Encoding"), None, "{}", reply.head);
            reply.body = self.take(length.parse().unwrap())?;
        } else if reply.header("Transfer-Encoding").is_some() {
            loop {
                let line = String::from_utf8(self.take_until(b"\r\n")?).unwrap();
                let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
                let chunk = self.take(size)?;
                assert_eq!(self.take(2)?, b"\r\n");
                reply.body.extend_from_slice(&chunk);
                if size == 0 {
                    break;
                }
            }
        } else {
            assert_eq!(reply.header("Connection"), Some("close"), "{}", reply.head);
            while self.receive()? > 0 {}
            reply.body = std::mem::take(&mut self.received);
        }
        Ok(reply)
    }

    /// What the server sends until it ends the connection.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, End) {
        loop {
            match self.receive() {
                Ok(0) => return (std::mem::take(&mut self.received), End::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return (std::mem::take(&mut self.received), End::Reset);
                }
                Err(error) => panic!("the server keeps the connection open: {error}"),
            }
        }
    }

    /// The server ends the connection in order and without another byte.
    pub(crate) fn expect_close(&mut self) {
        let (bytes, end) = self.rest();
        assert_eq!((String::from_utf8_lossy(&bytes).as_ref(), end), ("", End::Closed));
    }

    /// At least one more byte has come.
    pub(crate) fn wait_for_bytes(&mut self) {
        assert_ne!(self.receive().unwrap(), 0);
    }

    pub(crate) fn take_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.received.windows(mark.len()).position(|window| window == mark) {
                return self.take(at + mark.len());
            }
            if self.receive()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(crate) fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < count {
            if self.receive()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.received.drain(..count).collect())
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer)?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Reply {
    /// The only header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = values.next();
        assert_eq!(values.next(), None, "two headers {name} in {}", self.head);
        value
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}
