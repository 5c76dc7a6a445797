//! `/loki/api/v1/index/stats`: how much a selector matches. Grafana shows it while a query is typed.

use super::{Api, call::Call, error::Error, params::now_ns, query_range::turn, reply::Reply};
use crate::logql;
use crate::query::{Cancel, extent};

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let selector = logql::parse_selector(call.params.query())?;
    let range = call.params.range(now_ns(), api.query_limits.max_query_length_ns)?;
    let _permit = turn(api, call.request)?;
    let cancel = Cancel::after(api.query_limits.query_timeout);
    let client_is_gone = || call.request.client_is_gone();
    let extent = extent(&call.store, &selector, range.start_ns, range.end_ns, &cancel, &client_is_gone)?;
    let document = format!(
        "{{\"streams\":{},\"chunks\":{},\"bytes\":{},\"entries\":{}}}",
        extent.streams, extent.pieces, extent.bytes, extent.entries
    );
    Ok(Reply::json(document.into_bytes()))
}
