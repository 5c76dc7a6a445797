//! A metric query on its way from a request to its answer.

use std::time::Instant;

use super::{Api, call::Call, error::Error, query_range::turn, reply::Reply, result::metric_reply};
use crate::logql::MetricExpr;
use crate::query::{self, Cancel, MetricQuery, Times};

/// The client that shows a part of too many series rather than nothing: Grafana's Logs Drilldown.
const PARTIAL_SOURCE: &str = "grafana-lokiexplore-app";

/// Runs a metric query once it is its turn.
pub(super) fn run(api: &Api, call: &Call<'_, '_>, expr: &MetricExpr, times: Times) -> Result<Reply, Error> {
    let tags = call.request.header("X-Query-Tags").unwrap_or("");
    let clock = query::clock();
    let query = MetricQuery { expr, times, clock: &clock, may_be_partial: is_from_drilldown(tags) };
    let client_is_gone = || call.request.client_is_gone();
    let asked = Instant::now();
    let _permit = if query.reads_lines() { Some(turn(api, call.request)?) } else { None };
    let queue_time = asked.elapsed();
    let cancel = Cancel::after(api.query_limits.query_timeout);
    let mut answer = query::measure(&call.store, &query, &api.query_limits, &cancel, &client_is_gone)?;
    answer.statistics.queue_time = queue_time;
    Ok(metric_reply(answer))
}

/// Whether the tags of a query, `Name=value` with commas between them, name Logs Drilldown as its source.
fn is_from_drilldown(tags: &str) -> bool {
    tags.split(',')
        .filter_map(|tag| tag.split_once('='))
        .any(|(name, value)| name.trim().eq_ignore_ascii_case("source") && value.trim() == PARTIAL_SOURCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drilldown_is_known_by_its_tag() {
        for (tags, want) in [
            ("Source=grafana-lokiexplore-app", true),
            ("user=me, source = grafana-lokiexplore-app", true),
            ("Source=explore", false),
            ("Other=grafana-lokiexplore-app", false),
            ("grafana-lokiexplore-app", false),
            ("", false),
        ] {
            assert_eq!(is_from_drilldown(tags), want, "{tags}");
        }
    }
}
