//! Where a request ends: whatever two readers could understand in two ways is refused, and the connection with it.

use narvi::server::http::Limits;

use super::client::Client;
use super::process::{descriptors, is_alone, memory_peak_bytes, threads};
use super::server::{Fixture, wait_until};

/// What would be answered if a body were taken for a request.
const SMUGGLED: &str = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn doubtful_framing_is_refused() {
    let fixture = Fixture::start(Limits::default());
    let rows = [
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length: abc\r\n", 400),
        ("Content-Length: 5, 5\r\n", 400),
        ("Content-Length: 0x5\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: 18446744073709551616\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 400),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding:\r\n", 400),
        ("Host: a\r\nHost: b\r\n", 400),
        ("Expect: 200-ok\r\nContent-Length: 5\r\n", 417),
        ("Content-Length : 5\r\n", 400),
        ("Content-Length: 5\n", 400),
        (" Content-Length: 5\r\n", 400),
        ("X: a\r\n b\r\n", 400),
        (": empty\r\n", 400),
        ("no colon\r\n", 400),
        ("X: \0\r\n", 400),
        ("X: a\rb\r\n", 400),
        ("X: \u{e4}\r\n", 400),
    ];
    for (headers, status) in rows {
        // A handler that was asked would have answered 200.
        let mut client = Client::connect(fixture.address());
        client.send(format!("POST /length HTTP/1.1\r\n{headers}\r\n{SMUGGLED}"));
        let reply = client.reply();
        assert_eq!((reply.status, reply.header("Connection")), (status, Some("close")), "{headers:?}");
        client.expect_close();
    }
}

#[test]
fn odd_request_lines_are_refused() {
    let fixture = Fixture::start(Limits::default());
    let rows = [
        ("GET /small HTTP/2.0", 505),
        ("GET /small HTTP/3.0", 505),
        ("GET /small HTTP/1.2", 505),
        ("GET /small HTTP/2", 505),
        ("PRI * HTTP/2.0", 505),
        ("GET /small http/1.1", 400),
        ("GET /small HTTP/", 400),
        ("GET /small HTTP/1.1 ", 400),
        ("GET  /small HTTP/1.1", 400),
        ("GET /small  HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET HTTP/1.1", 400),
        ("GET /small", 400),
        ("G(T /small HTTP/1.1", 400),
        ("G\u{e4}T /small HTTP/1.1", 400),
        ("GET /\u{e4} HTTP/1.1", 400),
        ("\u{16}\u{3}\u{1}", 400),
        ("\r\nGET /small HTTP/1.1", 400),
        (" GET /small HTTP/1.1", 400),
    ];
    for (line, status) in rows {
        let mut client = Client::connect(fixture.address());
        client.send(format!("{line}\r\n\r\n{SMUGGLED}"));
        assert_eq!(client.reply().status, status, "{line:?}");
        client.expect_close();
    }
}

#[test]
fn plain_requests_of_every_shape_are_served() {
    let fixture = Fixture::start(Limits::default());
    let rows = [
        ("GET /small HTTP/1.1\r\n\r\n", "small\n"),
        ("GET /length HTTP/1.1\r\nHost: x\r\n\r\n", "Some(0)"),
        ("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        ("POST /echo HTTP/1.1\r\ncontent-length:0005  \r\n\r\nhello", "hello"),
        ("POST /length HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "Some(0)"),
        ("POST /length HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "Some(5)"),
        ("POST /echo HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"),
        (
            "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n002\r\nlo\r\n0\r\nT: r\r\n\r\n",
            "hello",
        ),
        ("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("GET /agent HTTP/1.1\r\nUser-Agent: \t Gr\taf 1 \r\nuser-agent: 2\r\n\r\n", "Gr\taf 1"),
        ("GET http://host/small HTTP/1.1\r\n\r\n", "no such route"),
        ("M-SEARCH /small HTTP/1.1\r\n\r\n", "small\n"),
    ];
    // One connection for all: each request must leave it exactly at the next one.
    let mut client = Client::connect(fixture.address());
    for (request, body) in rows {
        assert_eq!(client.send(request).reply().text(), body, "{request:?}");
    }
    // And again byte by byte, and pipelined.
    for byte in rows.iter().flat_map(|row| row.0.bytes()) {
        client.send([byte]);
    }
    client.send(rows.map(|row| row.0).concat());
    for (request, body) in rows.iter().chain(&rows) {
        assert_eq!(client.reply().text(), *body, "{request:?}");
    }
    assert_eq!(client.get("/peer").text(), client.stream.local_addr().unwrap().to_string());
}

#[test]
fn broken_bodies_are_errors_and_end_the_connection() {
    let fixture = Fixture::start(Limits::default());
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let long_line = format!("{chunked}5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(300));
    let endless_trailer = format!("{chunked}0\r\n{}\r\n", "X: y\r\n".repeat(40));
    let rows = [
        (format!("{chunked}+5\r\nhello\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (format!("{chunked}5 \r\nhello\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (format!("{chunked}\r\nhello\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (format!("{chunked}5\nhello\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (format!("{chunked}5\r\nhello!\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (format!("{chunked}g\r\nhello\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (format!("{chunked}10000000000000000\r\nhello\r\n0\r\n\r\n{SMUGGLED}"), "InvalidData"),
        (long_line, "InvalidData"),
        (endless_trailer, "InvalidData"),
        (format!("{chunked}5\r\nhel"), "UnexpectedEof"),
        (format!("{chunked}5\r\nhello\r\n"), "UnexpectedEof"),
        (format!("{chunked}5\r\nhello\r\n0\r\n"), "UnexpectedEof"),
        ("Content-Length: 5\r\n\r\nhel".to_owned(), "UnexpectedEof"),
        ("Content-Length: 5\r\n\r\n".to_owned(), "UnexpectedEof"),
    ];
    for (request, error) in rows {
        let mut client = Client::connect(fixture.address());
        client.send(format!("POST /echo HTTP/1.1\r\n{request}"));
        if error == "UnexpectedEof" {
            client.finish_sending();
        }
        let reply = client.reply();
        assert_eq!((reply.status, reply.text()), (400, error), "{request:?}");
        assert_eq!(reply.header("Connection"), Some("close"), "{request:?}");
        client.expect_close();
    }
}

#[test]
fn an_unread_chunked_body_is_not_taken_for_a_request() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    client.send(format!("POST /ignore HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"));
    assert_eq!(client.reply().status, 413);
    client.expect_close();
}

/// A length is a promise, not an allocation.
#[test]
fn monstrous_lengths_cost_nothing() {
    if !is_alone("framing::monstrous_lengths_cost_nothing") {
        return;
    }
    let fixture = Fixture::start(Limits::default());
    Client::connect(fixture.address()).get("/small");
    let before = memory_peak_bytes();
    let lengths: [u128; 6] = [10_u128.pow(10), 1 << 40, 1 << 62, 1 << 63, (1 << 64) - 1, 1 << 64];
    for length in lengths {
        let expected = if length < 1 << 64 { 413 } else { 400 };
        for (body, ends) in [("", false), ("some bytes", false), ("some bytes", true)] {
            let mut client = Client::connect(fixture.address());
            client.send(format!("POST /ignore HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"));
            if ends {
                client.finish_sending();
            }
            assert_eq!(client.reply().status, expected, "{length}");
            client.expect_close();
        }
        // A client that resets instead of reading.
        let mut client = Client::connect(fixture.address());
        client.send(format!("POST /ignore HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"));
        rustix::net::sockopt::set_socket_linger(&client.stream, Some(std::time::Duration::ZERO)).unwrap();
    }
    fixture.wait_idle();
    let grown = memory_peak_bytes() - before;
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes");
}

#[test]
fn other_versions_leave_nothing_behind() {
    if !is_alone("framing::other_versions_leave_nothing_behind") {
        return;
    }
    let fixture = Fixture::start(Limits::default());
    let before = (threads(), descriptors());
    let clients: Vec<_> = (0..60)
        .map(|round| {
            let mut client = Client::connect(fixture.address());
            client.send(
                ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/3.0\r\n\r\n"][round % 3],
            );
            assert_eq!(client.reply().status, 505);
            client
        })
        .collect();
    drop(clients);
    fixture.wait_idle();
    wait_until("threads and descriptors are as before", || (threads(), descriptors()) == before);
}
