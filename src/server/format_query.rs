//! `/loki/api/v1/format_query`: a query in canonical print. The one endpoint that answers errors as JSON.

use super::{Api, call::Call, json, reply::Reply};
use crate::logql;

pub(super) fn answer(_: &Api, call: &mut Call<'_, '_>) -> Reply {
    let mut out = Vec::new();
    match logql::parse(call.params.query()) {
        Ok(expr) => {
            out.extend_from_slice(b"{\"status\":\"success\",\"data\":");
            json::string(&mut out, logql::pretty(&expr));
            out.push(b'}');
            Reply::json(out)
        }
        Err(error) => {
            out.extend_from_slice(b"{\"status\":\"invalid-query\",\"error\":");
            json::string(&mut out, error.to_string());
            out.push(b'}');
            Reply::json(out).with_status(400)
        }
    }
}
