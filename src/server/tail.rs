//! `GET /loki/api/v1/tail`: new entries as they come, over a WebSocket (RFC 6455). The connection's
//! thread is the tail's thread: it waits for entries, writes a frame, pings, reads what the client says.

use std::{
    io,
    net::TcpStream,
    time::{Duration, Instant},
};

use tungstenite::{
    Error as WsError, Message, WebSocket,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{
    Api,
    call::Call,
    error::Error,
    http::{Request, StopSignal},
    json,
    params::{Params, now_ns},
    permits::Permit,
    query_range::{encoding_flags, wants_categories},
    reply::Reply,
    result::{write_flags, write_stream},
};
use crate::logql::{self, Expr};
use crate::query::{Frame, Tail, TailQuery};

/// Longest `delay_for`, in seconds.
const DELAY_S_MAX: u64 = 5;
/// How long the tail waits for entries before it looks after its client.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// A client that says nothing for so long, not even a pong, is gone.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// A client that takes nothing for so long is gone; what it misses meanwhile is reported as dropped if it comes back to life.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a message from the client, which has nothing to say.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the buffer for these messages: pongs and one close frame. The library's own choice would
/// cost 128 KiB for each tail.
const READ_BUFFER_BYTES: usize = 1024;
/// Messages of the client that are read before the next look at the store.
const MESSAGES_PER_LOOK: usize = 100;

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let params = &call.params;
    let Expr::Log(expr) = logql::parse(params.query())? else {
        return Err(Error::bad("only log selectors can be tailed, not metric queries"));
    };
    let query = TailQuery {
        expr: &expr,
        start_ns: params.range(now_ns(), i64::MAX)?.start_ns,
        limit: params.limit()?,
        delay: delay(params)?,
        categorize_labels: wants_categories(call.request),
    };
    let Some(accept_key) = accept_key(call.request) else {
        return Ok(Reply::error(&Error::bad("Bad Request")).with("Sec-WebSocket-Version", "13"));
    };
    let permit = api.tails.take(Duration::ZERO, &|| false).ok_or_else(|| {
        Error::Busy(format!(
            "max concurrent tail requests limit exceeded: {} are open (limits.max_concurrent_tail_requests)",
            api.query_limits.max_tails
        ))
    })?;
    let session = Session {
        tail: Tail::open(&call.store, &query, &api.query_limits, &|| call.request.client_is_gone())?,
        flags: encoding_flags(call.request).into_iter().map(str::to_owned).collect(),
        duration_max: api.query_limits.tail_max_duration,
        _permit: permit,
    };
    Ok(Reply::web_socket(&accept_key, Box::new(|stream, stop| session.run(stream, &stop))))
}

fn delay(params: &Params) -> Result<Duration, Error> {
    let Some(text) = params.get("delay_for") else {
        return Ok(Duration::ZERO);
    };
    let seconds: u64 =
        text.parse().map_err(|_| Error::bad(format!("strconv.Atoi: parsing \"{text}\": invalid syntax")))?;
    if seconds > DELAY_S_MAX {
        return Err(Error::bad(format!("delay_for can't be greater than {DELAY_S_MAX}")));
    }
    Ok(Duration::from_secs(seconds))
}

/// The answer to the client's key, if it asks for a WebSocket of the version there is.
fn accept_key(request: &Request<'_>) -> Option<String> {
    let names = |header: &str, word: &str| {
        request.header(header).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    let key = request.header("Sec-WebSocket-Key")?;
    // 16 bytes in base64 (RFC 6455, 4.1).
    let is_key = key.len() == 24 && key.ends_with("==");
    let asks = names("Upgrade", "websocket") && names("Connection", "upgrade") && names("Sec-WebSocket-Version", "13");
    (asks && is_key).then(|| derive_accept_key(key.as_bytes()))
}

/// A tail and its client.
struct Session {
    tail: Tail,
    flags: Vec<String>,
    duration_max: Duration,
    _permit: Permit,
}

/// Why a session ends.
enum End {
    /// The client closed, is gone, or does not read; or the server stops, and a connection that
    /// ends without a close frame makes clients come back.
    Drop,
    /// The client is told why.
    Close(&'static str),
}

impl Session {
    fn run(mut self, stream: TcpStream, stop: &StopSignal) {
        if stream.set_write_timeout(Some(WRITE_TIMEOUT)).is_err() {
            return;
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0);
        let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
        if let End::Close(reason) = self.serve(&mut socket, stop) {
            let frame = CloseFrame { code: CloseCode::Error, reason: reason.into() };
            // The connection ends either way.
            let _ = socket.close(Some(frame)).and_then(|()| socket.flush());
        }
    }

    fn serve(&mut self, socket: &mut WebSocket<TcpStream>, stop: &StopSignal) -> End {
        let started = Instant::now();
        let (mut pinged, mut heard) = (started, started);
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        while !stop.is_stopping() {
            if started.elapsed() > self.duration_max {
                return End::Close("reached tail max duration limit");
            }
            let Some(frame) = self.tail.next_frame(LOOK_INTERVAL) else {
                return End::Drop;
            };
            if !frame.is_empty() && socket.send(Message::text(text_of(&frame, &flags))).is_err() {
                return End::Drop;
            }
            if pinged.elapsed() > PING_INTERVAL {
                pinged = Instant::now();
                if socket.send(Message::Ping(Vec::new().into())).is_err() {
                    return End::Drop;
                }
            }
            match listen(socket) {
                Ok(true) => heard = Instant::now(),
                Ok(false) if heard.elapsed() > SILENCE_MAX => return End::Drop,
                Ok(false) => {}
                Err(()) => return End::Drop,
            }
        }
        End::Drop
    }
}

/// Reads what the client has sent, without waiting; true if there was something. An error ends the
/// tail: the client closed, which was answered, or broke the protocol.
fn listen(socket: &mut WebSocket<TcpStream>) -> Result<bool, ()> {
    socket.get_ref().set_nonblocking(true).map_err(|_| ())?;
    let mut heard = false;
    for _ in 0..MESSAGES_PER_LOOK {
        match socket.read() {
            Ok(Message::Close(_)) => {
                socket.get_ref().set_nonblocking(false).map_err(|_| ())?;
                // The echo of the close frame is queued; after it the connection counts as closed.
                let _ = socket.flush();
                return Err(());
            }
            Ok(_) => heard = true,
            Err(WsError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => return Err(()),
        }
    }
    socket.get_ref().set_nonblocking(false).map_err(|_| ())?;
    Ok(heard)
}

/// A frame as the text of a message.
fn text_of(frame: &Frame, flags: &[&str]) -> String {
    let mut out = b"{".to_vec();
    write_flags(&mut out, flags);
    out.extend_from_slice(b"\"streams\":[");
    for (at, stream) in frame.streams.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_stream(&mut out, stream);
    }
    out.push(b']');
    if !frame.dropped.is_empty() {
        out.extend_from_slice(b",\"dropped_entries\":[");
        for (at, (labels, timestamp_ns)) in frame.dropped.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",{\"timestamp\":" } else { b"{\"timestamp\":" });
            json::nanoseconds(&mut out, *timestamp_ns);
            out.extend_from_slice(b",\"labels\":");
            json::labels(&mut out, labels.iter());
            out.push(b'}');
        }
        out.push(b']');
    }
    out.push(b'}');
    // JSON is written as UTF-8, so nothing is ever replaced.
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::labels::LabelSet;
    use crate::query::{ResultEntry, ResultLabels, ResultStream};

    #[test]
    fn a_frame_is_one_json_object() {
        let labels = LabelSet::new(vec![("app".into(), "x".into())]);
        let entry = ResultEntry { timestamp_ns: 5, line: b"l".as_slice().into(), categories: None };
        let mut frame = Frame {
            streams: vec![ResultStream { labels: ResultLabels::from(&labels), entries: vec![entry] }],
            dropped: Vec::new(),
        };
        assert_eq!(text_of(&frame, &[]), r#"{"streams":[{"stream":{"app":"x"},"values":[["5","l"]]}]}"#);
        frame.streams.clear();
        frame.dropped = vec![(Arc::new(labels), 7), (Arc::default(), 8)];
        let want = r#"{"encodingFlags":["f"],"streams":[],"dropped_entries":[{"timestamp":"7","labels":{"app":"x"}},{"timestamp":"8","labels":{}}]}"#;
        assert_eq!(text_of(&frame, &["f"]), want);
    }

    #[test]
    fn delays_are_whole_seconds_up_to_five() {
        for (query, want) in [
            ("", Ok(0)),
            ("delay_for=5", Ok(5)),
            ("delay_for=6", Err(())),
            ("delay_for=x", Err(())),
            ("delay_for=-1", Err(())),
        ] {
            let got = delay(&Params::from_query(query)).map(|delay| delay.as_secs()).map_err(|_| ());
            assert_eq!(got, want, "{query}");
        }
        let error = delay(&Params::from_query("delay_for=30")).unwrap_err();
        assert_eq!(error.to_string(), "delay_for can't be greater than 5");
    }
}
