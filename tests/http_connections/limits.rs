//! Every limit of a connection: what is answered when it is reached, and that the connection is then gone.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use narvi::server::http::{Answer, Handler, Limits, Request, Server};

use super::client::{Client, End};
use super::process::{is_alone, memory_peak_bytes};
use super::server::{Fixture, Routes};

/// More than any limit takes; a server that takes half of it takes everything.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;
/// Short, but longer than a busy machine keeps a client from its processor.
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn an_idle_connection_is_closed() {
    let fixture = Fixture::start(Limits { idle_timeout: SHORT, ..Limits::default() });
    let mut silent = Client::connect(fixture.address());
    let mut used = Client::connect(fixture.address());
    assert_eq!(used.get("/small").status, 200);
    silent.expect_close();
    used.expect_close();
    fixture.wait_idle();
}

#[test]
fn an_idle_reserve_connection_is_closed_early() {
    let limits = Limits { connections_max: 1, head_timeout: SHORT, ..Limits::default() };
    let fixture = Fixture::start(limits);
    let mut first = Client::connect(fixture.address());
    assert_eq!(first.get("/reserve").text(), "false");
    Client::connect(fixture.address()).expect_close();
    assert_eq!(first.get("/reserve").text(), "false");
}

/// The deadline is of the whole head: a byte now and then does not move it.
#[test]
fn a_slow_head_is_refused() {
    let fixture = Fixture::start(Limits { head_timeout: SHORT, ..Limits::default() });
    let mut client = Client::connect(fixture.address());
    client.send("GET /small HTTP/1.1\r\nX: ");
    client.dribble();
    assert_eq!(client.reply().status, 408);
    fixture.wait_idle();
}

#[test]
fn a_silent_body_is_refused() {
    let limits = Limits { body_read_timeout: SHORT, body_grace: Duration::from_mins(10), ..Limits::default() };
    let fixture = Fixture::start(limits);
    for framing in ["Content-Length: 5\r\n\r\nhel", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"] {
        let mut client = Client::connect(fixture.address());
        client.send(format!("POST /echo HTTP/1.1\r\n{framing}"));
        let reply = client.reply();
        assert_eq!((reply.status, reply.header("Connection")), (408, Some("close")));
        client.expect_close();
    }
    // Unread, it is given up as well.
    let mut client = Client::connect(fixture.address());
    client.send("POST /ignore HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel");
    assert_eq!(client.reply().status, 413);
    client.expect_close();
}

/// Neither does a byte now and then keep a body alive.
#[test]
fn a_slow_body_is_refused() {
    let fixture = Fixture::start(Limits { body_grace: SHORT, ..Limits::default() });
    let mut client = Client::connect(fixture.address());
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
    client.dribble();
    assert_eq!(client.reply().status, 408);
    fixture.wait_idle();
}

/// Bytes earn time, so a long body is not a slow one.
#[test]
fn a_long_body_earns_its_time() {
    let limits = Limits { body_grace: SHORT, body_bytes_per_s_min: 1, ..Limits::default() };
    let fixture = Fixture::start(limits);
    let mut client = Client::connect(fixture.address());
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 1500\r\n\r\n");
    for _ in 0..150 {
        client.send(b"xxxxxxxxxx");
        std::thread::park_timeout(SHORT / 100);
    }
    assert_eq!(client.reply().body.len(), 1500);
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    let fixture = Fixture::start(Limits { write_timeout: SHORT, ..Limits::default() });
    for (target, count) in [("/size?32000000", 1), ("/stream?32000000", 2)] {
        let mut client = Client::connect(fixture.address());
        client.send(format!("GET {target} HTTP/1.1\r\n\r\n"));
        fixture.wait_accepted(count);
        fixture.wait_idle();
        assert_eq!(client.rest().1, End::Reset, "{target}");
    }
}

#[test]
fn heads_are_bounded() {
    let limits = Limits { head_bytes_max: 10_000, headers_max: 5, ..Limits::default() };
    let fixture = Fixture::start(limits);
    let path = |bytes: usize| "x".repeat(bytes);
    let rows = [
        (format!("GET /{} HTTP/1.1\r\n\r\n", path(9900)), 404),
        (format!("GET /{} HTTP/1.1\r\n\r\n", path(10_000)), 431),
        (format!("GET /small HTTP/1.1\r\nX: {}\r\n\r\n", path(9900)), 200),
        (format!("GET /small HTTP/1.1\r\nX: {}\r\n\r\n", path(10_000)), 431),
        (format!("GET /small HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5)), 200),
        (format!("GET /small HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(6)), 431),
        // Exactly the limit, and one more.
        (format!("GET /{} HTTP/1.1\r\n\r\n", path(10_000 - 18)), 404),
        (format!("GET /{} HTTP/1.1\r\n\r\n", path(10_000 - 17)), 431),
    ];
    for (request, status) in rows {
        let mut client = Client::connect(fixture.address());
        client.send(&request);
        let reply = client.reply();
        assert_eq!(reply.status, status, "{} bytes", request.len());
        if status == 431 {
            assert_eq!(reply.header("Connection"), Some("close"));
            client.expect_close();
        } else {
            assert_eq!(client.get("/small").text(), "small\n");
        }
    }
}

/// The default allows a query of a quarter of a megabyte in a URL.
#[test]
fn long_queries_fit() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    for _ in 0..3 {
        assert_eq!(client.get(&format!("/size?1&{}", "q".repeat(255 * 1024))).status, 200);
        assert_eq!(client.get("/small").status, 200);
    }
}

#[test]
fn endless_input_is_refused_in_constant_memory() {
    if !is_alone("limits::endless_input_is_refused_in_constant_memory") {
        return;
    }
    let fixture = Fixture::start(Limits::default());
    Client::connect(fixture.address()).get("/small");
    let before = memory_peak_bytes();
    let chunked = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let rows = [
        ("GET /", "xxxxxxxx", 431),
        ("GET / HTTP/1.1\r\n", "X: y\r\n", 431),
        ("GET / HTTP/1.1\r\nX: ", "xxxxxxxx", 431),
        (chunked, "00000000", 400),
        (&format!("{chunked}5;"), "xxxxxxxx", 400),
        (&format!("{chunked}0\r\n"), "X: y\r\n", 400),
    ];
    for (start, more, status) in rows {
        let mut client = Client::connect(fixture.address());
        client.send(start);
        let piece = more.repeat(2000);
        let sent = (0..ENDLESS_BYTES / piece.len()).take_while(|_| client.send_while_open(piece.as_bytes())).count();
        assert!(sent < ENDLESS_BYTES / 2 / piece.len(), "{sent} pieces of {more:?} were taken");
        assert_eq!(client.reply().status, status, "{start:?}");
    }
    // Requests that nobody reads the answers of stay with the client.
    let mut client = Client::connect(fixture.address());
    client.stream.set_write_timeout(Some(SHORT)).unwrap();
    while client.stream.write_all("GET /size?4000 HTTP/1.1\r\n\r\n".repeat(100).as_bytes()).is_ok() {}
    let grown = memory_peak_bytes() - before;
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes");
}

#[test]
fn many_idle_connections_take_little_memory() {
    if !is_alone("limits::many_idle_connections_take_little_memory") {
        return;
    }
    let fixture = Fixture::start(Limits::default());
    Client::connect(fixture.address()).get("/small");
    let before = memory_peak_bytes();
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let mut client = Client::connect(fixture.address());
            client.get(&format!("/size?1&{}", "q".repeat(100_000)));
            client
        })
        .collect();
    let each = (memory_peak_bytes() - before) / clients.len() as u64;
    assert!(each < 64 * 1024, "{each} bytes each");
}

#[test]
fn a_limit_of_zero_is_refused_at_the_start() {
    let good = Limits::default();
    let rows = [
        Limits { connections_max: 0, ..good.clone() },
        Limits { head_bytes_max: 0, ..good.clone() },
        Limits { headers_max: 0, ..good.clone() },
        Limits { head_timeout: Duration::ZERO, ..good.clone() },
        Limits { idle_timeout: Duration::ZERO, ..good.clone() },
        Limits { body_read_timeout: Duration::ZERO, ..good.clone() },
        Limits { body_grace: Duration::ZERO, ..good.clone() },
        Limits { body_bytes_per_s_min: 0, ..good.clone() },
        Limits { write_timeout: Duration::ZERO, ..good.clone() },
        Limits { stack_bytes: 0, ..good.clone() },
    ];
    for limits in rows {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let handler: Arc<dyn Handler> = Arc::new(Routes::default());
        assert!(Server::start(listener, limits.clone(), handler).is_err(), "{limits:?}");
    }
}

/// A handler may use most of the stack it was promised. (An overflow ends the process.)
#[test]
fn the_stack_is_as_large_as_asked_for() {
    fn deep(levels: usize) -> usize {
        let frame = std::hint::black_box([levels; 1024]);
        if levels == 0 { 0 } else { 1 + deep(levels - 1).min(frame[levels % 1024]) }
    }
    if !is_alone("limits::the_stack_is_as_large_as_asked_for") {
        return;
    }
    let handler = |_: &mut Request<'_>| {
        // 8 KiB a level, and something for the frame itself.
        Answer::Response(tiny_http::Response::from_string(deep(300).to_string()).boxed())
    };
    let limits = Limits { stack_bytes: 8 * 1024 * 1024, ..Limits::default() };
    let server = Server::start(TcpListener::bind("127.0.0.1:0").unwrap(), limits, Arc::new(handler)).unwrap();
    assert_eq!(Client::connect(server.local_addr()).get("/").text(), "300");
}
