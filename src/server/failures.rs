//! Failures of requests in the log: a shipper that is refused repeats its push every second, so each kind is said at
//! most once a minute, with how often it came meanwhile.

use std::{
    collections::HashMap,
    mem::Discriminant,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::error::Error;

/// How long a kind of failure is silent once it was said.
const SILENCE: Duration = Duration::from_mins(1);

/// What failed, and how: bounded by the routes and the kinds of errors.
type Kind = (&'static str, Discriminant<Error>);

/// When each kind was last said.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<Kind, Said>>);

struct Said {
    at: Instant,
    unsaid: u64,
}

impl Failures {
    /// Notes a failure at a route. If it is to be said: how many like it were not, since the last that was.
    pub(super) fn note(&self, route: &'static str, error: &Error, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (route, std::mem::discriminant(error));
        match kinds.get_mut(&kind) {
            Some(said) if now.saturating_duration_since(said.at) < SILENCE => {
                said.unsaid += 1;
                None
            }
            said => {
                let unsaid = said.map_or(0, |said| said.unsaid);
                kinds.insert(kind, Said { at: now, unsaid: 0 });
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_said_once_a_minute_with_the_number_of_those_unsaid() {
        let (failures, start) = (Failures::default(), Instant::now());
        let (full, closing) = (Error::Unavailable("full".into()), Error::Store(crate::store::Error::Closing));
        for (second, route, error, said) in [
            (0, "/push", &full, Some(0)),
            (1, "/push", &full, None),
            (2, "/push", &closing, Some(0)),
            (3, "/query", &full, Some(0)),
            (59, "/push", &full, None),
            (60, "/push", &full, Some(2)),
            (119, "/push", &full, None),
            (120, "/push", &full, Some(1)),
            (180, "/push", &full, Some(0)),
            (200, "/push", &closing, Some(0)),
        ] {
            let now = start + Duration::from_secs(second);
            assert_eq!(failures.note(route, error, now), said, "{error} at {route} after {second} s");
        }
    }
}
