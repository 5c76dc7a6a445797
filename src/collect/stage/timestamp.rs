//! `timestamp`: the time that stages found is the entry's.

use std::{collections::HashMap, fmt};

use super::{Entry, Flow, Surroundings};
use crate::collect::timestamp::{Recogniser, Zone};
use crate::logql::Layout;

/// Label sets of which the last time is remembered, to go on with it.
const SETS_MAX: usize = 10_000;

/// Gives entries the time that stages found.
#[derive(Clone, Debug, PartialEq)]
pub struct Timestamp {
    /// The value's name.
    pub source: String,
    /// How it may be written; the first that fits counts.
    pub formats: Vec<TimeFormat>,
    /// IANA name of the zone of times that carry none; `None`: the job's.
    pub location: Option<String>,
    /// What cannot be read gets the time of the last entry with the same labels, and a nanosecond.
    pub fudge: bool,
}

/// How a time is written.
#[derive(Clone, PartialEq)]
pub struct TimeFormat {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Layout(Layout),
    /// A count since 1970 of units of so many nanoseconds.
    Count(i64),
}

/// Go's names of layouts.
const NAMED: &[(&str, &str)] = &[
    ("ANSIC", "Mon Jan _2 15:04:05 2006"),
    ("UnixDate", "Mon Jan _2 15:04:05 MST 2006"),
    ("RubyDate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("RFC822", "02 Jan 06 15:04 MST"),
    ("RFC822Z", "02 Jan 06 15:04 -0700"),
    ("RFC850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("RFC3339", "2006-01-02T15:04:05Z07:00"),
    ("RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"),
];

impl TimeFormat {
    /// A format: one of Go's names, `Unix`, `UnixMs`, `UnixUs` or `UnixNs`, a layout of Go's, or with a `%` one of
    /// strftime(3).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let kind = match text {
            "Unix" => Kind::Count(1_000_000_000),
            "UnixMs" => Kind::Count(1_000_000),
            "UnixUs" => Kind::Count(1_000),
            "UnixNs" => Kind::Count(1),
            _ => {
                let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, layout)| *layout);
                let layout = match named {
                    None if text.contains('%') => {
                        Layout::strftime(text).map_err(|unknown| format!("unknown conversion `{unknown}`"))?
                    }
                    _ => Layout::go(named.unwrap_or(text)),
                };
                if !layout.has_date() {
                    return Err(format!("`{text}` has no day"));
                }
                Kind::Layout(layout)
            }
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The layout, if it is no count.
    pub fn layout(&self) -> Option<&Layout> {
        match &self.kind {
            Kind::Layout(layout) => Some(layout),
            Kind::Count(_) => None,
        }
    }

    /// Nanoseconds since 1970 that a text stands for.
    fn read(&self, text: &str, recogniser: &mut Recogniser, now_ns: i64, modified_ns: i64) -> Option<i64> {
        match &self.kind {
            Kind::Layout(layout) => recogniser.instant(&layout.read(text)?, now_ns, modified_ns),
            Kind::Count(unit_ns) => count(text, *unit_ns),
        }
    }
}

impl fmt::Debug for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// A decimal number of units, with or without a fraction, in nanoseconds.
fn count(text: &str, unit_ns: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    let mut ns = whole.checked_mul(unit_ns)?;
    let mut place_ns = unit_ns;
    for digit in fraction.bytes() {
        place_ns /= 10;
        ns = ns.checked_add(i64::from(digit.is_ascii_digit().then(|| digit - b'0')?) * place_ns)?;
    }
    Some(ns)
}

#[derive(Debug)]
pub(super) struct Step {
    stage: Timestamp,
    recogniser: Recogniser,
    /// The last time by label set, if times are to go on.
    last_ns: HashMap<u64, i64>,
}

impl Step {
    pub(super) fn new(stage: &Timestamp, surroundings: &Surroundings<'_>) -> Self {
        let zone = stage.location.as_deref().and_then(|name| Zone::named(name).ok());
        let recogniser = Recogniser::new(zone.unwrap_or_else(|| surroundings.zone.clone()));
        Self { stage: stage.clone(), recogniser, last_ns: HashMap::new() }
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let Some(text) = entry.fields.get(&self.stage.source) else {
            return Flow::Next;
        };
        let (now_ns, modified_ns) = (entry.now.wall_ns, entry.modified_ns());
        let recogniser = &mut self.recogniser;
        let read = self.stage.formats.iter().find_map(|format| format.read(text, recogniser, now_ns, modified_ns));
        if read.is_none() {
            entry.failure = Some("the time cannot be read");
        }
        let ns = if self.stage.fudge {
            let labels = entry.labels_hash();
            let ns = read.or_else(|| self.last_ns.get(&labels).map(|ns| ns.saturating_add(1)));
            if self.last_ns.len() >= SETS_MAX {
                self.last_ns.clear();
            }
            if let Some(ns) = ns {
                self.last_ns.insert(labels, ns);
            }
            ns
        } else {
            read
        };
        if let Some(ns) = ns {
            entry.give_time(ns);
        }
        Flow::Next
    }
}
