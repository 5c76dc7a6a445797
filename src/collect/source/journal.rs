//! The journal of systemd, read through `journalctl`: one JSON object per entry from a child process
//! that follows it. The cursor of the last entry is committed with the entries before it.
//! Source: <https://systemd.io/JOURNAL_EXPORT_FORMATS/>, "Journal JSON Format".

use std::{
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::{Outlet, Record};
use crate::collect::{batch::Batch, env::Now, stats::Stats};
use crate::logql::{JsonValue, Scanner, append_unescaped, readable};

/// First and longest wait before a child that ended is started again.
const RESTART_MIN: Duration = Duration::from_secs(1);
const RESTART_MAX: Duration = Duration::from_mins(1);
/// A larger entry, such as one with a core dump in it, is left out.
const ENTRY_BYTES_MAX: usize = 4 << 20;
/// Bytes that one turn reads.
const TURN_BYTES_MAX: usize = 256 * 1024;
/// Bytes of what the child says about itself that are shown.
const SAID_BYTES_MAX: usize = 400;
/// The time that the sender gives counts if it is so near to that of receiving.
const SOURCE_TIME_MAX_US: u64 = 10_000_000;

const VERSION: u8 = 1;

/// The severities of syslog, by number.
pub(super) const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];

/// What is read of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// Directory of the journal; `None`: where `journalctl` looks.
    pub path: Option<String>,
    /// Only entries that have all of these fields with these values.
    pub matches: Vec<(String, String)>,
    /// How far back reading begins at the first start. `None`: at the oldest entry.
    pub max_age: Option<Duration>,
    /// The whole entry is the line, as JSON.
    pub json: bool,
    /// Label, and the field that it is taken from; `unit` is the unit without its running number.
    pub labels: Vec<(String, String)>,
    /// Structured metadata, and the field that they are taken from.
    pub metadata: Vec<(String, String)>,
}

/// The journal being read.
pub(super) struct Reader {
    name: String,
    journal: Journal,
    outlet: Outlet,
    pipeline: u64,
    child: Option<Running>,
    /// When the next child is started, and how long to wait after it.
    start_at: Duration,
    wait: Duration,
    /// Cursor and time of the last entry behind which nothing is held back; without a cursor, the time from which on
    /// the journal is read.
    cursor: String,
    realtime_us: u64,
    /// Entries behind it whose outcome is stored.
    stored: u64,
    /// Of those, how many are still to be read again.
    again: u64,
    /// Cursor and time of the last entry.
    last: (String, u64),
    /// Entries behind `cursor`.
    behind: u64,
    /// Children in a row that gave no entry: the cursor may be none that `journalctl` knows.
    barren: u32,
    /// Entries up to this time were stored: the place is found by time instead of by cursor.
    skip_to_us: u64,
    own_pid: String,
}

/// A child at work.
struct Running {
    child: Child,
    out: ChildStdout,
    err: ChildStderr,
    buffer: Vec<u8>,
    /// In the rest of an entry that is too large.
    skipping: bool,
    gave_entry: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reader {
    /// Goes on at a stored place, if there is one.
    pub(super) fn new(name: &str, journal: &Journal, outlet: Outlet, pipeline: u64, stored: &[u8], now: Now) -> Self {
        let place = Place::decode(stored).unwrap_or_default();
        // Through other stages other entries come out.
        let stored = if place.pipeline == pipeline { place.stored } else { 0 };
        Self {
            name: name.to_owned(),
            journal: journal.clone(),
            outlet,
            pipeline,
            child: None,
            start_at: now.elapsed,
            wait: RESTART_MIN,
            last: (place.cursor.clone(), if place.cursor.is_empty() { 0 } else { place.realtime_us }),
            cursor: place.cursor,
            realtime_us: place.realtime_us,
            stored,
            again: stored,
            behind: 0,
            barren: 0,
            skip_to_us: 0,
            own_pid: std::process::id().to_string(),
        }
    }

    /// What becomes readable when an entry comes.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.child.as_ref().map(|running| running.out.as_fd())
    }

    /// When a child is to be started, or something that is held is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let start = Some(self.start_at).filter(|at| self.child.is_none() && *at < Duration::MAX);
        start.into_iter().chain(self.outlet.deadline()).min()
    }

    /// Takes a part of what came. Returns the place to be stored with it, if it moved.
    pub(super) fn turn(&mut self, now: Now, batch: &mut Batch<'_>, stats: &mut Stats) -> Option<Vec<u8>> {
        if self.child.is_none() && self.start_at <= now.elapsed {
            self.start(now);
        }
        let before = (self.behind, self.last.1, self.cursor.len());
        if let Some(mut running) = self.child.take() {
            let ended = self.read(&mut running, now, batch, stats);
            if ended {
                *stats.source_restarts.entry(self.name.clone()).or_default() += 1;
                self.ended(running, now);
            } else {
                self.child = Some(running);
            }
        }
        self.outlet.end_turn(now, batch, stats);
        if !self.outlet.holds() && self.behind > 0 && self.again == 0 {
            (self.cursor, self.realtime_us) = self.last.clone();
            (self.behind, self.stored) = (0, 0);
        } else {
            self.stored = self.stored.max(self.behind);
        }
        let moved = before != (self.behind, self.last.1, self.cursor.len());
        (moved && self.again == 0).then(|| self.place().encode())
    }

    fn place(&self) -> Place {
        Place {
            cursor: self.cursor.clone(),
            realtime_us: self.realtime_us,
            stored: self.stored,
            pipeline: self.pipeline,
        }
    }

    fn start(&mut self, now: Now) {
        let mut command = Command::new("journalctl");
        command.args(["--follow", "--no-tail", "--all", "--output=json", "--no-pager"]);
        if let Some(path) = &self.journal.path {
            command.arg(format!("--directory={path}"));
        }
        if self.barren >= 2 && self.last.1 > 0 {
            // The journal may have been emptied, or come from another host.
            command.arg(format!("--since=@{}", self.last.1 / 1_000_000));
            self.skip_to_us = self.last.1;
            self.again = 0;
        } else if !self.last.0.is_empty() {
            command.arg(format!("--after-cursor={}", self.last.0));
        } else {
            if self.realtime_us == 0 {
                self.realtime_us = self.journal.max_age.map_or(0, |age| since_us(now, age));
            }
            command.arg(format!("--since=@{}", self.realtime_us / 1_000_000));
        }
        command.envs([("LC_ALL", "C"), ("SYSTEMD_COLORS", "0"), ("TZ", "UTC")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.start_at = now.elapsed + self.wait;
        match command.spawn().and_then(Running::new) {
            Ok(running) => {
                self.child = Some(running);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                log::warn!("job {}: journalctl is not installed, the journal is not read", self.name);
                self.start_at = Duration::MAX;
            }
            Err(error) => {
                if self.wait == RESTART_MIN {
                    log::warn!("job {}: cannot start journalctl: {error}; trying again", self.name);
                }
                self.back_off(now);
            }
        }
    }

    fn back_off(&mut self, now: Now) {
        self.start_at = now.elapsed + self.wait;
        self.wait = (self.wait * 2).min(RESTART_MAX);
    }

    fn ended(&mut self, mut running: Running, now: Now) {
        self.barren = if running.gave_entry { 0 } else { self.barren + 1 };
        if running.gave_entry {
            self.wait = RESTART_MIN;
        }
        let said = running.said();
        let status = running.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        log::warn!("job {}: journalctl ended ({status}){said}; it is started again in {:?}", self.name, self.wait);
        self.back_off(now);
    }

    /// Reads what the child wrote. Returns whether it ended.
    fn read(&mut self, running: &mut Running, now: Now, batch: &mut Batch<'_>, stats: &mut Stats) -> bool {
        let said = running.said();
        if !said.is_empty() {
            let hint =
                if said.contains("not seeing messages") { "; add the user to the group systemd-journal" } else { "" };
            log::warn!("job {}: journalctl says{said}{hint}", self.name);
        }
        let mut chunk = [0; 16 * 1024];
        let mut left = TURN_BYTES_MAX;
        while left > 0 && !batch.is_full() {
            let count = match running.out.read(&mut chunk) {
                Ok(0) => return true,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return true,
            };
            left = left.saturating_sub(count);
            running.buffer.extend_from_slice(&chunk[..count]);
            let buffer = std::mem::take(&mut running.buffer);
            let mut at = 0;
            while let Some(length) = memchr::memchr(b'\n', &buffer[at..]) {
                let line = &buffer[at..at + length];
                at += length + 1;
                if std::mem::take(&mut running.skipping) {
                    *stats.dropped_by_stage.entry((self.name.clone(), "entry_too_long".to_owned())).or_default() += 1;
                } else if self.take(line, now, batch, stats) {
                    running.gave_entry = true;
                    self.barren = 0;
                }
            }
            running.buffer = buffer;
            running.buffer.drain(..at);
            if running.buffer.len() > ENTRY_BYTES_MAX {
                running.buffer = Vec::new();
                running.skipping = true;
            }
        }
        false
    }

    /// One entry. Returns whether it was one.
    fn take(&mut self, line: &[u8], now: Now, batch: &mut Batch<'_>, stats: &mut Stats) -> bool {
        let text = readable(line);
        let Some(entry) = Entry::read(&text) else {
            *stats.dropped_by_stage.entry((self.name.clone(), "no_journal_entry".to_owned())).or_default() += 1;
            return false;
        };
        let Some(cursor) = entry.get("__CURSOR") else { return false };
        let received_us = entry.number("__REALTIME_TIMESTAMP").unwrap_or(0);
        if received_us <= self.skip_to_us {
            return true;
        }
        self.last = (cursor.to_owned(), received_us);
        self.behind += 1;
        let again = self.again > 0;
        self.again -= u64::from(again);
        let wanted = self.journal.matches.iter().all(|(field, value)| entry.get(field) == Some(value));
        if !wanted || self.is_own(&entry) {
            return true;
        }
        let message = entry.get("MESSAGE");
        let body = match message {
            _ if self.journal.json => line,
            Some(message) => message.as_bytes(),
            None => {
                *stats.dropped_by_stage.entry((self.name.clone(), "no_message".to_owned())).or_default() += 1;
                return true;
            }
        };
        let sent_us = entry.number("_SOURCE_REALTIME_TIMESTAMP");
        let time_us = sent_us.filter(|us| us.abs_diff(received_us) <= SOURCE_TIME_MAX_US).unwrap_or(received_us);
        let unit = entry.unit();
        let value = |field: &str| match field {
            "unit" => Some(unit.as_str()).filter(|unit| !unit.is_empty()),
            "PRIORITY" => entry.priority(),
            field => entry.get(field),
        };
        let labels: Vec<_> =
            self.journal.labels.iter().filter_map(|(label, field)| Some((label.as_str(), value(field)?))).collect();
        let metadata = self.journal.metadata.iter();
        let metadata = metadata.filter_map(|(name, field)| Some((name.clone(), value(field)?.to_owned()))).collect();
        let internal = if self.outlet.has_rules() { entry.internal() } else { Vec::new() };
        let record = Record {
            line: body,
            time_ns: i64::try_from(time_us).ok().and_then(|us| us.checked_mul(1000)).filter(|ns| *ns > 0),
            labels: &labels,
            metadata,
            internal: &internal,
            again,
        };
        self.outlet.take(record, now, batch, stats);
        true
    }

    /// Our own messages come back to us here. Only those that somebody has to see are stored: each of the others
    /// would make the next.
    fn is_own(&self, entry: &Entry) -> bool {
        let head = |message: &str| message[..message.floor_char_boundary(60)].to_owned();
        entry.get("_PID") == Some(&self.own_pid)
            && !entry.get("MESSAGE").map(head).is_some_and(|head| head.contains("WARN") || head.contains("ERROR"))
    }
}

/// Microseconds since 1970 at which something was so old.
fn since_us(now: Now, age: Duration) -> u64 {
    let age_ns = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
    u64::try_from(now.wall_ns.saturating_sub(age_ns) / 1000).unwrap_or(0)
}

impl Running {
    fn new(mut child: Child) -> io::Result<Self> {
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("it has no output"));
        };
        for descriptor in [out.as_fd(), err.as_fd()] {
            fcntl_setfl(descriptor, fcntl_getfl(descriptor)? | OFlags::NONBLOCK)?;
        }
        Ok(Self { child, out, err, buffer: Vec::new(), skipping: false, gave_entry: false })
    }

    /// What the child said about itself since the last call, behind a colon.
    fn said(&mut self) -> String {
        let mut bytes = [0; SAID_BYTES_MAX];
        match self.err.read(&mut bytes) {
            Ok(count) if count > 0 => format!(": {}", readable(&bytes[..count]).trim().replace('\n', "; ")),
            _ => String::new(),
        }
    }
}

/// An entry of the journal: its fields, of which those with several values have the first, or all lines.
struct Entry(Vec<(String, String)>);

impl Entry {
    fn read(text: &str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        scanner.eat(b'{').then_some(())?;
        let mut fields = Vec::new();
        while let Some(key) = scanner.key().ok()? {
            let value = scanner.value().ok()?;
            if let Some(text) = field(key, value) {
                fields.push((key.to_owned(), text));
            }
            scanner.separator(b'}').ok()?;
        }
        Some(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    fn priority(&self) -> Option<&'static str> {
        SEVERITIES.get(usize::try_from(self.number("PRIORITY")?).ok()?).copied()
    }

    /// The unit without what makes each of its runs another one: else each login would be a stream.
    fn unit(&self) -> String {
        let Some(unit) = self.get("_SYSTEMD_UNIT") else {
            let kernel = self.get("_TRANSPORT") == Some("kernel");
            return if kernel { "kernel" } else { self.get("SYSLOG_IDENTIFIER").unwrap_or("") }.to_owned();
        };
        let (stem, kind) = unit.rsplit_once('.').unwrap_or((unit, ""));
        match stem {
            _ if stem.starts_with("session-") => format!("session.{kind}"),
            _ if stem.starts_with("run-") => format!("run.{kind}"),
            _ if stem.starts_with("user@") => format!("user@.{kind}"),
            _ => unit.to_owned(),
        }
    }

    /// The fields as rules see them.
    fn internal(&self) -> Vec<(String, String)> {
        let name = |field: &str| format!("__journal_{}", field.to_ascii_lowercase());
        let mut pairs: Vec<_> = self.0.iter().map(|(field, value)| (name(field), value.clone())).collect();
        pairs.extend(self.priority().map(|word| ("__journal_priority_keyword".to_owned(), word.to_owned())));
        pairs
    }
}

/// The text of a field: a string, a list of bytes, or a list of these.
fn field(key: &str, value: JsonValue<'_>) -> Option<String> {
    match value {
        JsonValue::String(raw) => {
            let mut text = String::new();
            append_unescaped(raw, &mut text)?;
            Some(text)
        }
        JsonValue::Plain(text) => Some(text.to_owned()),
        JsonValue::Null | JsonValue::Object(_) => None,
        JsonValue::Array(text) => {
            let mut scanner = Scanner::new(text);
            scanner.eat(b'[');
            let (mut bytes, mut texts) = (Vec::new(), Vec::new());
            while !scanner.eat(b']') {
                match scanner.value().ok()? {
                    JsonValue::Plain(number) => bytes.push(number.parse::<u8>().ok()?),
                    value => texts.extend(field(key, value)),
                }
                scanner.separator(b']').ok()?;
            }
            match (texts.is_empty(), key) {
                (true, _) => Some(readable(&bytes).into_owned()),
                (false, "MESSAGE") => Some(texts.join("\n")),
                (false, _) => texts.into_iter().next(),
            }
        }
    }
}

/// What is stored: version (u8, 1), time of the entry (u64), entries behind it whose outcome is stored (u64), hash
/// of the stages (u64), all little-endian; cursor (the rest).
#[derive(Debug, Default, PartialEq)]
struct Place {
    cursor: String,
    realtime_us: u64,
    stored: u64,
    pipeline: u64,
}

impl Place {
    fn encode(&self) -> Vec<u8> {
        let numbers = [self.realtime_us, self.stored, self.pipeline].map(u64::to_le_bytes);
        [&[VERSION], numbers.as_flattened(), self.cursor.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[VERSION], rest) = bytes.split_first_chunk()? else { return None };
        let (realtime_us, rest) = rest.split_first_chunk()?;
        let (stored, rest) = rest.split_first_chunk()?;
        let (pipeline, cursor) = rest.split_first_chunk()?;
        Some(Self {
            cursor: String::from_utf8(cursor.to_vec()).ok()?,
            realtime_us: u64::from_le_bytes(*realtime_us),
            stored: u64::from_le_bytes(*stored),
            pipeline: u64::from_le_bytes(*pipeline),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_journalctl_writes() {
        let entry = Entry::read(
            r#"{"__CURSOR":"s=1;i=2","MESSAGE":[104,105,255],"PRIORITY":"4","_SYSTEMD_UNIT":"session-12.scope","N":null,
               "LIST":["a","b"],"X":"\u00e9"}"#,
        )
        .unwrap();
        assert_eq!(
            (entry.get("MESSAGE"), entry.get("LIST"), entry.get("X")),
            (Some("hi\u{fffd}"), Some("a"), Some("é"))
        );
        assert_eq!((entry.unit().as_str(), entry.priority(), entry.get("N")), ("session.scope", Some("warning"), None));
        let unit = |text: &str| Entry::read(text).unwrap().unit();
        assert_eq!(unit(r#"{"_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"x"}"#), "kernel");
        assert_eq!(unit(r#"{"SYSLOG_IDENTIFIER":"cron"}"#), "cron");
        assert_eq!(unit(r#"{"_SYSTEMD_UNIT":"user@1000.service"}"#), "user@.service");
        assert_eq!(field("MESSAGE", JsonValue::Array(r#"["a",[98]]"#)).unwrap(), "a\nb");
        for broken in ["", "x", "{\"a\":", "[1]"] {
            assert!(Entry::read(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn places_come_back_as_they_were() {
        let place = Place { cursor: "s=1;i=2".into(), realtime_us: 7, stored: 8, pipeline: 9 };
        let bytes = place.encode();
        assert_eq!(Place::decode(&bytes), Some(place));
        for cut in 0..25 {
            assert_eq!(Place::decode(&bytes[..cut]), None, "cut at byte {cut}");
        }
    }
}
