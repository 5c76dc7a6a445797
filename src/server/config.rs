//! `GET /config`: the running configuration, as the program that started the server writes it.

use super::{Api, call::Call, reply::Reply};

pub(super) fn answer(api: &Api, _: &mut Call<'_, '_>) -> Reply {
    Reply::text((api.sources.config)())
}
