//! Live entries over a WebSocket (RFC 6455), also across a server's restarts.

use std::{io, net::TcpStream, thread, time::Duration};

use tungstenite::{
    Error as WsError, Message, WebSocket,
    protocol::{Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{
    answer::{Entry, Frame, Outcome, entries},
    api::{Api, Wait},
    boundary::Boundary,
    error::Error,
    http::{self, Handshake},
    pages::{Pages, Range},
};

/// A server pings every second; one that says nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Bytes of one message: what a page of entries has, each as large as a server takes them.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Pauses before a lost connection is opened again.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Entries that are asked for at once when the connection is back.
const CATCH_UP_ENTRIES: u64 = 1000;

/// What to follow.
#[derive(Clone, Debug)]
pub struct Follow {
    /// A log query.
    pub query: String,
    /// Where history begins, in nanoseconds since 1970.
    pub start_ns: i64,
    /// Entries of history.
    pub limit: u64,
    /// Seconds for which the server waits for late entries.
    pub delay_for_s: u64,
}

/// What a tail tells.
#[derive(Debug)]
pub enum News<'a> {
    /// New entries, in order of time.
    Entries(&'a [Entry]),
    /// So many entries are missing, because they were not read in time.
    Dropped(usize),
    /// The connection is lost and will be opened again.
    Lost(&'a Error),
    /// The connection is back.
    Back,
}

/// Follows a query until the server ends it, or `tell` fails. `now_ns` gives the present in nanoseconds since 1970.
///
/// # Errors
/// The first connection fails, the server refuses, or `tell` fails.
pub fn tail(
    api: &Api,
    follow: &Follow,
    now_ns: impl Fn() -> i64,
    mut tell: impl FnMut(News<'_>) -> io::Result<()>,
) -> Result<(), Error> {
    let mut boundary = Boundary::default();
    let mut socket = open(api, follow, follow.start_ns, follow.limit)?;
    loop {
        let Some(error) = read(api, &mut socket, &mut boundary, &mut tell)? else {
            return Ok(());
        };
        tell(News::Lost(&error))?;
        // Nothing came yet: what comes now is what is missing.
        let since_ns = boundary.timestamp_ns().unwrap_or_else(&now_ns);
        let mut pause = PAUSE_MIN;
        socket = loop {
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
            let caught_up =
                catch_up(api, follow, Range { start_ns: since_ns, end_ns: now_ns() }, &mut boundary, &mut tell);
            let start_ns = boundary.timestamp_ns().unwrap_or(since_ns);
            match caught_up.and_then(|()| open(api, follow, start_ns, CATCH_UP_ENTRIES)) {
                Ok(socket) => break socket,
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        };
        tell(News::Back)?;
    }
}

/// Opens a connection, whose history begins at a time.
fn open(api: &Api, follow: &Follow, start_ns: i64, limit: u64) -> Result<WebSocket<TcpStream>, Error> {
    let params = [
        ("query", follow.query.clone()),
        ("start", start_ns.to_string()),
        ("limit", limit.to_string()),
        ("delay_for", follow.delay_for_s.to_string()),
    ];
    let target = api.url.target("/loki/api/v1/tail", &params);
    let waiting = |bytes| api.say(Wait::Reading(bytes));
    match http::upgrade(&api.url, &target, &api.headers, &waiting)? {
        Handshake::Refused(answer) => Err(api.refusal(answer.status, &answer.body)),
        Handshake::Switched(stream, read) => {
            let lost = |source| Error::Lost { server: api.url.to_string(), source };
            stream.set_read_timeout(Some(SILENCE_MAX)).map_err(lost)?;
            let config = WebSocketConfig::default()
                .max_message_size(Some(MESSAGE_BYTES_MAX))
                .max_frame_size(Some(MESSAGE_BYTES_MAX));
            Ok(WebSocket::from_partially_read(stream, read, Role::Client, Some(config)))
        }
    }
}

/// Tells what comes until the connection ends; `None` if the server has nothing more to say, else how it was lost.
fn read(
    api: &Api,
    socket: &mut WebSocket<TcpStream>,
    boundary: &mut Boundary,
    tell: &mut impl FnMut(News<'_>) -> io::Result<()>,
) -> Result<Option<Error>, Error> {
    // An answer may begin with what was told before the connection was lost, and never comes back to it.
    let lost = |source| Ok(Some(Error::Lost { server: api.url.to_string(), source }));
    loop {
        let text = match socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(Message::Close(Some(frame))) if frame.code != CloseCode::Normal => {
                return lost(io::Error::other(frame.reason.to_string()));
            }
            Ok(Message::Close(_)) => return Ok(None),
            // Pings are answered by the library.
            Ok(_) => continue,
            Err(WsError::Io(error)) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return lost(io::Error::new(io::ErrorKind::TimedOut, "the server has fallen silent"));
            }
            Err(WsError::Io(error)) => return lost(error),
            Err(error) => return lost(io::Error::other(error)),
        };
        let frame: Frame = serde_json::from_str(&text).map_err(|error| api.not_loki(&error))?;
        if let Some(dropped) = frame.dropped_entries.filter(|dropped| !dropped.is_empty()) {
            tell(News::Dropped(dropped.len()))?;
        }
        let mut entries = entries(frame.streams.unwrap_or_default(), true);
        boundary.hide_seen(&mut entries);
        if !entries.is_empty() {
            tell(News::Entries(&entries))?;
            boundary.pass(&entries);
        }
    }
}

/// Tells everything of a range that was not told yet.
fn catch_up(
    api: &Api,
    follow: &Follow,
    range: Range,
    boundary: &mut Boundary,
    tell: &mut impl FnMut(News<'_>) -> io::Result<()>,
) -> Result<(), Error> {
    let mut pages = Pages::continuing(api, &follow.query, range, CATCH_UP_ENTRIES, std::mem::take(boundary));
    let result = loop {
        match pages.next_page() {
            Ok(Some((Outcome::Entries(entries), _))) if entries.is_empty() => {}
            Ok(Some((Outcome::Entries(entries), _))) => {
                if let Err(error) = tell(News::Entries(&entries)) {
                    break Err(error.into());
                }
            }
            Ok(_) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    *boundary = pages.into_boundary();
    result
}

/// Whether a server that answers like this may answer otherwise soon: it is starting, or busy.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::Lost { .. } | Error::Truncated { .. } => true,
        Error::Status { status, .. } => matches!(status, 429 | 502 | 503 | 504),
        _ => false,
    }
}
