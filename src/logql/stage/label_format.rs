//! `| label_format a=b, c="..."`: renames labels and sets them by templates, from left to right.
//! All templates of a stage see the labels as they are when the first of them is reached.

use super::super::ast::LabelFormat as Assignment;
use super::super::entry::{ERROR, Entry};
use super::super::template::{Clock, Regexes, Scope, TEMPLATE_ERROR, Template};
use super::{Compiled, Worker};

/// `| label_format ...`
#[derive(Debug)]
pub(super) struct LabelFormat {
    steps: Vec<Step>,
    clock: Clock,
}

#[derive(Debug)]
enum Step {
    Rename { to: String, from: String },
    Template { to: String, template: Template },
}

impl Step {
    /// What the template makes of an entry; `None` for a renaming.
    fn run<'c>(&'c self, scope: &Scope<'c>) -> Option<Result<String, String>> {
        let Self::Template { template, .. } = self else {
            return None;
        };
        let mut text = String::new();
        Some(template.run(scope, &mut text).map(|()| text))
    }
}

impl LabelFormat {
    /// Compiles the assignments; the error is Loki's.
    pub(super) fn new(assignments: &[Assignment], clock: &Clock) -> Result<Self, String> {
        let mut names: Vec<&str> = Vec::new();
        for assignment in assignments {
            let (Assignment::Rename { to, .. } | Assignment::Template { to, .. }) = assignment;
            if to == ERROR {
                return Err(format!("{ERROR} cannot be formatted"));
            }
            if names.contains(&to.as_str()) {
                return Err(format!("multiple label name '{to}' not allowed in a single format operation"));
            }
            names.push(to);
        }
        let compile = |assignment: &Assignment| {
            Ok(match assignment.clone() {
                Assignment::Rename { to, from } => Step::Rename { to, from },
                Assignment::Template { to, template } => {
                    let template = Template::new("label", &template)
                        .map_err(|error| format!("invalid template for label '{to}': {error}"))?;
                    Step::Template { to, template }
                }
            })
        };
        let steps = assignments.iter().map(compile).collect::<Result<_, String>>()?;
        Ok(Self { steps, clock: clock.clone() })
    }
}

impl Compiled for LabelFormat {
    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(LabelFormatWorker { stage: self, regexes: Regexes::default(), made: Vec::new() })
    }
}

struct LabelFormatWorker<'p> {
    stage: &'p LabelFormat,
    regexes: Regexes,
    /// What each template made, or the error.
    made: Vec<Result<String, String>>,
}

impl Worker for LabelFormatWorker<'_> {
    fn run(&mut self, entry: &mut Entry<'_, '_>) -> bool {
        let timestamp_ns = entry.timestamp_ns;
        let (line, labels) = entry.parts();
        let LabelFormat { steps, clock } = self.stage;
        let mut templates_run = 0;
        for step in steps {
            let to = match step {
                Step::Rename { to, from } => {
                    labels.rename(from, to);
                    continue;
                }
                Step::Template { to, .. } => to,
            };
            if templates_run == 0 {
                let scope = Scope { labels, line, timestamp_ns, clock, regexes: &self.regexes };
                self.made.clear();
                self.made.extend(steps.iter().filter_map(|step| step.run(&scope)));
            }
            match self.made.get(templates_run) {
                Some(Ok(text)) => labels.set(to, |out| out.push_str(text)),
                Some(Err(details)) => labels.set_error(TEMPLATE_ERROR, details),
                None => {}
            }
            templates_run += 1;
        }
        true
    }
}
