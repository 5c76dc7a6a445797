//! Answers: their framing for each kind of client, and that a broken one is never taken for a complete one.

use narvi::server::http::Limits;

use super::client::{Client, End};
use super::server::{Fixture, wait_until};

/// Request, then of the answer: `Content-Length`, `Transfer-Encoding`, `Connection`, bytes of the body.
type FramingRow = (&'static str, Option<&'static str>, Option<&'static str>, Option<&'static str>, usize);

#[rustfmt::skip]
const FRAMINGS: [FramingRow; 19] = [
    ("GET /size?10 HTTP/1.1\r\n", Some("10"), None, None, 10),
    ("GET /size?100000 HTTP/1.1\r\n", Some("100000"), None, None, 100_000),
    ("GET /size?100000 HTTP/1.1\r\nConnection: foo, Close\r\n", Some("100000"), None, Some("close"), 100_000),
    ("GET /stream?0 HTTP/1.1\r\n", None, Some("chunked"), None, 0),
    ("GET /stream?50000 HTTP/1.1\r\n", None, Some("chunked"), None, 50_000),
    ("GET /stream?50000 HTTP/1.1\r\nConnection: close\r\n", None, Some("chunked"), Some("close"), 50_000),
    ("GET /stream?50000 HTTP/1.1\r\nTE: trailers\r\n", None, Some("chunked"), None, 50_000),
    ("GET /stream?50000 HTTP/1.1\r\nTE: identity\r\n", None, None, Some("close"), 50_000),
    ("GET /stream?50000 HTTP/1.1\r\nTE: gzip, Identity;q=0.5\r\n", None, None, Some("close"), 50_000),
    ("GET /stream?50000 HTTP/1.0\r\n", None, None, Some("close"), 50_000),
    ("GET /stream?50000 HTTP/1.0\r\nConnection: keep-alive\r\n", None, None, Some("close"), 50_000),
    ("GET /size?10 HTTP/1.0\r\n", Some("10"), None, Some("close"), 10),
    ("GET /size?10 HTTP/1.0\r\nConnection: keep-alive\r\n", Some("10"), None, Some("keep-alive"), 10),
    ("GET /empty HTTP/1.1\r\n", None, None, None, 0),
    ("GET /empty-but HTTP/1.1\r\n", None, None, None, 0),
    ("GET /unchanged HTTP/1.1\r\n", Some("10"), None, None, 0),
    ("HEAD /size?10 HTTP/1.1\r\n", Some("10"), None, None, 0),
    ("HEAD /stream?10 HTTP/1.1\r\n", None, Some("chunked"), None, 0),
    ("HEAD /stream?10 HTTP/1.0\r\nConnection: keep-alive\r\n", None, None, Some("keep-alive"), 0),
];

#[test]
fn each_client_gets_the_framing_it_understands() {
    let fixture = Fixture::start(Limits::default());
    for (request, length, coding, connection, bytes) in FRAMINGS {
        let mut client = Client::connect(fixture.address());
        client.send(format!("{request}\r\n"));
        let reply = if request.starts_with("HEAD") { client.reply_head() } else { client.reply() };
        let framing = ["Content-Length", "Transfer-Encoding", "Connection"];
        let framing = framing.map(|name| reply.header(name));
        assert_eq!(framing, [length, coding, connection], "{request:?}");
        assert_eq!(reply.body.len(), bytes, "{request:?}");
        assert!(reply.head.starts_with("HTTP/1.1 "), "{}", reply.head);
        assert_eq!(reply.header("Server"), Some("narvi"));
        assert!(reply.header("Date").is_some());
        if connection == Some("close") {
            client.expect_close();
        } else {
            assert_eq!(client.get("/small").text(), "small\n", "after {request:?}");
        }
    }
}

#[test]
fn a_broken_body_is_never_a_complete_answer() {
    let fixture = Fixture::start(Limits::default());
    // Enough bytes that some of them are out before the break.
    for target in ["/break?100000", "/burst?100000", "/short?100000"] {
        for version in ["1.1\r\n", "1.1\r\nConnection: close\r\n", "1.0\r\n", "1.0\r\nConnection: keep-alive\r\n"] {
            let mut client = Client::connect(fixture.address());
            client.send(format!("GET {target} HTTP/{version}\r\n"));
            let error = client.try_reply(true).expect_err(target);
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{target} {version:?}");
        }
    }
    assert_eq!(fixture.server.stats().panics, 4);
}

#[test]
fn an_answer_that_fails_before_its_first_byte_becomes_a_500() {
    let fixture = Fixture::start(Limits::default());
    let targets = [
        "/panic",
        "/break",
        "/burst",
        "/short",
        "/inject?1",
        "/inject?2",
        "/inject?3",
        "/inject?4",
        "/inject?5",
        "/inject-name",
        "/upgrade-inject",
    ];
    for target in targets {
        for version in ["1.1", "1.0"] {
            if version == "1.0" && target == "/upgrade-inject" {
                continue;
            }
            let mut client = Client::connect(fixture.address());
            client.send(format!("GET {target} HTTP/{version}\r\n\r\n"));
            let reply = client.reply();
            assert_eq!((reply.status, reply.header("Connection")), (500, Some("close")), "{target}");
            assert_eq!((reply.header("X-Test"), reply.header("Set-Cookie")), (None, None), "{target}");
            client.expect_close();
        }
    }
    assert_eq!(fixture.server.stats().panics, 4);
    assert_eq!(Client::connect(fixture.address()).get("/inject?0").header("X-Test"), Some("ok"));
}

#[test]
fn a_piece_is_sent_as_soon_as_it_is_there() {
    let fixture = Fixture::start(Limits::default());
    for version in ["1.1", "1.0"] {
        let mut client = Client::connect(fixture.address());
        client.send(format!("GET /gate-inside?5 HTTP/{version}\r\n\r\n"));
        // The rest of the answer is behind the gate.
        client.take_until(b"xxxxx").unwrap();
    }
    fixture.routes.gate.open();
    fixture.wait_idle();
}

#[test]
fn a_handler_sees_that_its_client_has_gone() {
    for leaves in [true, false] {
        let fixture = Fixture::start(Limits::default());
        let mut client = Client::connect(fixture.address());
        client.send("GET /gone HTTP/1.1\r\n\r\n");
        wait_until("the handler is reached", || fixture.routes.gate.waiting() == 1);
        if leaves {
            client.finish_sending();
        }
        fixture.routes.gate.open();
        wait_until("the handler has looked", || fixture.routes.gone.lock().unwrap().is_some());
        assert_eq!(*fixture.routes.gone.lock().unwrap(), Some(leaves));
    }
}

#[test]
fn a_client_that_leaves_ends_the_answer() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    client.send("GET /stream?32000000 HTTP/1.1\r\n\r\n").wait_for_bytes();
    drop(client);
    fixture.wait_idle();
    assert_eq!(fixture.server.stats().panics, 0);
}

#[test]
fn a_client_that_sends_on_after_the_last_answer_still_gets_it() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    client.send("GET /small HTTP/1.1\r\nConnection: close\r\n\r\nGET /small HTTP/1.1\r\n\r\n");
    assert_eq!(client.reply().text(), "small\n");
    assert_eq!(client.rest(), (Vec::new(), End::Closed));
}
