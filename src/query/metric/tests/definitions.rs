//! Random data against an evaluator that follows the definitions word by word, for any number of workers.

use std::collections::BTreeMap;

use super::{How, Line, Run, S, grid, run, shown, stream};
use crate::query::{metric::MetricValue, search::Stream};

/// A function over a range, and the query that asks for it.
struct Case {
    function: &'static str,
    filter: &'static str,
    unwraps: bool,
    /// `None`: all labels.
    by: Option<&'static [&'static str]>,
    range_s: i64,
    offset_s: i64,
}

impl Case {
    fn query(&self) -> String {
        let Self { function, filter, unwraps, by, range_s, offset_s } = self;
        let parser = if *unwraps { "| logfmt | unwrap v" } else { "" };
        let (open, function) = function.split_once(' ').map_or((*function, ""), |(name, rest)| (name, rest));
        let inner = format!(r#"{open}({function}{{s=~".+"}} {filter} {parser} [{range_s}s] offset {offset_s}s)"#);
        match by {
            None => inner,
            Some(names)
                if matches!(open, "rate" | "count_over_time" | "bytes_over_time" | "bytes_rate" | "sum_over_time") =>
            {
                format!("sum by ({}) ({inner})", names.join(","))
            }
            Some(names) => format!("{inner} by ({})", names.join(",")),
        }
    }

    /// The answer by the definitions: at every time every line that lies in the window, in order.
    fn expected(&self, entries: &[Naive], times: &[i64]) -> BTreeMap<BTreeMap<String, String>, Vec<(i64, f64)>> {
        let mut series: BTreeMap<_, Vec<(i64, f64)>> = BTreeMap::new();
        for time in times {
            let end_ns = (time - self.offset_s) * S;
            let mut groups: BTreeMap<BTreeMap<String, String>, Vec<&Naive>> = BTreeMap::new();
            for entry in entries {
                let word = self.filter.strip_prefix("|= ").map(|quoted| quoted.trim_matches('"'));
                let inside = entry.timestamp_ns > end_ns - self.range_s * S && entry.timestamp_ns <= end_ns;
                if !inside || !word.is_none_or(|word| entry.line.contains(word)) {
                    continue;
                }
                let mut labels = entry.stored.clone();
                if self.unwraps {
                    labels.extend(entry.parsed.clone());
                }
                if let Some(names) = self.by {
                    labels.retain(|name, _| names.contains(&name.as_str()));
                }
                groups.entry(labels).or_default().push(entry);
            }
            for (labels, group) in groups {
                series.entry(labels).or_default().push((*time, self.value(&group)));
            }
        }
        series
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn value(&self, group: &[&Naive]) -> f64 {
        let count = group.len() as f64;
        let bytes: f64 = group.iter().map(|entry| entry.line.len() as f64).sum();
        let values: Vec<f64> = group.iter().map(|entry| entry.v).collect();
        let sum: f64 = values.iter().sum();
        let mean = sum / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let seconds = self.range_s as f64;
        match self.function {
            "count_over_time" => count,
            "rate" if self.unwraps => sum / seconds,
            "rate" => count / seconds,
            "bytes_over_time" => bytes,
            "bytes_rate" => bytes / seconds,
            "sum_over_time" => sum,
            "avg_over_time" => mean,
            "min_over_time" => values.iter().copied().fold(f64::INFINITY, f64::min),
            "max_over_time" => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            "stdvar_over_time" => variance,
            "stddev_over_time" => variance.sqrt(),
            "first_over_time" => values[0],
            "last_over_time" => values[values.len() - 1],
            "quantile_over_time 0.3," => {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                let rank = 0.3 * (count - 1.0);
                let below = (0..sorted.len()).rev().find(|at| *at as f64 <= rank).unwrap();
                let above = sorted[(below + 1).min(sorted.len() - 1)];
                sorted[below] + (above - sorted[below]) * (rank - below as f64)
            }
            "rate_counter" => {
                let rises = values.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] });
                rises.sum::<f64>() / seconds
            }
            other => panic!("{other}"),
        }
    }
}

/// An entry as the definitions see it.
struct Naive {
    timestamp_ns: i64,
    stored: BTreeMap<String, String>,
    line: String,
    /// Without the unwrapped one.
    parsed: BTreeMap<String, String>,
    v: f64,
}

/// Three streams with times that repeat and go back, three metadata sets, and numbers of every size.
fn random_data() -> (Vec<Stream<Run>>, Vec<Naive>) {
    let mut seed = 7_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let sets: [&[(&str, &str)]; 3] = [&[], &[("detected_level", "info")], &[("detected_level", "error"), ("s", "m")]];
    let (mut streams, mut entries) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let mut lines: Vec<Line<'_>> = Vec::new();
        for n in 0..160_u64 {
            let timestamp_ns = i64::try_from(n * 250 + random(3000)).unwrap() * 1_000_000;
            let metadata = sets[usize::try_from(random(3)).unwrap()];
            let k = format!("k{}", random(2));
            let v = f64::from(u32::try_from(random(2_000_000)).unwrap()) / 1000.0 - 500.0;
            let msg = if n % 5 == 0 { "error" } else { "fine" };
            let line = format!("v={v} k={k} msg={msg}");
            lines.push((timestamp_ns, line.clone(), metadata));
            let mut stored = BTreeMap::from([("s".to_owned(), name.to_owned())]);
            for (label, value) in metadata {
                let suffix = if *label == "s" { "_extracted" } else { "" };
                stored.insert(format!("{label}{suffix}"), (*value).to_owned());
            }
            let parsed = BTreeMap::from([("k".to_owned(), k), ("msg".to_owned(), msg.to_owned())]);
            entries.push(Naive { timestamp_ns, stored, line, parsed, v });
        }
        streams.push(stream(&[("s", name)], &lines, 19));
    }
    // Stable: equal times stay in order of streams and of arrival.
    entries.sort_by_key(|entry| entry.timestamp_ns);
    (streams, entries)
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn random_data_gives_what_the_definitions_say_for_any_number_of_workers() {
    let (streams, entries) = random_data();
    let over_lines = ["count_over_time", "rate", "bytes_over_time", "bytes_rate"];
    let over_values = [
        "rate",
        "sum_over_time",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "stdvar_over_time",
        "stddev_over_time",
        "first_over_time",
        "last_over_time",
        "quantile_over_time 0.3,",
        "rate_counter",
    ];
    let functions = over_lines.map(|name| (name, false)).into_iter().chain(over_values.map(|name| (name, true)));
    let mut samples = 0;
    for (function, unwraps) in functions {
        // A counter's rate is greater than its definition: extrapolated by a millionth of its range, see `Counter`.
        let tolerance = if function == "rate_counter" { 1e-2 } else { 1e-9 };
        for filter in ["", r#"|= "error""#] {
            for by in [None, Some(&[][..]), Some(&["detected_level", "s"][..])] {
                for (range_s, offset_s, step_s) in [(10, 0, 10), (7, 3, 10), (25, -4, 10), (33, 0, 4)] {
                    if by.is_some() && function == "rate_counter" {
                        continue; // takes no grouping, and its sum is not that of a sum's lines
                    }
                    let case = Case { function, filter, unwraps, by, range_s, offset_s };
                    let query = case.query();
                    let times = grid(0, 45, step_s);
                    let of = |workers| {
                        let answer = run(&streams, &query, times, How { workers, ..How::default() });
                        answer.unwrap_or_else(|error| panic!("{query}: {error}"))
                    };
                    let answer = of(1);
                    assert_eq!(shown(&of(3)), shown(&answer), "{query}");
                    let seconds: Vec<i64> = times.stamps_ms().iter().map(|time_ms| time_ms / 1000).collect();
                    let expected = case.expected(&entries, &seconds);
                    let MetricValue::Matrix(series) = &answer.value else { panic!("{query}") };
                    assert_eq!(series.len(), expected.len(), "{query}");
                    for (series, (labels, want)) in series.iter().zip(expected) {
                        let got_labels: Vec<(&str, &str)> = series.labels.iter().collect();
                        let want_labels: Vec<(&str, &str)> =
                            labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                        assert_eq!(got_labels, want_labels, "{query}");
                        assert_eq!(series.samples.len(), want.len(), "{query} {labels:?}");
                        for (sample, (time, value)) in series.samples.iter().zip(want) {
                            assert_eq!(sample.timestamp_ms, time * 1000, "{query}");
                            assert!(
                                close(sample.value, value, tolerance),
                                "{query} at {time}: {} is not {value}",
                                sample.value
                            );
                            samples += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(samples > 10_000, "{samples}");
}
