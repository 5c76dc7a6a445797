//! What the server is told at start.

use std::{net::SocketAddr, time::Duration};

use super::{access::User, http};

/// Where to listen, and the bounds of what is taken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Address and port; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Who may ask. None: everybody who reaches the address may ask for everything.
    pub users: Vec<User>,
    /// How many tenants there may be, which are then kept apart. `None`: there are none.
    pub tenants_max: Option<usize>,
    /// How long a request to delete can be taken back before it is worked off.
    pub delete_cancel_period: Duration,
    /// Bounds of a connection.
    pub http: http::Limits,
    /// Bytes of one push as it was sent. `u64::MAX`: no limit.
    pub push_body_bytes_max: u64,
    /// Bytes of one push after decompression. `u64::MAX`: no limit.
    pub push_decompressed_bytes_max: u64,
    /// Bytes that the bodies of all pushes may occupy in memory at once; not below `push_body_bytes_max`
    /// unless that has no limit.
    pub push_memory_max: u64,
}
