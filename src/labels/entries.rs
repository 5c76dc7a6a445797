//! A run of entries of one stream, in one allocation per column: what a push decodes into, what a
//! head keeps, what a block is cut from and decoded to.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::LabelSet;

/// Up to this many metadata sets are found by looking at each; more get a hash table.
const SETS_SCANNED_MAX: usize = 8;

/// Entries in the order they were added: time stamp, line, structured metadata.
///
/// Lines lie behind each other in one buffer, each followed by a newline, so that a search may run
/// over the whole buffer. A line may itself hold newlines and bytes that are no UTF-8: only the
/// stored ends say where it stops. Equal metadata sets are stored once.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    timestamps_ns: Vec<i64>,
    /// Offset of the newline that follows each line.
    ends: Vec<u32>,
    set_of: Vec<u32>,
    text: Vec<u8>,
    sets: Vec<LabelSet>,
    /// Roughly what `sets` occupies, in bytes.
    sets_bytes: usize,
    /// Index of a set by its hash, once there are more than `SETS_SCANNED_MAX`.
    set_by_hash: HashMap<u64, u32, FixedState>,
}

impl Entries {
    /// What an entry occupies apart from its line and its metadata.
    pub const BYTES_PER_ENTRY: usize = size_of::<i64>() + 2 * size_of::<u32>();

    /// No entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts columns together that were decoded one by one. `None` unless every column has one
    /// element per line, `ends` rise within `text` and point at newlines, and each `set_of` names a set.
    pub fn from_columns(
        timestamps_ns: Vec<i64>,
        ends: Vec<u32>,
        text: Vec<u8>,
        sets: Vec<LabelSet>,
        set_of: Vec<u32>,
    ) -> Option<Self> {
        let lines = timestamps_ns.len();
        let sound = ends.len() == lines
            && set_of.len() == lines
            && ends.is_sorted_by(|a, b| a < b)
            && ends.last().map_or(0, |end| *end as usize + 1) == text.len()
            && ends.iter().all(|end| text[*end as usize] == b'\n')
            && set_of.iter().all(|set| (*set as usize) < sets.len());
        let sets_bytes = sets.iter().map(set_bytes).sum();
        sound.then(|| Self { timestamps_ns, ends, set_of, text, sets, sets_bytes, set_by_hash: HashMap::default() })
    }

    /// Makes room for so many further entries, whose lines have so many bytes together, newlines included.
    pub fn reserve(&mut self, entries: usize, text_bytes: usize) {
        self.text.reserve(text_bytes);
        self.timestamps_ns.reserve(entries);
        self.ends.reserve(entries);
        self.set_of.reserve(entries);
    }

    /// Adds an entry. `set` comes from [`Entries::intern`] of this very run.
    ///
    /// # Panics
    /// When the lines would pass 4 GiB; every caller bounds a run far below that.
    pub fn push(&mut self, timestamp_ns: i64, line: &[u8], set: u32) {
        debug_assert!((set as usize) < self.sets.len(), "a set of another run");
        self.text.extend_from_slice(line);
        self.end_line(timestamp_ns, set);
    }

    /// Adds an entry whose line `write` appends to the buffer: no copy where a decoder can write in place.
    /// What `write` appended is taken back if it fails.
    pub fn push_with<E>(
        &mut self,
        timestamp_ns: i64,
        set: u32,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.text.len();
        if let Err(error) = write(&mut self.text) {
            self.text.truncate(start);
            return Err(error);
        }
        self.end_line(timestamp_ns, set);
        Ok(())
    }

    /// Appends to a line that is no entry yet, for a decoder that learns an entry's time stamp or
    /// metadata after its line. Until [`Entries::close_line`] or [`Entries::drop_line`] ends the line,
    /// its bytes stand behind the entries in [`Entries::text`] and nothing else may be added.
    pub fn extend_line(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// The line that [`Entries::extend_line`] has begun; empty if none was.
    pub fn open_line(&self) -> &[u8] {
        &self.text[self.start(self.len())..]
    }

    /// Cuts the open line to at most so many bytes.
    pub fn shorten_line(&mut self, bytes: usize) {
        self.text.truncate(self.start(self.len()).saturating_add(bytes));
    }

    /// Makes the open line an entry. `set` comes from [`Entries::intern`] of this very run.
    pub fn close_line(&mut self, timestamp_ns: i64, set: u32) {
        debug_assert!((set as usize) < self.sets.len(), "a set of another run");
        self.end_line(timestamp_ns, set);
    }

    /// Forgets the open line.
    pub fn drop_line(&mut self) {
        self.shorten_line(0);
    }

    fn end_line(&mut self, timestamp_ns: i64, set: u32) {
        let end = u32::try_from(self.text.len()).expect("a run of entries stays below 4 GiB");
        self.text.push(b'\n');
        self.ends.push(end);
        self.timestamps_ns.push(timestamp_ns);
        self.set_of.push(set);
    }

    /// The index of a metadata set, which is added if it is new.
    pub fn intern(&mut self, set: &LabelSet) -> u32 {
        if self.sets.len() <= SETS_SCANNED_MAX {
            if let Some(at) = self.sets.iter().rposition(|known| known == set) {
                return index(at);
            }
        } else if let Some(at) = self.set_by_hash.get(&hash(set))
            && self.sets[*at as usize] == *set
        {
            return *at;
        }
        self.sets.push(set.clone());
        self.sets_bytes += set_bytes(set);
        let at = self.sets.len() - 1;
        if self.sets.len() > SETS_SCANNED_MAX {
            if self.set_by_hash.is_empty() {
                self.set_by_hash = self.sets.iter().enumerate().map(|(at, set)| (hash(set), index(at))).collect();
            } else {
                self.set_by_hash.insert(hash(set), index(at));
            }
        }
        index(at)
    }

    /// Appends the entries `range` of another run.
    ///
    /// # Panics
    /// When the lines would pass 4 GiB, as [`Entries::push`] does.
    pub fn extend_from(&mut self, other: &Entries, range: std::ops::Range<usize>) {
        let Some(last) = range.clone().last() else { return };
        let (from, to) = (other.start(range.start), other.ends[last] as usize + 1);
        let moved = self.text.len();
        self.reserve(range.len(), to - from);
        self.text.extend_from_slice(&other.text[from..to]);
        self.ends.extend(other.ends[range.clone()].iter().map(|end| index(*end as usize - from + moved)));
        self.timestamps_ns.extend_from_slice(&other.timestamps_ns[range.clone()]);
        let mut known: (u32, u32) = (u32::MAX, 0); // the last set of `other` and where it lies here
        for set in &other.set_of[range] {
            if *set != known.0 {
                known = (*set, self.intern(&other.sets[*set as usize]));
            }
            self.set_of.push(known.1);
        }
    }

    /// How many entries the run holds.
    pub fn len(&self) -> usize {
        self.timestamps_ns.len()
    }

    /// Whether the run holds no entry.
    pub fn is_empty(&self) -> bool {
        self.timestamps_ns.is_empty()
    }

    /// The line of an entry, without its newline.
    pub fn line(&self, at: usize) -> &[u8] {
        &self.text[self.start(at)..self.ends[at] as usize]
    }

    /// Where the line of an entry starts in [`Entries::text`].
    pub fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.ends[at - 1] as usize + 1 }
    }

    /// Where the newline after each line lies in [`Entries::text`].
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The time stamp of an entry in nanoseconds since 1970.
    pub fn timestamp_ns(&self, at: usize) -> i64 {
        self.timestamps_ns[at]
    }

    /// All time stamps in nanoseconds since 1970.
    pub fn timestamps_ns(&self) -> &[i64] {
        &self.timestamps_ns
    }

    /// The structured metadata of an entry.
    pub fn metadata(&self, at: usize) -> &LabelSet {
        &self.sets[self.set_of[at] as usize]
    }

    /// The index in [`Entries::sets`] of each entry's structured metadata.
    pub fn set_of(&self) -> &[u32] {
        &self.set_of
    }

    /// The distinct metadata sets.
    pub fn sets(&self) -> &[LabelSet] {
        &self.sets
    }

    /// All lines, each followed by a newline.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Smallest and greatest time stamp; `None` without entries.
    pub fn time_span_ns(&self) -> Option<(i64, i64)> {
        Some((*self.timestamps_ns.iter().min()?, *self.timestamps_ns.iter().max()?))
    }

    /// Roughly what the run occupies in memory, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.text.capacity()
            + self.timestamps_ns.capacity() * size_of::<i64>()
            + (self.ends.capacity() + self.set_of.capacity()) * size_of::<u32>()
            + self.sets_bytes
            + self.set_by_hash.capacity() * 17
    }

    /// Gives back what the buffers hold beyond their contents.
    pub fn shrink_to_fit(&mut self) {
        self.text.shrink_to_fit();
        self.timestamps_ns.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.set_of.shrink_to_fit();
    }

    /// A copy of the entries in order of time; equal times keep their order. `None` if they are in order already.
    pub fn sorted_by_time(&self) -> Option<Self> {
        if self.timestamps_ns.is_sorted() {
            return None;
        }
        let mut order: Vec<u32> = (0..index(self.len())).collect();
        order.sort_by_key(|at| self.timestamps_ns[*at as usize]);
        let mut sorted = Self { sets: self.sets.clone(), sets_bytes: self.sets_bytes, ..Self::default() };
        sorted.text.reserve_exact(self.text.len());
        for at in order {
            sorted.push(self.timestamps_ns[at as usize], self.line(at as usize), self.set_of[at as usize]);
        }
        Some(sorted)
    }
}

/// Roughly what a set occupies: its own header, and per pair two strings with their headers.
fn set_bytes(set: &LabelSet) -> usize {
    24 + set.text_bytes() + set.len() * 64
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a run of entries stays below 4 GiB")
}

fn hash(set: &LabelSet) -> u64 {
    use std::hash::BuildHasher;
    FixedState::default().hash_one(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(value: &str) -> LabelSet {
        LabelSet::new(vec![("k".into(), value.into())])
    }

    #[test]
    fn lines_may_hold_newlines_and_be_empty() {
        let mut run = Entries::new();
        let none = run.intern(&LabelSet::default());
        for (ts, line) in [(3, "a\nb"), (1, ""), (2, "c")] {
            run.push(ts, line.as_bytes(), none);
        }
        assert_eq!((run.line(0), run.line(1), run.line(2)), (&b"a\nb"[..], &b""[..], &b"c"[..]));
        let sorted = run.sorted_by_time().unwrap();
        assert_eq!((sorted.line(0), sorted.line(1), sorted.line(2)), (&b""[..], &b"c"[..], &b"a\nb"[..]));
        assert_eq!(sorted.time_span_ns(), Some((1, 3)));
    }

    #[test]
    fn equal_metadata_is_stored_once_however_many_there_are() {
        let mut run = Entries::new();
        for round in 0..3 {
            for n in 0..100 {
                let set = run.intern(&metadata(&n.to_string()));
                assert_eq!(set, n, "round {round}");
                run.push(i64::from(n), b"x", set);
            }
        }
        assert_eq!((run.sets().len(), run.len()), (100, 300));
        assert_eq!(run.metadata(142).get("k"), Some("42"));
    }

    #[test]
    fn a_line_may_be_written_before_its_entry_is_known() {
        let mut run = Entries::new();
        let none = run.intern(&LabelSet::default());
        run.push(1, b"first", none);
        assert_eq!(run.open_line(), b"");
        run.extend_line(b"refused");
        assert_eq!((run.open_line(), run.len()), (&b"refused"[..], 1));
        run.drop_line();
        run.extend_line(b"ab");
        run.extend_line(b"cd");
        run.shorten_line(5);
        run.shorten_line(3);
        run.close_line(2, none);
        run.push(3, b"last", none);
        assert_eq!(run.text(), b"first\nabc\nlast\n");
        assert_eq!((run.line(1), run.timestamp_ns(1)), (&b"abc"[..], 2));
    }

    #[test]
    fn columns_that_do_not_fit_together_are_refused() {
        let sets = || vec![LabelSet::default()];
        assert!(Entries::from_columns(vec![1], vec![1], b"a\n".to_vec(), sets(), vec![0]).is_some());
        assert!(Entries::from_columns(vec![1], vec![1], b"ab".to_vec(), sets(), vec![0]).is_none());
        assert!(Entries::from_columns(vec![1], vec![1], b"a\n".to_vec(), sets(), vec![1]).is_none());
        assert!(Entries::from_columns(vec![1, 2], vec![1], b"a\n".to_vec(), sets(), vec![0]).is_none());
        assert!(Entries::from_columns(vec![1], vec![0], b"a\n".to_vec(), sets(), vec![0]).is_none());
    }
}
