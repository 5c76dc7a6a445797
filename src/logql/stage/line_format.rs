//! `| line_format "..."`: replaces the line by what a template makes of the entry.

use super::super::entry::Entry;
use super::super::template::{Clock, Regexes, Scope, TEMPLATE_ERROR, Template};
use super::{Compiled, Worker};

/// `| line_format "..."`
#[derive(Debug)]
pub(super) struct LineFormat {
    template: Template,
    clock: Clock,
}

impl LineFormat {
    /// Compiles the template; the error is Loki's.
    pub(super) fn new(template: &str, clock: &Clock) -> Result<Self, String> {
        let template = Template::new("line", template).map_err(|error| format!("invalid line template: {error}"))?;
        Ok(Self { template, clock: clock.clone() })
    }
}

impl Compiled for LineFormat {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(LineFormatWorker { stage: self, regexes: Regexes::default(), made: String::new() })
    }
}

struct LineFormatWorker<'p> {
    stage: &'p LineFormat,
    regexes: Regexes,
    made: String,
}

impl Worker for LineFormatWorker<'_> {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let timestamp_ns = entry.timestamp_ns;
        entry.rewrite(|line, labels, out| {
            self.made.clear();
            let LineFormat { template, clock } = self.stage;
            let scope = Scope { labels, line, timestamp_ns, clock, regexes: &self.regexes };
            match template.run(&scope, &mut self.made) {
                Ok(()) => {
                    out.extend_from_slice(self.made.as_bytes());
                    true
                }
                Err(details) => {
                    labels.set_error(TEMPLATE_ERROR, &details);
                    false
                }
            }
        });
        true
    }
}
