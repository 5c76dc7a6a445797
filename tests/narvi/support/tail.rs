//! A client of the live tail: a WebSocket, frame by frame.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;
use tungstenite::{
    Error, Message, WebSocket,
    client::IntoClientRequest,
    handshake::HandshakeError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    entries::Entry,
    http::{Params, encoded},
    wait::PATIENCE,
};

/// An open tail.
pub(crate) struct Tail {
    socket: WebSocket<TcpStream>,
}

/// What came at once.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) entries: Vec<Entry>,
    /// Time stamps of entries that this client was too slow for.
    pub(crate) dropped: Vec<i64>,
    pub(crate) json: Value,
}

impl Tail {
    /// Asks for a tail; otherwise the status and the text that the server gave instead.
    pub(crate) fn open(address: SocketAddr, params: Params<'_>) -> Result<Self, (u16, String)> {
        Self::open_with(address, params, &[])
    }

    /// As [`Self::open`], with headers.
    pub(crate) fn open_with(
        address: SocketAddr,
        params: Params<'_>,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://{address}/loki/api/v1/tail{}", encoded(params));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next frame with entries or news of dropped ones; `None` once the connection has ended.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let text = match self.socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(Message::Binary(_)) => panic!("a binary frame"),
                Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_)) => {
                    return None;
                }
                // The client answers pings by itself.
                Ok(_) => continue,
                Err(Error::Io(error)) if error.kind() != ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            };
            let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let dropped = json["dropped_entries"].as_array();
            return Some(Frame {
                entries: Entry::of_streams(&json["streams"]),
                dropped: dropped
                    .into_iter()
                    .flatten()
                    .map(|entry| entry["timestamp"].as_str().unwrap().parse().unwrap())
                    .collect(),
                json,
            });
        }
    }

    /// Reads until `count` entries have come, and gives all that came.
    pub(crate) fn take(&mut self, count: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        while entries.len() < count {
            let frame = self.next().unwrap_or_else(|| panic!("the tail ended after {} entries", entries.len()));
            assert!(frame.dropped.is_empty(), "{} entries were dropped", frame.dropped.len());
            entries.extend(frame.entries);
        }
        entries
    }

    /// Closes as a client does; the code of the close frame that answers.
    pub(crate) fn close(mut self) -> Option<u16> {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        self.socket.close(Some(frame)).unwrap();
        self.end()
    }

    /// Reads to the end of the connection; the code of the close frame, if one came.
    pub(crate) fn end(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => code = frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => panic!("the tail does not end"),
                Err(_) => return code,
            }
        }
    }
}
