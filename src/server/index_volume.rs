//! `/loki/api/v1/index/volume` and `/loki/api/v1/index/volume_range`: which streams hold how many bytes.
//! Logs Drilldown's first page is made of it.

use super::{
    Api,
    call::Call,
    error::Error,
    json,
    labels::selector,
    params::{Params, now_ns},
    query_range::turn,
    reply::Reply,
};
use crate::labels::Matcher;
use crate::logql;
use crate::query::{Cancel, Volume, VolumeBy, VolumeQuery, volumes};

/// Series of an answer if the client does not say.
const LIMIT_DEFAULT: usize = 100;

/// The volumes of the whole range.
pub(super) fn volume(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let volumes = run(api, call, false)?;
    Ok(reply("vector", &volumes, |out, volume| {
        out.extend_from_slice(b"\"value\":");
        volume.steps.iter().for_each(|step| write_sample(out, *step));
    }))
}

/// The volumes of each step of the range.
pub(super) fn volume_range(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let volumes = run(api, call, true)?;
    Ok(reply("matrix", &volumes, |out, volume| {
        out.extend_from_slice(b"\"values\":[");
        for (at, step) in volume.steps.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_sample(out, *step);
        }
        out.push(b']');
    }))
}

/// Computes the volumes, with `in_steps` for each step that the client asks for.
fn run(api: &Api, call: &Call<'_, '_>, in_steps: bool) -> Result<Vec<Volume>, Error> {
    let params = &call.params;
    let range = params.range(now_ns(), api.query_limits.max_query_length_ns)?;
    // `{}` means every stream, no query at all does not.
    let mut matchers = match params.get("query") {
        Some(text) => selector(text)?,
        None => logql::parse_selector("")?,
    };
    let by = grouping(params, &mut matchers)?;
    let query = VolumeQuery {
        selector: &matchers,
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        step_ns: in_steps.then(|| params.step(range)).transpose()?,
        by: &by,
        limit: limit(params)?,
    };
    let _permit = turn(api, call.request)?;
    let cancel = Cancel::after(api.query_limits.query_timeout);
    Ok(volumes(&call.store, &query, &api.query_limits, &cancel, &|| call.request.client_is_gone())?)
}

/// What makes a series. Labels that are asked for by name must be there: each becomes a matcher.
fn grouping(params: &Params, matchers: &mut Vec<Matcher>) -> Result<VolumeBy, Error> {
    let targets: Vec<String> = params
        .get("targetLabels")
        .map(|text| text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        .unwrap_or_default();
    let named: Vec<String> = matchers.iter().map(|matcher| matcher.name.clone()).collect();
    match params.get("aggregateBy") {
        None | Some("series") => {}
        Some("labels") => return Ok(VolumeBy::Names((!targets.is_empty()).then_some(targets))),
        Some(other) => {
            return Err(Error::bad(format!("invalid aggregation option '{other}'; 'series' and 'labels' are known")));
        }
    }
    if targets.is_empty() {
        return Ok(if named.is_empty() { VolumeBy::LabelSet } else { VolumeBy::Labels(named) });
    }
    matchers.extend(targets.iter().map(|name| Matcher::text(name, false, "")));
    Ok(VolumeBy::Labels(targets))
}

/// How many series an answer may have; zero is the default.
fn limit(params: &Params) -> Result<usize, Error> {
    match params.get("limit") {
        None | Some("0") => Ok(LIMIT_DEFAULT),
        Some(_) => params.limit(),
    }
}

fn reply(result_type: &str, volumes: &[Volume], write_values: impl Fn(&mut Vec<u8>, &Volume)) -> Reply {
    let mut out =
        format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{result_type}\",\"result\":[").into_bytes();
    for (at, volume) in volumes.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"metric\":" } else { b"{\"metric\":" });
        json::labels(&mut out, volume.labels.iter());
        out.push(b',');
        write_values(&mut out, volume);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"stats\":{}}}");
    Reply::json(out)
}

fn write_sample(out: &mut Vec<u8>, (timestamp_ms, bytes): (i64, u64)) {
    out.push(b'[');
    json::seconds(out, timestamp_ms);
    out.extend_from_slice(format!(",\"{bytes}\"]").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_made_by_the_labels_that_are_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (query, selector, want, matchers) in [
            ("", "{}", VolumeBy::LabelSet, 0),
            ("", "{a=\"b\", c!=\"d\"}", VolumeBy::Labels(names(&["a", "c"])), 2),
            ("aggregateBy=series&targetLabels=x,,y", "{a=\"b\"}", VolumeBy::Labels(names(&["x", "y"])), 3),
            ("aggregateBy=labels", "{a=\"b\"}", VolumeBy::Names(None), 1),
            ("aggregateBy=labels&targetLabels=x", "{a=\"b\"}", VolumeBy::Names(Some(names(&["x"]))), 1),
        ] {
            let params = Params::from_query(query);
            let mut selected = super::selector(selector).unwrap();
            assert_eq!(grouping(&params, &mut selected).unwrap(), want, "{query} {selector}");
            assert_eq!(selected.len(), matchers, "{query} {selector}");
        }
        assert!(grouping(&Params::from_query("aggregateBy=x"), &mut Vec::new()).is_err());
    }

    #[test]
    fn a_limit_of_zero_is_the_default() {
        for (query, want) in [("", Some(100)), ("limit=0", Some(100)), ("limit=7", Some(7)), ("limit=-1", None)] {
            assert_eq!(limit(&Params::from_query(query)).ok(), want, "{query}");
        }
    }
}
