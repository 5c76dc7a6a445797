//! The limits that depend on what is stored already: the number of streams, and how far an entry
//! may lie behind the newest of its stream. Both are off by default, and then nothing is looked up.

use std::collections::HashMap;

use crate::labels::{Entries, LabelSet, Matcher};
use crate::store::{Store, StreamEntries};

use super::{Limits, Reason, Rejections};

/// What is stored already, as far as a limit depends on it.
pub trait Stored {
    /// How many streams there are.
    fn streams(&self) -> u64;
    /// The greatest time stamp of a stream; `None` if there is no such stream.
    fn newest_ns(&self, labels: &LabelSet) -> Option<i64>;
}

impl Stored for Store {
    fn streams(&self) -> u64 {
        self.stream_count() as u64
    }

    fn newest_ns(&self, labels: &LabelSet) -> Option<i64> {
        let matchers: Vec<_> = labels.iter().map(|(name, value)| Matcher::text(name, true, value)).collect();
        let snapshot = self.snapshot(&matchers, i64::MIN, i64::MAX);
        let stream = snapshot.streams.iter().find(|stream| *stream.labels == *labels)?;
        stream.pieces.iter().map(|piece| piece.time_span_ns().1).max()
    }
}

/// Takes out of `streams` what would pass a limit if it were appended after what is stored.
/// Streams and entries count in their order: an earlier one is as good as stored for a later one.
pub fn admit(streams: &mut Vec<StreamEntries>, limits: &Limits, stored: &impl Stored, rejections: &mut Rejections) {
    let streams_max = u64::try_from(limits.max_global_streams_per_user).unwrap_or(u64::MAX);
    if streams_max == 0 && limits.max_out_of_order_ns == 0 {
        return;
    }
    let mut newest_of: HashMap<LabelSet, i64> = HashMap::new();
    let mut stream_count = stored.streams();
    streams.retain_mut(|stream| {
        let known = newest_of.get(&stream.labels).copied().or_else(|| stored.newest_ns(&stream.labels));
        if known.is_none() {
            if streams_max > 0 && stream_count >= streams_max {
                rejections.add(Reason::TooManyStreams, &stream.labels);
                return false;
            }
            stream_count += 1;
        }
        let mut newest_ns = known.unwrap_or(i64::MIN);
        if limits.max_out_of_order_ns > 0 {
            drop_far_behind(stream, limits.max_out_of_order_ns, &mut newest_ns, rejections);
        } else if let Some((_, newest)) = stream.entries.time_span_ns() {
            newest_ns = newest_ns.max(newest);
        }
        newest_of.insert(stream.labels.clone(), newest_ns);
        !stream.entries.is_empty()
    });
}

/// Drops the entries that lie too far behind the newest before them.
fn drop_far_behind(stream: &mut StreamEntries, behind_max_ns: i64, newest_ns: &mut i64, rejections: &mut Rejections) {
    let mut refused = Vec::new();
    for (at, timestamp_ns) in stream.entries.timestamps_ns().iter().enumerate() {
        let oldest_ns = newest_ns.saturating_sub(behind_max_ns);
        if *timestamp_ns < oldest_ns {
            rejections.add(Reason::TooFarBehind { timestamp_ns: *timestamp_ns, oldest_ns }, &stream.labels);
            refused.push(at);
        }
        *newest_ns = (*newest_ns).max(*timestamp_ns);
    }
    if refused.is_empty() {
        return;
    }
    let mut kept = Entries::new();
    let mut next = 0;
    for at in refused {
        kept.extend_from(&stream.entries, next..at);
        next = at + 1;
    }
    kept.extend_from(&stream.entries, next..stream.entries.len());
    stream.entries = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    /// One stream, `{s="known"}`, whose newest entry lies at ten hours.
    struct One;

    impl Stored for One {
        fn streams(&self) -> u64 {
            1
        }

        fn newest_ns(&self, labels: &LabelSet) -> Option<i64> {
            (labels.get("s") == Some("known")).then_some(10 * HOUR_NS)
        }
    }

    fn stream(name: &str, hours: &[i64]) -> StreamEntries {
        let mut entries = Entries::new();
        let none = entries.intern(&LabelSet::default());
        for hour in hours {
            entries.push(hour * HOUR_NS, b"x", none);
        }
        StreamEntries { labels: LabelSet::new(vec![("s".into(), name.into())]), entries }
    }

    /// What is left of each stream, in hours, and how many were refused.
    fn admitted(limits: &Limits, mut streams: Vec<StreamEntries>) -> (Vec<(String, Vec<i64>)>, u64) {
        let mut rejections = Rejections::new();
        admit(&mut streams, limits, &One, &mut rejections);
        let left = streams.iter().map(|stream| {
            let hours = stream.entries.timestamps_ns().iter().map(|at| at / HOUR_NS).collect();
            (stream.labels.get("s").unwrap().to_owned(), hours)
        });
        (left.collect(), rejections.iter().map(|rejection| rejection.count).sum())
    }

    #[test]
    fn entries_too_far_behind_the_newest_before_them_go() {
        let limits = Limits { max_out_of_order_ns: HOUR_NS, ..Limits::default() };
        let pushed = || {
            vec![
                stream("known", &[9, 8, 12, 10, 11]),
                stream("new", &[1, 5, 3]),
                stream("new", &[4, 3]),
                stream("known", &[2]),
            ]
        };
        let left = [("known", vec![9, 12, 11]), ("new", vec![1, 5]), ("new", vec![4])];
        let left: Vec<_> = left.into_iter().map(|(name, hours)| (name.to_owned(), hours)).collect();
        assert_eq!(admitted(&limits, pushed()), (left, 5));
        assert_eq!(admitted(&Limits::default(), pushed()).1, 0);
    }

    #[test]
    fn streams_beyond_the_limit_go_but_known_ones_stay() {
        let limits = Limits { max_global_streams_per_user: 2, ..Limits::default() };
        let pushed = ["a", "b", "known", "a"].map(|name| stream(name, &[1])).into_iter().collect();
        let (left, refused) = admitted(&limits, pushed);
        let names: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, refused), (vec!["a", "known", "a"], 1));
    }
}
