//! A head: the newest entries of one stream, in memory, in order of arrival.
//!
//! Entries are appended to the last run as long as nobody else holds it; a query that took a
//! snapshot holds it, so the next append starts a new run and the query's stays as it was.

use std::{collections::HashMap, ops::Range, sync::Arc, time::Instant};

use foldhash::fast::FixedState;

use super::block::BLOCK_BYTES_TARGET;
use crate::labels::{Entries, LabelSet};

/// Entries with consecutive numbers.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Number of the first entry within its stream.
    pub(super) first_entry: u64,
    pub(super) entries: Arc<Entries>,
    pub(super) min_ns: i64,
    pub(super) max_ns: i64,
}

/// The entries of a stream that are not sealed yet.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) runs: Vec<Run>,
    /// Bytes of the lines, newlines included.
    pub(super) text_bytes: usize,
    /// Roughly what the runs occupy, in bytes.
    pub(super) memory_bytes: usize,
    /// When the first of the entries came; `None` while there are none.
    pub(super) since: Option<Instant>,
    /// Number of the log segment that holds the oldest of the entries.
    pub(super) oldest_segment: u64,
    /// Where to find the entry of a hash; built when the first entry comes whose time does not tell
    /// it from all others.
    seen: Option<HashMap<u64, (u32, u32), FixedState>>,
}

impl Head {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Greatest time stamp.
    pub(super) fn newest_ns(&self) -> Option<i64> {
        self.runs.iter().map(|run| run.max_ns).max()
    }

    /// Appends the entries `range`, the first of which gets the number `first_entry`.
    pub(super) fn append(
        &mut self,
        first_entry: u64,
        entries: &Entries,
        range: Range<usize>,
        segment: u64,
        now: Instant,
    ) {
        if self.is_empty() {
            self.oldest_segment = segment;
            self.since = Some(now);
        }
        let stamps = &entries.timestamps_ns()[range.clone()];
        let (Some(min_ns), Some(max_ns)) = (stamps.iter().min().copied(), stamps.iter().max().copied()) else { return };
        let text_before = entries.start(range.start);
        self.text_bytes += entries.ends()[range.end - 1] as usize + 1 - text_before;
        let last = self.runs.last_mut().and_then(|run| {
            let continues = run.first_entry + run.entries.len() as u64 == first_entry;
            let room = run.entries.text().len() < BLOCK_BYTES_TARGET;
            let owned = Arc::get_mut(&mut run.entries).filter(|_| continues && room)?;
            Some((owned, &mut run.min_ns, &mut run.max_ns))
        });
        let at = if let Some((owned, run_min_ns, run_max_ns)) = last {
            let before = owned.memory_bytes();
            let at = owned.len();
            owned.extend_from(entries, range.clone());
            self.memory_bytes += owned.memory_bytes() - before;
            *run_min_ns = min_ns.min(*run_min_ns);
            *run_max_ns = max_ns.max(*run_max_ns);
            at
        } else {
            let mut run = Entries::new();
            run.extend_from(entries, range.clone());
            self.memory_bytes += run.memory_bytes();
            self.runs.push(Run { first_entry, entries: Arc::new(run), min_ns, max_ns });
            0
        };
        if let Some(seen) = &mut self.seen {
            let run = index(self.runs.len() - 1);
            for offset in 0..range.len() {
                seen.insert(hash(entries, range.start + offset), (run, index(at + offset)));
            }
        }
    }

    /// The entries that are not yet there, as ranges: an entry is left out if one in the head, or
    /// one before it in `entries`, has the same time stamp, line and metadata. Times that rise cannot
    /// repeat, so the common case costs one comparison per entry.
    pub(super) fn new_ranges(&mut self, entries: &Entries) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut newest_ns = self.newest_ns();
        let mut earlier: Option<HashMap<u64, usize, FixedState>> = None;
        for at in 0..entries.len() {
            let timestamp_ns = entries.timestamp_ns(at);
            let may_repeat = newest_ns.is_some_and(|newest_ns| timestamp_ns <= newest_ns);
            newest_ns = newest_ns.max(Some(timestamp_ns));
            if may_repeat || earlier.is_some() {
                let digest = hash(entries, at);
                let earlier = earlier.get_or_insert_with(|| (0..at).map(|at| (hash(entries, at), at)).collect());
                let repeated = earlier.insert(digest, at).is_some_and(|before| equal(entries, before, entries, at));
                if repeated || (may_repeat && self.contains(digest, entries, at)) {
                    continue;
                }
            }
            match ranges.last_mut() {
                Some(range) if range.end == at => range.end += 1,
                _ => ranges.push(at..at + 1),
            }
        }
        ranges
    }

    fn contains(&mut self, digest: u64, entries: &Entries, at: usize) -> bool {
        let runs = &self.runs;
        let seen = self.seen.get_or_insert_with(|| {
            let mut seen = HashMap::default();
            for (number, run) in runs.iter().enumerate() {
                for at in 0..run.entries.len() {
                    seen.insert(hash(&run.entries, at), (index(number), index(at)));
                }
            }
            seen
        });
        // Of entries whose hashes collide the last is found: an older twin may be missed and stored
        // again, but no entry is taken for another.
        seen.get(&digest).is_some_and(|(run, known)| equal(&runs[*run as usize].entries, *known as usize, entries, at))
    }

    /// Takes everything out.
    pub(super) fn take(&mut self) -> Head {
        std::mem::take(self)
    }

    /// Puts back, in front, what was taken out and could not be sealed.
    pub(super) fn put_back(&mut self, mut taken: Head) {
        taken.runs.append(&mut self.runs);
        self.runs = taken.runs;
        self.text_bytes += taken.text_bytes;
        self.memory_bytes += taken.memory_bytes;
        self.since = taken.since;
        self.oldest_segment = taken.oldest_segment;
        self.seen = None;
    }
}

fn equal(a: &Entries, at: usize, b: &Entries, other_at: usize) -> bool {
    a.timestamp_ns(at) == b.timestamp_ns(other_at)
        && a.line(at) == b.line(other_at)
        && a.metadata(at) == b.metadata(other_at)
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a head stays below 4 GiB")
}

fn hash(entries: &Entries, at: usize) -> u64 {
    use std::hash::BuildHasher;
    let metadata: &LabelSet = entries.metadata(at);
    FixedState::default().hash_one((entries.timestamp_ns(at), entries.line(at), metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &[(i64, &str)]) -> Entries {
        let mut entries = Entries::new();
        let set = entries.intern(&LabelSet::default());
        for (ts, line) in list {
            entries.push(*ts, line.as_bytes(), set);
        }
        entries
    }

    #[test]
    fn a_run_that_a_query_holds_stays_as_it_was() {
        let mut head = Head::default();
        let now = Instant::now();
        head.append(0, &entries(&[(1, "a")]), 0..1, 7, now);
        head.append(1, &entries(&[(2, "b")]), 0..1, 8, now);
        assert_eq!((head.runs.len(), head.oldest_segment), (1, 7));
        let snapshot = Arc::clone(&head.runs[0].entries);
        head.append(2, &entries(&[(0, "c")]), 0..1, 8, now);
        assert_eq!((snapshot.len(), head.runs.len(), head.runs[1].first_entry), (2, 2, 2));
        assert_eq!((head.text_bytes, head.newest_ns()), (6, Some(2)));
    }

    #[test]
    fn equal_entries_are_found_whatever_the_order() {
        let mut head = Head::default();
        let now = Instant::now();
        head.append(0, &entries(&[(5, "a"), (5, "b"), (3, "c")]), 0..3, 1, now);
        let probe = entries(&[(5, "a"), (5, "c"), (3, "c"), (6, "a"), (4, "a"), (6, "a"), (5, "c")]);
        assert_eq!(head.new_ranges(&probe), [1..2, 3..5], "in the head, or earlier in the same append");
        head.append(3, &probe, 4..5, 1, now);
        assert_eq!(head.new_ranges(&probe), [1..2, 3..4], "also what came after the index was built");
    }
}
