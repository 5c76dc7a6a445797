//! `GET /`: one line for people who open the address in a browser, and for Vector's second health check.

use super::{Api, call::Call, reply::Reply};

pub(super) fn answer(_: &Api, _: &mut Call<'_, '_>) -> Reply {
    Reply::text(concat!(
        "narvi ",
        env!("CARGO_PKG_VERSION"),
        ": logs, by Loki's HTTP API; add this address to Grafana as a Loki data source\n"
    ))
}
