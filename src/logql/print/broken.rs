//! The broken form of a long query: one stage, argument or operand a line, two spaces a level.

use std::fmt::Write;

use super::super::ast::{Expr, LogExpr, MetricExpr, RangeAggregation, Stage, VectorAggregation};
use super::super::literal::{print_float, quoted};
use super::{GroupingText, OperatorText, write_selector};
use crate::labels::duration::format_prometheus_duration;

/// An expression that is printed in more characters than this is broken.
const LINE_CHARS_MAX: usize = 100;

/// The query as `format_query` prints it.
pub fn pretty(expr: &Expr) -> String {
    match expr {
        Expr::Log(log) => pretty_log(log, 0),
        Expr::Metric(metric) => pretty_metric(metric, 0),
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// The one-line form at this level, if it is short enough.
fn short(text: &str, level: usize) -> Option<String> {
    (text.chars().count() <= LINE_CHARS_MAX).then(|| format!("{}{text}", indent(level)))
}

/// Line filters that follow each other share a line.
fn pretty_log(log: &LogExpr, level: usize) -> String {
    if let Some(text) = short(&log.to_string(), level) {
        return text;
    }
    let mut text = indent(level);
    let _ = write_selector(&mut text, &log.selector); // a String takes every write
    let mut after_line_filter = false;
    for stage in &log.stages {
        let is_line_filter = matches!(stage, Stage::LineFilter(_));
        let lead = match stage {
            Stage::LineFilter(_) if after_line_filter => " ".to_owned(),
            Stage::Decolorize => "\n".to_owned(),
            _ => format!("\n{}", indent(level + 1)),
        };
        let _ = write!(text, "{lead}{stage}");
        after_line_filter = is_line_filter;
    }
    text
}

fn pretty_metric(metric: &MetricExpr, level: usize) -> String {
    if let Some(text) = short(&metric.to_string(), level) {
        return text;
    }
    match metric {
        MetricExpr::Literal(_) | MetricExpr::Vector(_) => format!("{}{metric}", indent(level)),
        MetricExpr::Range(aggregation) => pretty_range(aggregation, level),
        MetricExpr::Aggregate(aggregation) => pretty_vector(aggregation, level),
        MetricExpr::Binary(binary) => {
            let left = pretty_metric(&binary.left, level + 1);
            let right = pretty_metric(&binary.right, level + 1);
            format!(
                "{}(\n{left}\n{}{}\n{right}\n{})",
                indent(level),
                indent(level),
                OperatorText(binary),
                indent(level)
            )
        }
        MetricExpr::LabelReplace(replace) => {
            let mut arguments = vec![pretty_metric(&replace.inner, level + 1)];
            let texts = [&replace.destination, &replace.replacement, &replace.source, &replace.regex];
            arguments.extend(texts.iter().map(|text| format!("{}{}", indent(level + 1), quoted(text))));
            call("label_replace", &arguments, level)
        }
    }
}

/// `name(`, the arguments on lines of their own, `)`.
fn call(name: &str, arguments: &[String], level: usize) -> String {
    format!("{}{name}(\n{}\n{})", indent(level), arguments.join(",\n"), indent(level))
}

fn pretty_range(aggregation: &RangeAggregation, level: usize) -> String {
    let mut lines = pretty_log(&aggregation.log, level + 1);
    if let Some(unwrap) = &aggregation.unwrap {
        let _ = write!(lines, "\n{}{unwrap}", indent(level + 2));
    }
    let _ = write!(lines, " [{}]", format_prometheus_duration(aggregation.range_ns));
    if aggregation.offset_ns != 0 {
        let _ = write!(lines, " offset {}", format_prometheus_duration(aggregation.offset_ns));
    }
    let parameter = aggregation.parameter.map(|value| format!("{}{}", indent(level + 1), print_float(value)));
    let arguments: Vec<String> = parameter.into_iter().chain([lines]).collect();
    let text = call(aggregation.op.text(), &arguments, level);
    match &aggregation.grouping {
        Some(grouping) => format!("{text} {}", GroupingText(grouping, ", ")),
        None => text,
    }
}

fn pretty_vector(aggregation: &VectorAggregation, level: usize) -> String {
    let name = match &aggregation.grouping {
        Some(grouping) => format!("{} {}", aggregation.op.text(), GroupingText(grouping, ", ")),
        None => aggregation.op.text().to_owned(),
    };
    let parameter = aggregation.parameter.map(|value| format!("{}{value}", indent(level + 1)));
    let inner = pretty_metric(&aggregation.inner, level + 1);
    let arguments: Vec<String> = parameter.into_iter().chain([inner]).collect();
    call(&name, &arguments, level)
}
