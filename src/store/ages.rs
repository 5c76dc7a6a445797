//! Which heads hold entries, oldest first: so that what is due next, and which log segments are
//! still needed, is known without looking at every stream.

use std::{collections::BTreeSet, time::Instant};

use super::head::Head;

/// Every head that holds entries, those that are being sealed included.
///
/// The order is that of the log segments that hold their oldest entries and, within a segment, of
/// time. Segments only ever follow each other, so the first of the order is first in both.
#[derive(Debug, Default)]
pub(super) struct Ages(BTreeSet<(u64, Instant, u32)>);

impl Ages {
    /// Enters the head of stream `number`, which has just got its first entries.
    pub(super) fn enter(&mut self, head: &Head, number: u32) {
        self.0.extend(key(head, number));
    }

    /// Leaves out a head that is about to be emptied.
    pub(super) fn leave(&mut self, head: &Head, number: u32) {
        if let Some(key) = key(head, number) {
            self.0.remove(&key);
        }
    }

    /// The oldest segment that a head needs.
    pub(super) fn oldest_segment(&self) -> Option<u64> {
        self.0.first().map(|(segment, ..)| *segment)
    }

    /// When the oldest entry came.
    pub(super) fn since(&self) -> Option<Instant> {
        self.0.first().map(|(_, since, _)| *since)
    }

    /// The streams, oldest first, as long as segment and time of the oldest entry fulfil `wanted`.
    pub(super) fn streams_while(&self, wanted: impl Fn(u64, Instant) -> bool) -> Vec<u32> {
        self.0.iter().take_while(|(segment, since, _)| wanted(*segment, *since)).map(|(.., number)| *number).collect()
    }
}

fn key(head: &Head, number: u32) -> Option<(u64, Instant, u32)> {
    head.since.map(|since| (head.oldest_segment, since, number))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_comes_first_and_those_that_left_do_not_count() {
        let start = Instant::now();
        let head = |segment, seconds| {
            let mut head = Head::default();
            (head.oldest_segment, head.since) = (segment, Some(start + Duration::from_secs(seconds)));
            head
        };
        let mut ages = Ages::default();
        let heads = [(7, head(3, 20)), (4, head(2, 10)), (9, head(3, 15)), (1, Head::default())];
        for (number, head) in &heads {
            ages.enter(head, *number);
        }
        assert_eq!((ages.oldest_segment(), ages.since()), (Some(2), Some(start + Duration::from_secs(10))));
        assert_eq!(ages.streams_while(|_, _| true), [4, 9, 7]);
        assert_eq!(ages.streams_while(|segment, _| segment < 3), [4]);
        assert_eq!(ages.streams_while(|_, since| since <= start + Duration::from_secs(15)), [4, 9]);
        ages.leave(&heads[1].1, 4);
        ages.leave(&heads[3].1, 1);
        assert_eq!((ages.oldest_segment(), ages.streams_while(|_, _| true)), (Some(3), vec![9, 7]));
    }
}
