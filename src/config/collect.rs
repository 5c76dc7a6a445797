//! The section `[collect]`: what holds for all jobs.

use std::time::Duration;

use super::{
    keys::{Key, Kind, NO_LIMIT, Zero, count, duration, duration_up_to, size},
    labels,
    report::Problem,
    section::Section,
};
use crate::collect::{Job, LongLines, Options, source::SourceJob};
use crate::ingest;
use crate::labels::LabelSet;
use crate::server::check_tenant_name;
use crate::store::{self, TENANT_DEFAULT};

pub(super) const KEYS: &[Key] = &[
    Key::new("labels", Kind::Labels, "{}", "on every collected stream; %H is the host's name"),
    Key::new("tenant_id", Kind::Text, r#""fake""#, "whose the collected streams are, if there are tenants"),
    Key::new("rescan", duration(100, Zero::Refused), r#""60s""#, "full look at all directories, behind inotify"),
    Key::new("poll_interval", duration(10, Zero::Refused), r#""250ms""#, "where inotify does not help: fastest ..."),
    Key::new("poll_interval_max", duration(10, Zero::Refused), r#""10s""#, "... and slowest look at a file"),
    Key::new(
        "coalesce",
        duration_up_to(60, Zero::Means("at once")),
        r#""100ms""#,
        "from a change to reading; longer reads more at a time",
    ),
    Key::new(
        "partial_flush",
        duration(1, Zero::Means("never")),
        r#""30s""#,
        "when a last line without newline is stored",
    ),
    Key::new(
        "rotate_wait",
        duration(1, Zero::Refused),
        r#""60s""#,
        "how long a renamed or deleted file is kept open once quiet",
    ),
    Key::new("max_line_size", size(64, Zero::Refused), r#""256KiB""#, "of a line in a file"),
    Key::new(
        "max_line_action",
        Kind::Choice(&["truncate", "split", "drop"]),
        r#""truncate""#,
        "what happens to longer lines",
    ),
    Key::new("max_open_files", count(1), "512", "files held open at once"),
    Key::new("max_files", count(1), "10000", "files that one job may follow"),
    Key::new("backlog_rate", size(1 << 10, NO_LIMIT), r#""0""#, "bytes per second while catching up"),
];

/// Below this, `coalesce` wakes the process for nearly every line.
const COALESCE_ADVISED_MIN: Duration = Duration::from_millis(10);

/// The tenant of the collected streams; `None` if there are no tenants.
pub(super) fn read_tenant(section: &Section<'_>, has_tenants: bool) -> Option<String> {
    let tenant = section.parsed("tenant_id", |text| match check_tenant_name(&text.value) {
        Ok(()) => Ok(text.value.clone()),
        Err(why) => Err(Problem::error(text.span.clone(), why)),
    });
    let is_default = tenant.as_deref() == Some(TENANT_DEFAULT);
    if let Some(span) = section.span("tenant_id").filter(|_| !has_tenants && !is_default) {
        let problem = Problem::warning(span, "`tenant_id` has no effect: there are no tenants");
        section.document.report(problem.hint("write `tenants = true` in [server], or delete it"));
    }
    tenant.filter(|_| has_tenants)
}

/// Reads `[collect]`, and joins it with the jobs.
pub(super) fn read(
    section: &Section<'_>,
    jobs: Vec<Job>,
    sources: Vec<SourceJob>,
    limits: &ingest::Limits,
    store: &store::Options,
) -> Options {
    let host_name = &section.document.environment.host_name;
    let mut labels = labels::read(section, limits).pairs;
    for (_, value) in &mut labels {
        *value = value.replace("%H", host_name);
    }
    let options = Options {
        jobs,
        sources,
        labels: LabelSet::new(labels),
        rescan: section.duration("rescan"),
        poll_interval: section.duration("poll_interval"),
        poll_interval_max: section.duration("poll_interval_max"),
        coalesce: section.duration("coalesce"),
        partial_flush: section.duration("partial_flush"),
        rotate_wait: section.duration("rotate_wait"),
        max_line_size: usize::try_from(section.size("max_line_size")).unwrap_or(usize::MAX),
        max_line_action: match section.choice("max_line_action") {
            "split" => LongLines::Split,
            "drop" => LongLines::Drop,
            _ => LongLines::Truncate,
        },
        max_open_files: section.count("max_open_files"),
        max_files: section.count("max_files"),
        backlog_rate: section.size_or_off("backlog_rate"),
        retention: store.retention,
        store_path: store.path.clone(),
    };
    check(section, &options, limits);
    options
}

/// Values that contradict each other or cost more than they bring.
fn check(section: &Section<'_>, options: &Options, limits: &ingest::Limits) {
    let report = |problem| section.document.report(problem);
    let poll = section.span("poll_interval").or_else(|| section.span("poll_interval_max"));
    if let Some(span) = poll.filter(|_| options.poll_interval > options.poll_interval_max) {
        report(Problem::error(span, "`poll_interval` is longer than `poll_interval_max`"));
    }
    let coalesce = section.span("coalesce");
    if let Some(span) = coalesce.filter(|_| options.coalesce < COALESCE_ADVISED_MIN) {
        report(Problem::warning(span, "below 10ms a busy file wakes the process for nearly every line"));
    }
    let too_long = labels::exceeds(options.max_line_size, limits.max_line_size) && !limits.max_line_size_truncate;
    if let Some(span) = section.span("max_line_size").filter(|_| too_long) {
        let what = "longer than `max_line_size` in [limits]: the store refuses lines between the two";
        report(Problem::error(span, what));
    }
}
