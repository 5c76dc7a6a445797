//! The life of one connection, on its own thread: head, handler, answer, and again, until one side has had enough.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};

use tiny_http::{Header, Method, Response, ResponseBox};

use super::accept::Shared;
use super::answer::{Failure, Form, Output};
use super::body::{Body, Rest};
use super::deadline::{cut, linger};
use super::head::{self, Head, HeadBytes, NoHead, Refusal, Version};
use super::input::Input;
use super::request::Request;
use super::{Answer, upgrade};

/// Characters of a request's target that a log line shows.
const LOGGED_TARGET_CHARS_MAX: usize = 200;

const STOPPING: Refusal = Refusal { status: 503, reason: "the server is stopping" };

/// An accepted socket and what others need to know of it.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) is_reserve: bool,
    phase: AtomicU8,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Nobody would miss it: no request has been read, or the answer is out.
    Waiting,
    Answering,
    Upgraded,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, is_reserve: bool) -> Self {
        Self { stream, peer, is_reserve, phase: AtomicU8::new(Phase::Waiting as u8) }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Waiting,
            1 => Phase::Answering,
            _ => Phase::Upgraded,
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }
}

/// What comes after an answer.
enum Next {
    /// The next request.
    Request,
    /// An orderly close; nothing of the client's is left unread.
    Close,
    /// An orderly close of our side while the client may still be sending.
    Linger,
    /// A reset: the answer is incomplete.
    Cut,
}

/// Serves one connection to its end.
pub(super) fn serve(connection: &Connection, shared: &Shared) {
    let mut input = Input::new();
    loop {
        start_waiting(connection, shared);
        let next = match head::receive(&mut input, &connection.stream, &shared.limits) {
            Ok(bytes) => {
                connection.enter(Phase::Answering);
                exchange(connection, shared, &mut input, &bytes)
            }
            Err(NoHead::Ended) => Next::Close,
            Err(NoHead::Refused(refusal)) => {
                connection.enter(Phase::Answering);
                refuse(connection, shared, &refusal)
            }
        };
        match next {
            Next::Request => {}
            Next::Close => return,
            Next::Linger => {
                start_waiting(connection, shared);
                return linger(&connection.stream);
            }
            Next::Cut => return cut(&connection.stream),
        }
    }
}

/// From here on the client is owed nothing, so a stop need not wait for it.
fn start_waiting(connection: &Connection, shared: &Shared) {
    connection.enter(Phase::Waiting);
    // Either this sees the signal, or whoever gave it sees this connection waiting and does the same.
    if shared.stop.is_stopping() {
        let _ = connection.stream.shutdown(Shutdown::Read);
    }
}

/// One request and its answer.
fn exchange(connection: &Connection, shared: &Shared, input: &mut Input, received: &HeadBytes) -> Next {
    let mut headers = vec![httparse::EMPTY_HEADER; received.headers];
    let head = match Head::parse(&received.bytes, &mut headers) {
        Ok(head) => head,
        Err(refusal) => return refuse(connection, shared, &refusal),
    };
    if shared.stop.is_stopping() {
        return refuse(connection, shared, &STOPPING);
    }
    let mut form = Form {
        head_only: head.method == Method::Head,
        allows_chunks: head.version == Version::Http11 && !head.refuses_chunks,
        version: head.version,
        keep_alive: head.keep_alive && !connection.is_reserve,
    };
    let body = Body::new(&head, input, connection, &shared.limits);
    let mut request = Request { head, body, connection };
    let mut output = Output::new(connection, shared.limits.write_timeout);

    let mut kept = answer(&mut request, &mut output, form, shared);
    if let Err(failure) = &kept {
        report(failure, &request, shared);
        if !output.is_begun {
            form.keep_alive = false;
            kept = output.write(plain(500, "the server failed to answer this request"), form);
        }
    }
    let is_alone = !request.body.is_followed() && connection.phase() != Phase::Upgraded;
    match (kept, request.body.rest()) {
        (Err(_), _) => Next::Cut,
        (Ok(true), Rest::Nothing) => Next::Request,
        (Ok(true), Rest::Drainable) => {
            connection.enter(Phase::Waiting);
            request.body.drain().map_or(Next::Linger, |()| Next::Request)
        }
        (Ok(false), Rest::Nothing) if is_alone => Next::Close,
        (Ok(_), _) => Next::Linger,
    }
}

/// Has the request handled and sends the answer. `Ok(true)` if the connection may be kept.
fn answer(
    request: &mut Request<'_>,
    output: &mut Output<'_>,
    mut form: Form,
    shared: &Shared,
) -> Result<bool, Failure> {
    let answer = catch_unwind(AssertUnwindSafe(|| shared.handler.handle(request)));
    match answer.map_err(Failure::Panic)? {
        Answer::Response(response) => {
            form.keep_alive &= request.body.rest() != Rest::Unknown && !shared.stop.is_stopping();
            // The body's reader is the handler's code as well.
            let written = catch_unwind(AssertUnwindSafe(|| output.write(response, form)));
            written.unwrap_or_else(|panic| Err(Failure::Panic(panic)))
        }
        // Whatever comes with the request would be lost between the two protocols.
        Answer::Upgrade(_, _) if request.head.version == Version::Http10 || !request.is_alone() => {
            form.keep_alive = false;
            output.write(plain(400, "an upgrade takes HTTP/1.1 and a request without a body"), form)
        }
        Answer::Upgrade(headers, run) => {
            upgrade::hand_over(request.connection, output, headers, run, shared.stop.clone())?;
            Ok(false)
        }
    }
}

/// Answers a request that no handler sees.
fn refuse(connection: &Connection, shared: &Shared, refusal: &Refusal) -> Next {
    let mut response = plain(refusal.status, refusal.reason);
    if refusal.status == 503
        && let Ok(header) = Header::from_bytes("Retry-After", "5")
    {
        response.add_header(header);
    }
    let form = Form { head_only: false, allows_chunks: false, version: Version::Http11, keep_alive: false };
    match Output::new(connection, shared.limits.write_timeout).write(response, form) {
        Ok(_) => Next::Linger,
        Err(_) => Next::Cut,
    }
}

fn plain(status: u16, sentence: &str) -> ResponseBox {
    Response::from_string(format!("{sentence}\n")).with_status_code(status).boxed()
}

/// Logs and counts what is the server's own fault.
fn report(failure: &Failure, request: &Request<'_>, shared: &Shared) {
    let method = request.method();
    let target = request.target().get(..LOGGED_TARGET_CHARS_MAX).unwrap_or(request.target());
    match failure {
        Failure::Client => {}
        Failure::Answer(error) => {
            log::error!("the answer to {method} {target} is incomplete: {error}");
        }
        Failure::Panic(payload) => {
            shared.panics.fetch_add(1, Ordering::Relaxed);
            let message = payload.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
            log::error!("a panic while answering {method} {target}: {message}; please report it");
        }
    }
}
