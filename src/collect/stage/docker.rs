//! `docker`: the lines of Docker's `json-file` driver, `{"log":"TEXT\n","stream":"stdout","time":"TIME"}`.
//! Docker cuts a line every 16 KiB; the parts but the last have no newline.

use std::time::Duration;

use super::{
    Count, Due, Entry, Flow, Place, Surroundings,
    cri::{self, Joiner},
    json::append_value,
};
use crate::labels::time::parse_rfc3339;
use crate::logql::{JsonValue, Scanner, append_unescaped};

/// The stage, and what it holds of unfinished lines.
#[derive(Debug)]
pub(super) struct Step {
    joiner: Joiner,
    stream: String,
    time: String,
}

impl Step {
    pub(super) fn new(surroundings: &Surroundings<'_>) -> Self {
        Self { joiner: Joiner::new(surroundings), stream: String::new(), time: String::new() }
    }

    /// Reads the record of the entry's line into its next line, `stream` and `time`. `None` if it is none.
    fn read(&mut self, entry: &mut Entry<'_>) -> Option<()> {
        let parts = entry.parts();
        self.stream.clear();
        self.time.clear();
        let mut has_log = false;
        let mut scanner = Scanner::new(parts.line);
        scanner.eat(b'{').then_some(())?;
        while let Some(key) = scanner.key().ok()? {
            let value = scanner.value().ok()?;
            match (key, value) {
                ("log", JsonValue::String(raw)) => {
                    append_unescaped(raw, parts.next)?;
                    has_log = true;
                }
                ("stream", JsonValue::String(raw)) => append_unescaped(raw, &mut self.stream)?,
                ("time", JsonValue::String(raw)) => append_unescaped(raw, &mut self.time)?,
                (key, value) => {
                    if value != JsonValue::Null {
                        parts.fields.set(key, |out| append_value(value, out));
                    }
                }
            }
            scanner.separator(b'}').ok()?;
        }
        has_log.then_some(())
    }
}

impl super::Step for Step {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        if self.read(entry).is_none() {
            entry.failure = Some("not of the form {\"log\":...}; it is stored as it is");
            return Flow::Next;
        }
        let next = entry.next_line();
        let text = next.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).len());
        let is_part = text.is_none();
        next.truncate(text.unwrap_or(next.len()));
        entry.take_next();
        self.joiner.run(entry, &self.stream, parse_rfc3339(&self.time), is_part)
    }

    fn release(&mut self, due: Due, entry: &mut Entry<'_>) -> bool {
        self.joiner.held.release(due, entry)
    }

    fn deadline(&self) -> Option<Duration> {
        self.joiner.held.deadline()
    }

    fn held(&self, generation: u64) -> Option<Place> {
        self.joiner.held.place(generation)
    }

    fn count(&mut self, add: &mut dyn FnMut(Count<'_>, u64)) {
        add(Count::TimedOut, self.joiner.held.take_timed_out());
    }
}

/// Docker's form, the runtimes' or none, as the first line that has one of them says.
#[derive(Debug)]
pub(super) struct EitherStep {
    docker: Step,
    cri: cri::Step,
    chosen: Choice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Open,
    Docker,
    Cri,
    Neither,
}

impl EitherStep {
    pub(super) fn new(surroundings: &Surroundings<'_>) -> Self {
        Self { docker: Step::new(surroundings), cri: cri::Step::new(surroundings), chosen: Choice::Open }
    }

    fn step(&mut self) -> Option<&mut dyn super::Step> {
        match self.chosen {
            Choice::Docker => Some(&mut self.docker),
            Choice::Cri => Some(&mut self.cri),
            Choice::Open | Choice::Neither => None,
        }
    }

    fn chosen(&self) -> Option<&dyn super::Step> {
        match self.chosen {
            Choice::Docker => Some(&self.docker),
            Choice::Cri => Some(&self.cri),
            Choice::Open | Choice::Neither => None,
        }
    }
}

impl super::Step for EitherStep {
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow {
        if self.chosen == Choice::Open {
            self.chosen = match entry.line() {
                line if line.starts_with("{\"log\":\"") => Choice::Docker,
                line if cri::is_record(line) => Choice::Cri,
                _ => Choice::Neither,
            };
        }
        self.step().map_or(Flow::Next, |step| step.run(entry))
    }

    fn release(&mut self, due: Due, entry: &mut Entry<'_>) -> bool {
        self.step().is_some_and(|step| step.release(due, entry))
    }

    fn deadline(&self) -> Option<Duration> {
        self.chosen()?.deadline()
    }

    fn held(&self, generation: u64) -> Option<Place> {
        self.chosen()?.held(generation)
    }

    fn count(&mut self, add: &mut dyn FnMut(Count<'_>, u64)) {
        if let Some(step) = self.step() {
            step.count(add);
        }
    }
}
