//! Connections that become a `WebSocket`: the handover is exact, the socket is bare, and each ends with its client.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use narvi::server::http::Limits;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

use super::client::{Client, End};
use super::server::Fixture;

const UPGRADE: &str = "GET /upgrade HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";

#[test]
fn the_socket_is_handed_over_after_the_101() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    let reply = client.send(UPGRADE).reply();
    assert_eq!(reply.status, 101);
    assert_eq!((reply.header("Connection"), reply.header("Upgrade")), (Some("upgrade"), Some("websocket")));
    assert_eq!((reply.header("Content-Length"), reply.header("Transfer-Encoding")), (None, None));
    for message in ["ping", "and pong"] {
        assert_eq!(client.send(message).take(message.len()).unwrap(), message.as_bytes());
    }
    client.finish_sending();
    client.expect_close();
    fixture.wait_idle();
}

/// The limits of HTTP end with it.
#[test]
fn an_upgraded_connection_may_be_silent() {
    let short = Duration::from_millis(300);
    let fixture = Fixture::start(Limits { idle_timeout: short, head_timeout: short, ..Limits::default() });
    let mut client = Client::connect(fixture.address());
    assert_eq!(client.send(UPGRADE).reply().status, 101);
    let mut idle = Client::connect(fixture.address());
    idle.get("/small");
    idle.expect_close();
    idle = Client::connect(fixture.address());
    idle.expect_close();
    assert_eq!(client.send("still there").take(11).unwrap(), b"still there");
}

#[test]
fn a_websocket_speaks_and_closes_in_order() {
    let fixture = Fixture::start(Limits::default());
    let mut socket = websocket(&fixture);
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    socket.send(Message::Ping("there?".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("there?".into()));
    let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    socket.close(Some(goodbye.clone())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(Some(goodbye)));
    // The server has closed the connection in order, not reset it.
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    fixture.wait_idle();
}

#[test]
fn bad_frames_end_a_websocket() {
    let fixture = Fixture::start(Limits::default());
    let not_masked = b"\x81\x05hello".to_vec();
    let unknown_opcode = b"\x83\x80\0\0\0\0".to_vec();
    let long_ping = [&b"\x89\xfe\x01\0\0\0\0\0"[..], &[b'x'; 256]].concat();
    let endless = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec();
    for frame in [not_masked, unknown_opcode, long_ping, endless] {
        let mut socket = websocket(&fixture);
        socket.get_mut().write_all(&frame).unwrap();
        assert!(socket.read().is_err_and(|error| !is_timeout(&error)), "{frame:?}");
        fixture.wait_idle();
    }
}

#[test]
fn a_websocket_that_reads_nothing_ends() {
    let fixture = Fixture::start(Limits::default());
    let mut socket = websocket(&fixture);
    let message = Message::binary(vec![b'x'; 1024 * 1024]);
    while socket.send(message.clone()).is_ok() {}
    fixture.wait_idle();
}

/// A WebSocket whose handshake is done.
fn websocket(fixture: &Fixture) -> WebSocket<TcpStream> {
    let stream = Client::connect(fixture.address()).stream;
    let url = format!("ws://{}/websocket", fixture.address());
    tungstenite::client(url, stream).unwrap().0
}

fn is_timeout(error: &Error) -> bool {
    matches!(error, Error::Io(cause) if cause.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn an_upgrade_with_anything_attached_is_refused() {
    let fixture = Fixture::start(Limits::default());
    let rows = [
        "POST /upgrade HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        "POST /upgrade HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
        "POST /upgrade HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /upgrade HTTP/1.1\r\n\r\nframes",
        "GET /upgrade HTTP/1.0\r\n\r\n",
    ];
    for request in rows {
        let mut client = Client::connect(fixture.address());
        let reply = client.send(request).reply();
        assert_eq!((reply.status, reply.header("Connection")), (400, Some("close")), "{request:?}");
        client.expect_close();
    }
}

#[test]
fn each_ends_with_its_client_and_none_is_left() {
    let fixture = Fixture::start(Limits { stack_bytes: 256 * 1024, ..Limits::default() });
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(fixture.address())).collect();
    for client in &mut clients {
        assert_eq!(client.send(UPGRADE).reply().status, 101);
    }
    for (number, mut client) in clients.into_iter().enumerate() {
        match number % 3 {
            0 => client.stream.shutdown(Shutdown::Both).unwrap(),
            1 => rustix::net::sockopt::set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap(),
            _ => client.stream.write_all(b"unread").unwrap(),
        }
    }
    fixture.wait_idle();
    assert_eq!(fixture.server.stats().panics, 0);
}

#[test]
fn a_panic_cuts_the_connection_and_is_counted() {
    let fixture = Fixture::start(Limits::default());
    let mut client = Client::connect(fixture.address());
    assert_eq!(client.get("/upgrade-panic").status, 101);
    assert_eq!(client.rest().1, End::Reset);
    assert_eq!(fixture.server.stats().panics, 1);
}
