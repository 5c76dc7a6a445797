//! The stages of a pipeline, one file each. A stage is compiled once per query; every thread then
//! asks it for a worker, which holds what the thread needs for itself.

mod decolorize;
mod drop_keep;
mod json;
mod json_keys;
mod json_path;
mod label_filter;
mod label_format;
mod line_format;
mod logfmt;
mod pattern;
mod regexp;
mod unpack;
mod unwrap;

use std::fmt::Debug;

use super::ast::Stage;
use super::entry::Entry;
use super::filter::LineTest;
use super::template::Clock;

pub(super) use unwrap::UnwrapStage;

pub use decolorize::decolorize;
pub use json_keys::json_keys_of;
pub use logfmt::logfmt_pairs;

/// A stage ready to run, shared by all threads of a query.
pub(super) trait Compiled: Debug + Send + Sync {
    /// The stage in the hands of one thread.
    fn worker(&self) -> Box<dyn Worker + '_>;

    /// Whether the stage looks at the line; if none does, a query need not read the lines.
    fn reads_line(&self) -> bool {
        true
    }
}

/// A stage in the hands of one thread.
pub(super) trait Worker {
    /// Works on an entry; false drops it.
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool;
}

/// Compiles a stage of any kind. The error is the part of Loki's message behind the stage.
pub(super) fn compile(stage: &Stage, clock: &Clock) -> Result<Box<dyn Compiled>, String> {
    Ok(match stage {
        Stage::LineFilter(filter) => Box::new(LineTest::new(filter)?),
        Stage::Json(fields) if fields.is_empty() => Box::new(json::Json),
        Stage::Json(fields) => Box::new(json::JsonFields::new(fields)?),
        Stage::Logfmt { strict, keep_empty, fields } => Box::new(logfmt::Logfmt::new(*strict, *keep_empty, fields)?),
        Stage::Regexp(text) => Box::new(regexp::Regexp::new(text)?),
        Stage::Pattern(text) => Box::new(pattern::Pattern::new(text)?),
        Stage::Unpack => Box::new(unpack::Unpack),
        Stage::LabelFilter(filter) => Box::new(label_filter::Condition::new(filter)?),
        Stage::LineFormat(template) => Box::new(line_format::LineFormat::new(template, clock)?),
        Stage::LabelFormat(assignments) => Box::new(label_format::LabelFormat::new(assignments, clock)?),
        Stage::Decolorize => Box::new(decolorize::Decolorize),
        Stage::Drop(choices) => Box::new(drop_keep::Drop(choices.clone())),
        Stage::Keep(choices) => Box::new(drop_keep::Keep(choices.clone())),
    })
}

#[cfg(test)]
mod tests;
