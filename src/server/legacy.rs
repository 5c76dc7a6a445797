//! `/api/prom/query`, `/api/prom/label`, `/api/prom/label/{name}/values`: the same questions as under
//! `/loki/api/v1`, answered in the shapes that clients of Loki before 1.0 read.

use std::collections::BTreeSet;

use super::{
    Api,
    call::Call,
    error::Error,
    json::{self, Produce},
    labels::{matching, names_of, values_of},
    query_range::{Window, run},
    reply::Reply,
};
use crate::labels::time::format_rfc3339_ns;
use crate::logql::{self, Expr};
use crate::query::ResultStream;

/// Entries of a range of time.
pub(super) fn query(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let window = Window::of(api, call)?;
    let Expr::Log(expr) = logql::parse(call.params.query())? else {
        return Err(Error::bad("only log queries are answered here; metric queries go to /loki/api/v1/query_range"));
    };
    let answer = run(api, call, &window, &expr, false)?;
    Ok(Reply::json_streamed(body(answer.streams)))
}

/// The names of all labels.
pub(super) fn names(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    Ok(list(&names_of(&matching(api, call)?)))
}

/// The values of one label.
pub(super) fn values(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    Ok(list(&values_of(&matching(api, call)?, &call.name)))
}

fn list(texts: &BTreeSet<&str>) -> Reply {
    let mut out = b"{\"values\":".to_vec();
    json::strings(&mut out, texts);
    out.push(b'}');
    Reply::json(out)
}

fn body(streams: Vec<ResultStream>) -> impl Produce {
    json::List::new("{\"stats\":{},\"streams\":[", streams, write_stream, json::LIST_TAIL)
}

fn write_stream(out: &mut Vec<u8>, stream: &ResultStream) {
    out.extend_from_slice(b"{\"labels\":");
    json::string(out, stream.labels.to_string());
    out.extend_from_slice(b",\"entries\":[");
    for (at, entry) in stream.entries.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"ts\":" } else { b"{\"ts\":" });
        json::string(out, format_rfc3339_ns(entry.timestamp_ns));
        out.extend_from_slice(b",\"line\":");
        json::string(out, &entry.line);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::query::{ResultEntry, ResultLabels};
    use crate::server::json::Streamed;

    #[test]
    fn entries_have_times_as_text() {
        let entry = |timestamp_ns| ResultEntry { timestamp_ns, line: b"l".as_slice().into(), categories: None };
        let labels = ResultLabels::new([("app", "x")]);
        let streams = vec![ResultStream { labels, entries: vec![entry(1_767_607_200_000_000_000), entry(1)] }];
        for (streams, want) in [
            (Vec::new(), r#"{"stats":{},"streams":[]}"#),
            (
                streams,
                r#"{"stats":{},"streams":[{"labels":"{app=\"x\"}","entries":[{"ts":"2026-01-05T10:00:00Z","line":"l"},{"ts":"1970-01-01T00:00:00.000000001Z","line":"l"}]}]}"#,
            ),
        ] {
            let mut text = String::new();
            Streamed::new(body(streams)).read_to_string(&mut text).unwrap();
            assert_eq!(text, format!("{want}\n"));
        }
    }
}
