//! Which labels a metric query needs of a line. Parsers extract no others, and where nothing is
//! needed they do not run at all. Loki does this and it shows: a line that is never parsed has no
//! parser error, so that `sum(count_over_time(... | json [5m]))` counts lines that are no JSON.

use super::ast::{LabelFilter, LabelFormat, Stage, Unwrap};
use super::entry::ERROR;
use super::template::Template;
use crate::labels::{MatchOp, Matcher};

/// What the aggregation around a metric query's pipeline asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs<'q> {
    /// All labels: there is no `sum` around, or one `without` labels.
    All,
    /// Only these: `sum by (a, b)`, or none for `sum` alone; or the function's own `by (a, b)`.
    Labels(&'q [String]),
}

/// The labels that parsers extract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `None`: all.
    names: Option<Vec<String>>,
}

impl Wanted {
    /// What the stages and the aggregation around them need.
    pub(super) fn new(stages: &[Stage], unwrap: Option<&Unwrap>, needs: Needs<'_>) -> Self {
        let Needs::Labels(grouping) = needs else {
            return Self::default();
        };
        let mut names = Names(grouping.to_vec());
        for stage in stages {
            match stage {
                Stage::LabelFilter(filter) => names.add_filter(filter),
                Stage::LineFormat(template) => names.add_template("line", template),
                Stage::LabelFormat(formats) => {
                    for format in formats {
                        match format {
                            LabelFormat::Rename { from, .. } => names.add(from),
                            LabelFormat::Template { template, .. } => {
                                names.add_template("label", template);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(unwrap) = unwrap {
            names.add(&unwrap.label);
            unwrap.filters.iter().for_each(|filter| names.add_filter(filter));
        }
        let Names(mut names) = names;
        // What collides with a stream label is looked for under its own name.
        let stems = names.iter().filter_map(|name| name.strip_suffix("_extracted").map(str::to_owned));
        let stems: Vec<String> = stems.collect();
        names.extend(stems);
        names.sort_unstable();
        names.dedup();
        Self { names: Some(names) }
    }

    /// Whether no label is needed, so that no parser need run.
    pub(super) fn is_nothing(&self) -> bool {
        self.names.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether a parser extracts this label.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|known| known == name))
    }

    /// How many labels have to be found until a parser may stop; `None`: it never may.
    pub(super) fn count(&self) -> Option<usize> {
        self.names.as_ref().map(Vec::len)
    }

    /// Whether the query looks at parser errors itself, so that they do not make it fail.
    pub(super) fn preserves_errors(&self) -> bool {
        self.names.as_ref().is_some_and(|names| names.iter().any(|name| name == ERROR))
    }
}

struct Names(Vec<String>);

impl Names {
    fn add(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn add_filter(&mut self, filter: &LabelFilter) {
        match filter {
            LabelFilter::Text(matcher) if always_matches(matcher) => {}
            LabelFilter::Text(Matcher { name, .. }) | LabelFilter::Ip { name, .. } => {
                self.add(name);
            }
            LabelFilter::Number(comparison) => self.add(&comparison.name),
            LabelFilter::Duration(comparison) => self.add(&comparison.name),
            LabelFilter::Bytes(comparison) => self.add(&comparison.name),
            LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
                self.add_filter(left);
                self.add_filter(right);
            }
        }
    }

    /// A template that does not parse is refused when its stage is compiled.
    fn add_template(&mut self, name: &'static str, template: &str) {
        if let Ok(template) = Template::new(name, template) {
            template.each_field(&mut |field| self.add(field));
        }
    }
}

fn always_matches(matcher: &Matcher) -> bool {
    matcher.op == MatchOp::Regex && matches!(matcher.value.as_str(), ".*" | "")
}
