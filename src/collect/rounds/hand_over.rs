//! Handing what was read to the store, and trying again while the store refuses. Until then nothing
//! more is read: the files keep what is to come.

use std::time::Duration;

use super::Rounds;
use crate::collect::{
    batch::{Batch, source},
    env::Now,
    sink::Sink,
};
use crate::ingest::{Limits, Rejections};

/// First and longest wait after the store refused an append.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_mins(1);

impl<S: Sink> Rounds<S> {
    pub(super) fn begin<'l>(&mut self, limits: &'l Limits, now: Now) -> Batch<'l> {
        let mut batch = Batch::new(limits, now.wall_ns);
        batch.outgoing = std::mem::take(&mut self.outgoing);
        batch
    }

    /// Gives a batch to the store. Returns whether reading may go on.
    pub(super) fn hand_over(&mut self, batch: Batch<'_>, now: Now) -> bool {
        for (key, reason) in &batch.refused {
            if let Some(follower) = self.followers.get_mut(&source(*key))
                && follower.refused.as_ref() != Some(reason)
            {
                log::warn!("nothing is stored of {}: {reason}", follower.shown());
                follower.refused = Some(reason.clone());
            }
        }
        let mut rejections = Rejections::new();
        self.pending = batch.finish(&self.sink, &mut rejections);
        for rejection in rejections.iter() {
            self.shared.stats.dropped_limit += rejection.count;
            let kind = format!("{:?}", std::mem::discriminant(&rejection.reason));
            if self.said.insert(kind) {
                log::warn!("a followed line is not stored: {rejection}");
            }
        }
        self.hand_over_pending(now)
    }

    /// Gives what is pending to the store, if it is time. Returns whether nothing is pending any more.
    pub(super) fn hand_over_pending(&mut self, now: Now) -> bool {
        let Some(mut ready) = self.pending.take() else {
            return true;
        };
        if self.retry_wait.is_some() && now.elapsed < self.retry_at {
            self.pending = Some(ready);
            return false;
        }
        let result = if ready.appended { Ok(()) } else { self.sink.append(&ready.append) };
        ready.appended |= result.is_ok();
        let result = result.and_then(|()| if ready.commit { self.sink.commit() } else { Ok(()) });
        match result {
            Ok(()) => {
                if self.retry_wait.take().is_some() {
                    log::info!("the store takes followed lines again");
                }
                true
            }
            Err(error) => {
                self.shared.stats.append_failures += 1;
                if self.retry_wait.is_none() {
                    log::error!("the store does not take followed lines: {error}; reading stops until it does");
                }
                let wait = self.retry_wait.map_or(BACK_OFF_MIN, |wait| (wait * 2).min(BACK_OFF_MAX));
                (self.retry_wait, self.retry_at) = (Some(wait), now.elapsed + wait);
                self.pending = Some(ready);
                false
            }
        }
    }
}
