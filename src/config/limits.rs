//! The section `[limits]`: what is taken in and what a query may ask for, under Loki's names where Loki has the limit.

use std::time::Duration;

use super::{
    keys::{Key, Kind, NO_LIMIT, Zero, count, duration, size},
    report::Problem,
    section::Section,
    units::NEVER,
};
use crate::ingest;
use crate::labels::duration::nanoseconds;
use crate::query;

pub(super) const KEYS: &[Key] = &[
    Key::new("max_line_size", size(64, NO_LIMIT), r#""256KiB""#, "of a pushed line; see also [collect]"),
    Key::new("max_line_size_truncate", Kind::Flag, "false", "keep the head of a longer line instead of refusing it"),
    Key::new("max_label_names_per_series", count(0), "15", "labels of a stream, service_name not counted; 0: no limit"),
    Key::new("max_label_name_length", count(0), "1024", "bytes of one name; 0: no limit"),
    Key::new("max_label_value_length", count(0), "2048", "bytes of one value; 0: no limit"),
    Key::new("max_structured_metadata_size", size(64, NO_LIMIT), r#""64KiB""#, "names and values of one entry"),
    Key::new("max_structured_metadata_entries_count", count(0), "128", "pairs of one entry; 0: no limit"),
    Key::new("reject_old_samples", Kind::Flag, "false", "refuse what is older than the next key says"),
    Key::new("reject_old_samples_max_age", duration(1000, Zero::Refused), r#""7d""#, "only with reject_old_samples"),
    Key::new("creation_grace_period", duration(1, NO_LIMIT), r#""10m""#, "how far ahead of the clock an entry may be"),
    Key::new(
        "max_out_of_order",
        duration(1, Zero::Means("any order")),
        r#""0""#,
        "how far behind its stream's newest an entry may be",
    ),
    Key::new("max_global_streams_per_user", count(0), "0", "streams in the store; 0: no limit"),
    Key::new(
        "discover_service_name",
        Kind::Texts,
        r#"["service", "app", "application", "app_name", "name", "app_kubernetes_io_name", "container", "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"]"#,
        "the first of these labels becomes service_name; []: none does",
    ),
    Key::new("discover_log_levels", Kind::Flag, "true", "add detected_level to each entry"),
    Key::new("push_body_max", size(1 << 10, NO_LIMIT), r#""32MiB""#, "one push as it was sent"),
    Key::new("push_decompressed_max", size(1 << 10, NO_LIMIT), r#""64MiB""#, "one push after decompression"),
    Key::new(
        "push_memory_max",
        size(1 << 10, Zero::Refused),
        r#""64MiB""#,
        "all pushes at once; beyond that they get 429",
    ),
    Key::new("max_entries_limit_per_query", count(0), "5000", "entries in one answer; 0: no limit"),
    Key::new("max_query_series", count(0), "500", "series in one answer; 0: no limit"),
    Key::new("max_query_length", duration(1000, NO_LIMIT), r#""721h""#, "range of time of one query"),
    Key::new("query_timeout", duration(1, NO_LIMIT), r#""1m""#, "after this a query is given up"),
    Key::new(
        "delete_request_cancel_period",
        duration(1000, Zero::Means("it is worked off at once")),
        r#""0""#,
        "how long a request to delete waits and can be canceled",
    ),
    Key::new("max_concurrent_queries", count(0), "0", "heavy queries at once, others wait; 0: one per core"),
    Key::new("max_query_bytes_returned", size(1 << 10, NO_LIMIT), r#""32MiB""#, "lines and labels in one answer"),
    Key::new("max_concurrent_tail_requests", count(0), "10", "live tails at once; 0: none"),
    Key::new(
        "tail_max_duration",
        duration(1000, NO_LIMIT),
        r#""1h""#,
        "after this a tail is closed and its client may come again",
    ),
    Key::new(
        "tail_queue_max",
        size(4 << 10, Zero::Refused),
        r#""1MiB""#,
        "waiting for one slow tail; what does not fit is counted",
    ),
];

/// What `[limits]` holds.
pub(super) struct Limits {
    pub(super) ingest: ingest::Limits,
    pub(super) query: query::Limits,
    pub(super) push_body_bytes_max: u64,
    pub(super) push_decompressed_bytes_max: u64,
    pub(super) push_memory_max: u64,
    pub(super) tail_queue_max: usize,
    pub(super) delete_cancel_period: Duration,
}

/// Reads `[limits]`.
pub(super) fn read(section: &Section<'_>) -> Limits {
    let limits = Limits {
        ingest: read_ingest(section),
        query: read_query(section),
        push_body_bytes_max: section.size_or_unlimited("push_body_max"),
        push_decompressed_bytes_max: section.size_or_unlimited("push_decompressed_max"),
        push_memory_max: section.size("push_memory_max"),
        tail_queue_max: bytes(section.size("tail_queue_max")),
        delete_cancel_period: section.duration("delete_request_cancel_period"),
    };
    let body_max = limits.push_body_bytes_max;
    if body_max != u64::MAX && body_max > limits.push_memory_max {
        let span = section.span("push_body_max").or_else(|| section.span("push_memory_max")).unwrap_or_default();
        let what = "`push_body_max` is larger than `push_memory_max`: such a push could never be taken";
        section.document.report(Problem::error(span, what));
    }
    limits
}

/// Zero is "no limit" in the options as well, so it is handed on.
fn read_ingest(section: &Section<'_>) -> ingest::Limits {
    ingest::Limits {
        max_line_size: bytes(section.size("max_line_size")),
        max_line_size_truncate: section.flag("max_line_size_truncate"),
        max_label_names_per_series: section.count("max_label_names_per_series"),
        max_label_name_length: section.count("max_label_name_length"),
        max_label_value_length: section.count("max_label_value_length"),
        max_structured_metadata_size: bytes(section.size("max_structured_metadata_size")),
        max_structured_metadata_entries_count: section.count("max_structured_metadata_entries_count"),
        reject_old_samples: section.flag("reject_old_samples"),
        reject_old_samples_max_age_ns: nanoseconds(section.duration("reject_old_samples_max_age")),
        creation_grace_period_ns: nanoseconds(section.duration("creation_grace_period")),
        max_out_of_order_ns: nanoseconds(section.duration("max_out_of_order")),
        max_global_streams_per_user: section.count("max_global_streams_per_user"),
        discover_service_name: section.texts("discover_service_name").into_iter().map(|text| text.value).collect(),
        discover_log_levels: section.flag("discover_log_levels"),
    }
}

fn read_query(section: &Section<'_>) -> query::Limits {
    query::Limits {
        max_entries_limit_per_query: section.count_or_unlimited("max_entries_limit_per_query"),
        max_query_series: section.count_or_unlimited("max_query_series"),
        max_query_length_ns: section.duration_or_off("max_query_length").map_or(i64::MAX, nanoseconds),
        query_timeout: section.duration_or_off("query_timeout").unwrap_or(NEVER),
        max_concurrent_queries: match section.count("max_concurrent_queries") {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        },
        max_query_bytes_returned: section.size_or_unlimited("max_query_bytes_returned"),
        max_tails: section.count("max_concurrent_tail_requests"),
        tail_max_duration: section.duration_or_off("tail_max_duration").unwrap_or(NEVER),
    }
}

fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
