//! The stages of a job's pipeline, one file each: what happens to a line between its file and the
//! store. A [`Stage`] is how it is configured, a `Step` is one at work on the lines of one source.
//!
//! Lines go through the steps in order. A step may change the `Entry`, drop it, or hold it back to
//! join it with what follows; what it held before comes out in place of the line that ends it.

mod cri;
mod decolorize;
mod docker;
mod drop;
mod entry;
mod expression;
mod held;
mod json;
mod json_path;
mod label_drop;
mod labels;
mod limit;
mod logfmt;
mod matching;
mod multiline;
mod output;
mod regex;
mod replace;
mod runner;
mod sampling;
mod static_labels;
mod structured_metadata;
mod template;
mod timestamp;

use std::{fmt::Debug, sync::Arc, time::Duration};

pub use drop::{Drop, DropCondition};
pub use expression::Expression;
pub use json::Json;
pub use json_path::JsonPath;
pub use label_drop::{LabelAllow, LabelDrop};
pub use labels::Labels;
pub use limit::{Bucket, Limit};
pub use logfmt::Logfmt;
pub use matching::{Match, Selector};
pub use multiline::Multiline;
pub use output::Output;
pub use regex::Regex;
pub use replace::Replace;
pub use sampling::Sampling;
pub use static_labels::StaticLabels;
pub use structured_metadata::StructuredMetadata;
pub use template::{LineTemplate, Template};
pub use timestamp::{TimeFormat, Timestamp};

pub(super) use entry::{Entry, Origin};
use held::Place;
pub(super) use runner::{Entries, Runner};

use super::timestamp::Zone;

/// A stage as it is configured.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is documented where it is defined")]
pub enum Stage {
    Cri,
    Decolorize,
    Docker,
    /// Docker's or the runtimes' of Kubernetes, or neither: as the first line of the file says.
    Container,
    Drop(Drop),
    Json(Json),
    LabelAllow(LabelAllow),
    LabelDrop(LabelDrop),
    Labels(Labels),
    Limit(Limit),
    Logfmt(Logfmt),
    Match(Match),
    Multiline(Multiline),
    Output(Output),
    Regex(Regex),
    Replace(Replace),
    Sampling(Sampling),
    StaticLabels(StaticLabels),
    StructuredMetadata(StructuredMetadata),
    Template(Template),
    Timestamp(Timestamp),
}

impl Stage {
    /// The stage at work, and its name.
    fn start(&self, surroundings: &Surroundings<'_>) -> (&'static str, Box<dyn Step>) {
        match self {
            Self::Cri => ("cri", Box::new(cri::Step::new(surroundings))),
            Self::Decolorize => ("decolorize", Box::new(decolorize::Step)),
            Self::Docker => ("docker", Box::new(docker::Step::new(surroundings))),
            Self::Container => ("container", Box::new(docker::EitherStep::new(surroundings))),
            Self::Drop(stage) => ("drop", Box::new(stage.clone())),
            Self::Json(stage) => ("json", Box::new(json::Step::new(stage))),
            Self::LabelAllow(stage) => ("labelallow", Box::new(stage.clone())),
            Self::LabelDrop(stage) => ("labeldrop", Box::new(stage.clone())),
            Self::Labels(stage) => ("labels", Box::new(stage.clone())),
            Self::Limit(stage) => ("limit", Box::new(limit::Step::new(stage))),
            Self::Logfmt(stage) => ("logfmt", Box::new(stage.clone())),
            Self::Match(stage) => ("match", Box::new(matching::Step::new(stage, surroundings))),
            Self::Multiline(stage) => ("multiline", Box::new(multiline::Step::new(stage, surroundings))),
            Self::Output(stage) => ("output", Box::new(stage.clone())),
            Self::Regex(stage) => ("regex", Box::new(regex::Step::new(stage))),
            Self::Replace(stage) => ("replace", Box::new(replace::Step::new(stage))),
            Self::Sampling(stage) => ("sampling", Box::new(stage.clone())),
            Self::StaticLabels(stage) => ("static_labels", Box::new(stage.clone())),
            Self::StructuredMetadata(stage) => ("structured_metadata", Box::new(stage.clone())),
            Self::Template(stage) => ("template", Box::new(template::Step::new(stage))),
            Self::Timestamp(stage) => ("timestamp", Box::new(timestamp::Step::new(stage, surroundings))),
        }
    }

    /// Whether the stage may give entries a time, so that the line need not be asked for one before.
    fn gives_time(&self) -> bool {
        match self {
            Self::Cri | Self::Docker | Self::Container | Self::Timestamp(_) => true,
            Self::Match(stage) => stage.stages.iter().any(Self::gives_time),
            _ => false,
        }
    }
}

/// What a stage is started with.
pub(super) struct Surroundings<'a> {
    /// The zone of times that carry none.
    pub(super) zone: &'a Zone,
    /// Bytes of one line, also of one that is joined.
    pub(super) line_bytes_max: usize,
}

/// What becomes of an entry behind a step.
#[derive(Debug)]
pub(super) enum Flow {
    /// It goes on, perhaps as another one.
    Next,
    /// It is not stored, for this reason.
    Drop(Arc<str>),
    /// The step keeps it.
    Hold,
}

/// Which of the held entries are to come out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// Those whose time is over.
    At(Duration),
    /// Those that began in a file which can give no more.
    Generation(u64),
}

/// A stage at work on the lines of one source.
pub(super) trait Step: Debug + Send {
    /// Works on an entry.
    fn run(&mut self, entry: &mut Entry<'_>) -> Flow;

    /// Puts one held entry that is due in place of `entry`. False: there is none.
    fn release(&mut self, _due: Due, _entry: &mut Entry<'_>) -> bool {
        false
    }

    /// When a held entry is due.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Where in a file the oldest line begins of which something is held.
    fn held(&self, _generation: u64) -> Option<Place> {
        None
    }

    /// Until when no more lines may come.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// Adds what was counted since the last call.
    fn count(&mut self, _add: &mut dyn FnMut(Count<'_>, u64)) {}
}

/// What a step counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count<'a> {
    /// Lines on which a stage failed, by the stage's number and name.
    Failed(&'a str),
    /// Entries that came out unfinished, because nothing followed.
    TimedOut,
}

/// Steps in their order.
#[derive(Debug)]
struct Steps(Vec<Numbered>);

/// A step with its place in the pipeline.
#[derive(Debug)]
struct Numbered {
    /// Number, from 1, and name: `2 json`, and within a `match` `3.1 drop`.
    name: String,
    step: Box<dyn Step>,
    failures: u64,
    /// The first failure was said.
    said: bool,
}

impl Steps {
    fn start(stages: &[Stage], number: &str, surroundings: &Surroundings<'_>) -> Self {
        let start = |(at, stage): (usize, &Stage)| {
            let (name, step) = stage.start(surroundings);
            Numbered { name: format!("{number}{} {name}", at + 1), step, failures: 0, said: false }
        };
        Self(stages.iter().enumerate().map(start).collect())
    }

    /// Runs the steps from one on.
    fn run(&mut self, from: usize, entry: &mut Entry<'_>) -> Flow {
        for numbered in self.0.iter_mut().skip(from) {
            let flow = numbered.step.run(entry);
            if let Some(what) = entry.failure.take() {
                numbered.failures += 1;
                if !std::mem::replace(&mut numbered.said, true) {
                    log::info!("stage {}: {what}; the first such line: {}", numbered.name, entry.shown());
                }
            }
            match flow {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    /// Puts one held entry that is due, and passes the steps behind the one that held it, in place of `entry`.
    fn release(&mut self, due: Due, entry: &mut Entry<'_>, dropped: &mut dyn FnMut(Arc<str>)) -> bool {
        for at in 0..self.0.len() {
            while self.0[at].step.release(due, entry) {
                match self.run(at + 1, entry) {
                    Flow::Next => return true,
                    Flow::Drop(reason) => dropped(reason),
                    Flow::Hold => {}
                }
            }
        }
        false
    }

    fn deadline(&self) -> Option<Duration> {
        self.0.iter().filter_map(|numbered| numbered.step.deadline()).min()
    }

    fn held(&self, generation: u64) -> Option<Place> {
        self.0.iter().filter_map(|numbered| numbered.step.held(generation)).min()
    }

    fn pause(&self) -> Option<Duration> {
        self.0.iter().filter_map(|numbered| numbered.step.pause()).max()
    }

    fn count(&mut self, add: &mut dyn FnMut(Count<'_>, u64)) {
        for numbered in &mut self.0 {
            numbered.step.count(add);
            if numbered.failures > 0 {
                add(Count::Failed(&numbered.name), std::mem::take(&mut numbered.failures));
            }
        }
    }
}
