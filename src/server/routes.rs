//! Which path is answered by what. Adding an endpoint is one line here and one file beside it.

use tiny_http::Method;

use super::{
    Api, access::Right, buildinfo, call::Call, config, delete, detected_fields, detected_labels, drilldown,
    error::Error, flush, format_query, index_stats, index_volume, labels, legacy, log_level, metrics, otlp,
    params::percent_decoded, patterns, query, query_range, ready, receive, reply::Reply, root, rules, series, tail,
};

use self::{
    Endpoint::{Always, Checked},
    Streams::{Asked, Fed, Nobodys},
};

/// What answers a request.
#[derive(Clone, Copy)]
pub(super) enum Endpoint {
    /// May refuse it.
    Checked(fn(&Api, &mut Call<'_, '_>) -> Result<Reply, Error>),
    /// Has an answer to everything.
    Always(fn(&Api, &mut Call<'_, '_>) -> Reply),
}

/// A path and what answers it.
pub(super) struct Route {
    /// The path; one segment may be `{name}`, which stands for any one that is not empty.
    pub(super) path: &'static str,
    methods: &'static [Method],
    /// Whether parameters may come in a form.
    pub(super) takes_form: bool,
    /// Whether it is answered while the server is full, so that its state stays visible.
    pub(super) when_full: bool,
    /// What a user needs for it; `None`: it is answered to everybody.
    pub(super) right: Option<Right>,
    /// Whose streams it is about, if there are tenants.
    pub(super) streams: Streams,
    pub(super) endpoint: Endpoint,
}

/// Whose streams a route is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    /// Of no tenant: it is about the server.
    Nobodys,
    /// Of one tenant or several.
    Asked,
    /// Of one tenant, which they are added to.
    Fed,
}

const GET: &[Method] = &[Method::Get];
const POST: &[Method] = &[Method::Post];
const DELETION: &[Method] = &[Method::Get, Method::Post, Method::Put, Method::Delete];
const GET_POST: &[Method] = &[Method::Get, Method::Post];

const ROUTES: &[Route] = &[
    query("/loki/api/v1/query", Checked(query::answer)),
    query("/loki/api/v1/query_range", Checked(query_range::answer)),
    query("/loki/api/v1/labels", Checked(labels::names)),
    query("/loki/api/v1/label", Checked(labels::names)),
    query("/loki/api/v1/label/{name}/values", Checked(labels::values)),
    query("/loki/api/v1/series", Checked(series::answer)),
    query("/loki/api/v1/index/stats", Checked(index_stats::answer)),
    query("/loki/api/v1/index/volume", Checked(index_volume::volume)),
    query("/loki/api/v1/index/volume_range", Checked(index_volume::volume_range)),
    query("/loki/api/v1/detected_labels", Checked(detected_labels::answer)),
    query("/loki/api/v1/detected_fields", Checked(detected_fields::fields)),
    query("/loki/api/v1/detected_field/{name}/values", Checked(detected_fields::values)),
    query("/loki/api/v1/patterns", Checked(patterns::answer)),
    Route { methods: GET, ..query("/loki/api/v1/tail", Checked(tail::answer)) },
    Route { streams: Nobodys, ..query("/loki/api/v1/format_query", Always(format_query::answer)) },
    push("/loki/api/v1/push", Checked(receive::answer)),
    push("/api/prom/push", Checked(receive::answer)),
    push("/otlp/v1/logs", Always(otlp::answer)),
    query("/api/prom/query", Checked(legacy::query)),
    query("/api/prom/label", Checked(legacy::names)),
    query("/api/prom/label/{name}/values", Checked(legacy::values)),
    query("/api/prom/series", Checked(series::answer)),
    Route { methods: DELETION, takes_form: true, ..admin("/loki/api/v1/delete", Checked(delete::answer)) },
    read("/loki/api/v1/drilldown-limits", Always(drilldown::answer)),
    read("/loki/api/v1/status/buildinfo", Always(buildinfo::answer)),
    read("/prometheus/api/v1/rules", Always(rules::rules)),
    read("/prometheus/api/v1/alerts", Always(rules::alerts)),
    read("/", Always(root::answer)),
    Route { right: None, ..when_full("/ready", Always(ready::answer)) },
    when_full("/metrics", Always(metrics::answer)),
    Route { methods: GET, ..admin("/config", Always(config::answer)) },
    admin("/flush", Checked(flush::answer)),
    Route { takes_form: true, ..admin("/log_level", Checked(log_level::answer)) },
];

/// A route that shows something of the server.
const fn read(path: &'static str, endpoint: Endpoint) -> Route {
    Route {
        path,
        methods: GET,
        takes_form: false,
        when_full: false,
        right: Some(Right::Read),
        streams: Nobodys,
        endpoint,
    }
}

/// A route that shows something of streams; its parameters come from the URL or, on POST, from a form.
const fn query(path: &'static str, endpoint: Endpoint) -> Route {
    Route { methods: GET_POST, takes_form: true, streams: Asked, ..read(path, endpoint) }
}

const fn when_full(path: &'static str, endpoint: Endpoint) -> Route {
    Route { when_full: true, ..read(path, endpoint) }
}

const fn push(path: &'static str, endpoint: Endpoint) -> Route {
    Route { methods: POST, right: Some(Right::Write), streams: Fed, ..read(path, endpoint) }
}

const fn admin(path: &'static str, endpoint: Endpoint) -> Route {
    Route { methods: GET_POST, right: Some(Right::Admin), ..read(path, endpoint) }
}

/// Where a request leads.
pub(super) enum Found {
    /// To an endpoint, with what the path names.
    Route(&'static Route, String),
    /// To the path in its clean form, encoded; the query is not part of it.
    Elsewhere(String),
}

/// The endpoint of a request's path, as it was sent, and method.
pub(super) fn find(method: &Method, target: &str) -> Result<Found, Error> {
    let path = percent_decoded(path_of(target).as_bytes(), false)?;
    let clean = cleaned(&path);
    if clean != path {
        return Ok(Found::Elsewhere(encoded(&clean)));
    }
    let mut known = false;
    for route in ROUTES {
        if let Some(name) = matched(route.path, &path) {
            known = true;
            if route.methods.contains(method) {
                return Ok(Found::Route(route, name.to_owned()));
            }
        }
    }
    Err(if known { Error::MethodNotAllowed } else { Error::NotFound })
}

/// The path of a target: without query, and without scheme and host of an absolute form.
fn path_of(target: &str) -> &str {
    let path = target.split(['?', '#']).next().unwrap_or(target);
    match path.split_once("://") {
        Some((_, rest)) if !path.starts_with('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => path,
    }
}

/// Without empty and dotted segments, as Go's path.Clean leaves it; a slash at the end stays.
fn cleaned(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

/// A path as it stands in a URL.
fn encoded(path: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    text
}

/// What stands for `{name}` if a path has a route's form; empty if the route has no such segment.
fn matched<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, after)) = pattern.split_once("{name}") else {
        return (pattern == path).then_some("");
    };
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, target: &str) -> String {
        match find(method, target) {
            Ok(Found::Route(route, name)) => format!("{} {name}", route.path),
            Ok(Found::Elsewhere(path)) => format!("301 {path}"),
            Err(error) => error.status().to_string(),
        }
    }

    #[test]
    fn paths_lead_to_endpoints() {
        for (target, want) in [
            ("/loki/api/v1/labels?start=1", "/loki/api/v1/labels "),
            ("/loki/api/v1/label/my%20name/values", "/loki/api/v1/label/{name}/values my name"),
            ("/loki/api/v1/label//values", "301 /loki/api/v1/label/values"),
            ("/loki/api/v1/label/no%2Fsuch/values", "404"),
            ("/loki/api/v1/labels/", "404"),
            ("/loki//api/v1/labels", "301 /loki/api/v1/labels"),
            ("/x/%0d%0aA:b/../y z/", "301 /x/y%20z/"),
            ("//%0d%0aA:b", "301 /%0D%0AA%3Ab"),
            ("http://host:3100/ready", "/ready "),
            ("http://host:3100", "/ "),
            ("/", "/ "),
            ("/loki/api/v2/query_range", "404"),
            ("/ready%zz", "400"),
            ("*", "301 /%2A"),
        ] {
            assert_eq!(check(&Method::Get, target), want, "{target}");
        }
    }

    #[test]
    fn methods_that_a_path_does_not_have_are_405() {
        for (method, target, want) in [
            (Method::Get, "/loki/api/v1/push", "405"),
            (Method::Put, "/loki/api/v1/query_range", "405"),
            (Method::Head, "/ready", "405"),
            (Method::Options, "/loki/api/v1/labels", "405"),
            (Method::Post, "/loki/api/v1/labels", "/loki/api/v1/labels "),
            (Method::Post, "/nothing", "404"),
        ] {
            assert_eq!(check(&method, target), want, "{method} {target}");
        }
    }
}
