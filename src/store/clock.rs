//! The time of day, for every room that stands on this one.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::labels::duration::nanoseconds;

/// The present in nanoseconds since 1970; zero while the clock stands before that.
pub fn now_ns() -> i64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
