//! `GET /prometheus/api/v1/rules` and `/alerts`: there is no ruler here. Grafana's alert list shows an error
//! unless it gets an empty list; its probe for a ruler of ours gets the 404 that it looks for.

use super::{Api, call::Call, reply::Reply};

pub(super) fn rules(_: &Api, _: &mut Call<'_, '_>) -> Reply {
    Reply::json(br#"{"status":"success","data":{"groups":[]},"errorType":"","error":""}"#.to_vec())
}

pub(super) fn alerts(_: &Api, _: &mut Call<'_, '_>) -> Reply {
    Reply::json(br#"{"status":"success","data":{"alerts":[]},"errorType":"","error":""}"#.to_vec())
}
