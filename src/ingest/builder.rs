//! The entries of one stream on their way to the store. An entry without metadata of its own
//! allocates nothing: its line goes to the end of one buffer, its level is one of a few known sets.

use crate::labels::{Entries, LabelSet};
use crate::store::StreamEntries;

use super::{
    Level, Limits, Reason, Rejection, Rejections,
    level::{self, DETECTED_LEVEL},
    limits::exceeds,
    metadata,
    rejection::shortened,
    service_name,
};

/// Collects the entries of one stream: checks each, adds `detected_level`, and keeps what is refused apart.
#[derive(Debug)]
pub struct StreamBuilder<'l> {
    labels: LabelSet,
    limits: &'l Limits,
    oldest_ns: i64,
    newest_ns: i64,
    /// The level that the stream's labels state, for all of its entries.
    stream_level: Option<String>,
    entries: Entries,
    /// Index in `entries` of the set that holds nothing but this level, by [`Level`].
    set_of_level: [Option<u32>; Level::COUNT],
    /// Index in `entries` of the set for entries whose level is no matter of their line.
    set_of_stream: Option<u32>,
    rejections: Rejections,
}

impl<'l> StreamBuilder<'l> {
    /// Starts a stream. Adds `service_name` and refuses labels beyond the limits; the caller has
    /// made sure that the names are names. `now_ns` is what "too old" and "too new" are measured from.
    pub fn new(mut labels: LabelSet, limits: &'l Limits, now_ns: i64) -> Result<Self, Rejection> {
        service_name::add(&mut labels, &limits.discover_service_name);
        if let Some(reason) = reason_against(&labels, limits) {
            return Err(Rejection::new(reason, &labels));
        }
        let oldest_ns = if limits.reject_old_samples && limits.reject_old_samples_max_age_ns > 0 {
            now_ns.saturating_sub(limits.reject_old_samples_max_age_ns)
        } else {
            i64::MIN
        };
        let newest_ns = match limits.creation_grace_period_ns {
            0 => i64::MAX,
            grace => now_ns.saturating_add(grace),
        };
        let stream_level = if limits.discover_log_levels { level::of_labels(&labels).map(str::to_owned) } else { None };
        Ok(Self {
            labels,
            limits,
            oldest_ns,
            newest_ns,
            stream_level,
            entries: Entries::new(),
            set_of_level: [None; Level::COUNT],
            set_of_stream: None,
            rejections: Rejections::new(),
        })
    }

    /// Makes room for as many entries as another stream has so far, unless they take more than so many bytes.
    /// Returns how many bytes that took.
    pub fn reserve_like(&mut self, other: &Self, bytes_max: usize) -> usize {
        let bytes = other.entries.text().len() + other.entries.len() * Entries::BYTES_PER_ENTRY;
        if bytes > bytes_max {
            return 0;
        }
        self.entries.reserve(other.entries.len(), other.entries.text().len());
        bytes
    }

    /// Adds an entry, or counts it as refused. Metadata are as the client sent them.
    pub fn add(&mut self, timestamp_ns: i64, line: &[u8], metadata: Vec<(String, String)>) {
        self.extend_line(line);
        self.end_entry(timestamp_ns, metadata);
    }

    /// Appends to the line of the next entry, for a decoder that learns what else belongs to an
    /// entry after its line.
    pub fn extend_line(&mut self, bytes: &[u8]) {
        self.entries.extend_line(bytes);
    }

    /// Ends the entry whose line was written: adds it, or counts it as refused.
    pub fn end_entry(&mut self, timestamp_ns: i64, metadata: Vec<(String, String)>) {
        let line_bytes = self.entries.open_line().len();
        if let Some(reason) = self.reason_against_entry(timestamp_ns, line_bytes, &metadata) {
            self.rejections.add(reason, &self.labels);
            self.entries.drop_line();
            return;
        }
        if exceeds(line_bytes, self.limits.max_line_size) {
            let kept = whole_chars(self.entries.open_line(), self.limits.max_line_size);
            self.entries.shorten_line(kept);
        }
        let set = if metadata.is_empty() { self.set_of_line() } else { self.set_of_metadata(metadata) };
        self.entries.close_line(timestamp_ns, set);
    }

    /// The stream with the entries that were accepted, perhaps none, and what was refused.
    pub fn finish(self) -> (StreamEntries, Rejections) {
        (StreamEntries { labels: self.labels, entries: self.entries }, self.rejections)
    }

    fn reason_against_entry(
        &self,
        timestamp_ns: i64,
        line_bytes: usize,
        metadata: &[(String, String)],
    ) -> Option<Reason> {
        if timestamp_ns < self.oldest_ns {
            return Some(Reason::TooOld { timestamp_ns, oldest_ns: self.oldest_ns });
        }
        if timestamp_ns > self.newest_ns {
            return Some(Reason::TooNew { timestamp_ns });
        }
        if exceeds(line_bytes, self.limits.max_line_size) && !self.limits.max_line_size_truncate {
            return Some(Reason::LineTooLong { bytes: line_bytes, limit: self.limits.max_line_size });
        }
        if metadata.is_empty() {
            return None;
        }
        let bytes = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if exceeds(bytes, self.limits.max_structured_metadata_size) {
            return Some(Reason::MetadataTooLarge { bytes, limit: self.limits.max_structured_metadata_size });
        }
        let limit = self.limits.max_structured_metadata_entries_count;
        exceeds(metadata.len(), limit).then_some(Reason::TooManyMetadata { count: metadata.len(), limit })
    }

    /// The metadata set of an entry that brings none of its own.
    fn set_of_line(&mut self) -> u32 {
        if self.stream_level.is_some() || !self.limits.discover_log_levels {
            if let Some(set) = self.set_of_stream {
                return set;
            }
            let mut only = LabelSet::default();
            only.set(DETECTED_LEVEL, self.stream_level.as_deref().unwrap_or(""));
            return *self.set_of_stream.insert(self.entries.intern(&only));
        }
        let level = Level::of_line(self.entries.open_line());
        if let Some(set) = self.set_of_level[level as usize] {
            return set;
        }
        let mut only = LabelSet::default();
        only.set(DETECTED_LEVEL, level.name());
        *self.set_of_level[level as usize].insert(self.entries.intern(&only))
    }

    /// The metadata set of an entry with metadata of its own.
    fn set_of_metadata(&mut self, metadata: Vec<(String, String)>) -> u32 {
        let mut set = metadata::normalized(metadata);
        if self.limits.discover_log_levels {
            let found = level::stated(&set)
                .or(self.stream_level.as_deref())
                .or_else(|| level::of_labels(&set))
                .or_else(|| level::of_severity_number(&set))
                .unwrap_or_else(|| Level::of_line(self.entries.open_line()).name())
                .to_owned();
            set.set(DETECTED_LEVEL, &found);
        }
        self.entries.intern(&set)
    }
}

/// The first limit that a stream's labels pass.
fn reason_against(labels: &LabelSet, limits: &Limits) -> Option<Reason> {
    let count = labels.len() - usize::from(labels.get(service_name::SERVICE_NAME).is_some());
    if exceeds(count, limits.max_label_names_per_series) {
        return Some(Reason::TooManyLabels { count, limit: limits.max_label_names_per_series });
    }
    labels.iter().find_map(|(name, value)| {
        if exceeds(name.len(), limits.max_label_name_length) {
            Some(Reason::LabelNameTooLong { name: shortened(name) })
        } else if exceeds(value.len(), limits.max_label_value_length) {
            Some(Reason::LabelValueTooLong { value: shortened(value) })
        } else {
            None
        }
    })
}

/// At most `bytes_max` bytes of a line, without cutting a UTF-8 character in two.
fn whole_chars(line: &[u8], bytes_max: usize) -> usize {
    let continues = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (bytes_max.saturating_sub(3)..=bytes_max).rev().find(|at| !continues(*at)).unwrap_or(bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_NS: i64 = 1_767_607_200_000_000_000;
    const MINUTE_NS: i64 = 60_000_000_000;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn builder<'l>(labels: &[(&str, &str)], limits: &'l Limits) -> StreamBuilder<'l> {
        StreamBuilder::new(LabelSet::new(pairs(labels)), limits, NOW_NS).unwrap()
    }

    #[test]
    fn the_level_comes_from_the_first_source_that_has_one() {
        for (labels, metadata, line, expected) in [
            (&[][..], &[][..], "an error", r#"{detected_level="error"}"#),
            (&[("level", "warn")], &[], "level=error", r#"{detected_level="warn"}"#),
            (&[("level", "WARNING")], &[], "", r#"{detected_level="warn"}"#),
            (&[("level", "strange")], &[], "error", r#"{detected_level="strange"}"#),
            (&[("detected_level", "info")], &[], "error", r#"{detected_level="error"}"#),
            (&[], &[("level", "debug")], "error", r#"{detected_level="debug", level="debug"}"#),
            (&[("level", "debug")], &[("level", "error")], "", r#"{detected_level="debug", level="error"}"#),
            (&[("level", "debug")], &[("detected_level", "Error")], "", r#"{detected_level="error"}"#),
            (&[], &[("severity_number", "17")], "info", r#"{detected_level="error", severity_number="17"}"#),
            (
                &[],
                &[("severity_number", "17"), ("severity_text", "NOTICE")],
                "",
                r#"{detected_level="NOTICE", severity_number="17", severity_text="NOTICE"}"#,
            ),
            (&[], &[("log.level", "err")], "info", r#"{detected_level="info", log_level="err"}"#),
            (&[], &[("other", "x")], "level=info", r#"{detected_level="info", other="x"}"#),
        ] {
            let limits = Limits::default();
            let mut builder = builder(labels, &limits);
            builder.add(NOW_NS, line.as_bytes(), pairs(metadata));
            builder.add(NOW_NS, line.as_bytes(), pairs(metadata));
            let (stream, rejections) = builder.finish();
            assert!(rejections.is_empty());
            for at in 0..2 {
                assert_eq!(stream.entries.metadata(at).to_string(), expected, "{labels:?} {metadata:?} {line:?}");
            }
            assert_eq!(stream.entries.sets().len(), 1, "equal metadata is stored once");
        }
    }

    #[test]
    fn no_level_is_added_if_detection_is_off() {
        let limits = Limits { discover_log_levels: false, ..Limits::default() };
        let mut builder = builder(&[("level", "error")], &limits);
        builder.add(NOW_NS, b"error", Vec::new());
        builder.add(NOW_NS, b"error", pairs(&[("a.b", "c")]));
        let (stream, _) = builder.finish();
        let sets: Vec<_> = (0..2).map(|at| stream.entries.metadata(at).to_string()).collect();
        assert_eq!(sets, ["{}", r#"{a_b="c"}"#]);
    }

    #[test]
    fn labels_beyond_a_limit_refuse_the_stream() {
        let many: Vec<_> = (0..16).map(|n| (format!("l{n:02}"), "v".to_owned())).collect();
        let limits = Limits { max_label_name_length: 12, max_label_value_length: 20, ..Limits::default() };
        for (labels, reason) in [
            (many[..15].to_vec(), None),
            (many.clone(), Some(Reason::TooManyLabels { count: 16, limit: 15 })),
            (pairs(&[("thirteen_long", "v")]), Some(Reason::LabelNameTooLong { name: "thirteen_long".into() })),
            (
                pairs(&[("a", "123456789012345678901")]),
                Some(Reason::LabelValueTooLong { value: "123456789012345678901".into() }),
            ),
            (pairs(&[("twelve__long", "12345678901234567890")]), None),
        ] {
            let refused = StreamBuilder::new(LabelSet::new(labels.clone()), &limits, NOW_NS).err();
            assert_eq!(refused.map(|rejection| rejection.reason), reason, "{labels:?}");
        }
        let all_off = Limits {
            max_label_names_per_series: 0,
            max_label_name_length: 0,
            max_label_value_length: 0,
            ..Limits::default()
        };
        assert!(StreamBuilder::new(LabelSet::new(many), &all_off, NOW_NS).is_ok());
    }

    #[test]
    fn a_refused_entry_does_not_affect_the_others() {
        let limits = Limits {
            max_line_size: 4,
            max_structured_metadata_size: 6,
            max_structured_metadata_entries_count: 2,
            reject_old_samples: true,
            reject_old_samples_max_age_ns: MINUTE_NS,
            ..Limits::default()
        };
        for (at_ns, line, metadata, reason) in [
            (NOW_NS, "1234", &[("a", "12345")][..], None),
            (NOW_NS - MINUTE_NS, "", &[("a", "1"), ("b", "2")], None),
            (NOW_NS + 10 * MINUTE_NS, "", &[], None),
            (
                NOW_NS - MINUTE_NS - 1,
                "12345",
                &[],
                Some(Reason::TooOld { timestamp_ns: NOW_NS - MINUTE_NS - 1, oldest_ns: NOW_NS - MINUTE_NS }),
            ),
            (
                NOW_NS + 10 * MINUTE_NS + 1,
                "12345",
                &[],
                Some(Reason::TooNew { timestamp_ns: NOW_NS + 10 * MINUTE_NS + 1 }),
            ),
            (NOW_NS, "12345", &[("a", "123456")], Some(Reason::LineTooLong { bytes: 5, limit: 4 })),
            (NOW_NS, "", &[("a", "123456")], Some(Reason::MetadataTooLarge { bytes: 7, limit: 6 })),
            (NOW_NS, "", &[("a", "1"), ("b", "2"), ("c", "3")], Some(Reason::TooManyMetadata { count: 3, limit: 2 })),
        ] {
            let mut builder = builder(&[], &limits);
            builder.add(NOW_NS, b"a", Vec::new());
            builder.add(at_ns, line.as_bytes(), pairs(metadata));
            builder.add(NOW_NS, b"z", Vec::new());
            let (stream, rejections) = builder.finish();
            let reasons: Vec<_> = rejections.into_iter().map(|rejection| rejection.reason).collect();
            assert_eq!(reasons, reason.clone().into_iter().collect::<Vec<_>>());
            let lines: Vec<_> = (0..stream.entries.len()).map(|at| stream.entries.line(at)).collect();
            let expected: &[&[u8]] = if reason.is_some() { &[b"a", b"z"] } else { &[b"a", line.as_bytes(), b"z"] };
            assert_eq!(lines, expected, "{reason:?}");
        }
    }

    #[test]
    fn limits_of_zero_and_age_alone_refuse_nothing() {
        let limits = Limits {
            max_line_size: 0,
            max_structured_metadata_size: 0,
            max_structured_metadata_entries_count: 0,
            creation_grace_period_ns: 0,
            ..Limits::default()
        };
        let mut builder = builder(&[], &limits);
        let many: Vec<_> = (0..1000).map(|n| (format!("k{n}"), "v".repeat(100))).collect();
        builder.add(i64::MAX, &vec![b'x'; 1 << 20], many);
        builder.add(i64::MIN, b"", Vec::new());
        let (stream, rejections) = builder.finish();
        assert!(rejections.is_empty());
        assert_eq!(stream.entries.len(), 2);
    }

    #[test]
    fn a_long_line_is_cut_between_characters_if_that_is_wanted() {
        for (max, line, kept) in [
            (4, "12345", &b"12345"[..4]),
            (4, "1234", b"1234"),
            (4, "123é", b"123"),
            (4, "€€", "€".as_bytes()),
            (2, "€", b""),
        ] {
            let limits = Limits { max_line_size: max, max_line_size_truncate: true, ..Limits::default() };
            let mut builder = builder(&[], &limits);
            builder.add(NOW_NS, line.as_bytes(), Vec::new());
            assert_eq!(builder.finish().0.entries.line(0), kept, "{line}");
        }
    }
}
