//! The process in numbers, under the names that every client library of Prometheus gives them:
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.

use std::fs;

use narvi::server::Metrics;
use rustix::param::{clock_ticks_per_second, page_size};

/// Adds them; what the system does not tell is left out.
pub(super) fn add(metrics: &mut Metrics) {
    if let Some(usage) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Usage::parse) {
        let help = "Processor time of the process, in seconds.";
        metrics.float_counter(
            "process_cpu_seconds_total",
            help,
            &[],
            float(usage.cpu_ticks) / float(clock_ticks_per_second()),
        );
        let resident_bytes = usage.resident_pages * page_size() as u64;
        metrics.gauge("process_resident_memory_bytes", "Memory of the process.", &[], float(resident_bytes));
        metrics.gauge("process_threads", "Threads of the process.", &[], float(usage.threads));
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself.
        let count = files.count().saturating_sub(1);
        metrics.gauge("process_open_fds", "Open file descriptors.", &[], float(count as u64));
    }
}

/// What `/proc/self/stat` says. Source: proc(5).
#[derive(Debug, PartialEq, Eq)]
struct Usage {
    cpu_ticks: u64,
    threads: u64,
    resident_pages: u64,
}

impl Usage {
    fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold any character.
        let (_, rest) = stat.rsplit_once(") ")?;
        let field = |number: usize| rest.split(' ').nth(number - 3)?.trim().parse::<u64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, threads: field(20)?, resident_pages: field(24)? })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sample is a 64-bit float by the format's definition")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let stat = "42 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 7 18 19 20 1234 22\n";
        assert_eq!(Usage::parse(stat), Some(Usage { cpu_ticks: 300, threads: 7, resident_pages: 1234 }));
        assert_eq!(Usage::parse("42 (a) S 1"), None);
    }
}
