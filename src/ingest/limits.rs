//! The limits on what is stored. Names and meanings are Loki's; where a default differs from
//! Loki's, its doc says so. A size, count or time of 0 switches that limit off.

/// Nanoseconds of a minute.
const MINUTE_NS: i64 = 60_000_000_000;

/// The limits on what is stored, and what is derived for every entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line; a line of this size is still accepted.
    pub max_line_size: usize,
    /// Whether a longer line is cut to `max_line_size` instead of refused.
    pub max_line_size_truncate: bool,
    /// Labels of a stream; `service_name` is not counted.
    pub max_label_names_per_series: usize,
    /// Bytes of a label's name.
    pub max_label_name_length: usize,
    /// Bytes of a label's value.
    pub max_label_value_length: usize,
    /// Bytes of all names and values of an entry's structured metadata.
    pub max_structured_metadata_size: usize,
    /// Pairs of an entry's structured metadata.
    pub max_structured_metadata_entries_count: usize,
    /// Whether entries older than `reject_old_samples_max_age_ns` are refused. Off, unlike Loki:
    /// the store takes what its retention keeps, so an import or a machine that was offline loses nothing.
    pub reject_old_samples: bool,
    /// Age in nanoseconds above which `reject_old_samples` refuses an entry.
    pub reject_old_samples_max_age_ns: i64,
    /// How far in the future an entry may lie, in nanoseconds.
    pub creation_grace_period_ns: i64,
    /// How far an entry may lie behind the newest of its stream, in nanoseconds. Off by default,
    /// where Loki has one hour: late lines are kept in any order. Checked by [`admit`](super::admit).
    pub max_out_of_order_ns: i64,
    /// Streams that may exist. Off by default. Checked by [`admit`](super::admit).
    pub max_global_streams_per_user: usize,
    /// The labels that `service_name` is taken from, in order of preference; empty: never added.
    pub discover_service_name: Vec<String>,
    /// Whether every entry gets the metadata `detected_level`.
    pub discover_log_levels: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line_size: 256 * 1024,
            max_line_size_truncate: false,
            max_label_names_per_series: 15,
            max_label_name_length: 1024,
            max_label_value_length: 2048,
            max_structured_metadata_size: 64 * 1024,
            max_structured_metadata_entries_count: 128,
            reject_old_samples: false,
            reject_old_samples_max_age_ns: 7 * 24 * 60 * MINUTE_NS,
            creation_grace_period_ns: 10 * MINUTE_NS,
            max_out_of_order_ns: 0,
            max_global_streams_per_user: 0,
            discover_service_name: super::service_name::SOURCES.map(str::to_owned).to_vec(),
            discover_log_levels: true,
        }
    }
}

/// Whether a size or count passes a limit; 0 is no limit.
pub(super) fn exceeds(size: usize, limit: usize) -> bool {
    limit > 0 && size > limit
}
