//! The time that a query's templates see as now: the moment at which it began.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::logql::Clock;

/// The present time, in UTC.
pub fn clock() -> Clock {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Clock { now_ns: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX), ..Clock::default() }
}
