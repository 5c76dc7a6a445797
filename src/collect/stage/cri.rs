//! `cri`: the lines of Kubernetes' container runtimes, `TIME stdout|stderr P|F TEXT`, of which those
//! marked P go on in the next.
//! Source: <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>.

use std::time::Duration;

use super::{Count, Due, Entry, Flow, Place, Surroundings, held::Held};
use crate::labels::time::parse_rfc3339;

/// How long the first parts of a line wait for the rest.
pub(super) const PARTS_WAIT: Duration = Duration::from_secs(10);

/// One record.
struct Record<'l> {
    time_ns: i64,
    stream: &'l str,
    /// More of the line follows in the next record.
    is_part: bool,
    text: &'l str,
}

impl<'l> Record<'l> {
    fn read(line: &'l str) -> Option<Self> {
        let (time, rest) = line.split_once(' ')?;
        let (stream, rest) = rest.split_once(' ')?;
        let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_part = match tags.split(':').next() {
            Some("P") => true,
            Some("F") => false,
            _ => return None,
        };
        matches!(stream, "stdout" | "stderr").then_some(())?;
        Some(Self { time_ns: parse_rfc3339(time)?, stream, is_part, text })
    }
}

/// Whether a line has this form.
pub(super) fn is_record(line: &str) -> bool {
    Record::read(line).is_some()
}

/// The stage, and what it holds of unfinished lines.
#[derive(Debug)]
pub(super) struct Step(Joiner);

impl Step {
    pub(super) fn new(surroundings: &Surroundings<'_>) -> Self {
        Self(Joiner::new(surroundings))
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        let parts = entry.parts();
        let Some(record) = Record::read(parts.line) else {
            entry.failure = Some("not of the form `TIME stdout|stderr F TEXT`; it is stored as it is");
            return Flow::Next;
        };
        parts.next.push_str(record.text);
        let (time_ns, is_part) = (record.time_ns, record.is_part);
        let stream = if record.stream == "stdout" { "stdout" } else { "stderr" };
        entry.take_next();
        self.0.run(entry, stream, Some(time_ns), is_part)
    }

    fn release(&mut self, due: Due, entry: &mut Entry<'_>) -> bool {
        self.0.held.release(due, entry)
    }

    fn deadline(&self) -> Option<Duration> {
        self.0.held.deadline()
    }

    fn held(&self, generation: u64) -> Option<Place> {
        self.0.held.place(generation)
    }

    fn count(&mut self, add: &mut dyn FnMut(Count<'_>, u64)) {
        add(Count::TimedOut, self.0.held.take_timed_out());
    }
}

/// Joins the parts of lines that a container runtime cut.
#[derive(Debug)]
pub(super) struct Joiner {
    pub(super) held: Held,
}

impl Joiner {
    pub(super) fn new(surroundings: &Surroundings<'_>) -> Self {
        Self { held: Held::new(PARTS_WAIT, surroundings.line_bytes_max) }
    }

    /// An entry whose line is a part, the last one unless `is_part`. The time is that of the first.
    pub(super) fn run(&mut self, entry: &mut Entry<'_>, stream: &str, time_ns: Option<i64>, is_part: bool) -> Flow {
        for fields in [&mut entry.labels, &mut entry.fields] {
            fields.set("stream", |text| text.push_str(stream));
        }
        if let Some(ns) = time_ns {
            entry.give_time(ns);
        }
        let labels = entry.labels_hash();
        let block = match (self.held.take(labels), is_part) {
            (None, false) => return Flow::Next,
            (None, true) => self.held.begin(labels, entry),
            (Some(mut block), _) => {
                self.held.extend(&mut block, "", entry);
                if !is_part {
                    entry.restore(block.saved);
                    return Flow::Next;
                }
                block
            }
        };
        if self.held.keep(block, entry) { Flow::Next } else { Flow::Hold }
    }
}
