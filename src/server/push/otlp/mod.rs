//! OpenTelemetry's log exports (OTLP), in protobuf or JSON: from a body to streams, as Loki maps them.
//! <https://opentelemetry.io/docs/specs/otlp/>
//!
//! An export is walked where it lies rather than decoded to messages: `encoded` is what both
//! encodings offer, `protobuf` and `json` are the two, `value` turns attributes and bodies into text.

mod encoded;
mod json;
mod protobuf;
mod value;

use std::io::Read;

use crate::ingest::Limits;
use crate::labels::LabelSet;
use crate::server::push::{
    BodyLimits, Push, PushError,
    encoding::{read_body, unsnap},
    streams::{StreamAt, Streams},
};

use encoded::{Encoded, Field};
use json::Json;
use protobuf::Protobuf;
use value::{KeyValue, append_line, flatten};

/// The encoding of an export, by its `Content-Type`; an error is answered in the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

impl Encoding {
    /// The encoding that a `Content-Type` names.
    pub(in crate::server) fn of(content_type: Option<&str>) -> Option<Self> {
        let media_type = content_type?.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// Reads and decodes the body of an export; the arguments are those of a push.
pub(in crate::server) fn decode(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    body: &mut dyn Read,
    body_limits: &BodyLimits,
    limits: &Limits,
    now_ns: i64,
) -> Result<Push, PushError> {
    let unknown = || PushError::ContentType(content_type.unwrap_or("").to_owned());
    let encoding = Encoding::of(content_type).ok_or_else(unknown)?;
    let mut plain = read_body(content_encoding, body, body_limits)?;
    // Unlike in a push, where it only announces what a protobuf body is anyway.
    if content_encoding.is_some_and(|name| name.trim().eq_ignore_ascii_case("snappy")) {
        plain = unsnap(&plain, body_limits.plain_bytes_max)?;
    }
    let mut streams = Streams::new(limits, now_ns, body_limits.memory_bytes_max, plain.len());
    match encoding {
        Encoding::Protobuf => walk(Protobuf::message(&plain), now_ns, &mut streams)?,
        Encoding::Json => walk(Json::text(&plain)?, now_ns, &mut streams)?,
    }
    streams.finish()
}

/// Resource attributes that become stream labels; all others become metadata. The list is Loki's:
/// what it holds has few values, so that it makes few streams.
const LABEL_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "container.name",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

#[derive(Clone, Copy)]
enum RequestField {
    ResourceLogs,
}
const REQUEST: &[Field<RequestField>] = &[(1, "resourceLogs", RequestField::ResourceLogs)];

#[derive(Clone, Copy)]
enum ResourceLogsField {
    Resource,
    ScopeLogs,
}
const RESOURCE_LOGS: &[Field<ResourceLogsField>] =
    &[(1, "resource", ResourceLogsField::Resource), (2, "scopeLogs", ResourceLogsField::ScopeLogs)];

#[derive(Clone, Copy)]
enum ResourceField {
    Attributes,
}
const RESOURCE: &[Field<ResourceField>] = &[(1, "attributes", ResourceField::Attributes)];

#[derive(Clone, Copy)]
enum ScopeLogsField {
    Scope,
    LogRecords,
}
const SCOPE_LOGS: &[Field<ScopeLogsField>] =
    &[(1, "scope", ScopeLogsField::Scope), (2, "logRecords", ScopeLogsField::LogRecords)];

#[derive(Clone, Copy)]
enum ScopeField {
    Name,
    Version,
    Attributes,
    DroppedAttributesCount,
}
const SCOPE: &[Field<ScopeField>] = &[
    (1, "name", ScopeField::Name),
    (2, "version", ScopeField::Version),
    (3, "attributes", ScopeField::Attributes),
    (4, "droppedAttributesCount", ScopeField::DroppedAttributesCount),
];

#[derive(Clone, Copy)]
enum RecordField {
    Time,
    SeverityNumber,
    SeverityText,
    Body,
    Attributes,
    DroppedAttributesCount,
    Flags,
    TraceId,
    SpanId,
    ObservedTime,
}
const RECORD: &[Field<RecordField>] = &[
    (1, "timeUnixNano", RecordField::Time),
    (2, "severityNumber", RecordField::SeverityNumber),
    (3, "severityText", RecordField::SeverityText),
    (5, "body", RecordField::Body),
    (6, "attributes", RecordField::Attributes),
    (7, "droppedAttributesCount", RecordField::DroppedAttributesCount),
    (8, "flags", RecordField::Flags),
    (9, "traceId", RecordField::TraceId),
    (10, "spanId", RecordField::SpanId),
    (11, "observedTimeUnixNano", RecordField::ObservedTime),
];

/// Pairs of name and value, as they were sent.
type Pairs = Vec<(String, String)>;

/// Reads an export into the streams. After an error they hold a part of it and are of no use.
fn walk<'m, E: Encoded<'m>>(request: E, now_ns: i64, streams: &mut Streams<'_>) -> Result<(), PushError> {
    request
        .fields(REQUEST, &mut |RequestField::ResourceLogs, resource_logs| walk_resource(resource_logs, now_ns, streams))
}

/// What one process has logged. Its resource is read first: in JSON it may stand behind the logs.
fn walk_resource<'m, E: Encoded<'m>>(logs: E, now_ns: i64, streams: &mut Streams<'_>) -> Result<(), PushError> {
    let (mut labels, mut metadata) = (Pairs::new(), Pairs::new());
    logs.fields(RESOURCE_LOGS, &mut |field, resource| match field {
        ResourceLogsField::ScopeLogs => Ok(()),
        ResourceLogsField::Resource => resource.fields(RESOURCE, &mut |ResourceField::Attributes, attribute| {
            let KeyValue { key, value } = KeyValue::of(attribute)?;
            let is_label = LABEL_ATTRIBUTES.contains(&&*key);
            flatten(&key, value, if is_label { &mut labels } else { &mut metadata }, streams)
        }),
    })?;
    let mut resource = Resource { labels: Some(labels), stream: None, metadata };
    logs.fields(RESOURCE_LOGS, &mut |field, scope_logs| match field {
        ResourceLogsField::Resource => Ok(()),
        ResourceLogsField::ScopeLogs => walk_scope(scope_logs, &mut resource, now_ns, streams),
    })
}

/// Where the records of a resource go.
struct Resource {
    /// Until the first record asks for the stream: without any there is none.
    labels: Option<Pairs>,
    /// `None` if a limit refuses the labels.
    stream: Option<StreamAt>,
    /// What every record gets.
    metadata: Pairs,
}

impl Resource {
    fn stream(&mut self, streams: &mut Streams<'_>) -> Result<Option<StreamAt>, PushError> {
        if let Some(labels) = self.labels.take() {
            let labels = labels.into_iter().map(|(name, value)| (label_name(&name), value)).collect();
            self.stream = streams.stream(LabelSet::new(labels))?;
        }
        Ok(self.stream)
    }
}

/// An attribute's key as a label's name. The keys of [`LABEL_ATTRIBUTES`] begin with a letter; a map
/// below one may have added anything.
fn label_name(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// What one library in the process has logged.
fn walk_scope<'m, E: Encoded<'m>>(
    logs: E,
    resource: &mut Resource,
    now_ns: i64,
    streams: &mut Streams<'_>,
) -> Result<(), PushError> {
    let mut metadata = Pairs::new();
    logs.fields(SCOPE_LOGS, &mut |field, scope| match field {
        ScopeLogsField::LogRecords => Ok(()),
        ScopeLogsField::Scope => scope.fields(SCOPE, &mut |field, value| match field {
            ScopeField::Name => push_text("scope_name", &value.text()?, &mut metadata, streams),
            ScopeField::Version => push_text("scope_version", &value.text()?, &mut metadata, streams),
            ScopeField::DroppedAttributesCount => {
                push_number("scope_dropped_attributes_count", value.unsigned()?, &mut metadata, streams)
            }
            ScopeField::Attributes => {
                let KeyValue { key, value } = KeyValue::of(value)?;
                flatten(&key, value, &mut metadata, streams)
            }
        }),
    })?;
    logs.fields(SCOPE_LOGS, &mut |field, record| match field {
        ScopeLogsField::Scope => Ok(()),
        ScopeLogsField::LogRecords => match resource.stream(streams)? {
            Some(stream) => walk_record(record, stream, [&resource.metadata, &metadata], now_ns, streams),
            None => Ok(()),
        },
    })
}

/// One entry; `inherited` are the metadata of its resource and of its scope.
fn walk_record<'m, E: Encoded<'m>>(
    record: E,
    stream: StreamAt,
    inherited: [&Pairs; 2],
    now_ns: i64,
    streams: &mut Streams<'_>,
) -> Result<(), PushError> {
    let (mut time_ns, mut observed_ns) = (0, 0);
    let mut body = None;
    let mut metadata = Pairs::new();
    record.fields(RECORD, &mut |field, value| {
        match field {
            RecordField::Time => time_ns = value.unsigned()?,
            RecordField::ObservedTime => observed_ns = value.unsigned()?,
            RecordField::Body => body = Some(value),
            RecordField::SeverityNumber => push_number("severity_number", value.unsigned()?, &mut metadata, streams)?,
            RecordField::SeverityText => push_text("severity_text", &value.text()?, &mut metadata, streams)?,
            RecordField::Flags => push_number("flags", value.unsigned()?, &mut metadata, streams)?,
            RecordField::DroppedAttributesCount => {
                push_number("dropped_attributes_count", value.unsigned()?, &mut metadata, streams)?;
            }
            RecordField::TraceId => push_id("trace_id", &value.hexadecimal()?, &mut metadata, streams)?,
            RecordField::SpanId => push_id("span_id", &value.hexadecimal()?, &mut metadata, streams)?,
            RecordField::Attributes => {
                let KeyValue { key, value } = KeyValue::of(value)?;
                flatten(&key, value, &mut metadata, streams)?;
            }
        }
        Ok(())
    })?;
    let timestamp_ns = match (time_ns, observed_ns) {
        (0, 0) => now_ns,
        (0, time_ns) | (time_ns, _) => i64::try_from(time_ns).unwrap_or(i64::MAX),
    };
    if time_ns > 0 {
        push_number("observed_timestamp", observed_ns, &mut metadata, streams)?;
    }
    for (name, value) in inherited.into_iter().flatten() {
        push(name.clone(), value.clone(), &mut metadata, streams)?;
    }
    if let Some(body) = body {
        append_line(body, stream, streams)?;
    }
    streams.end_entry(stream, timestamp_ns, metadata)
}

/// Adds a pair that a field of its own stands for, unless it is empty.
fn push_text(name: &str, value: &[u8], to: &mut Pairs, streams: &mut Streams<'_>) -> Result<(), PushError> {
    if value.is_empty() {
        return Ok(());
    }
    push(name.to_owned(), String::from_utf8_lossy(value).into_owned(), to, streams)
}

/// As [`push_text`]; zero stands for "not set".
fn push_number(name: &str, value: u64, to: &mut Pairs, streams: &mut Streams<'_>) -> Result<(), PushError> {
    if value == 0 {
        return Ok(());
    }
    push(name.to_owned(), value.to_string(), to, streams)
}

/// As [`push_text`]; an id of nothing but zeros stands for none.
fn push_id(name: &str, value: &str, to: &mut Pairs, streams: &mut Streams<'_>) -> Result<(), PushError> {
    if value.bytes().all(|digit| digit == b'0') {
        return Ok(());
    }
    push(name.to_owned(), value.to_owned(), to, streams)
}

/// Adds a pair and accounts for it.
fn push(name: String, value: String, to: &mut Pairs, streams: &mut Streams<'_>) -> Result<(), PushError> {
    streams.charge_pair(name.as_bytes(), value.as_bytes())?;
    to.push((name, value));
    Ok(())
}

#[cfg(test)]
mod tests;
