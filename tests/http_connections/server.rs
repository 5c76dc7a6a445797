//! The server under test: routes that do each of the things a handler may do, well and badly.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use narvi::server::http::{Answer, Handler, Limits, Request, Server, StopSignal};
use tiny_http::{Header, Response, StatusCode};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

const WEBSOCKET_WRITE_TIMEOUT: Duration = Duration::from_millis(150);
/// Most that a route makes of a size in a target: the fuzzer invents large ones.
const SIZE_MAX: usize = 32 * 1024 * 1024;

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) routes: Arc<Routes>,
}

impl Fixture {
    pub(crate) fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let routes = Arc::new(Routes::default());
        let server = Server::start(listener, limits, Arc::clone(&routes) as Arc<dyn Handler>).unwrap();
        Self { server, routes }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// So many connections were accepted since the start.
    pub(crate) fn wait_accepted(&self, count: u64) {
        wait_until("the connections are accepted", || self.server.stats().accepted >= count);
    }

    /// All connections have ended.
    pub(crate) fn wait_idle(&self) {
        wait_until("every connection has ended", || self.server.stats().open == 0);
    }
}

/// Waits for a condition that must come true.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A door that handlers wait at until the test opens it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    waiting: usize,
    is_open: bool,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().is_open = true;
        self.0.1.notify_all();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().waiting
    }

    fn pass(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.waiting += 1;
        while !state.is_open {
            state = self.0.1.wait(state).unwrap();
        }
        state.waiting -= 1;
    }
}

#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) gate: Gate,
    /// What `/gone` has seen.
    pub(crate) gone: Mutex<Option<bool>>,
}

impl Handler for Routes {
    fn handle(&self, request: &mut Request<'_>) -> Answer {
        let target = request.target().to_owned();
        let (route, number) = target.split_once('?').unwrap_or((&target, ""));
        let number = number.parse().unwrap_or(0).min(SIZE_MAX);
        let response = match route {
            "/small" => Response::from_string("small\n").boxed(),
            "/size" => Response::from_data(vec![b'x'; number]).boxed(),
            // Unknown length, in pieces of at most 1000 bytes.
            "/stream" => stream(Pieces(number), None),
            // As many bytes, then an error or a panic.
            "/break" => stream(Pieces(number).chain(Broken), None),
            "/burst" => stream(Pieces(number).chain(Bursting), None),
            // A known length of one byte more than there is.
            "/short" => stream(Pieces(number), Some(number + 1)),
            "/empty" => Response::empty(204).boxed(),
            "/empty-but" => Response::from_string("not sent").with_status_code(204).boxed(),
            "/unchanged" => Response::from_data(vec![b'x'; 10]).with_status_code(304).boxed(),
            "/echo" => match read_all(request) {
                Ok(body) => Response::from_data(body).boxed(),
                Err(error) => {
                    let status = if error.kind() == io::ErrorKind::TimedOut { 408 } else { 400 };
                    Response::from_string(format!("{:?}", error.kind())).with_status_code(status).boxed()
                }
            },
            "/ignore" => Response::from_string("ignored").with_status_code(413).boxed(),
            "/length" => Response::from_string(format!("{:?}", request.body_length())).boxed(),
            "/reserve" => Response::from_string(request.is_reserve().to_string()).boxed(),
            "/agent" => Response::from_string(request.header("USER-agent").unwrap_or("none")).boxed(),
            "/peer" => Response::from_string(request.peer().to_string()).boxed(),
            "/panic" => panic!("as asked for"),
            "/inject" => {
                let value = ["ok", "a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b", "a\x7fb"][number.min(5)];
                Response::from_string("ok").with_header(Header::from_bytes("X-Test", value).unwrap()).boxed()
            }
            "/inject-name" => {
                Response::from_string("ok").with_header(Header::from_bytes("X: a\r\nX-Test", "b").unwrap()).boxed()
            }
            "/gate" => {
                self.gate.pass();
                Response::from_string("passed").boxed()
            }
            // A first piece, and the rest after the gate.
            "/gate-inside" => stream(Pieces(number).chain(AtGate(self.gate.clone())), None),
            "/gone" => {
                self.gate.pass();
                // Asked as a query would, from a thread of its own.
                let request = &*request;
                let gone = std::thread::scope(|scope| scope.spawn(|| request.client_is_gone()).join());
                *self.gone.lock().unwrap() = Some(gone.unwrap());
                Response::from_string("").boxed()
            }
            "/upgrade" => return upgrade(vec![], |stream, _| echo(&stream)),
            "/websocket" => {
                let key = request.header("Sec-WebSocket-Key").unwrap_or_default();
                let accept = derive_accept_key(key.as_bytes());
                let header = Header::from_bytes("Sec-WebSocket-Accept", accept).unwrap();
                return upgrade(vec![header], |stream, _| echo_messages(stream));
            }
            "/upgrade-wait" => {
                return upgrade(vec![], |stream, stop| wait_for_stop(&stream, &stop));
            }
            "/upgrade-panic" => return upgrade(vec![], |_, _| panic!("as asked for")),
            "/upgrade-inject" => {
                return upgrade(vec![Header::from_bytes("X-Test", "a\r\nb").unwrap()], |stream, _| echo(&stream));
            }
            _ => Response::from_string("no such route").with_status_code(404).boxed(),
        };
        Answer::Response(response)
    }
}

fn read_all(request: &mut Request<'_>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    request.body().take(SIZE_MAX as u64).read_to_end(&mut body)?;
    Ok(body)
}

fn stream(body: impl Read + Send + 'static, length: Option<usize>) -> tiny_http::ResponseBox {
    Response::new(StatusCode(200), vec![], Box::new(body), length, None)
}

fn upgrade(headers: Vec<Header>, run: impl FnOnce(TcpStream, StopSignal) + Send + 'static) -> Answer {
    Answer::Upgrade(headers, Box::new(run))
}

/// Sends back what comes until the other side closes.
fn echo(mut stream: &TcpStream) {
    let _ = io::copy(&mut { stream }, &mut stream);
}

/// Sends back each message until the other side closes or breaks the protocol.
fn echo_messages(stream: TcpStream) {
    stream.set_write_timeout(Some(WEBSOCKET_WRITE_TIMEOUT)).unwrap();
    let config = WebSocketConfig::default().write_buffer_size(0);
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    while let Ok(message) = socket.read() {
        if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
            return;
        }
    }
}

/// Says goodbye when the server stops.
fn wait_for_stop(mut stream: &TcpStream, stop: &StopSignal) {
    wait_until("the server stops", || stop.is_stopping());
    let _ = stream.write_all(b"bye");
}

struct Pieces(usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.min(buffer.len()).min(1000);
        buffer[..count].fill(b'x');
        self.0 -= count;
        Ok(count)
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("as asked for"))
    }
}

struct Bursting;

impl Read for Bursting {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("as asked for")
    }
}

struct AtGate(Gate);

impl Read for AtGate {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.pass();
        Ok(0)
    }
}
