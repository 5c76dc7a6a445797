//! `GET /metrics`: counters in the Prometheus text format,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. The names that dashboards for Loki
//! look for, and our own as `narvi_*`.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Api, call::Call, reply::Reply};

/// Upper bounds of the request histogram, in seconds.
const BUCKETS_S: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

pub(super) fn answer(api: &Api, _: &mut Call<'_, '_>) -> Reply {
    let mut page = Metrics::default();
    page.gauge("loki_build_info", "Version of this server.", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    api.requests.write(&mut page);
    let received = &api.received;
    page.counter("loki_distributor_bytes_received_total", "Bytes of lines that clients pushed.", &[], received.bytes());
    page.counter("loki_distributor_lines_received_total", "Lines that clients pushed.", &[], received.lines());
    let stats = api.whole_store.stats();
    page.gauge("loki_ingester_memory_streams", "Streams that the store knows.", &[], count(stats.streams));
    for (name, help, value) in [
        ("narvi_store_entries_appended_total", "Entries appended since the start.", stats.entries_appended),
        ("narvi_store_bytes_appended_total", "Bytes of lines appended since the start.", stats.bytes_appended),
        (
            "narvi_store_duplicates_dropped_total",
            "Repeated entries that were not stored again.",
            stats.duplicates_dropped,
        ),
        ("narvi_store_blocks_written_total", "Blocks sealed since the start.", stats.blocks_written),
        (
            "narvi_store_block_bytes_written_total",
            "Bytes of blocks written since the start.",
            stats.block_bytes_written,
        ),
        ("narvi_store_wal_commits_total", "Commits of the write-ahead log.", stats.wal_commits),
        ("narvi_store_wal_bytes_written_total", "Bytes written to the write-ahead log.", stats.wal_bytes_written),
        ("narvi_store_damaged_blocks_total", "Blocks that failed their checksum.", stats.damaged_blocks),
        (
            "narvi_store_retention_files_dropped_total",
            "Chunk files dropped by retention.",
            stats.retention_files_dropped,
        ),
        (
            "narvi_store_retention_entries_dropped_total",
            "Entries dropped by retention.",
            stats.retention_entries_dropped,
        ),
    ] {
        page.counter(name, help, &[], value);
    }
    for (name, help, value) in [
        ("narvi_store_head_bytes", "Bytes of the newest entries, in memory.", stats.head_bytes),
        ("narvi_store_wal_segments", "Segments of the write-ahead log.", stats.wal_segments),
        ("narvi_store_subscribers", "Readers of live entries.", stats.subscribers),
        ("narvi_store_fault", "1 while the disk cannot be written.", u64::from(stats.fault.is_some())),
        ("narvi_store_chunk_bytes", "Bytes of chunk files on disk.", stats.chunk_bytes),
    ] {
        page.gauge(name, help, &[], count(value));
    }
    if let Some(connections) = api.connections() {
        page.gauge("narvi_http_connections_open", "Connections that are open.", &[], count(connections.open));
        page.counter("narvi_http_connections_accepted_total", "Connections taken.", &[], connections.accepted);
        page.counter("narvi_http_connections_refused_total", "Connections closed unserved.", &[], connections.refused);
        page.counter(
            "loki_panic_total",
            "Requests that ended in a panic, as Loki counts them.",
            &[],
            connections.panics,
        );
        page.counter("narvi_http_panics_total", "Requests that ended in a panic.", &[], connections.panics);
    }
    (api.sources.metrics)(&mut page);
    Reply::whole(200, "text/plain; version=0.0.4; charset=utf-8", page.text.into_bytes())
}

/// A page of metrics that is being written.
#[derive(Debug, Default)]
pub struct Metrics {
    text: String,
    family: String,
}

impl Metrics {
    /// A number that only grows. Samples of one name, with other labels, follow each other.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: u64) {
        self.head(name, help, "counter");
        self.sample(name, labels, &value.to_string());
    }

    /// A number that only grows and has a fraction.
    pub fn float_counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.head(name, help, "counter");
        self.sample(name, labels, &value.to_string());
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.head(name, help, "gauge");
        self.sample(name, labels, &value.to_string());
    }

    fn histogram(&mut self, name: &str, help: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        self.head(name, help, "histogram");
        let mut total = 0;
        for (bound, bucket) in BUCKETS_S.iter().zip(histogram.buckets) {
            total += bucket;
            let bound = bound.to_string();
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, &total.to_string());
        }
        let labels_inf: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.sample(&format!("{name}_bucket"), &labels_inf, &histogram.count.to_string());
        self.sample(&format!("{name}_sum"), labels, &histogram.sum.as_secs_f64().to_string());
        self.sample(&format!("{name}_count"), labels, &histogram.count.to_string());
    }

    /// Help and type, once for all samples of a name.
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        if self.family != name {
            name.clone_into(&mut self.family);
            self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        self.line(format_args!("{} {value}", if labels.is_empty() { "" } else { "}" }));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{text}");
    }
}

/// How long answers took, by route and status.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<(&'static str, &'static str, u16), Histogram>>);

#[derive(Clone, Copy, Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS_S.len()],
    count: u64,
    sum: Duration,
}

impl Requests {
    /// Counts one answer.
    pub(super) fn count(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        let mut histograms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = histograms.entry((route, method, status)).or_default();
        if let Some(bucket) = BUCKETS_S.iter().position(|bound| took.as_secs_f64() <= *bound) {
            histogram.buckets[bucket] += 1;
        }
        histogram.count += 1;
        histogram.sum += took;
    }

    fn write(&self, page: &mut Metrics) {
        let histograms = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((route, method, status), histogram) in &histograms {
            let status = status.to_string();
            let labels = [("method", *method), ("route", *route), ("status_code", status.as_str())];
            let help = "Seconds from the head of a request to its answer.";
            page.histogram("loki_request_duration_seconds", help, &labels, histogram);
        }
    }
}

/// A count as a gauge's number; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a 64-bit float by the format's definition")]
fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_one_head_and_values_are_escaped() {
        let mut page = Metrics::default();
        page.counter("a_total", "Help.", &[("k", "x\"\\\n")], 3);
        page.counter("a_total", "Help.", &[("k", "y"), ("l", "z")], 4);
        page.gauge("b", "Other.", &[], 0.5);
        let want = "# HELP a_total Help.\n# TYPE a_total counter\na_total{k=\"x\\\"\\\\\\n\"} 3\na_total{k=\"y\",l=\"z\"} 4\n\
                    # HELP b Other.\n# TYPE b gauge\nb 0.5\n";
        assert_eq!(page.text, want);
    }

    #[test]
    fn buckets_of_a_histogram_add_up() {
        let requests = Requests::default();
        for ms in [1, 20, 20, 700, 100_000] {
            requests.count("GET", "/ready", 200, Duration::from_millis(ms));
        }
        let mut page = Metrics::default();
        requests.write(&mut page);
        for want in [
            "_bucket{method=\"GET\",route=\"/ready\",status_code=\"200\",le=\"0.005\"} 1\n",
            ",le=\"0.025\"} 3\n",
            ",le=\"1\"} 4\n",
            ",le=\"60\"} 4\n",
            ",le=\"+Inf\"} 5\n",
            "_sum{method=\"GET\",route=\"/ready\",status_code=\"200\"} 100.741\n",
            "_count{method=\"GET\",route=\"/ready\",status_code=\"200\"} 5\n",
        ] {
            assert!(page.text.contains(want), "{want} in {}", page.text);
        }
    }
}
