//! `/loki/api/v1/series`: the label sets of the streams that any of several selectors selects.

use std::collections::BTreeMap;

use super::{
    Api,
    call::Call,
    error::Error,
    json::{self, Produce},
    labels::selector,
    params::now_ns,
    reply::Reply,
};
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
        let found = api.store.streams(&matchers, range.start_ns, range.end_ns);
        streams.extend(found.into_iter().map(|stream| (stream.id, stream)));
    }
    let streams: Vec<StreamInfo> = streams.into_values().collect();
    Ok(Reply::json_streamed(SeriesBody { streams: streams.into_iter(), begun: false }))
}

struct SeriesBody {
    streams: std::vec::IntoIter<StreamInfo>,
    begun: bool,
}

impl Produce for SeriesBody {
    fn produce(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.begun {
            out.extend_from_slice(b"{\"status\":\"success\",\"data\":[");
        }
        let Some(stream) = self.streams.next() else {
            out.extend_from_slice(b"]}\n");
            return false;
        };
        if self.begun {
            out.push(b',');
        }
        self.begun = true;
        json::labels(out, stream.labels.iter());
        true
    }
}
