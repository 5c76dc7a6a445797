//! Which labels a metric query needs of a line. Parsers extract no others, and where nothing is
//! needed they do not run at all. Loki does this and it shows: a line that is never parsed has no
//! parser error, so that `sum(count_over_time(... | json [5m]))` counts lines that are no JSON.

use super::ast::{
    Grouping, LabelFilter, LabelFormat, RangeAggregation, RangeOp, Stage, Unwrap, VectorAggregation, VectorOp,
};
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

impl<'q> Needs<'q> {
    /// What a function over a window needs, given the aggregation directly around it.
    pub fn of(aggregation: &'q RangeAggregation, around: Option<&'q VectorAggregation>) -> Self {
        if let Some(grouping) = &aggregation.grouping {
            return Self::of_grouping(Some(grouping));
        }
        let sums_up = matches!(
            aggregation.op,
            RangeOp::Rate | RangeOp::Count | RangeOp::BytesRate | RangeOp::Bytes | RangeOp::Sum
        );
        match around {
            _ if aggregation.op == RangeOp::Absent => Self::Labels(&[]),
            Some(around) if sums_up && around.op == VectorOp::Sum => Self::of_grouping(around.grouping.as_ref()),
            _ => Self::All,
        }
    }

    fn of_grouping(grouping: Option<&'q Grouping>) -> Self {
        match grouping {
            None => Self::Labels(&[]),
            Some(grouping) if grouping.without => Self::All,
            Some(grouping) => Self::Labels(&grouping.labels),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::{Expr, MetricExpr, parse};

    #[test]
    fn a_sum_hands_its_grouping_down() {
        for (query, expected) in [
            ("sum(count_over_time(S[5m]))", Some("")),
            ("sum by () (rate(S[5m]))", Some("")),
            ("sum by (a, b) (bytes_rate(S[5m]))", Some("a b")),
            ("sum without (a) (rate(S[5m]))", None),
            ("max by (a) (rate(S[5m]))", None),
            ("sum by (a) (max_over_time(S | unwrap v [5m]))", None),
            ("sum by (a) (max_over_time(S | unwrap v [5m]) by (v))", Some("v")),
            ("sum by (a) (max_over_time(S | unwrap v [5m]) without (v))", None),
            ("max(absent_over_time(S[5m]))", Some("")),
        ] {
            let Ok(Expr::Metric(MetricExpr::Aggregate(around))) = parse(&query.replace('S', "{x=\"y\"}")) else {
                panic!("{query}")
            };
            let MetricExpr::Range(aggregation) = &around.inner else { panic!("{query}") };
            let needs = match Needs::of(aggregation, Some(&around)) {
                Needs::All => None,
                Needs::Labels(labels) => Some(labels.join(" ")),
            };
            assert_eq!(needs.as_deref(), expected, "{query}");
            let alone = Needs::of(aggregation, None);
            assert!(alone == Needs::All || aggregation.grouping.is_some() || aggregation.op == RangeOp::Absent);
        }
    }

    #[test]
    fn stages_name_what_they_need() {
        let wanted = |stages: &str, by: &[String]| {
            let query = format!("sum_over_time({{x=\"y\"}} {stages} [5m])");
            let Ok(Expr::Metric(MetricExpr::Range(range))) = parse(&query) else { panic!("{query}") };
            Wanted::new(&range.log.stages, range.unwrap.as_ref(), Needs::Labels(by)).names.unwrap().join(" ")
        };
        let stages = r#"| json | a > 1 or b = "x" and c =~ ".*" | label_format d=e, f="{{.g}}" | line_format "{{if .h}}{{.i}}{{end}}" | drop j | unwrap bytes(k) | l != """#;
        assert_eq!(wanted(stages, &[]), "a b e g h i k l");
        assert_eq!(wanted("| json | unwrap v", &["x_extracted".to_owned()]), "v x x_extracted");
    }
}
