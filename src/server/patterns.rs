//! `/loki/api/v1/patterns`: the patterns that lines follow, for the tab of that name in Logs Drilldown.

use super::{
    Api,
    call::Call,
    error::Error,
    json::{self, Produce},
    params::now_ns,
    query_range::turn,
    reply::Reply,
};
use crate::logql;
use crate::query::{Cancel, Pattern, PatternsQuery, patterns};

const NS_PER_MS: i64 = 1_000_000;

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let selector = logql::parse_selector(call.params.query())?;
    let range = call.params.range(now_ns(), api.query_limits.max_query_length_ns)?;
    let query = PatternsQuery {
        selector: &selector,
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        step_ns: call.params.step(range)?,
    };
    let _permit = turn(api, call.request)?;
    let cancel = Cancel::after(api.query_limits.query_timeout);
    let patterns = patterns(&call.store, &query, &api.query_limits, &cancel, &|| call.request.client_is_gone())?;
    Ok(Reply::json_streamed(body(patterns)))
}

fn body(patterns: Vec<Pattern>) -> impl Produce {
    json::List::new(json::DATA_HEAD, patterns, write_pattern, json::LIST_TAIL)
}

/// A time is a number of seconds and a count is a number, unlike in the answer of a metric query.
fn write_pattern(out: &mut Vec<u8>, pattern: &Pattern) {
    out.extend_from_slice(b"{\"pattern\":");
    json::string(out, &pattern.text);
    out.extend_from_slice(b",\"level\":");
    json::string(out, &pattern.level);
    out.extend_from_slice(b",\"samples\":[");
    for (at, (start_ns, lines)) in pattern.steps.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",[" } else { b"[" });
        json::seconds(out, start_ns.div_euclid(NS_PER_MS));
        out.extend_from_slice(format!(",{lines}]").as_bytes());
    }
    out.extend_from_slice(b"]}");
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::server::json::Streamed;

    #[test]
    fn a_pattern_is_an_object_with_numbers() {
        let pattern = |text: &str, steps: &[(i64, u64)]| Pattern {
            text: text.to_owned(),
            level: "info".to_owned(),
            steps: steps.to_vec(),
        };
        for (patterns, want) in [
            (vec![], "{\"status\":\"success\",\"data\":[]}\n"),
            (
                vec![pattern("a \"<_>\"", &[(60_000_000_000, 17), (60_500_000_000, 1)]), pattern("b", &[])],
                "{\"status\":\"success\",\"data\":[\
                 {\"pattern\":\"a \\\"<_>\\\"\",\"level\":\"info\",\"samples\":[[60,17],[60.5,1]]},\
                 {\"pattern\":\"b\",\"level\":\"info\",\"samples\":[]}]}\n",
            ),
        ] {
            let mut text = String::new();
            let body = body(patterns);
            Streamed::new(body).read_to_string(&mut text).unwrap();
            assert_eq!(text, want);
        }
    }
}
