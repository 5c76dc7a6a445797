//! `/flush`: seals what is in memory to blocks on disk.

use super::{Api, call::Call, error::Error, reply::Reply};

pub(super) fn answer(api: &Api, _: &mut Call<'_, '_>) -> Result<Reply, Error> {
    api.whole_store.flush()?;
    Ok(Reply::nothing())
}
