//! The syslog receiver as the source of a job, `[scrape_configs.syslog]`.

use std::{net::SocketAddr, ops::Range};

use toml::de::DeTable;

use super::{
    keys::{Key, Kind, Zero, duration, size},
    report::Problem,
    section::{Document, Section, Text},
};
use crate::collect::source::{Part, Protocol, Syslog};
use crate::labels::LabelSet;

pub(super) const KEYS: &[Key] = &[
    Key::shown("listen_address", Kind::Text, r#""127.0.0.1:1514""#, "address and port, or the path of a unix socket"),
    Key::new("listen_protocol", Kind::Choice(&["udp", "tcp", "unix"]), r#""udp""#, "how messages arrive"),
    Key::new("max_message_length", size(480, Zero::Refused), r#""64KiB""#, "of a message; the rest is left out"),
    Key::new("idle_timeout", duration(1000, Zero::Refused), r#""10m""#, "when a silent connection is closed"),
    Key::new("use_incoming_timestamp", Kind::Flag, "true", "the message's own time is the entry's"),
    Key::new("use_rfc5424_message", Kind::Flag, "false", "the line is the whole message, as it came"),
    Key::new("label_structured_data", Kind::Flag, "false", "store structured data with the entry, as sd_ID_NAME"),
    Key::new(
        "labels",
        Kind::Labels,
        r#"{ host = "hostname", app = "app_name" }"#,
        "label = part: hostname, app_name, proc_id, msg_id, severity, facility, connection_ip_address",
    ),
    Key::shown("syslog_format", Kind::Text, "", "promtail's; has no effect: each message says what it is"),
];

/// What is listened for; `None`: there is no address.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>, span: Range<usize>) -> Option<Syslog> {
    let section = Section::new(document, "in [scrape_configs.syslog]", KEYS, Some(table)).at(span);
    let protocol = match section.choice("listen_protocol") {
        "tcp" => Protocol::Tcp,
        "unix" => Protocol::Unix,
        _ => Protocol::Udp,
    };
    if section.value("listen_address").is_none() {
        section.report_missing("listen_address");
    }
    let listen_address = section.parsed("listen_address", |text| {
        check_address(document, text, protocol)?;
        Ok(text.value.clone())
    })?;
    Some(Syslog {
        listen_address,
        protocol,
        message_bytes_max: usize::try_from(section.size("max_message_length")).unwrap_or(usize::MAX),
        idle_timeout: section.duration("idle_timeout"),
        use_incoming_timestamp: section.flag("use_incoming_timestamp"),
        use_whole_message: section.flag("use_rfc5424_message"),
        label_structured_data: section.flag("label_structured_data"),
        labels: parts(&section),
    })
}

fn check_address(document: &Document<'_>, text: &Text, protocol: Protocol) -> Result<(), Problem> {
    if protocol == Protocol::Unix {
        let what = format!("`{}` is not an absolute path", text.value);
        return if text.value.starts_with('/') { Ok(()) } else { Err(Problem::error(text.span.clone(), what)) };
    }
    let address = text.value.parse::<SocketAddr>().map_err(|_| {
        Problem::error(text.span.clone(), format!("`{}` is not an address with a port", text.value))
            .hint("write one as in \"0.0.0.0:1514\" or \"[::]:1514\"")
    })?;
    if protocol == Protocol::Udp && address.ip().is_unspecified() {
        let what = "everybody who reaches this port may send, under any name";
        document.report(
            Problem::warning(text.span.clone(), what).hint("listen on the address of one network, or use a firewall"),
        );
    }
    Ok(())
}

/// Labels, and the parts that they are taken from.
fn parts(section: &Section<'_>) -> Vec<(String, Part)> {
    let document = section.document;
    let read = section.read("labels", |value| {
        let mut pairs = Vec::new();
        for (name, value) in value.get_ref().as_table().into_iter().flatten() {
            let (name, text) = (Text::of_key(name), document.text(value)?);
            if !LabelSet::is_name(&name.value) || name.value.starts_with("__") {
                return Err(Problem::error(name.span, format!("`{}` is not a label name", name.value)));
            }
            let Some(part) = Part::ALL.into_iter().find(|part| part.name() == text.value) else {
                let what = format!("`{}` is no part of a message", text.value);
                let known = Part::ALL.map(Part::name).join(", ");
                return Err(Problem::error(text.span, what).hint(format!("write one of {known}")));
            };
            pairs.push((name.value, part));
        }
        Ok(pairs)
    });
    read.unwrap_or_default()
}
