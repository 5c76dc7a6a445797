//! The answers of queries as JSON. The order of the keys is part of the contract: Grafana reads an
//! answer as a stream, so `resultType` and `encodingFlags` come before `result`, `stats` after it.

use std::{collections::VecDeque, vec};

use super::{
    json::{self, Produce},
    reply::Reply,
};
use crate::query::{LogAnswer, MetricAnswer, MetricValue, ResultEntry, ResultStream, Sample, Series, Statistics};

/// Entries of log streams on their way out; what is written is freed.
struct LogBody {
    head: Option<Vec<u8>>,
    streams: VecDeque<ResultStream>,
    /// The rest of the stream that is being written.
    entries: vec::IntoIter<ResultEntry>,
    in_stream: bool,
    tail: Vec<u8>,
}

/// The answer of a log query; `flags` are the encoding flags that the client asked for.
pub(super) fn log_reply(answer: LogAnswer, flags: &[&str]) -> Reply {
    let mut head = b"{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",".to_vec();
    write_flags(&mut head, flags);
    head.extend_from_slice(b"\"result\":[");
    let mut tail = b"],".to_vec();
    write_end(&mut tail, &answer.statistics, &answer.warnings);
    tail.push(b'\n');
    Reply::json_streamed(LogBody {
        head: Some(head),
        streams: answer.streams.into(),
        entries: Vec::new().into_iter(),
        in_stream: false,
        tail,
    })
}

impl Produce for LogBody {
    fn produce(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(head) = self.head.take() {
            out.extend_from_slice(&head);
            return true;
        }
        if let Some(entry) = self.entries.next() {
            write_entry(out, &entry);
            if self.entries.len() > 0 {
                out.push(b',');
            }
            return true;
        }
        if std::mem::take(&mut self.in_stream) {
            out.extend_from_slice(if self.streams.is_empty() { b"]}" } else { b"]}," });
            return true;
        }
        let Some(stream) = self.streams.pop_front() else {
            out.append(&mut self.tail);
            return false;
        };
        write_stream_head(out, &stream);
        self.entries = stream.entries.into_iter();
        self.in_stream = true;
        true
    }
}

/// A whole stream, as a tail's frame holds it.
pub(super) fn write_stream(out: &mut Vec<u8>, stream: &ResultStream) {
    write_stream_head(out, stream);
    for (at, entry) in stream.entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_entry(out, entry);
    }
    out.extend_from_slice(b"]}");
}

fn write_stream_head(out: &mut Vec<u8>, stream: &ResultStream) {
    out.extend_from_slice(b"{\"stream\":");
    json::labels(out, stream.labels.iter());
    out.extend_from_slice(b",\"values\":[");
}

/// `[time, line]`, or with categories always `[time, line, {...}]`, the object perhaps empty.
fn write_entry(out: &mut Vec<u8>, entry: &ResultEntry) {
    out.push(b'[');
    json::nanoseconds(out, entry.timestamp_ns);
    out.push(b',');
    json::string(out, &entry.line);
    if let Some(categories) = &entry.categories {
        out.extend_from_slice(b",{");
        let mut separator: &[u8] = b"";
        for (name, labels) in [("structuredMetadata", &*categories.structured_metadata), ("parsed", &categories.parsed)]
        {
            if !labels.is_empty() {
                out.extend_from_slice(separator);
                json::string(out, name);
                out.push(b':');
                json::labels(out, labels.iter());
                separator = b",";
            }
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// Series of a metric on their way out; what is written is freed.
struct MetricBody {
    head: Option<Vec<u8>>,
    series: vec::IntoIter<Series>,
    /// Samples of a range, in lists; otherwise each series has one.
    is_matrix: bool,
    tail: Vec<u8>,
}

/// The answer of a metric query.
pub(super) fn metric_reply(answer: MetricAnswer) -> Reply {
    let mut head = b"{\"status\":\"success\",\"data\":{\"resultType\":".to_vec();
    let mut tail = Vec::new();
    let (series, is_matrix) = match answer.value {
        MetricValue::Scalar(sample) => {
            head.extend_from_slice(b"\"scalar\",\"result\":");
            write_sample(&mut head, sample);
            (Vec::new(), false)
        }
        MetricValue::Vector(series) => {
            head.extend_from_slice(b"\"vector\",\"result\":[");
            tail.push(b']');
            (series, false)
        }
        MetricValue::Matrix(series) => {
            head.extend_from_slice(b"\"matrix\",\"result\":[");
            tail.push(b']');
            (series, true)
        }
    };
    tail.push(b',');
    write_end(&mut tail, &answer.statistics, &answer.warnings);
    tail.push(b'\n');
    Reply::json_streamed(MetricBody { head: Some(head), series: series.into_iter(), is_matrix, tail })
}

impl Produce for MetricBody {
    fn produce(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(head) = self.head.take() {
            out.extend_from_slice(&head);
            return true;
        }
        let Some(series) = self.series.next() else {
            out.append(&mut self.tail);
            return false;
        };
        out.extend_from_slice(b"{\"metric\":");
        json::labels(out, series.labels.iter());
        out.extend_from_slice(if self.is_matrix { b",\"values\":[" } else { b",\"value\":" });
        for (at, sample) in series.samples.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_sample(out, *sample);
        }
        out.extend_from_slice(if self.is_matrix { b"]}" } else { b"}" });
        if self.series.len() > 0 {
            out.push(b',');
        }
        true
    }
}

fn write_sample(out: &mut Vec<u8>, sample: Sample) {
    out.push(b'[');
    json::seconds(out, sample.timestamp_ms);
    out.push(b',');
    json::sample_value(out, sample.value);
    out.push(b']');
}

/// `"encodingFlags":[..],` if there are any.
pub(super) fn write_flags(out: &mut Vec<u8>, flags: &[&str]) {
    if !flags.is_empty() {
        out.extend_from_slice(b"\"encodingFlags\":");
        json::strings(out, flags);
        out.push(b',');
    }
}

/// The statistics, the end of `data`, and the warnings.
fn write_end(out: &mut Vec<u8>, statistics: &Statistics, warnings: &[String]) {
    let exec_s = statistics.exec_time.as_secs_f64();
    let per_second = |count: u64| match statistics.exec_time.as_micros() {
        0 => 0,
        us => u64::try_from(u128::from(count) * 1_000_000 / us).unwrap_or(u64::MAX),
    };
    let summary = format!(
        "\"stats\":{{\"summary\":{{\"bytesProcessedPerSecond\":{},\"linesProcessedPerSecond\":{},\
         \"totalBytesProcessed\":{},\"totalLinesProcessed\":{},\"execTime\":{exec_s},\"queueTime\":{},\
         \"subqueries\":0,\"totalEntriesReturned\":{},\"splits\":0,\"shards\":0,\"totalPostFilterLines\":{},\
         \"totalStructuredMetadataBytesProcessed\":{}}}}}}}",
        per_second(statistics.bytes_processed),
        per_second(statistics.lines_processed),
        statistics.bytes_processed,
        statistics.lines_processed,
        statistics.queue_time.as_secs_f64(),
        statistics.entries_returned,
        statistics.lines_passed,
        statistics.metadata_bytes_processed,
    );
    out.extend_from_slice(summary.as_bytes());
    if !warnings.is_empty() {
        out.extend_from_slice(b",\"warnings\":");
        json::strings(out, warnings);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use std::{io::Read, sync::Arc, time::Duration};

    use super::*;
    use crate::query::{Categories, ResultLabels};
    use crate::server::http::Answer;

    fn entry(timestamp_ns: i64, line: &str, categories: Option<Categories>) -> ResultEntry {
        ResultEntry { timestamp_ns, line: line.as_bytes().into(), categories }
    }

    fn body(reply: Reply) -> String {
        let mut text = String::new();
        let Answer::Response(response) = reply.into_answer(false) else { panic!("an upgrade") };
        response.into_reader().read_to_string(&mut text).unwrap();
        text
    }

    const STATS: &str = r#""stats":{"summary":{"bytesProcessedPerSecond":2000,"linesProcessedPerSecond":20,"totalBytesProcessed":1000,"totalLinesProcessed":10,"execTime":0.5,"queueTime":0,"subqueries":0,"totalEntriesReturned":0,"splits":0,"shards":0,"totalPostFilterLines":0,"totalStructuredMetadataBytesProcessed":0}}"#;

    fn statistics() -> Statistics {
        Statistics {
            bytes_processed: 1000,
            lines_processed: 10,
            exec_time: Duration::from_millis(500),
            ..Statistics::default()
        }
    }

    #[test]
    fn log_answers_have_their_keys_in_order() {
        let streams = vec![
            ResultStream {
                labels: ResultLabels::new([("a", "1")]),
                entries: vec![entry(2, "x\"y", None), entry(1, "", None)],
            },
            ResultStream { labels: ResultLabels::default(), entries: vec![entry(3, "z", None)] },
        ];
        let answer = LogAnswer { streams, statistics: statistics(), warnings: vec!["a \"block\" is damaged".into()] };
        let want = format!(
            "{}{STATS}{}\n",
            r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"a":"1"},"values":[["2","x\"y"],["1",""]]},{"stream":{},"values":[["3","z"]]}],"#,
            r#"},"warnings":["a \"block\" is damaged"]}"#,
        );
        assert_eq!(body(log_reply(answer, &[])), want);
    }

    #[test]
    fn with_flags_every_value_has_a_third_element() {
        let both = Categories {
            structured_metadata: Arc::new(ResultLabels::new([("m", "1")])),
            parsed: ResultLabels::new([("p", "")]),
        };
        let parsed = Categories { structured_metadata: Arc::default(), parsed: ResultLabels::new([("p", "")]) };
        let none = Categories { structured_metadata: Arc::default(), parsed: ResultLabels::default() };
        let entries = vec![entry(3, "x", Some(both)), entry(2, "y", Some(parsed)), entry(1, "z", Some(none))];
        let streams = vec![ResultStream { labels: ResultLabels::new([("a", "1")]), entries }];
        let answer = LogAnswer { streams, statistics: statistics(), warnings: Vec::new() };
        let want = format!(
            "{}{STATS}}}}}\n",
            r#"{"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels","other"],"result":[{"stream":{"a":"1"},"values":[["3","x",{"structuredMetadata":{"m":"1"},"parsed":{"p":""}}],["2","y",{"parsed":{"p":""}}],["1","z",{}]]}],"#,
        );
        assert_eq!(body(log_reply(answer, &["categorize-labels", "other"])), want);
    }

    #[test]
    fn an_empty_answer_is_an_empty_list() {
        let answer = LogAnswer { streams: Vec::new(), statistics: statistics(), warnings: Vec::new() };
        assert!(body(log_reply(answer, &[])).contains(r#""resultType":"streams","result":[],"stats":"#));
    }

    #[test]
    fn metric_answers() {
        let sample = |timestamp_ms, value| Sample { timestamp_ms, value };
        let series = || {
            let of = |name, samples| Series { labels: ResultLabels::new([(name, "1")]), samples };
            vec![of("a", vec![sample(1500, 2.0)]), of("b", vec![sample(1500, 3.0)])]
        };
        let long = || {
            let mut series = series();
            series[0].samples.push(sample(2000, 0.5));
            series
        };
        for (value, want) in [
            (MetricValue::Scalar(sample(4_000_000_000_000, 2.0)), r#""scalar","result":[4000000000,"2"],"#),
            (
                MetricValue::Vector(series()),
                r#""vector","result":[{"metric":{"a":"1"},"value":[1.5,"2"]},{"metric":{"b":"1"},"value":[1.5,"3"]}],"#,
            ),
            (
                MetricValue::Matrix(long()),
                r#""matrix","result":[{"metric":{"a":"1"},"values":[[1.5,"2"],[2,"0.5"]]},{"metric":{"b":"1"},"values":[[1.5,"3"]]}],"#,
            ),
            (MetricValue::Vector(Vec::new()), r#""vector","result":[],"#),
        ] {
            let want = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":{want}{STATS}}}}}\n");
            let answer = MetricAnswer { value, statistics: statistics(), warnings: Vec::new() };
            assert_eq!(body(metric_reply(answer)), want);
        }
    }
}
