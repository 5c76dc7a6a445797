//! One request on its way through the API: the message, its parameters, and what its path names.

use super::{http::Request, params::Params};
use crate::store::Store;

/// One request.
pub(super) struct Call<'r, 'c> {
    /// The message; its body is unread unless it was a form.
    pub(super) request: &'r mut Request<'c>,
    /// Of the URL and the form.
    pub(super) params: Params,
    /// What stands in the path for `{name}`, decoded; empty if the route has none.
    pub(super) name: String,
    /// What the client may see and add to.
    pub(super) store: Store,
}
