//! `/loki/api/v1/delete`: takes, shows and takes back requests to delete.

use tiny_http::Method;

use super::{
    Api,
    call::Call,
    deletions::{Request, State},
    error::Error,
    json,
    params::{Params, now_ns},
    reply::Reply,
    tenants,
};
use crate::labels::duration::parse_prometheus_duration;
use crate::logql::{self, Expr};

const MILLISECOND_NS: i64 = 1_000_000;

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let tenant = match &api.tenants {
        Some(_) => Some(tenants::only(call.request)?),
        None => None,
    };
    match call.request.method() {
        Method::Get => Ok(Reply::json(list(&api.deletions.list(tenant.as_deref())))),
        Method::Delete => {
            let id = call.params.get("request_id").ok_or_else(|| Error::bad("request_id not set\n"))?;
            api.deletions.cancel(tenant.as_deref(), id)?;
            Ok(Reply::nothing())
        }
        _ => {
            let (query, start_ns, end_ns) = asked(&call.params, now_ns())?;
            let id = api.deletions.add(tenant, query, start_ns, end_ns)?;
            Ok(Reply::nothing().with("X-Delete-Request-Id", &id))
        }
    }
}

/// What is to be deleted: a log query, and a range in nanoseconds, both ends inclusive.
fn asked(params: &Params, now_ns: i64) -> Result<(String, i64, i64), Error> {
    let query = params.query();
    let Expr::Log(_) = logql::parse(query)? else {
        return Err(Error::bad("only log queries can be deleted, not metric queries\n"));
    };
    let start_ns = params.time("start")?.ok_or_else(|| Error::bad("start time not set\n"))?;
    let end_ns = params.time("end")?.unwrap_or(now_ns);
    if end_ns > now_ns {
        return Err(Error::bad("deletes in the future are not allowed\n"));
    }
    if start_ns > end_ns {
        return Err(Error::bad("start time can't be greater than end time\n"));
    }
    // It says in which parts Loki is to do its work, which does not matter here.
    if let Some(text) = params.get("max_interval") {
        parse_prometheus_duration(text)
            .map_err(|why| Error::bad(format!("could not parse 'max_interval' parameter: {why}\n")))?;
    }
    Ok((query.to_owned(), start_ns, end_ns))
}

fn list(requests: &[Request]) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (at, request) in requests.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"request_id\":" } else { b"{\"request_id\":" });
        json::string(&mut out, &request.id);
        for (name, time_ns) in
            [("start_time", request.start_ns), ("end_time", request.end_ns), ("created_at", request.created_ns)]
        {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            json::seconds(&mut out, time_ns / MILLISECOND_NS);
        }
        out.extend_from_slice(b",\"query\":");
        json::string(&mut out, &request.query);
        out.extend_from_slice(match request.state {
            State::Received => b",\"status\":\"received\",\"user_id\":",
            State::Processed => b",\"status\":\"processed\",\"user_id\":",
        });
        json::string(&mut out, request.tenant.as_deref().unwrap_or(""));
        out.push(b'}');
    }
    out.push(b']');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_checked() {
        let now_ns = 1_800_000_000 * 1_000_000_000;
        let good = "query={a=%22b%22}%20|=%20%22c%22&start=1700000000";
        let query = "{a=\"b\"} |= \"c\"".to_owned();
        let ns = |seconds: i64| seconds * 1_000_000_000;
        for (params, want) in [
            (good.to_owned(), Ok((query.clone(), ns(1_700_000_000), now_ns))),
            (format!("{good}&end=1700000060&max_interval=1h"), Ok((query, ns(1_700_000_000), ns(1_700_000_060)))),
            ("query={a=%22b%22}".to_owned(), Err("start time not set")),
            ("start=1700000000".to_owned(), Err("parse error")),
            ("query={}&start=1".to_owned(), Err("parse error")),
            ("query=rate({a=%22b%22}[1m])&start=1".to_owned(), Err("only log queries")),
            (format!("{good}&end=1800000001"), Err("in the future")),
            (format!("{good}&end=1600000000"), Err("greater than end")),
            (format!("{good}&end=soon"), Err("soon")),
            (format!("{good}&max_interval=1x"), Err("max_interval")),
        ] {
            match (asked(&Params::from_query(&params), now_ns), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{params}"),
                (Err(error), Err(want)) => assert!(
                    error.status() == 400 && error.to_string().contains(want),
                    "{params}: {} {error}",
                    error.status()
                ),
                (got, want) => panic!("{params}: {got:?} and not {want:?}"),
            }
        }
    }

    #[test]
    fn requests_are_listed_as_clients_read_them() {
        let request = Request {
            id: "00ab12cd".to_owned(),
            tenant: None,
            query: "{a=\"b\"}".to_owned(),
            start_ns: 1_795_356_123_000_000_000,
            end_ns: 1_795_359_723_500_000_000,
            created_ns: 1_795_359_800_000_000_000,
            state: State::Received,
        };
        let done = Request { state: State::Processed, tenant: Some("t".to_owned()), ..request.clone() };
        let text = String::from_utf8(list(&[request, done])).unwrap();
        let fields = r#""start_time":1795356123,"end_time":1795359723.5,"created_at":1795359800,"query":"{a=\"b\"}""#;
        let want = format!(
            r#"[{{"request_id":"00ab12cd",{fields},"status":"received","user_id":""}},{{"request_id":"00ab12cd",{fields},"status":"processed","user_id":"t"}}]"#
        );
        assert_eq!(text, want);
        assert_eq!(list(&[]), b"[]");
    }
}
