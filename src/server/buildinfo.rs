//! `GET /loki/api/v1/status/buildinfo`: our version under the keys that Loki's clients know.

use super::{Api, call::Call, json, reply::Reply};

pub(super) fn answer(_: &Api, _: &mut Call<'_, '_>) -> Reply {
    let mut out = Vec::new();
    let mut separator = b'{';
    let version = env!("CARGO_PKG_VERSION");
    // There is no Go and, so that builds can be repeated, no user and no date.
    for (key, value) in [
        ("version", version),
        ("revision", ""),
        ("branch", ""),
        ("buildUser", ""),
        ("buildDate", ""),
        ("goVersion", ""),
    ] {
        out.push(separator);
        json::string(&mut out, key);
        out.push(b':');
        json::string(&mut out, value);
        separator = b',';
    }
    out.push(b'}');
    Reply::json(out)
}
