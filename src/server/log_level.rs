//! `/log_level`: shows, and on POST sets, how much this process logs until its next start or reload.

use log::LevelFilter;
use tiny_http::Method;

use super::{Api, call::Call, error::Error, json, reply::Reply};

pub(super) fn answer(_: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let mut out = Vec::new();
    if *call.request.method() == Method::Get {
        out.extend_from_slice(b"{\"message\":");
        json::string(&mut out, format!("Current log level is {}", log::max_level().as_str().to_lowercase()));
    } else {
        let level = parse(call.params.get("log_level").unwrap_or(""))?;
        log::set_max_level(level);
        out.extend_from_slice(b"{\"status\":\"success\",\"message\":");
        json::string(&mut out, format!("Log level set to {}", level.as_str().to_lowercase()));
    }
    out.push(b'}');
    Ok(Reply::json(out))
}

fn parse(text: &str) -> Result<LevelFilter, Error> {
    text.parse().map_err(|_| {
        Error::bad(format!("unrecognized log level {text:?}; there are error, warn, info, debug and trace"))
    })
}
