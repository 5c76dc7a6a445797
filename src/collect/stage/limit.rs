//! `limit`: at most so many lines a second, so that one noisy program does not fill the card.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Entry, Flow};

/// Lets through at most `rate` lines a second on average, and `burst` at once: of the whole job, or of each value
/// of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Lines per second.
    pub rate: f64,
    /// Lines at once.
    pub burst: f64,
    /// Drop what is more; else reading waits, and the file keeps it.
    pub drop: bool,
    /// Limits each value of this label apart; lines without it pass.
    pub by_label: Option<String>,
    /// Values that are told apart; beyond them all are forgotten.
    pub values_max: usize,
    /// Shared by all files of the job.
    pub bucket: Bucket,
}

/// How many lines may pass now, by value of the label.
#[derive(Clone, Debug, Default)]
pub struct Bucket(Arc<Mutex<HashMap<String, (f64, Duration)>>>);

impl PartialEq for Bucket {
    /// What is in it is no part of the configuration.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Limit,
    reason: Arc<str>,
    pause: Option<Duration>,
}

impl Step {
    pub(super) fn new(stage: &Limit) -> Self {
        Self { stage: stage.clone(), reason: Arc::from("ratelimit_drop_stage"), pause: None }
    }

    /// Takes one line out of a bucket that is filled with time. What is left may be negative if reading waits for it.
    fn take(&self, value: &str, now: Duration) -> f64 {
        let mut buckets = self.stage.bucket.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.stage.values_max && !buckets.contains_key(value) {
            buckets.clear();
        }
        let (left, at) = match buckets.get_mut(value) {
            Some(bucket) => bucket,
            None => buckets.entry(value.to_owned()).or_insert((self.stage.burst, now)),
        };
        *left = (*left + now.saturating_sub(*at).as_secs_f64() * self.stage.rate).min(self.stage.burst);
        *at = now;
        if !self.stage.drop || *left >= 1.0 {
            *left -= 1.0;
            *left
        } else {
            -1.0
        }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let value = match &self.stage.by_label {
            None => "",
            Some(label) => match entry.labels.get(label) {
                Some(value) => value,
                None => return Flow::Next,
            },
        };
        let now = entry.now.elapsed;
        let left = self.take(value, now);
        if left >= 0.0 {
            return Flow::Next;
        }
        if self.stage.drop {
            return Flow::Drop(Arc::clone(&self.reason));
        }
        self.pause = Some(now + Duration::from_secs_f64((-left / self.stage.rate).min(3600.0)));
        Flow::Next
    }

    fn pause(&self) -> Option<Duration> {
        self.pause
    }
}
