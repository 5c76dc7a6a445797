//! An answer before it is sent: status, type, headers of its own, body.

use std::{
    io::{Cursor, Read},
    time::Duration,
};

use tiny_http::{Header, Response, StatusCode};

use super::{
    error::Error,
    gzip::Gzip,
    http::{Answer, OnUpgrade},
    json::{Produce, Streamed},
};

/// Bodies below that are not worth compressing.
const GZIP_BYTES_MIN: usize = 1024;

/// How a client may say who it is (RFC 7617, RFC 6750).
const CHALLENGES: [&str; 2] = [r#"Basic realm="narvi", charset="UTF-8""#, r#"Bearer realm="narvi""#];

const JSON: &str = "application/json; charset=UTF-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// An answer that is not sent yet.
pub(super) struct Reply {
    status: u16,
    content_type: Option<&'static str>,
    headers: Vec<Header>,
    body: Body,
}

enum Body {
    Whole(Vec<u8>),
    Streamed(Box<dyn Read + Send>),
    /// 101: the connection is handed over.
    Upgrade(OnUpgrade),
}

impl Reply {
    /// 204 without a body.
    pub(super) fn nothing() -> Self {
        Self { status: 204, content_type: None, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    /// 200 with text.
    pub(super) fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::whole(200, TEXT, text.into())
    }

    /// 200 with a JSON document, to which a newline is added.
    pub(super) fn json(mut document: Vec<u8>) -> Self {
        document.push(b'\n');
        Self::whole(200, JSON, document)
    }

    /// 200 with a JSON document that is written while it is sent.
    pub(super) fn json_streamed(producer: impl Produce + 'static) -> Self {
        let body = Body::Streamed(Box::new(Streamed::new(producer)));
        Self { status: 200, content_type: Some(JSON), headers: Vec::new(), body }
    }

    /// A body that lies in memory.
    pub(super) fn whole(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type: Some(content_type), headers: Vec::new(), body: Body::Whole(body) }
    }

    /// 101 with a WebSocket's accept key; `run` gets the connection.
    pub(super) fn web_socket(accept_key: &str, run: OnUpgrade) -> Self {
        Self { status: 101, content_type: None, headers: Vec::new(), body: Body::Upgrade(run) }
            .with("Sec-WebSocket-Accept", accept_key)
    }

    /// The answer to a request that is refused.
    pub(super) fn error(error: &Error) -> Self {
        let reply = match error {
            Error::MethodNotAllowed => Self { status: 405, ..Self::nothing() },
            error => Self::whole(error.status(), TEXT, error.to_string().into_bytes())
                .with("X-Content-Type-Options", "nosniff"),
        };
        let reply = match error {
            Error::Unauthorized(_) => {
                CHALLENGES.iter().fold(reply, |reply, value| reply.with("WWW-Authenticate", value))
            }
            _ => reply,
        };
        match error.retry_after() {
            Some(wait) => reply.with_retry_after(wait),
            None => reply,
        }
    }

    /// Another status.
    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// When the client should come back.
    pub(super) fn with_retry_after(self, wait: Duration) -> Self {
        self.with("Retry-After", &wait.as_secs().max(1).to_string())
    }

    /// A header. One that is not ASCII or holds a line break is left out: a client's text must not
    /// become a header of ours.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !value.bytes().any(|byte| byte.is_ascii_control())
            && let Ok(header) = Header::from_bytes(name, value)
        {
            self.headers.push(header);
        }
        self
    }

    /// The status, for the statistics.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// What the connection sends; compressed if the client takes gzip and it is worth it.
    pub(super) fn into_answer(mut self, gzip: bool) -> Answer {
        let (length, body): (Option<usize>, Box<dyn Read + Send>) = match self.body {
            Body::Upgrade(run) => return Answer::Upgrade(self.headers, run),
            Body::Whole(body) => (Some(body.len()), Box::new(Cursor::new(body))),
            Body::Streamed(body) => (None, body),
        };
        self.body = Body::Whole(Vec::new());
        self = self.with("Server", concat!("narvi/", env!("CARGO_PKG_VERSION")));
        if let Some(content_type) = self.content_type {
            self = self.with("Content-Type", content_type);
        }
        let worth_it = length.is_none_or(|length| length >= GZIP_BYTES_MIN);
        if worth_it {
            self = self.with("Vary", "Accept-Encoding");
        }
        let (length, body): (_, Box<dyn Read + Send>) = if worth_it && gzip {
            self = self.with("Content-Encoding", "gzip");
            (None, Box::new(Gzip::new(body)))
        } else {
            (length, body)
        };
        Answer::Response(Response::new(StatusCode(self.status), self.headers, body, length, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers that a test looks at, and the body.
    fn sent(reply: Reply, gzip: bool) -> (Vec<String>, Vec<u8>) {
        let Answer::Response(response) = reply.into_answer(gzip) else { panic!("an upgrade") };
        let headers = response.headers().iter().map(ToString::to_string).collect();
        let mut body = Vec::new();
        response.into_reader().read_to_end(&mut body).unwrap();
        (headers, body)
    }

    #[test]
    fn only_large_answers_are_compressed_and_only_when_asked() {
        for (bytes, asked, compressed) in [(1023, true, false), (1024, false, false), (1024, true, true)] {
            let (headers, body) = sent(Reply::text(vec![b'x'; bytes]), asked);
            assert_eq!(headers.contains(&"Content-Encoding: gzip".to_owned()), compressed, "{bytes} {asked}");
            assert_eq!(body.starts_with(&[0x1f, 0x8b]), compressed, "{bytes} {asked}");
            assert_eq!(headers.contains(&"Vary: Accept-Encoding".to_owned()), bytes >= 1024, "{bytes} {asked}");
        }
    }

    #[test]
    fn errors_are_text_and_conditions_that_pass_say_when_to_come_back() {
        let (headers, body) = sent(Reply::error(&Error::Busy("later".to_owned())), false);
        assert_eq!(body, b"later");
        for want in ["Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff", "Retry-After: 1"] {
            assert!(headers.contains(&want.to_owned()), "{want} in {headers:?}");
        }
        let (headers, _) = sent(Reply::error(&Error::Unauthorized("who?".to_owned())), false);
        for challenge in CHALLENGES {
            assert!(headers.contains(&format!("WWW-Authenticate: {challenge}")), "{headers:?}");
        }
        let (headers, _) = sent(Reply::error(&Error::bad("never")), false);
        assert!(!headers.iter().any(|header| header.starts_with("Retry-After")), "{headers:?}");
    }

    #[test]
    fn a_client_cannot_write_headers() {
        let (headers, _) = sent(Reply::nothing().with("Location", "/a\r\nSet-Cookie: b"), false);
        assert!(!headers.iter().any(|header| header.contains("Cookie")), "{headers:?}");
    }
}
