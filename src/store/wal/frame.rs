//! A frame: one commit in a segment of the write-ahead log. Length, CRC-32, sequence number, and
//! the last sequence number that was durable when the frame was written, then records.
//!
//! Segments are recycled, so behind the newest frame lie older ones: their lower sequence numbers
//! tell them apart. The durable number tells a commit that a power cut tore (nothing after it
//! counts) from one that was safe and got damaged later (what follows it still counts).

/// Length of a frame's header.
pub(super) const FRAME_HEADER_BYTES: usize = 24;

/// Appends a frame around the payload.
pub(super) fn put(out: &mut Vec<u8>, sequence: u64, durable: u64, payload: &[u8]) {
    let start = out.len();
    let len = u32::try_from(payload.len()).expect("a commit stays below 4 GiB");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&durable.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = crc32fast::hash(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// A frame whose checksum fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) durable: u64,
    pub(super) payload: &'a [u8],
}

/// What lies at a place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Whole(Frame<'a>),
    /// Something that announces this sequence number, but is not whole.
    Torn {
        sequence: u64,
    },
    /// No room for a frame.
    End,
}

/// Looks at the frame that starts at `at`.
pub(super) fn look(segment: &[u8], at: usize) -> Found<'_> {
    let Some((header, rest)) = segment.get(at..).and_then(|bytes| bytes.split_at_checked(FRAME_HEADER_BYTES)) else {
        return Found::End;
    };
    let half = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap_or_default());
    let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or_default());
    let (len, crc, sequence, durable) = (half(0), half(4), word(8), word(16));
    let Some(payload) = rest.get(..len as usize) else {
        return Found::Torn { sequence };
    };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..]);
    hasher.update(payload);
    if sequence != 0 && hasher.finalize() == crc {
        Found::Whole(Frame { sequence, durable, payload })
    } else {
        Found::Torn { sequence }
    }
}

/// The first frame at or behind `from` that proves that `missing` had been durable: it is newer and
/// says so itself.
pub(super) fn search(segment: &[u8], from: usize, missing: u64) -> Option<(usize, Frame<'_>)> {
    // A sequence number far beyond what a log can have lost is noise; checking it first keeps the
    // search from computing a checksum at every byte.
    const LOST_MAX: u64 = 1 << 32;
    let last = segment.len().checked_sub(FRAME_HEADER_BYTES)?;
    (from..=last).find_map(|at| {
        let word = |at: usize| u64::from_le_bytes(segment[at..at + 8].try_into().unwrap_or_default());
        let (sequence, durable) = (word(at + 8), word(at + 16));
        if sequence <= missing || sequence - missing > LOST_MAX || durable < missing || durable >= sequence {
            return None;
        }
        match look(segment, at) {
            Found::Whole(frame) => Some((at, frame)),
            Found::Torn { .. } | Found::End => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_whole_or_torn_at_every_cut_and_flip() {
        let mut bytes = Vec::new();
        put(&mut bytes, 5, 3, b"records");
        assert_eq!(look(&bytes, 0), Found::Whole(Frame { sequence: 5, durable: 3, payload: b"records" }));
        for at in 0..bytes.len() {
            assert!(!matches!(look(&bytes[..at], 0), Found::Whole(_)), "cut at {at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(!matches!(look(&flipped, 0), Found::Whole(_)), "flipped at {at}");
        }
        assert!(!matches!(look(&[0; 64], 0), Found::Whole(_)), "zeros are no frame");
    }

    #[test]
    fn only_a_frame_that_proves_the_missing_one_durable_is_taken() {
        let mut bytes = vec![0xee; 100]; // a damaged frame 5
        put(&mut bytes, 6, 4, b"written before 5 was durable");
        assert_eq!(search(&bytes, 0, 5), None);
        let at = bytes.len();
        put(&mut bytes, 7, 5, b"written after");
        let found = search(&bytes, 0, 5).unwrap();
        assert_eq!((found.0, found.1.sequence), (at, 7));
    }
}
