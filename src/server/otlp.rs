//! `POST /otlp/v1/logs`: log exports of OpenTelemetry. The collector repeats an export only after 429,
//! 502, 503 and 504, so that nothing which passes is ever answered with another status, 500 included.

use super::{
    Api,
    call::Call,
    error::Error,
    http::Request,
    push::otlp::{self, Encoding},
    receive::receive,
    reply::Reply,
};

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Reply {
    match receive(api, call, otlp::decode) {
        Ok(()) => Reply::nothing(),
        Err(error) => {
            api.log_failure(call.request, "/otlp/v1/logs", &error);
            refusal(call.request, &error)
        }
    }
}

/// An error as the protocol wants it: a `google.rpc.Status` in the encoding of the request, which has
/// the message alone in protobuf, as Loki sends it.
fn refusal(request: &Request<'_>, error: &Error) -> Reply {
    let text = error.to_string();
    let message = text.trim_end();
    let status = if error.status() == 500 { 503 } else { error.status() };
    let (content_type, body) = match Encoding::of(request.header("Content-Type")) {
        Some(Encoding::Json) => ("application/json", json_status(status, message)),
        Some(Encoding::Protobuf) | None => ("application/x-protobuf", protobuf_status(message)),
    };
    let reply = Reply::whole(status, content_type, body);
    match error.retry_after() {
        Some(wait) => reply.with_retry_after(wait),
        None => reply,
    }
}

/// Codes: <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>
fn json_status(status: u16, message: &str) -> Vec<u8> {
    let code = match status {
        429 => 8,  // RESOURCE_EXHAUSTED
        503 => 14, // UNAVAILABLE
        _ => 3,    // INVALID_ARGUMENT
    };
    let mut out = format!("{{\"code\":{code},\"message\":").into_bytes();
    super::json::string(&mut out, message);
    out.push(b'}');
    out
}

/// Field 2 is the message.
fn protobuf_status(message: &str) -> Vec<u8> {
    let mut out = vec![0x12];
    let mut length = message.len();
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
    out.extend_from_slice(message.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
    }

    #[test]
    fn an_error_is_a_status_message() {
        for length in [0, 1, 127, 128, 300, 20_000] {
            let message = "x".repeat(length);
            let status = Status::decode(&*protobuf_status(&message)).unwrap();
            assert_eq!(status, Status { code: 0, message });
        }
        assert_eq!(json_status(400, "not \"so\""), br#"{"code":3,"message":"not \"so\""}"#);
    }
}
