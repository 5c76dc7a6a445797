//! The orderly stop: idle connections end at once, running answers within the deadline, nothing after it.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use narvi::server::http::Limits;

use super::client::{Client, End};
use super::server::{Fixture, wait_until};

/// Longer than any test may take: a stop that waited for it would be noticed.
const LONG: Duration = Duration::from_mins(10);

#[test]
fn idle_connections_end_at_once() {
    let fixture = Fixture::start(Limits::default());
    let mut used = Client::connect(fixture.address());
    used.get("/small");
    let mut silent = Client::connect(fixture.address());
    let mut half = Client::connect(fixture.address());
    half.send("GET /sm");
    wait_until("all are accepted", || fixture.server.stats().open == 3);
    let address = fixture.address();
    fixture.server.stop(LONG);
    for client in [&mut used, &mut silent, &mut half] {
        client.expect_close();
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn running_answers_are_finished_and_further_requests_refused() {
    let fixture = Fixture::start(Limits::default());
    let mut running = Client::connect(fixture.address());
    running.send("GET /gate HTTP/1.1\r\n\r\n");
    // Its head is out already and promises to keep the connection.
    let mut begun = Client::connect(fixture.address());
    begun.send("GET /gate-inside?5 HTTP/1.1\r\n\r\nGET /small HTTP/1.1\r\n\r\n");
    wait_until("both wait", || fixture.routes.gate.waiting() == 2);
    let address = fixture.address();
    let stopping = thread::spawn(move || fixture.server.stop(LONG));
    wait_until("the listener is closed", || TcpStream::connect(address).is_err());

    fixture.routes.gate.open();
    let reply = running.reply();
    assert_eq!((reply.text(), reply.header("Connection")), ("passed", Some("close")));
    running.expect_close();
    assert_eq!(begun.reply().text(), "xxxxx");
    let refusal = begun.reply();
    assert_eq!((refusal.status, refusal.header("Connection")), (503, Some("close")));
    assert!(refusal.header("Retry-After").is_some());
    begun.expect_close();
    stopping.join().unwrap();
}

#[test]
fn the_deadline_cuts_what_is_left() {
    let fixture = Fixture::start(Limits::default());
    let mut computing = Client::connect(fixture.address());
    computing.send("GET /gate HTTP/1.1\r\n\r\n");
    let mut chunked = Client::connect(fixture.address());
    chunked.send("GET /gate-inside?5 HTTP/1.1\r\n\r\n");
    let mut until_closed = Client::connect(fixture.address());
    until_closed.send("GET /gate-inside?5 HTTP/1.0\r\n\r\n");
    let mut unread = Client::connect(fixture.address());
    unread.send("GET /size?32000000 HTTP/1.1\r\n\r\n").wait_for_bytes();
    let mut uploading = Client::connect(fixture.address());
    uploading.send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(uploading.reply().status, 100);
    wait_until("three wait", || fixture.routes.gate.waiting() == 3);

    fixture.server.stop(Duration::from_millis(100));
    for client in [&mut computing, &mut chunked, &mut until_closed, &mut unread, &mut uploading] {
        assert_eq!(client.rest().1, End::Reset);
    }
    fixture.routes.gate.open();
}

#[test]
fn upgraded_connections_are_told_and_then_cut() {
    let fixture = Fixture::start(Limits::default());
    let mut polite = Client::connect(fixture.address());
    let mut deaf = Client::connect(fixture.address());
    for (client, target) in [(&mut polite, "/upgrade-wait"), (&mut deaf, "/upgrade")] {
        assert_eq!(client.get(target).status, 101);
    }
    // Unread when the handler returns; a plain close would turn it into a reset.
    polite.send("unread");
    fixture.server.stop(Duration::from_millis(100));
    assert_eq!(polite.rest(), (b"bye".to_vec(), End::Closed));
    assert_eq!(deaf.rest().1, End::Reset);
}

#[test]
fn dropping_a_server_stops_it() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    client.get("/small");
    let address = fixture.address();
    drop(fixture);
    client.expect_close();
    assert!(TcpStream::connect(address).is_err());
}
