//! `GET /ready`: 200 as soon as queries can be answered; 503 once the server stops.

use super::{Api, call::Call, reply::Reply};

pub(super) fn answer(_: &Api, _: &mut Call<'_, '_>) -> Reply {
    // Requests are taken only while the store is open, so that an answer is the proof.
    Reply::text("ready\n")
}
