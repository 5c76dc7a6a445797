//! Everybody on this machine may ask, but not every web page that its browser shows. A page reaches
//! loopback by a name that its owner points at 127.0.0.1 (DNS rebinding), or by plain cross-site
//! requests; this looks at what the browser says about the page.

use std::net::IpAddr;

use super::{error::Error, http::Request};

/// Ends of names that no name server of the open internet answers for (RFC 2606, 6761, 6762, 8375;
/// `.internal` is reserved by ICANN): `host.docker.internal` and the like are this machine's own names.
const LOCAL_SUFFIXES: [&str; 7] = [".localhost", ".internal", ".local", ".lan", ".home.arpa", ".test", ".localdomain"];

/// What the check looks at.
#[derive(Clone, Copy, Default)]
struct Visit<'h> {
    host: Option<&'h str>,
    origin: Option<&'h str>,
    fetch_site: Option<&'h str>,
    /// Headers that every browser sends with every request and programs do not: a page can change
    /// their values, but not leave them out.
    is_browser: bool,
}

/// Refuses what a page of another site asks through a browser. With credentials a name of the internet
/// may lead here: a browser knows passwords for the name that it shows, and a proxy keeps that name.
pub(super) fn check(request: &Request<'_>, is_anonymous: bool) -> Result<(), Error> {
    let fetch_site = request.header("Sec-Fetch-Site");
    if !is_anonymous {
        return check_visit(Visit { fetch_site, ..Visit::default() });
    }
    let user_agent = request.header("User-Agent").unwrap_or("");
    check_visit(Visit {
        host: request.header("Host"),
        origin: request.header("Origin"),
        fetch_site,
        is_browser: user_agent.starts_with("Mozilla/") || request.header("Accept-Language").is_some(),
    })
}

fn check_visit(visit: Visit<'_>) -> Result<(), Error> {
    // A name of the open internet is fine for a program, such as a proxy or Grafana behind one; in a
    // browser it is a page that was loaded from there and now sends its requests here.
    if let Some(host) = visit.host
        && !is_local_name(host)
        && (visit.is_browser || visit.origin.is_some())
    {
        return Err(Error::Forbidden(format!(
            "a browser asks for the host {host:?}, but this server only listens on loopback; use http://localhost"
        )));
    }
    if visit.fetch_site.is_some_and(|site| site.eq_ignore_ascii_case("cross-site")) {
        return Err(Error::Forbidden("a web page of another site may not ask this server".to_owned()));
    }
    // A page on this machine or its network, such as Grafana's, may open a tail; one of the internet may not.
    if let Some(origin) = visit.origin
        && !origin.split_once("://").is_some_and(|(_, host)| is_local_name(host))
    {
        return Err(Error::Forbidden(format!("the web page {origin:?} may not ask this server")));
    }
    Ok(())
}

/// Whether a host, perhaps with a port, is an address (which no name server can point elsewhere), a
/// name without a dot, or one that only a local network knows.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.is_empty()
        && (name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || LOCAL_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_local_pages_may_ask_and_foreign_pages_may_not() {
        let program = Visit::default();
        let browser = Visit { is_browser: true, ..program };
        for (visit, may) in [
            (program, true),
            (Visit { host: Some("logs.example.com"), ..program }, true), // a proxy that keeps the name
            (Visit { host: Some("localhost:3100"), ..browser }, true),
            (Visit { host: Some("127.0.0.1:3100"), ..browser }, true),
            (Visit { host: Some("[::1]:3100"), ..browser }, true),
            (Visit { host: Some("loki:3100"), ..browser }, true),
            (Visit { host: Some("host.docker.internal:3100"), ..browser }, true),
            (Visit { host: Some("evil.example:3100"), ..browser }, false),
            (Visit { host: Some("evil.example.:3100"), ..browser }, false),
            (Visit { host: Some("127.0.0.1.evil.example"), ..browser }, false),
            (Visit { host: Some("evil.example"), origin: Some("http://evil.example"), ..program }, false),
            (Visit { host: Some("localhost"), origin: Some("http://localhost:3000"), ..browser }, true),
            (Visit { host: Some("localhost"), origin: Some("https://evil.example"), ..browser }, false),
            (Visit { host: Some("localhost"), origin: Some("null"), ..browser }, false),
            (Visit { host: Some("localhost"), fetch_site: Some("cross-site"), ..browser }, false),
            (Visit { host: Some("localhost"), fetch_site: Some("same-origin"), ..browser }, true),
        ] {
            let got = check_visit(visit).is_ok();
            assert_eq!(got, may, "{:?} {:?} {:?} {}", visit.host, visit.origin, visit.fetch_site, visit.is_browser);
        }
    }
}
