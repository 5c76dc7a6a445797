//! The streams of one body while it is decoded: one builder per label set, and one budget of
//! memory for all, since a small body can describe much more than its own size.

use std::collections::HashMap;

use crate::ingest::{Limits, Reason, Rejection, Rejections, StreamBuilder};
use crate::labels::LabelSet;
use crate::logql;

use super::{Push, PushError};

/// Bytes that a stream occupies apart from its entries and labels, roughly.
const STREAM_BYTES: usize = 1024;

/// Bytes that an entry occupies apart from its line and metadata.
const ENTRY_BYTES: usize = 17;

/// Bytes that a set of labels or metadata occupies apart from its pairs, roughly.
const SET_BYTES: usize = 64;

/// Bytes that a pair occupies apart from its text: two strings, each an allocation of its own.
const PAIR_BYTES: usize = 80;

/// Bytes of labels that are written as text; as many as any sensible limits on labels let pass.
const LABEL_TEXT_BYTES_MAX: usize = 256 * 1024;

/// Which stream of a body is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamAt(usize);

/// The streams of one body while it is decoded.
pub(super) struct Streams<'l> {
    limits: &'l Limits,
    now_ns: i64,
    builders: Vec<StreamBuilder<'l>>,
    /// Where the builder of a label set is, or that its labels are refused, by the labels as they were sent.
    places: HashMap<LabelSet, Option<StreamAt>>,
    rejections: Rejections,
    budget: Budget,
    /// Bytes of memory that may still be reserved for entries before they come.
    reserve_bytes: usize,
    /// Whether the body had a stream at all, be it without entries or refused.
    seen: bool,
}

/// Bytes of memory that the rest of a body may still take.
struct Budget {
    left: usize,
    total: usize,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), PushError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(PushError::TooLarge { what: "decoded body", limit: self.total }),
        }
    }
}

impl<'l> Streams<'l> {
    /// The streams of a body of so many bytes, decompressed.
    pub(super) fn new(limits: &'l Limits, now_ns: i64, memory_bytes_max: usize, body_bytes: usize) -> Self {
        Self {
            limits,
            now_ns,
            builders: Vec::new(),
            places: HashMap::new(),
            rejections: Rejections::new(),
            budget: Budget { left: memory_bytes_max, total: memory_bytes_max },
            reserve_bytes: body_bytes,
            seen: false,
        }
    }

    /// Accounts for a pair of labels or metadata, before it is kept.
    pub(super) fn charge_pair(&mut self, name: &[u8], value: &[u8]) -> Result<(), PushError> {
        self.budget.take(PAIR_BYTES + name.len() + value.len())
    }

    /// The stream with these labels, whose pairs were accounted for; `None` if they are beyond a
    /// limit, which is counted.
    pub(super) fn stream(&mut self, labels: LabelSet) -> Result<Option<StreamAt>, PushError> {
        self.seen = true;
        let labels_bytes = labels.len() * PAIR_BYTES + labels.text_bytes();
        if let Some(place) = self.places.get(&labels) {
            self.budget.left += labels_bytes; // this copy is dropped here
            return Ok(*place);
        }
        self.budget.take(STREAM_BYTES + labels_bytes)?;
        let place = match StreamBuilder::new(labels.clone(), self.limits, self.now_ns) {
            Ok(mut builder) => {
                // The streams of a body tend to be alike.
                if let Some(before) = self.builders.last() {
                    self.reserve_bytes -= builder.reserve_like(before, self.reserve_bytes);
                }
                self.builders.push(builder);
                Some(StreamAt(self.builders.len() - 1))
            }
            Err(rejection) => {
                self.rejections.merge([rejection]);
                None
            }
        };
        self.places.insert(labels, place);
        Ok(place)
    }

    /// The stream whose labels are written as `{a="b", c="d"}`; `None` if they cannot be read or
    /// are beyond a limit, which is counted.
    pub(super) fn stream_of_text(&mut self, text: &str) -> Result<Option<StreamAt>, PushError> {
        match parse_labels(text) {
            Ok(labels) => {
                for (name, value) in labels.iter() {
                    self.charge_pair(name.as_bytes(), value.as_bytes())?;
                }
                self.stream(labels)
            }
            Err(error) => {
                self.seen = true;
                self.rejections.merge([Rejection::of_text(Reason::InvalidLabels { error }, text)]);
                Ok(None)
            }
        }
    }

    /// Appends to the line of the next entry.
    pub(super) fn extend_line(&mut self, stream: StreamAt, bytes: &[u8]) -> Result<(), PushError> {
        self.budget.take(bytes.len())?;
        self.builders[stream.0].extend_line(bytes);
        Ok(())
    }

    /// Ends the entry whose line was written. Its metadata are as they were sent; their pairs were
    /// accounted for.
    pub(super) fn end_entry(
        &mut self,
        stream: StreamAt,
        timestamp_ns: i64,
        metadata: Vec<(String, String)>,
    ) -> Result<(), PushError> {
        // One more pair for the level. Without metadata the entry shares its set with others.
        let set_bytes = if metadata.is_empty() { 0 } else { SET_BYTES + PAIR_BYTES };
        self.budget.take(ENTRY_BYTES + set_bytes)?;
        self.builders[stream.0].end_entry(timestamp_ns, metadata);
        Ok(())
    }

    /// What was accepted and what was refused; an error if there was no stream at all.
    pub(super) fn finish(mut self) -> Result<Push, PushError> {
        if !self.seen {
            return Err(PushError::Empty);
        }
        let mut streams = Vec::with_capacity(self.builders.len());
        for builder in self.builders {
            let (stream, rejections) = builder.finish();
            self.rejections.merge(rejections);
            if !stream.entries.is_empty() {
                streams.push(stream);
            }
        }
        Ok(Push { streams, rejections: self.rejections })
    }
}

/// Labels as text. Nothing at all stands for no labels, as some clients send it.
pub(super) fn parse_labels(text: &str) -> Result<LabelSet, String> {
    if text.is_empty() {
        return Ok(LabelSet::default());
    }
    if text.len() > LABEL_TEXT_BYTES_MAX {
        return Err(format!("{} bytes of labels; limit {LABEL_TEXT_BYTES_MAX}", text.len()));
    }
    let labels = logql::parse_label_set(text).map_err(|error| error.to_string())?;
    if let Some((name, _)) = labels.iter().find(|(name, _)| !LabelSet::is_name(name)) {
        return Err(format!("invalid label name {name:?}"));
    }
    Ok(labels)
}
