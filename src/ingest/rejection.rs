//! What a limit refused, and why, in Loki's words: shippers and dashboards know these sentences.

use std::{fmt, mem};

use jiff::Timestamp;

use crate::labels::LabelSet;

/// Bytes of labels, of a name or of a value that a sentence repeats.
const CLIENT_TEXT_BYTES_MAX: usize = 8 * 1024;

/// Why a stream or an entry is refused, with the numbers of the first one refused for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The labels of a stream cannot be read: "Error parsing labels '{a' with error: ..."
    InvalidLabels {
        /// What is wrong with them, and where.
        error: String,
    },
    /// "entry for stream '{..}' has 16 label names; limit 15"
    TooManyLabels {
        /// Labels of the stream, `service_name` not counted.
        count: usize,
        /// The limit that was passed.
        limit: usize,
    },
    /// "stream '{..}' has label name too long: 'xxx'"
    LabelNameTooLong {
        /// The label's name.
        name: String,
    },
    /// "stream '{..}' has label value too long: 'xxx'"
    LabelValueTooLong {
        /// The label's value.
        value: String,
    },
    /// "Maximum active stream limit exceeded when trying to create stream {..}, ..."
    TooManyStreams,
    /// "entry for stream '{..}' has timestamp too old: 2026-01-05T08:00:00Z, oldest acceptable timestamp is: ..."
    TooOld {
        /// The entry's time stamp.
        timestamp_ns: i64,
        /// The oldest that would have been accepted.
        oldest_ns: i64,
    },
    /// "entry for stream '{..}' has timestamp too new: 2026-01-05T08:00:00Z"
    TooNew {
        /// The entry's time stamp.
        timestamp_ns: i64,
    },
    /// "entry with timestamp 2026-01-05 08:00:00 +0000 UTC ignored, reason: 'entry too far behind, ..."
    TooFarBehind {
        /// The entry's time stamp.
        timestamp_ns: i64,
        /// The oldest that would have been accepted.
        oldest_ns: i64,
    },
    /// "Max entry size '262144' bytes exceeded for stream '{..}' while adding an entry with length '300000' bytes"
    LineTooLong {
        /// Bytes of the line.
        bytes: usize,
        /// The limit that was passed.
        limit: usize,
    },
    /// "stream '{..}' has structured metadata too large: '70000' bytes, limit: '65536' bytes. ..."
    MetadataTooLarge {
        /// Bytes of the entry's metadata.
        bytes: usize,
        /// The limit that was passed.
        limit: usize,
    },
    /// "stream '{..}' has too many structured metadata labels: '129', limit: '128'. ..."
    TooManyMetadata {
        /// Pairs of the entry's metadata.
        count: usize,
        /// The limit that was passed.
        limit: usize,
    },
}

/// Streams or entries that were refused for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why; the numbers in it are those of the first.
    pub reason: Reason,
    /// The labels of the first's stream, as text.
    pub stream: String,
    /// How many streams (for a reason that concerns labels) or entries were refused.
    pub count: u64,
}

impl Rejection {
    /// One stream or entry that is refused.
    pub fn new(reason: Reason, stream: &LabelSet) -> Self {
        Self::of_text(reason, &stream.to_string())
    }

    /// One stream that is refused although its labels are no more than a text.
    pub fn of_text(reason: Reason, stream: &str) -> Self {
        Self { reason, stream: shortened(stream), count: 1 }
    }
}

/// A text that a client chose, short enough for the sentence that is sent back.
pub(super) fn shortened(text: &str) -> String {
    if text.len() <= CLIENT_TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=CLIENT_TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// Loki's sentence for the first that was refused.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = &self.stream;
        match &self.reason {
            Reason::InvalidLabels { error } => {
                write!(f, "Error parsing labels '{stream}' with error: {error}")
            }
            Reason::TooManyLabels { count, limit } => {
                write!(f, "entry for stream '{stream}' has {count} label names; limit {limit}")
            }
            Reason::LabelNameTooLong { name } => {
                write!(f, "stream '{stream}' has label name too long: '{name}'")
            }
            Reason::LabelValueTooLong { value } => {
                write!(f, "stream '{stream}' has label value too long: '{value}'")
            }
            Reason::TooManyStreams => write!(
                f,
                "Maximum active stream limit exceeded when trying to create stream {stream}, \
                 reduce the number of active streams (reduce labels or reduce label values), \
                 or raise `max_global_streams_per_user`"
            ),
            Reason::TooOld { timestamp_ns, oldest_ns } => write!(
                f,
                "entry for stream '{stream}' has timestamp too old: {}, oldest acceptable timestamp is: {}",
                seconds(*timestamp_ns),
                seconds(*oldest_ns)
            ),
            Reason::TooNew { timestamp_ns } => {
                write!(f, "entry for stream '{stream}' has timestamp too new: {}", seconds(*timestamp_ns))
            }
            Reason::TooFarBehind { timestamp_ns, oldest_ns } => {
                let time = Timestamp::from_nanosecond((*timestamp_ns).into()).unwrap_or(Timestamp::UNIX_EPOCH);
                write!(
                    f,
                    "entry with timestamp {} ignored, reason: 'entry too far behind, entry timestamp is: {}, \
                     oldest acceptable timestamp is: {}' for stream: {stream}",
                    time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC"),
                    seconds(*timestamp_ns),
                    seconds(*oldest_ns)
                )
            }
            Reason::LineTooLong { bytes, limit } => write!(
                f,
                "Max entry size '{limit}' bytes exceeded for stream '{stream}' while adding an entry with length '{bytes}' bytes"
            ),
            Reason::MetadataTooLarge { bytes, limit } => write!(
                f,
                "stream '{stream}' has structured metadata too large: '{bytes}' bytes, limit: '{limit}' bytes. \
                 Please see `max_structured_metadata_size`"
            ),
            Reason::TooManyMetadata { count, limit } => write!(
                f,
                "stream '{stream}' has too many structured metadata labels: '{count}', limit: '{limit}'. \
                 Please see `max_structured_metadata_entries_count`"
            ),
        }
    }
}

/// RFC 3339 in whole seconds, as Loki writes times into these sentences.
fn seconds(timestamp_ns: i64) -> Timestamp {
    Timestamp::from_second(timestamp_ns.div_euclid(1_000_000_000)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// All that was refused, one [`Rejection`] per kind of reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejections(Vec<Rejection>);

impl Rejections {
    /// Nothing refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing was refused.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rejections, in the order in which their kinds first occurred.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rejection> {
        self.0.iter()
    }

    /// Counts one entry or stream that is refused. The text of its labels is made only for the first of a kind.
    pub fn add(&mut self, reason: Reason, stream: &LabelSet) {
        match self.of_kind(&reason) {
            Some(known) => known.count += 1,
            None => self.0.push(Rejection::new(reason, stream)),
        }
    }

    /// Counts what was refused elsewhere.
    pub fn merge(&mut self, other: impl IntoIterator<Item = Rejection>) {
        for rejection in other {
            match self.of_kind(&rejection.reason) {
                Some(known) => known.count += rejection.count,
                None => self.0.push(rejection),
            }
        }
    }

    fn of_kind(&mut self, reason: &Reason) -> Option<&mut Rejection> {
        let kind = mem::discriminant(reason);
        self.0.iter_mut().find(|known| mem::discriminant(&known.reason) == kind)
    }
}

impl IntoIterator for Rejections {
    type Item = Rejection;
    type IntoIter = std::vec::IntoIter<Rejection>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One sentence per kind. A single refusal is its sentence alone; otherwise each kind's count comes first.
impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [single] = self.0.as_slice()
            && single.count == 1
        {
            return single.fmt(f);
        }
        for (at, rejection) in self.0.iter().enumerate() {
            let separator = if at > 0 { "; " } else { "" };
            write!(f, "{separator}{} errors like: {rejection}", rejection.count)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: i64 = 1_767_607_200_000_000_000; // 2026-01-05T10:00:00Z

    fn stream() -> LabelSet {
        LabelSet::new(vec![("a".into(), "b".into())])
    }

    #[test]
    fn every_reason_has_the_sentence_that_clients_know() {
        for (reason, sentence) in [
            (
                Reason::InvalidLabels { error: "1:2: no".into() },
                r#"Error parsing labels '{a="b"}' with error: 1:2: no"#,
            ),
            (
                Reason::TooManyLabels { count: 16, limit: 15 },
                r#"entry for stream '{a="b"}' has 16 label names; limit 15"#,
            ),
            (Reason::LabelNameTooLong { name: "n".into() }, r#"stream '{a="b"}' has label name too long: 'n'"#),
            (Reason::LabelValueTooLong { value: "v".into() }, r#"stream '{a="b"}' has label value too long: 'v'"#),
            (
                Reason::TooManyStreams,
                r#"Maximum active stream limit exceeded when trying to create stream {a="b"}, reduce the number of active streams (reduce labels or reduce label values), or raise `max_global_streams_per_user`"#,
            ),
            (
                Reason::TooOld { timestamp_ns: TEN - 7_200_000_000_000, oldest_ns: TEN + 5 },
                r#"entry for stream '{a="b"}' has timestamp too old: 2026-01-05T08:00:00Z, oldest acceptable timestamp is: 2026-01-05T10:00:00Z"#,
            ),
            (
                Reason::TooNew { timestamp_ns: TEN + 999_999_999 },
                r#"entry for stream '{a="b"}' has timestamp too new: 2026-01-05T10:00:00Z"#,
            ),
            (
                Reason::TooFarBehind { timestamp_ns: TEN - 7_200_000_000_000, oldest_ns: TEN - 3_600_000_000_000 },
                r#"entry with timestamp 2026-01-05 08:00:00 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-01-05T08:00:00Z, oldest acceptable timestamp is: 2026-01-05T09:00:00Z' for stream: {a="b"}"#,
            ),
            (
                Reason::LineTooLong { bytes: 9, limit: 8 },
                r#"Max entry size '8' bytes exceeded for stream '{a="b"}' while adding an entry with length '9' bytes"#,
            ),
            (
                Reason::MetadataTooLarge { bytes: 9, limit: 8 },
                r#"stream '{a="b"}' has structured metadata too large: '9' bytes, limit: '8' bytes. Please see `max_structured_metadata_size`"#,
            ),
            (
                Reason::TooManyMetadata { count: 9, limit: 8 },
                r#"stream '{a="b"}' has too many structured metadata labels: '9', limit: '8'. Please see `max_structured_metadata_entries_count`"#,
            ),
        ] {
            assert_eq!(Rejection::new(reason, &stream()).to_string(), sentence);
        }
    }

    #[test]
    fn a_sentence_does_not_repeat_endless_texts() {
        let value = "é".repeat(CLIENT_TEXT_BYTES_MAX);
        let stream = LabelSet::new(vec![("a".into(), value)]);
        let text = Rejection::new(Reason::TooManyStreams, &stream).stream;
        assert!(text.starts_with("{a=\"éé") && text.ends_with("éé..."), "{text}");
        assert!(text.len() <= CLIENT_TEXT_BYTES_MAX + 3);
    }

    #[test]
    fn equal_kinds_are_counted_and_keep_the_first_sentence() {
        let mut all = Rejections::new();
        all.add(Reason::TooNew { timestamp_ns: TEN }, &stream());
        let single = all.to_string();
        assert_eq!(single, r#"entry for stream '{a="b"}' has timestamp too new: 2026-01-05T10:00:00Z"#);
        let mut more = Rejections::new();
        more.add(Reason::LineTooLong { bytes: 9, limit: 8 }, &stream());
        more.add(Reason::TooNew { timestamp_ns: TEN + 5_000_000_000 }, &stream());
        more.add(Reason::LineTooLong { bytes: 10, limit: 8 }, &stream());
        all.merge(more);
        assert_eq!(
            all.to_string(),
            format!(
                "2 errors like: {single}; 2 errors like: Max entry size '8' bytes exceeded for stream \
                 '{{a=\"b\"}}' while adding an entry with length '9' bytes"
            )
        );
    }
}
