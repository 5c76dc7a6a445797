//! `/loki/api/v1/labels` and `/loki/api/v1/label/{name}/values`: names and values of stream labels.

use std::collections::BTreeSet;

use super::{Api, call::Call, error::Error, json, params::now_ns, reply::Reply};
use crate::labels::Matcher;
use crate::logql;
use crate::store::StreamInfo;

/// The names of all labels.
pub(super) fn names(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    Ok(list(&names_of(&matching(api, call)?)))
}

/// The values of one label.
pub(super) fn values(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    Ok(list(&values_of(&matching(api, call)?, &call.name)))
}

/// The names of the streams' labels.
pub(super) fn names_of(streams: &[StreamInfo]) -> BTreeSet<&str> {
    streams.iter().flat_map(|stream| stream.labels.iter().map(|(name, _)| name)).collect()
}

/// The values that a label has in the streams.
pub(super) fn values_of<'s>(streams: &'s [StreamInfo], name: &str) -> BTreeSet<&'s str> {
    streams.iter().filter_map(|stream| stream.labels.get(name)).collect()
}

/// The streams of the range that `query` selects; without one, all.
pub(super) fn matching(api: &Api, call: &Call<'_, '_>) -> Result<Vec<StreamInfo>, Error> {
    let range = call.params.range(now_ns(), api.query_limits.max_query_length_ns)?;
    let matchers = selector(call.params.query())?;
    Ok(call.store.streams(&matchers, range.start_ns, range.end_ns))
}

/// A selector that may be missing or `{}`, which both mean every stream.
pub(super) fn selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if bare.is_empty() || bare == "{}" { Ok(Vec::new()) } else { Ok(logql::parse_selector(text)?) }
}

/// Sorted texts; without any there is no `data`, as in Loki.
fn list(texts: &BTreeSet<&str>) -> Reply {
    let mut out = b"{\"status\":\"success\"".to_vec();
    if !texts.is_empty() {
        out.extend_from_slice(b",\"data\":");
        json::strings(&mut out, texts);
    }
    out.push(b'}');
    Reply::json(out)
}
