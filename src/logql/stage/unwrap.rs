//! `| unwrap x`: reads a number from a label, for the functions over values. An entry without the
//! label, or with an empty one, has no number and is dropped; one that cannot be read is an error.

use super::super::ast::{Conversion, Unwrap};
use super::super::entry::Entry;
use super::super::literal::parse_float;
use super::super::units::parse_bytes;
use super::label_filter::Condition;
use super::{Compiled, Worker};
use crate::labels::duration::parse_go_duration;

const UNWRAP_ERROR: &str = "SampleExtractionErr";

/// `| unwrap duration(x) | y="z"`
#[derive(Debug)]
pub(in super::super) struct UnwrapStage {
    label: String,
    conversion: Option<Conversion>,
    filters: Vec<Condition>,
}

impl UnwrapStage {
    /// Compiles the stage; the error is Loki's.
    pub(in super::super) fn new(unwrap: &Unwrap) -> Result<Self, String> {
        let filters = unwrap.filters.iter().map(Condition::new).collect::<Result<_, String>>()?;
        Ok(Self { label: unwrap.label.clone(), conversion: unwrap.conversion, filters })
    }
}

impl Compiled for UnwrapStage {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }

    fn reads_line(&self) -> bool {
        false
    }
}

impl Worker for &UnwrapStage {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let text = match entry.labels.get(&self.label) {
            None | Some("") => return false,
            Some(text) => text,
        };
        let value = match self.conversion {
            None => parse_float(text),
            #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
            Some(Conversion::Bytes) => parse_bytes(text).map(|bytes| bytes as f64),
            #[expect(clippy::cast_precision_loss, reason = "samples are floating-point numbers")]
            Some(Conversion::Duration | Conversion::DurationSeconds) => {
                parse_go_duration(text).map(|duration_ns| duration_ns as f64 / 1e9).map_err(|error| error.to_string())
            }
        };
        match value {
            Ok(value) => entry.value = Some(value),
            Err(details) => {
                entry.value = Some(0.0);
                entry.labels.set_error(UNWRAP_ERROR, &details);
            }
        }
        self.filters.iter().all(|filter| filter.holds(entry.labels))
    }
}
