//! Many clients at once, and clients that hold on to what they have: nobody waits for anybody else.

use std::time::{Duration, Instant};

use narvi::server::http::Limits;

use super::client::Client;
use super::process::is_alone;
use super::server::{Fixture, wait_until};

#[test]
fn a_burst_of_kept_connections_is_served_whole() {
    let fixture = Fixture::start(Limits::default());
    for count in [12, 30, 100] {
        let mut clients: Vec<_> = (0..count).map(|_| Client::connect(fixture.address())).collect();
        for round in 0..2 {
            for client in &mut clients {
                client.send("GET /small HTTP/1.1\r\n\r\n");
            }
            for client in &mut clients {
                assert_eq!(client.reply().text(), "small\n", "round {round} of {count}");
            }
        }
        drop(clients);
        fixture.wait_idle();
    }
    assert_eq!(fixture.server.stats().accepted, 142);
}

#[test]
fn clients_that_hold_a_connection_delay_nobody() {
    let fixture = Fixture::start(Limits::default());
    let held: Vec<_> = ["GET /size?32000000 HTTP/1.1\r\n\r\n".repeat(4)]
        .into_iter()
        .chain(vec!["POST /echo HTTP/1.1\r\nContent-Length: 5000\r\n\r\n".to_owned(); 4])
        .chain(vec!["GET /small HTTP/1.1\r\nContent-Length: 5000\r\n\r\n".to_owned(); 4])
        .chain(vec!["POST /ignore HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n".to_owned(); 4])
        .chain(vec!["GET /gate HTTP/1.1\r\n\r\n".to_owned(); 8])
        .chain(vec!["GET /sm".to_owned(); 4])
        .map(|request| {
            let mut client = Client::connect(fixture.address());
            client.send(request);
            client
        })
        .collect();
    wait_until("eight handlers wait", || fixture.routes.gate.waiting() == 8);
    for _ in 0..20 {
        assert_eq!(Client::connect(fixture.address()).get("/small").text(), "small\n");
    }
    fixture.routes.gate.open();
    drop(held);
    fixture.wait_idle();
}

/// Without `TCP_NODELAY` the last chunk waits 40 ms for the client's delayed acknowledgement of the one before.
#[test]
fn small_answers_on_a_kept_connection_are_not_delayed() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    let mut times: Vec<Duration> = (0..41)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(client.get("/stream?4000").body.len(), 4000);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    assert!(times[20] < Duration::from_millis(20), "median {:?}", times[20]);
}

#[test]
fn clients_that_reset_at_once_do_no_harm() {
    if !is_alone("load::clients_that_reset_at_once_do_no_harm") {
        return;
    }
    let fixture = Fixture::start(Limits::default());
    for round in 0..3000 {
        let mut client = Client::connect(fixture.address());
        let _ = client.send_while_open(["GET /small HTTP/1.1\r\n\r\n", "GET /sm", ""][round % 3].as_bytes());
        rustix::net::sockopt::set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap();
    }
    fixture.wait_idle();
    assert_eq!(fixture.server.stats().panics, 0);
    assert_eq!(Client::connect(fixture.address()).get("/small").status, 200);
}

#[test]
fn the_reserve_gets_one_answer_and_the_rest_none() {
    let limits = Limits { connections_max: 2, connections_reserve: 1, ..Limits::default() };
    let fixture = Fixture::start(limits);
    let mut served: Vec<_> = (0..2).map(|_| Client::connect(fixture.address())).collect();
    for client in &mut served {
        assert_eq!(client.get("/reserve").text(), "false");
    }
    let mut reserve = Client::connect(fixture.address());
    wait_until("the reserve is taken", || fixture.server.stats().open == 3);
    Client::connect(fixture.address()).expect_close();
    assert_eq!(fixture.server.stats().refused, 1);

    let reply = reserve.get("/reserve");
    assert_eq!((reply.text(), reply.header("Connection")), ("true", Some("close")));
    reserve.expect_close();
    // A place that was given back is taken again.
    drop(served);
    fixture.wait_idle();
    assert_eq!(Client::connect(fixture.address()).get("/reserve").text(), "false");
}
