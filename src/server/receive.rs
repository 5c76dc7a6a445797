//! `POST /loki/api/v1/push`: from a body to the store. 204 promises that the entries are stored as
//! durably as the store is configured; whatever passes (a full disk, too much at once) is 429 or 503,
//! on which shippers keep their batch, and never another 4xx, on which they drop it.

use std::{
    io::{self, Read},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    Api,
    call::Call,
    error::Error,
    http::Request,
    params::now_ns,
    permits::{Budget, Taken},
    push::{self, BodyLimits, Push, PushError},
    reply::Reply,
};
use crate::ingest::{Limits, Reason, admit};
use crate::store::Append;

/// Bytes of a body of unknown length that are taken from the budget at a time.
const BUDGET_STEP_BYTES: u64 = 1 << 20;
/// How long a body waits until it is decoded.
const PATIENCE: Duration = Duration::from_secs(2);

/// What makes streams of a body: [`push::decode`], or that of another protocol.
pub(super) type Decode = fn(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    body: &mut dyn Read,
    body_limits: &BodyLimits,
    limits: &Limits,
    now_ns: i64,
) -> Result<Push, PushError>;

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    receive(api, call, push::decode).map(|()| Reply::nothing())
}

/// Takes a body in; an error about a part of it does not undo the rest.
pub(super) fn receive(api: &Api, call: &mut Call<'_, '_>, decode_body: Decode) -> Result<(), Error> {
    let Call { request, store, .. } = call;
    let announced = request.body_length();
    let bytes_max = api.options.push_body_bytes_max;
    let (sent, _taken) = read_sent(request.body(), announced, bytes_max, &api.push_memory)?;
    let mut push = decode(api, request, sent, decode_body)?;
    admit(&mut push.streams, &api.ingest_limits, store, &mut push.rejections);
    let append = Append { streams: push.streams, positions: Vec::new(), drop_duplicates: true };
    if !append.streams.is_empty() {
        store.append(&append)?;
        api.received.count(&append);
    }
    if push.rejections.is_empty() {
        return Ok(());
    }
    let text = format!("{}\n", push.rejections);
    // A limit on streams passes when old ones are dropped; what else is refused is refused for ever.
    if push.rejections.iter().any(|rejection| matches!(rejection.reason, Reason::TooManyStreams)) {
        return Err(Error::Busy(text));
    }
    Err(Error::BadRequest(text))
}

/// The body as it was sent, and the memory that it takes from the budget of all bodies: what it
/// announced, or a step at a time.
fn read_sent<'b>(
    body: &mut dyn Read,
    announced: Option<u64>,
    bytes_max: u64,
    budget: &'b Budget,
) -> Result<(Vec<u8>, Taken<'b>), Error> {
    let too_large = || {
        let hint = "(limits.push_body_max); send smaller batches";
        Error::TooLarge(format!("the body is larger than {bytes_max} bytes {hint}\n"))
    };
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large());
    }
    let mut taken = budget.take(announced.unwrap_or(0)).ok_or_else(no_memory)?;
    let mut sent = Vec::with_capacity(to_usize(announced.unwrap_or(0)));
    if announced.is_some() {
        body.read_to_end(&mut sent).map_err(Error::Body)?;
        return Ok((sent, taken));
    }
    loop {
        if !taken.grow(BUDGET_STEP_BYTES) {
            return Err(no_memory());
        }
        let read = (&mut *body).take(BUDGET_STEP_BYTES).read_to_end(&mut sent).map_err(Error::Body)?;
        if sent.len() as u64 > bytes_max {
            return Err(too_large());
        }
        if (read as u64) < BUDGET_STEP_BYTES {
            return Ok((sent, taken));
        }
    }
}

/// Decodes a body once it is its turn: a small body can become a large one, so that only a few are
/// decoded at a time. No client is waited for while it lasts.
fn decode(api: &Api, request: &Request<'_>, sent: Vec<u8>, decode_body: Decode) -> Result<Push, Error> {
    let Some(_permit) = api.decoders.take(PATIENCE, &|| request.client_is_gone()) else {
        return Err(Error::Busy("too many pushes at once; try again\n".to_owned()));
    };
    let body_limits = BodyLimits {
        sent_bytes_max: to_usize(api.options.push_body_bytes_max),
        plain_bytes_max: to_usize(api.options.push_decompressed_bytes_max),
        memory_bytes_max: to_usize(api.options.push_decompressed_bytes_max),
    };
    decode_body(
        request.header("Content-Type"),
        request.header("Content-Encoding"),
        &mut io::Cursor::new(sent),
        &body_limits,
        &api.ingest_limits,
        now_ns(),
    )
    .map_err(refused)
}

fn refused(error: PushError) -> Error {
    let text = format!("{error}\n");
    match error {
        PushError::Empty => Error::Unprocessable(text),
        PushError::TooLarge { .. } => Error::TooLarge(text),
        PushError::Read(error) => Error::Body(error),
        PushError::MediaType
        | PushError::ContentType(_)
        | PushError::ContentEncoding(_)
        | PushError::Malformed { .. }
        | PushError::Labels(_) => Error::BadRequest(text),
    }
}

fn no_memory() -> Error {
    Error::Busy("too many bytes are being pushed at once (limits.push_memory_max); try again\n".to_owned())
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What clients have pushed since the start.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: AtomicU64,
    lines: AtomicU64,
}

impl Received {
    fn count(&self, append: &Append) {
        for stream in &append.streams {
            let (text, lines) = (stream.entries.text().len() as u64, stream.entries.len() as u64);
            self.bytes.fetch_add(text - lines, Ordering::Relaxed);
            self.lines.fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// Bytes of lines.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Lines.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_from_the_budget_what_it_announces_or_step_by_step() {
        const STEP: u64 = BUDGET_STEP_BYTES;
        for (announced, bytes, budget_bytes, bytes_max, want) in [
            (true, 10, 10, 100, Ok(10)),
            (true, 11, 10, 100, Err(429)),
            (true, 101, 1000, 100, Err(413)),
            (false, 10, STEP, 100, Ok(STEP)),
            (false, 101, STEP, 100, Err(413)),
            (false, STEP + 10, 2 * STEP, 10 * STEP, Ok(2 * STEP)),
            (false, STEP + 10, STEP, 10 * STEP, Err(429)),
            (false, 10, STEP - 1, 100, Err(429)),
        ] {
            let budget = Budget::new(budget_bytes);
            let mut body = io::repeat(b'x').take(bytes);
            let got = match read_sent(&mut body, announced.then_some(bytes), bytes_max, &budget) {
                Ok((sent, taken)) => {
                    assert_eq!(sent.len() as u64, bytes);
                    Ok(taken.bytes())
                }
                Err(error) => Err(error.status()),
            };
            assert_eq!(got, want, "{bytes} bytes, announced: {announced}");
            assert!(budget.take(budget_bytes).is_some(), "what was taken is back");
        }
    }

    #[test]
    fn a_body_that_breaks_off_is_the_clients_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        for announced in [Some(10), None] {
            let budget = Budget::new(2 * BUDGET_STEP_BYTES);
            let error = read_sent(&mut Broken, announced, 100, &budget).map(|_| ()).unwrap_err();
            assert_eq!(error.status(), 400, "{error}");
        }
    }
}
