//! Entry points for fuzzing the language: each takes any bytes and panics where a promise is broken.

#![expect(clippy::missing_panics_doc, reason = "what a target panics for is what it says it checks")]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{Expr, Form, Pipeline, Regex, Stage, parse, pretty};
use crate::labels::LabelSet;

/// A query and, behind the first newline, a line for its pipeline: what parses is printed as text that parses
/// to the same, in one line and broken, and what compiles can run.
pub fn query(data: &[u8]) {
    let (query, line) = halves(data);
    let query = String::from_utf8_lossy(query);
    let Ok(expr) = parse(&query) else { return };
    let printed = expr.to_string();
    // `5 / 0` is folded to a number that the language cannot write.
    if printed.contains("NaN") || printed.contains("Inf") {
        return;
    }
    for text in [printed.clone(), pretty(&expr)] {
        match parse(&text) {
            // Sizes are printed rounded, so the texts are compared.
            Ok(again) => assert_eq!(again.to_string(), printed, "{query:?} is printed as {text:?}"),
            Err(error) => panic!("{query:?} is printed as {text:?}, which does not parse: {error}"),
        }
    }
    if let Expr::Log(log) = &expr
        && let Ok(pipeline) = Pipeline::compile(&log.stages)
    {
        run(&pipeline, line);
    }
}

/// A template and, behind the first newline, a line that it is run for.
pub fn template(data: &[u8]) {
    let (template, line) = halves(data);
    let template = String::from_utf8_lossy(template).into_owned();
    if let Ok(pipeline) = Pipeline::compile(&[Stage::LineFormat(template)]) {
        run(&pipeline, line);
    }
}

/// A line for the parser of JSON, whole and with paths, and for `unpack`.
pub fn json(data: &[u8]) {
    static PIPELINES: LazyLock<Vec<Pipeline>> =
        LazyLock::new(|| compiled(&["json", r#"json a="a", b="b.c[0]", c="[1]""#, "unpack", "json | unpack | json"]));
    PIPELINES.iter().for_each(|pipeline| run(pipeline, data));
    let text = String::from_utf8_lossy(data);
    for key in ["a", "b_c", "k", ""] {
        drop(super::json_keys_of(&text, key));
    }
}

/// A line for the parser of logfmt, with each of its flags.
pub fn logfmt(data: &[u8]) {
    static PIPELINES: LazyLock<Vec<Pipeline>> = LazyLock::new(|| {
        compiled(&["logfmt", "logfmt --strict", "logfmt --keep-empty", r#"logfmt --strict --keep-empty x="a", b"#])
    });
    PIPELINES.iter().for_each(|pipeline| run(pipeline, data));
}

/// A pattern and, behind the first newline, a line: as a parser, and as a line filter.
pub fn pattern(data: &[u8]) {
    let (pattern, line) = halves(data);
    let pattern = String::from_utf8_lossy(pattern).into_owned();
    if let Ok(pipeline) = Pipeline::compile(&[Stage::Pattern(pattern.clone())]) {
        run(&pipeline, line);
    }
    if let Ok(Expr::Log(filter)) = parse(&format!("{{a=\"b\"}} |> {pattern:?}"))
        && let Ok(pipeline) = Pipeline::compile(&filter.stages)
    {
        run(&pipeline, line);
    }
}

/// A regular expression and, behind the first newline, a text: all engines say the same, over its lines at once too,
/// and a text that matches holds what the expression says it requires.
pub fn regex(data: &[u8]) {
    let (source, text) = halves(data);
    let (source, text) = (String::from_utf8_lossy(source), String::from_utf8_lossy(text));
    for form in [Form::Part, Form::Whole, Form::WholeDotAll] {
        let Ok(regex) = Regex::new(&source, form) else { continue };
        let expected = regex.captures_at(&mut regex.locations(), &text, 0);
        assert_eq!(regex.is_match(text.as_bytes()), expected, "{source:?} {form:?} on {text:?}");
        let holds = |literal: &crate::labels::Literal| {
            let mut windows = text.as_bytes().windows(literal.text.len().max(1));
            literal.text.is_empty()
                || windows.any(|window| {
                    if literal.fold_case {
                        window.eq_ignore_ascii_case(&literal.text)
                    } else {
                        window == &literal.text[..]
                    }
                })
        };
        if expected {
            for any in regex.required_literals() {
                assert!(any.iter().any(holds), "{source:?} {form:?} matches {text:?} without any of {any:?}");
            }
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let all = lines.join("\n") + "\n";
        let Some(mut searcher) = regex.line_searcher(all.as_bytes(), lines.len()) else { continue };
        let mut start = 0;
        for line in lines {
            let end = start + line.len();
            let Ok(found) = searcher.find(all.as_bytes(), start) else { break };
            let is_here = found.is_some_and(|at| (start..=end).contains(&at));
            assert_eq!(is_here, regex.is_match(line.as_bytes()), "{source:?} on {line:?} among {all:?}");
            start = end + 1;
        }
    }
}

/// What stands before and behind the first newline.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

fn compiled(pipelines: &[&str]) -> Vec<Pipeline> {
    let compiled = pipelines.iter().map(|stages| {
        let Ok(Expr::Log(log)) = parse(&format!("{{a=\"b\"}} | {stages}")) else { panic!("{stages} does not parse") };
        Pipeline::compile(&log.stages).unwrap_or_else(|error| panic!("{stages}: {error}"))
    });
    compiled.collect()
}

/// Runs a pipeline over a line. What comes out has each name once, and the same comes out of a second run.
fn run(pipeline: &Pipeline, line: &[u8]) {
    let stream = LabelSet::new(vec![("a".into(), "b".into())]);
    let metadata = LabelSet::new(vec![("trace".into(), "7".into())]);
    let mut runner = pipeline.runner(&stream);
    let mut outcome = || {
        let passed = runner.run(1_700_000_000_000_000_000, line, &metadata)?;
        let labels: Option<BTreeSet<(String, String)>> = passed.labels.map(|labels| {
            let pairs: Vec<_> = labels.all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let names: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), pairs.len(), "a name occurs twice: {pairs:?}");
            pairs.into_iter().collect()
        });
        Some((passed.line.to_vec(), labels))
    };
    assert_eq!(outcome(), outcome(), "two runs over {line:?}");
}
