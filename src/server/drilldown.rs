//! `GET /loki/api/v1/drilldown-limits`: what Grafana's Logs Drilldown may ask for. It reads the number of
//! entries, how long they are kept, and that there are volumes and patterns.

use std::time::Duration;

use super::{Api, call::Call, json, reply::Reply};
use crate::labels::duration::format_prometheus_duration;

pub(super) fn answer(api: &Api, _: &mut Call<'_, '_>) -> Reply {
    let (query, ingest) = (&api.query_limits, &api.ingest_limits);
    let mut out = b"{\"limits\":{\"discover_service_name\":".to_vec();
    json::strings(&mut out, &ingest.discover_service_name);
    let limits = format!(
        ",\"discover_log_levels\":{},\"max_entries_limit_per_query\":{},\"max_line_size_truncate\":{},\
         \"max_query_bytes_read\":\"0B\",\"max_query_length\":\"{}\",\"max_query_series\":{},\
         \"pattern_persistence_enabled\":false,\"query_timeout\":\"{}\",\"retention_period\":\"{}\",\
         \"volume_enabled\":true}},\"pattern_ingester_enabled\":true,\"version\":\"{}\"}}",
        ingest.discover_log_levels,
        query.max_entries_limit_per_query,
        ingest.max_line_size_truncate,
        format_prometheus_duration(if query.max_query_length_ns == i64::MAX { 0 } else { query.max_query_length_ns }),
        query.max_query_series,
        format_prometheus_duration(nanoseconds(query.query_timeout)),
        format_prometheus_duration(api.whole_store.options().retention.map_or(0, nanoseconds)),
        env!("CARGO_PKG_VERSION"),
    );
    out.extend_from_slice(limits.as_bytes());
    Reply::json(out)
}

/// "0s", which means "no limit", for what 64 bits cannot hold.
fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(0)
}
