//! `/loki/api/v1/series`: the label sets of the streams that any of several selectors selects.

use std::collections::BTreeMap;

use super::{Api, call::Call, error::Error, json, labels::selector, params::now_ns, reply::Reply};
use crate::store::StreamInfo;

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let params = &call.params;
    let range = params.range(now_ns(), api.query_limits.max_query_length_ns)?;
    // logcli writes `match`, Grafana `match[]`.
    let mut selectors: Vec<&str> = params.all("match[]").chain(params.all("match")).collect();
    if selectors.is_empty() {
        selectors.push("{}");
    }
    let mut streams = BTreeMap::new();
    for text in selectors {
        let matchers = selector(text)?;
        let found = call.store.streams(&matchers, range.start_ns, range.end_ns);
        streams.extend(found.into_iter().map(|stream| (stream.id, stream)));
    }
    let write = |out: &mut Vec<u8>, stream: &StreamInfo| json::labels(out, stream.labels.iter());
    Ok(Reply::json_streamed(json::List::new(json::DATA_HEAD, streams.into_values(), write, json::LIST_TAIL)))
}
