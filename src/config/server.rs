//! The section `[server]`: where to listen, and the bounds of a connection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use log::LevelFilter;

use super::{
    keys::{Key, Kind, Zero, count, duration_up_to, size},
    report::Problem,
    section::{Section, Text},
    users,
};
use crate::server::{access::User, http};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "listen",
        Kind::Text,
        r#""127.0.0.1:3100""#,
        "address and port; what is not loopback needs users or allow_anonymous",
    ),
    Key::new("allow_anonymous", Kind::Flag, "false", "let everybody who reaches the address read and write"),
    Key::new("users", Kind::Tables, "[]", "who may ask and for what, see [[server.users]]; []: everybody"),
    Key::new(
        "tenants",
        Kind::Flag,
        "false",
        "keep the streams of each X-Scope-OrgID apart, and refuse requests without",
    ),
    Key::new("tenants_max", count(1), "100", "tenants that may store something"),
    Key::new("log_level", Kind::Choice(LOG_LEVELS), r#""info""#, "of Narvi's own messages on stderr"),
    Key::new("connections_max", count(1), "256", "served at once; on machines under 256 MB write 64"),
    Key::new("connections_reserve", count(0), "16", "beyond that get /ready, /metrics, and 503 for the rest"),
    Key::new(
        "head_size_max",
        size(16 << 10, Zero::Refused),
        r#""256KiB""#,
        "request line and headers; a GET carries a whole query",
    ),
    Key::new("headers_max", count(16), "64", "headers of one request"),
    Key::new("head_timeout", duration_up_to(3600, Zero::Refused), r#""10s""#, "for a whole head to arrive"),
    Key::new(
        "idle_timeout",
        duration_up_to(86_400, Zero::Refused),
        r#""75s""#,
        "between requests; longer than the client's avoids lost races",
    ),
    Key::new("body_read_timeout", duration_up_to(3600, Zero::Refused), r#""15s""#, "without a byte of a body"),
    Key::new(
        "body_grace",
        duration_up_to(3600, Zero::Refused),
        r#""10s""#,
        "all the waiting for a body: this, and 1s for each body_rate_min",
    ),
    Key::new("body_rate_min", size(1, Zero::Refused), r#""64KiB""#, "see body_grace"),
    Key::new(
        "write_timeout",
        duration_up_to(3600, Zero::Refused),
        r#""30s""#,
        "for a client that does not read its answer",
    ),
];

const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// What `[server]` holds.
pub(super) struct Server {
    pub(super) listen: SocketAddr,
    pub(super) users: Vec<User>,
    pub(super) tenants_max: Option<usize>,
    pub(super) log_level: LevelFilter,
    pub(super) http: http::Limits,
}

/// Reads `[server]`.
pub(super) fn read(section: &Section<'_>) -> Server {
    let listen =
        section.parsed("listen", parse_listen).unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3100));
    let users = users::read(section);
    let allow_anonymous = section.flag("allow_anonymous");
    // A word that is not true or false is an error of its own.
    let is_refused = !allow_anonymous && section.value("allow_anonymous").is_none_or(|value| value.get_ref().is_bool());
    let has_users = section.says("users");
    if let Some(span) = section.span("listen").filter(|_| is_refused && !has_users && !listen.ip().is_loopback()) {
        let what = format!("others can reach {listen}, and everybody who does could read and write the logs");
        section.document.report(
            Problem::error(span, what).hint(
                "listen on 127.0.0.1, or add [[server.users]], or write `allow_anonymous = true` if that is meant",
            ),
        );
    }
    if let Some(span) = section.span("allow_anonymous").filter(|_| allow_anonymous && has_users) {
        let problem = Problem::error(span, "`allow_anonymous` would let everybody past the users");
        section.document.report(problem.hint("delete it, or delete [[server.users]]"));
    }
    Server {
        listen,
        users,
        tenants_max: section.flag("tenants").then(|| section.count("tenants_max")),
        log_level: match section.choice("log_level") {
            "error" => LevelFilter::Error,
            "warn" => LevelFilter::Warn,
            "debug" => LevelFilter::Debug,
            "trace" => LevelFilter::Trace,
            _ => LevelFilter::Info,
        },
        http: http::Limits {
            connections_max: section.count("connections_max"),
            connections_reserve: section.count("connections_reserve"),
            head_bytes_max: usize::try_from(section.size("head_size_max")).unwrap_or(usize::MAX),
            headers_max: section.count("headers_max"),
            head_timeout: section.duration("head_timeout"),
            idle_timeout: section.duration("idle_timeout"),
            body_read_timeout: section.duration("body_read_timeout"),
            body_grace: section.duration("body_grace"),
            body_bytes_per_s_min: section.size("body_rate_min"),
            write_timeout: section.duration("write_timeout"),
            ..http::Limits::default()
        },
    }
}

/// An IP address and a port. Names are not looked up: what is listened on must not depend on a name server.
fn parse_listen(text: &Text) -> Result<SocketAddr, Problem> {
    let problem = || Problem::error(text.span.clone(), format!("`{}` is not an IP address and port", text.value));
    text.value.parse().map_err(|_| match text.value.rsplit_once(':') {
        Some(("", port)) => problem().hint(format!("write \"0.0.0.0:{port}\" to listen on all addresses")),
        Some(("localhost", port)) => problem().label(format!("write \"127.0.0.1:{port}\"")),
        _ => problem().hint("write it as in \"127.0.0.1:3100\" or \"[::1]:3100\""),
    })
}
