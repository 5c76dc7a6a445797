//! The time that a query's templates see as now: the moment at which it began.

use crate::logql::Clock;
use crate::store::now_ns;

/// The present time, in UTC.
pub fn clock() -> Clock {
    Clock { now_ns: now_ns(), ..Clock::default() }
}
