//! Bodies that are waited for, left unread or refused: the client gets its answer, and the connection is kept where that is safe.

use narvi::server::http::Limits;

use super::client::Client;
use super::server::Fixture;

#[test]
fn continue_is_sent_when_the_body_is_wanted() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        client.send(format!("POST /echo HTTP/1.1\r\nExpect: 100-Continue\r\n{framing}\r\n\r\n"));
        let interim = client.reply();
        assert_eq!((interim.status, interim.head.lines().count()), (100, 2), "{}", interim.head);
        client.send(if framing.ends_with('5') { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" });
        assert_eq!(client.reply().text(), "hello");
    }
    // Not for a body that is there already, not without one, not in HTTP/1.0.
    for (head, body) in [
        ("HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5", "hello"),
        ("HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0", ""),
        ("HTTP/1.1\r\nExpect: 100-continue", ""),
        ("HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5", "hello"),
    ] {
        let mut client = Client::connect(fixture.address());
        client.send(format!("POST /echo {head}\r\n\r\n{body}"));
        let reply = client.reply();
        assert_eq!((reply.status, reply.text()), (200, body), "{head}");
    }
}

/// The client decides whether it still sends the body, so nobody knows where the next request starts.
#[test]
fn an_unwanted_body_is_not_asked_for() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    client.send("POST /ignore HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status, reply.header("Connection")), (413, Some("close")));
    client.expect_close();
}

#[test]
fn a_small_unread_body_is_skipped() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    for (length, kept) in [(1, true), (5000, true), (64 * 1024, true), (64 * 1024 + 1, false)] {
        // The answer does not wait for the body.
        client.send(format!("POST /ignore HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"));
        let reply = client.reply();
        assert_eq!(reply.status, 413);
        assert_eq!(reply.header("Connection").is_none(), kept, "{length}");
        client.send(vec![b'x'; length]);
        if kept {
            assert_eq!(client.get("/small").text(), "small\n", "{length}");
        } else {
            client.expect_close();
        }
    }
}

#[test]
fn large_bodies_arrive_whole() {
    let fixture = Fixture::start(Limits::default());
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let mut client = Client::connect(fixture.address());
    client.send(format!("POST /echo HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len())).send(&body);
    assert!(client.reply().body == body);
    client.send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(70_001) {
        client.send(format!("{:X}\r\n", chunk.len())).send(chunk).send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert!(client.reply().body == body);
}

/// A server that simply closes with data unread resets the connection, and the reset may destroy the answer.
#[test]
fn the_refusal_of_a_huge_upload_is_seen() {
    const UPLOAD_BYTES: u64 = 500 * 1024 * 1024;
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    client.send(format!("POST /ignore HTTP/1.1\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n"));
    let piece = vec![b'x'; 64 * 1024];
    let sent = (0..UPLOAD_BYTES / piece.len() as u64).take_while(|_| client.send_while_open(&piece)).count();
    assert!((sent as u64) < UPLOAD_BYTES / 10 / piece.len() as u64, "{sent} pieces were taken");
    assert_eq!(client.reply().status, 413);
}
