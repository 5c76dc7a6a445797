//! The description of a key: its name, what may stand there, its default as TOML, and one line of why. From the tables
//! of keys come the reading, the defaults, "did you mean" and `config.example.toml`, so that they cannot differ.

use std::time::Duration;

use super::units::NEVER;

/// One key of a section.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What the key is without an entry in the file, as TOML. `None`: there is nothing sensible, or it depends on the
    /// surroundings.
    pub(super) default: Option<&'static str>,
    /// What `config.example.toml` shows, as TOML.
    pub(super) shown: &'static str,
    /// One line for the operator.
    pub(super) why: &'static str,
}

/// What may stand behind a key.
#[derive(Debug)]
pub(super) enum Kind {
    /// A text whose meaning the section knows.
    Text,
    /// `true` or `false`.
    Flag,
    /// A number of things, up to `u32::MAX`.
    Count { min: u32 },
    /// A duration, within bounds unless it is zero.
    Duration { min: Duration, max: Duration, zero: Zero },
    /// A size in bytes, not smaller than this unless it is zero.
    Size { min: u64, zero: Zero },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A table of label names and values.
    Labels,
    /// A list of tables.
    Tables,
    /// A table with keys of its own.
    Table,
}

/// What zero means in place of a duration or size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    /// This, in the operator's words.
    Means(&'static str),
    /// Nothing sensible.
    Refused,
}

/// "No limit" in the operator's words.
pub(super) const NO_LIMIT: Zero = Zero::Means("no limit");

impl Key {
    /// A key with a default.
    pub(super) const fn new(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Self {
        Self { name, kind, default: Some(default), shown: default, why }
    }

    /// A key without a default, and what the example shows instead.
    pub(super) const fn shown(name: &'static str, kind: Kind, shown: &'static str, why: &'static str) -> Self {
        Self { name, kind, default: None, shown, why }
    }
}

/// A count of at least this.
pub(super) const fn count(min: u32) -> Kind {
    Kind::Count { min }
}

/// A duration of at least some milliseconds.
pub(super) const fn duration(min_ms: u64, zero: Zero) -> Kind {
    Kind::Duration { min: Duration::from_millis(min_ms), max: NEVER, zero }
}

/// A duration of at most some seconds.
pub(super) const fn duration_up_to(max_s: u64, zero: Zero) -> Kind {
    Kind::Duration { min: Duration::from_millis(1), max: Duration::from_secs(max_s), zero }
}

/// A size of at least some bytes.
pub(super) const fn size(min: u64, zero: Zero) -> Kind {
    Kind::Size { min, zero }
}
