//! What is allowed in a pipeline but does nothing: values that nobody finds, or nobody reads, and stages
//! in an order that defeats them.

use std::{collections::BTreeSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::collect::stage::Expression;
use crate::config::{report::Problem, section::Document};

/// The values that a line has when it comes to a stage.
#[derive(Default)]
pub(in crate::config) struct Known {
    names: BTreeSet<String>,
    /// Any name may have been found.
    anything: bool,
}

impl Known {
    /// What the job's lines begin with.
    pub(in crate::config) fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self { names: names.into_iter().collect(), anything: false }
    }

    /// Lines of which stages before these find whatever is in them.
    pub(in crate::config) fn anything(mut self, anything: bool) -> Self {
        self.anything |= anything;
        self
    }

    /// Goes through the stages and warns.
    pub(super) fn advise(&mut self, document: &Document<'_>, stages: &[(Range<usize>, &DeTable<'_>)]) {
        let mut joined = None;
        let mut makes_output = None;
        for (_, table) in stages {
            let Some((name, value)) = table.iter().next() else { continue };
            let Some(table) = value.get_ref().as_table() else { continue };
            match name.get_ref().as_ref() {
                "multiline" => joined = Some(name.span()),
                "docker" | "cri" => {
                    self.anything |= name.get_ref() == "docker";
                    self.names.insert("stream".to_owned());
                    if let Some(span) = joined.take() {
                        let what = "before `docker` or `cri` no line begins with its own text";
                        document.report(Problem::warning(span, what).hint("write `multiline` behind them"));
                    }
                }
                "template" if text(table, "source") == Some("output") => makes_output = Some(name.span()),
                "output" if text(table, "source") == Some("output") => makes_output = None,
                _ => {}
            }
            self.stage(document, name.get_ref(), table);
        }
        if let Some(span) = makes_output {
            let problem = Problem::warning(span, "nothing reads the value `output`");
            document.report(problem.hint("if it is to be the line, add { output = { source = \"output\" } }"));
        }
    }

    fn stage(&mut self, document: &Document<'_>, stage: &str, table: &DeTable<'_>) {
        let mut found = Vec::new();
        match stage {
            "json" | "logfmt" => {
                self.needs(document, table.get("source"));
                let key = if stage == "json" { "expressions" } else { "mapping" };
                let names = table.get(key).and_then(|value| value.get_ref().as_table());
                found.extend(names.into_iter().flat_map(DeTable::keys).map(|name| name.get_ref().to_string()));
            }
            "regex" | "replace" => {
                self.needs(document, table.get("source"));
                let expression = text(table, "expression").and_then(|text| Expression::new(text).ok());
                found.extend(expression.iter().flat_map(Expression::names).map(str::to_owned));
            }
            "template" => found.extend(text(table, "source").map(str::to_owned)),
            "timestamp" | "output" => self.needs(document, table.get("source")),
            "drop" => match table.get("source") {
                Some(value) if value.get_ref().is_array() => {
                    for item in value.get_ref().as_array().into_iter().flatten() {
                        self.needs(document, Some(item));
                    }
                }
                source => self.needs(document, source),
            },
            "labels" | "structured_metadata" => {
                for (name, value) in table {
                    match value.get_ref().as_str() {
                        Some("") => self.needs_name(document, name.get_ref(), name.span()),
                        Some(_) => self.needs(document, Some(value)),
                        None => {}
                    }
                }
            }
            "match" => {
                let list = table.get("stages").and_then(|value| value.get_ref().as_array());
                let inner: Vec<_> = list
                    .into_iter()
                    .flatten()
                    .filter_map(|item| Some((item.span(), item.get_ref().as_table()?)))
                    .collect();
                self.advise(document, &inner);
            }
            _ => {}
        }
        self.names.extend(found);
    }

    fn needs(&self, document: &Document<'_>, source: Option<&Spanned<DeValue<'_>>>) {
        if let Some((name, span)) = source.and_then(|value| Some((value.get_ref().as_str()?, value.span()))) {
            self.needs_name(document, name, span);
        }
    }

    fn needs_name(&self, document: &Document<'_>, name: &str, span: Range<usize>) {
        // A template that stands here is an error of its own.
        if !self.anything && !name.is_empty() && !self.names.contains(name) && !name.contains("{{") {
            let what = format!("no stage before this one finds `{name}`");
            let names: Vec<_> = self.names.iter().map(String::as_str).collect();
            document.report(Problem::warning(span, what).hint(format!("found so far: {}", names.join(", "))));
        }
    }
}

fn text<'t>(table: &'t DeTable<'_>, name: &str) -> Option<&'t str> {
    table.get(name)?.get_ref().as_str()
}
