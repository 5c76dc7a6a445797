//! The collector's numbers on the page of metrics: the two rooms do not know each other.

use narvi::{collect, server::Metrics};

/// Adds them.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts of files and bytes are far below 2^53")]
pub(super) fn add(stats: &collect::Stats, metrics: &mut Metrics) {
    type OfJob = fn(&collect::JobStats) -> u64;
    let by_job: [(&str, &str, OfJob); 4] = [
        ("collector_lines_total", "Lines read from followed files.", |job| job.lines),
        ("collector_bytes_total", "Bytes read from followed files.", |job| job.bytes),
        ("collector_entries_total", "Entries appended to the store.", |job| job.entries),
        ("collector_lines_truncated_total", "Lines of which only the head was stored.", |job| job.truncated),
    ];
    for (name, help, value) in by_job {
        for (job, numbers) in &stats.jobs {
            metrics.counter(name, help, &[("job", job)], value(numbers));
        }
    }
    let dropped: [(&str, OfJob); 4] = [
        ("older_than_retention", |job| job.dropped_old),
        ("line_too_long", |job| job.dropped_too_long),
        ("binary_line", |job| job.dropped_binary),
        ("empty", |job| job.dropped_empty),
    ];
    for (job, numbers) in &stats.jobs {
        for (reason, value) in dropped {
            let labels = [("job", job.as_str()), ("reason", reason)];
            metrics.counter("collector_dropped_total", "Lines read and not stored.", &labels, value(numbers));
        }
    }
    for ((job, reason), count) in &stats.dropped_by_stage {
        let labels = [("job", job.as_str()), ("reason", reason)];
        metrics.counter("collector_dropped_total", "Lines read and not stored.", &labels, *count);
    }
    for (job, count) in &stats.source_restarts {
        let help = "Times that journalctl ended and was started again.";
        metrics.counter("collector_source_restarts_total", help, &[("job", job)], *count);
    }
    for ((job, stage), count) in &stats.stage_failures {
        let labels = [("job", job.as_str()), ("stage", stage)];
        let help = "Lines on which a stage failed; they are stored without its work.";
        metrics.counter("collector_stage_errors_total", help, &labels, *count);
    }
    let stamped: [(&str, OfJob); 3] =
        [("auto", |job| job.stamped_auto), ("previous", |job| job.stamped_previous), ("read", |job| job.stamped_read)];
    for (job, numbers) in &stats.jobs {
        for (from, value) in stamped {
            let labels = [("job", job.as_str()), ("from", from)];
            metrics.counter("collector_timestamps_total", "Entries by origin of their time.", &labels, value(numbers));
        }
    }
    add_as_promtail(stats, metrics);
    for (path, bytes) in &stats.lags {
        metrics.gauge("collector_lag_bytes", "Bytes not yet read.", &[("path", path)], *bytes as f64);
    }
    let files = &stats.files;
    for (state, count) in [
        ("live", files.live),
        ("backlog", files.backlog),
        ("rotated", files.rotated),
        ("binary", files.binary),
        ("unreadable", files.unreadable),
        ("old", files.old),
        ("alias", files.alias),
        ("excluded", files.excluded),
        ("dangling", files.dangling),
    ] {
        metrics.gauge("collector_files", "Files by state.", &[("state", state)], count as f64);
    }
    let lost = &stats.lost;
    for (reason, bytes) in
        [("truncated", lost.truncated), ("deleted", lost.deleted), ("rotated_while_down", lost.rotated_while_down)]
    {
        let help = "Bytes that were gone before they were read; should be 0.";
        metrics.counter("collector_lost_bytes_total", help, &[("reason", reason)], bytes);
    }
    for (name, help, value) in [
        ("collector_partials_flushed_total", "Lines of containers whose rest did not come.", stats.joins_timed_out),
        ("collector_truncations_total", "Truncations of followed files.", stats.truncations),
        ("collector_rotations_total", "Followed names that came to lead to another file.", stats.rotations),
        ("collector_reused_inodes_total", "Known inodes that held another file.", stats.reused_inodes),
        ("collector_rescans_total", "Looks at all directories.", stats.rescans),
        ("collector_watch_fallbacks_total", "Files polled because they cannot be watched.", stats.watch_fallbacks),
        ("collector_wakeups_total", "Times the collector woke.", stats.wakeups),
        ("collector_refused_entries_total", "Entries that a limit refused.", stats.dropped_limit),
        ("collector_append_failures_total", "Appends the store refused, tried again.", stats.append_failures),
        ("collector_read_errors_total", "Reads that failed.", stats.read_errors),
    ] {
        metrics.counter(name, help, &[], value);
    }
}

/// The same under the names that dashboards for promtail sum up; theirs are by file, which ours are not.
/// promtail's `promtail_files_active_total` is a gauge, which `promtool check metrics` does not let pass under
/// such a name; `collector_files` has that number.
fn add_as_promtail(stats: &collect::Stats, metrics: &mut Metrics) {
    let sum = |of: fn(&collect::JobStats) -> u64| stats.jobs.values().map(of).sum();
    let dropped = sum(|job| job.dropped_old + job.dropped_too_long + job.dropped_binary + job.dropped_empty);
    for (name, help, value) in [
        ("promtail_read_lines_total", "Lines read from followed files.", sum(|job| job.lines)),
        ("promtail_read_bytes_total", "Bytes read from followed files.", sum(|job| job.bytes)),
        ("promtail_sent_entries_total", "Entries appended to the store.", sum(|job| job.entries)),
        ("promtail_dropped_entries_total", "Lines read and not stored.", dropped + stats.dropped_limit),
    ] {
        metrics.counter(name, help, &[], value);
    }
}
