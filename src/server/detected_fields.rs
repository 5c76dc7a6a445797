//! `/loki/api/v1/detected_fields` and `/loki/api/v1/detected_field/{name}/values`: what the newest lines of
//! a query have in them. Logs Drilldown builds queries from it.

use std::borrow::Cow;

use super::{
    Api,
    call::Call,
    error::Error,
    json,
    params::{Params, now_ns},
    query_range::turn,
    reply::Reply,
};
use crate::logql::{self, Expr};
use crate::query::{Cancel, Field, Fields, FieldsQuery, detect_fields};

/// Lines that are looked at if the client does not say.
const LINE_LIMIT_DEFAULT: usize = 100;
/// Fields, or values of one, that an answer has if the client does not say.
const LIMIT_DEFAULT: usize = 1000;
/// Fields that are told apart to find the values of one.
const FIELDS_MAX: usize = 1000;

/// The fields.
pub(super) fn fields(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let limit = limit(&call.params)?;
    let fields = detected(api, call, limit.min(FIELDS_MAX))?;
    if fields.is_empty() {
        return Ok(Reply::json(b"{}".to_vec()));
    }
    let mut out = b"{\"fields\":[".to_vec();
    for (at, (name, field)) in fields.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b"," } else { b"" });
        write_field(&mut out, name, field);
    }
    out.extend_from_slice(format!("],\"limit\":{limit}}}").as_bytes());
    Ok(Reply::json(out))
}

/// The values of one field.
pub(super) fn values(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let limit = limit(&call.params)?;
    let fields = detected(api, call, FIELDS_MAX)?;
    let Some(field) = fields.get(&call.name) else {
        return Ok(Reply::json(b"{}".to_vec()));
    };
    let mut out = b"{\"values\":".to_vec();
    json::strings(&mut out, field.values_shown().map(Cow::into_owned).take(limit));
    out.extend_from_slice(format!(",\"limit\":{limit}}}").as_bytes());
    Ok(Reply::json(out))
}

fn detected(api: &Api, call: &Call<'_, '_>, field_limit: usize) -> Result<Fields, Error> {
    let params = &call.params;
    let range = params.range(now_ns(), api.query_limits.max_query_length_ns)?;
    params.step(range)?;
    let Expr::Log(expr) = logql::parse(params.query())? else {
        return Err(Error::bad("only log queries have fields, not metric queries"));
    };
    let query = FieldsQuery {
        expr: &expr,
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        line_limit: positive(params.get("line_limit"), LINE_LIMIT_DEFAULT)?,
        field_limit,
    };
    let _permit = turn(api, call.request)?;
    let cancel = Cancel::after(api.query_limits.query_timeout);
    Ok(detect_fields(&call.store, &query, &api.query_limits, &cancel, &|| call.request.client_is_gone())?)
}

fn limit(params: &Params) -> Result<usize, Error> {
    positive(params.get("limit").or_else(|| params.get("field_limit")), LIMIT_DEFAULT)
}

fn positive(text: Option<&str>, default: usize) -> Result<usize, Error> {
    let Some(text) = text else {
        return Ok(default);
    };
    let number: i64 =
        text.parse().map_err(|_| Error::bad(format!("strconv.Atoi: parsing \"{text}\": invalid syntax")))?;
    match usize::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Error::bad("limit must be a positive value")),
    }
}

/// `parsers` is null for what needs none: clients tell by it how to write a query.
fn write_field(out: &mut Vec<u8>, name: &str, field: &Field) {
    out.extend_from_slice(b"{\"label\":");
    json::string(out, name);
    let (field_type, cardinality) = (field.field_type.name(), field.values.len());
    out.extend_from_slice(format!(",\"type\":\"{field_type}\",\"cardinality\":{cardinality},\"parsers\":").as_bytes());
    out.extend_from_slice(match (field.json.is_some(), field.logfmt) {
        (false, false) => b"null",
        (true, false) => b"[\"json\"]",
        (false, true) => b"[\"logfmt\"]",
        (true, true) => b"[\"json\",\"logfmt\"]",
    });
    if let Some(keys) = &field.json {
        out.extend_from_slice(b",\"jsonPath\":");
        json::strings(out, keys);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_positive_numbers() {
        for (query, want) in [
            ("", Ok(1000)),
            ("limit=7", Ok(7)),
            ("field_limit=8", Ok(8)),
            ("limit=7&field_limit=8", Ok(7)),
            ("limit=0", Err("limit must be a positive value".to_owned())),
            ("limit=x", Err("strconv.Atoi: parsing \"x\": invalid syntax".to_owned())),
        ] {
            assert_eq!(limit(&Params::from_query(query)).map_err(|error| error.to_string()), want, "{query}");
        }
    }
}
