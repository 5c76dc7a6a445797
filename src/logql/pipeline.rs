//! A pipeline ready to run: stages compiled once, in the order in which they are cheapest, shared
//! by all threads of a query.

use std::sync::Arc;

use super::ast::{RangeAggregation, RangeOp, Stage};
use super::entry::{Entry, Labels, LineBuffers};
use super::error::ParseError;
use super::filter::{LineProbe, LineTest};
use super::regex::Regex;
use super::stage::{Compiled, UnwrapStage, Worker, compile};
use super::template::Clock;
use super::wanted::{Needs, Wanted};
use crate::labels::{LabelSet, Literal};

/// A compiled pipeline, shared by all workers of a query.
#[derive(Debug)]
pub struct Pipeline {
    /// The filters that come first: they need no labels, and most lines end here.
    filters: Vec<LineTest>,
    steps: Vec<Box<dyn Compiled>>,
    required: Vec<Vec<Literal>>,
    wanted: Wanted,
    runs_templates: bool,
}

/// Lines between two looks at whether a query has to stop. They are cheap: a block holds their text.
const LINES_PER_CHECK: usize = 64;

impl Pipeline {
    /// Compiles the stages; errors are Loki's "parse error : stage '...' : ..." texts. Templates see
    /// no other time than that of the entry, in UTC.
    pub fn compile(stages: &[Stage]) -> Result<Self, ParseError> {
        Self::compile_at(stages, &Clock::default())
    }

    /// Compiles the stages for a time and a place, which templates can ask for.
    pub fn compile_at(stages: &[Stage], clock: &Clock) -> Result<Self, ParseError> {
        Self::with_wanted(stages, Wanted::default(), clock)
    }

    /// Compiles the pipeline of a metric query, whose lines become samples. Only the labels that
    /// `needs` and the stages name are extracted.
    pub fn compile_for_samples(
        aggregation: &RangeAggregation,
        needs: Needs<'_>,
        clock: &Clock,
    ) -> Result<Self, ParseError> {
        let unwrap = aggregation.unwrap.as_ref();
        let counts_bytes = matches!(aggregation.op, RangeOp::Bytes | RangeOp::BytesRate);
        let stages =
            if counts_bytes { aggregation.log.stages.clone() } else { without_idle_formats(&aggregation.log.stages) };
        let wanted = Wanted::new(&stages, unwrap, needs);
        let mut pipeline = Self::with_wanted(&stages, wanted, clock)?;
        if let Some(unwrap) = unwrap {
            let fail = |message: String| ParseError::Stage { stage: unwrap.to_string(), message };
            pipeline.steps.push(Box::new(UnwrapStage::new(unwrap).map_err(fail)?));
        }
        Ok(pipeline)
    }

    fn with_wanted(stages: &[Stage], wanted: Wanted, clock: &Clock) -> Result<Self, ParseError> {
        let runs_templates = stages.iter().any(|stage| matches!(stage, Stage::LineFormat(_) | Stage::LabelFormat(_)));
        let mut pipeline =
            Self { filters: Vec::new(), steps: Vec::new(), required: Vec::new(), wanted, runs_templates };
        let mut line_is_stored = true;
        for stage in reordered(stages) {
            let fail = |message: String| ParseError::Stage { stage: stage.to_string(), message };
            if let Stage::LineFilter(filter) = stage {
                let test = LineTest::new(filter).map_err(fail)?;
                if line_is_stored {
                    pipeline.required.extend(test.required_literals());
                }
                if pipeline.steps.is_empty() {
                    pipeline.filters.push(test);
                } else {
                    pipeline.steps.push(Box::new(test));
                }
                continue;
            }
            let step = compile(stage, clock).map_err(fail)?;
            if pipeline.wanted.is_nothing() && is_parser(stage) && !matches!(stage, Stage::Regexp(_)) {
                continue;
            }
            pipeline.steps.push(step);
            line_is_stored &= !matches!(stage, Stage::LineFormat(_) | Stage::Decolorize | Stage::Unpack);
        }
        Ok(pipeline)
    }

    /// What a line must hold to pass, as far as it is known without running the pipeline: every element
    /// must be fulfilled, an element is fulfilled by any one of its literals. Only what is true of the
    /// stored line, so nothing behind a stage that rewrites it.
    pub fn required_literals(&self) -> &[Vec<Literal>] {
        &self.required
    }

    /// An expression that the stored line must match to pass, if there is one.
    pub fn required_regex(&self) -> Option<&Arc<Regex>> {
        self.filters.iter().find_map(LineTest::regex)
    }

    /// How many lines to run between two looks at whether the query has to stop. Templates can loop, so a
    /// single line may take milliseconds.
    pub fn lines_per_check(&self) -> usize {
        if self.runs_templates { 1 } else { LINES_PER_CHECK }
    }

    /// Whether every line passes as it is.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.steps.is_empty()
    }

    /// Whether any stage looks at the line. If not, [`Runner::run`] may be given an empty one as long
    /// as nobody needs the line that comes back.
    pub fn reads_line(&self) -> bool {
        !self.filters.is_empty() || self.steps.iter().any(|step| step.reads_line())
    }

    /// The state that one worker keeps while it runs the pipeline over the entries of one stream.
    pub fn runner<'a>(&'a self, stream: &'a LabelSet) -> Runner<'a> {
        Runner {
            filters: self.filters.iter().map(LineTest::probe).collect(),
            workers: self.steps.iter().map(|step| step.worker()).collect(),
            labels: Labels::new(stream, &self.wanted),
            buffers: LineBuffers::default(),
        }
    }
}

/// The stages in the order in which they run. Line filters are cheap and move forward, but not past
/// a stage that rewrites the line or drops it by its labels.
fn reordered(stages: &[Stage]) -> Vec<&Stage> {
    let ends_segment = |stage: &Stage| matches!(stage, Stage::LabelFilter(_) | Stage::LineFormat(_) | Stage::Unpack);
    let mut order: Vec<&Stage> = Vec::with_capacity(stages.len());
    for segment in stages.split_inclusive(ends_segment) {
        let (filters, others): (Vec<&Stage>, Vec<&Stage>) =
            segment.iter().partition(|stage| matches!(stage, Stage::LineFilter(_)));
        order.extend(filters.into_iter().chain(others));
    }
    order
}

fn is_parser(stage: &Stage) -> bool {
    matches!(stage, Stage::Json(_) | Stage::Logfmt { .. } | Stage::Regexp(_) | Stage::Pattern(_) | Stage::Unpack)
}

/// The stages without each `line_format` whose line nobody reads: no parser and no line filter follows.
fn without_idle_formats(stages: &[Stage]) -> Vec<Stage> {
    let reads_line = |stage: &Stage| is_parser(stage) || matches!(stage, Stage::LineFilter(_));
    let last_reader = stages.iter().rposition(reads_line).unwrap_or(0);
    let is_idle = |at: usize, stage: &Stage| matches!(stage, Stage::LineFormat(_)) && at >= last_reader;
    stages.iter().enumerate().filter(|(at, stage)| !is_idle(*at, stage)).map(|(_, stage)| stage.clone()).collect()
}

/// A pipeline in the hands of one worker, for the entries of one stream.
pub struct Runner<'a> {
    filters: Vec<LineProbe<'a>>,
    workers: Vec<Box<dyn Worker + 'a>>,
    labels: Labels<'a>,
    buffers: LineBuffers,
}

impl<'a> Runner<'a> {
    /// Runs the pipeline over one entry; `None` if a filter drops it.
    pub fn run<'l>(&'l mut self, timestamp_ns: i64, line: &'l [u8], metadata: &LabelSet) -> Option<Passed<'l, 'a>> {
        if !self.filters.iter_mut().all(|filter| filter.keeps(line)) {
            return None;
        }
        if self.workers.is_empty() && !self.labels.clashes_with(metadata) {
            return Some(Passed { line, value: None, labels: None });
        }
        self.labels.start(metadata);
        let mut entry = Entry {
            timestamp_ns,
            stored: line,
            rewritten: false,
            buffers: &mut self.buffers,
            labels: &mut self.labels,
            value: None,
        };
        if !self.workers.iter_mut().all(|worker| worker.run(&mut entry)) {
            return None;
        }
        let (rewritten, value) = (entry.rewritten, entry.value);
        let line = if rewritten { &self.buffers.current } else { line };
        let labels = self.labels.is_changed().then_some(LineLabels(&self.labels));
        Some(Passed { line, value, labels })
    }
}

/// An entry that passed: its line, perhaps rewritten, and its labels.
pub struct Passed<'l, 'a> {
    /// The line after all stages.
    pub line: &'l [u8],
    /// The number that `unwrap` found; 0 with the error `SampleExtractionErr` if it could not be read.
    pub value: Option<f64>,
    /// `None`: stream labels and metadata are as they were stored and nothing was parsed.
    pub labels: Option<LineLabels<'l, 'a>>,
}

/// The labels of an entry that a pipeline changed: a view that lasts until the next entry runs.
/// Unlike those of a [`LabelSet`] their values may be empty; a client is shown such labels.
#[derive(Clone, Copy)]
pub struct LineLabels<'l, 'a>(&'l Labels<'a>);

impl<'l> LineLabels<'l, '_> {
    /// The value of a label of any kind; `__error__` is one.
    pub fn get(&self, name: &str) -> Option<&'l str> {
        self.0.get(name)
    }

    /// The error that a stage has noted, if any: `JSONParserErr` and the like.
    pub fn error(&self) -> Option<&'l str> {
        Some(self.0.error()).filter(|error| !error.is_empty())
    }

    /// Whether the query looks at this error itself (`sum by (__error__) (...)`), so that it does not
    /// make the query fail.
    pub fn preserves_error(&self) -> bool {
        self.0.preserves_error()
    }

    /// Stream labels that were neither dropped nor overwritten, in order of their names.
    pub fn stream(&self) -> impl Iterator<Item = (&'l str, &'l str)> + Clone + use<'l, '_> {
        self.0.stream()
    }

    /// Structured metadata that was neither dropped nor overwritten, in no particular order.
    pub fn structured_metadata(&self) -> impl Iterator<Item = (&'l str, &'l str)> + Clone + use<'l, '_> {
        self.0.metadata()
    }

    /// Labels that stages made, `__error__` among them, in no particular order.
    pub fn parsed(&self) -> impl Iterator<Item = (&'l str, &'l str)> + Clone + use<'l, '_> {
        self.0.parsed()
    }

    /// All labels of all kinds, in no particular order; no name occurs twice.
    pub fn all(&self) -> impl Iterator<Item = (&'l str, &'l str)> + Clone + use<'l, '_> {
        self.0.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::{Expr, parse};

    fn compile(stages: &str) -> Result<Pipeline, ParseError> {
        match parse(&format!("{{a=\"b\"}} {stages}")).unwrap() {
            Expr::Log(log) => Pipeline::compile(&log.stages),
            Expr::Metric(_) => unreachable!(),
        }
    }

    #[test]
    fn keeps_the_lines_that_pass_every_filter() {
        let lines = ["foo bar", "foo", "bar", "baz", "at 10.1.2.34", "at 10.1.2.3:80"];
        let none = LabelSet::default();
        for (stages, expected) in [
            ("", &lines[..]),
            (r#"|= "foo" |= "bar""#, &["foo bar"]),
            (r#"|= "foo" or "bar""#, &["foo bar", "foo", "bar"]),
            (r#"!= "foo" or "bar" != "at""#, &["baz"]),
            (r#"|= "foo" or "bar" != "foo bar""#, &["foo", "bar"]),
            (r#"|~ "^ba." or "o$""#, &["foo", "bar", "baz"]),
            (r#"!~ "[aeiou]{2}|\\d""#, &["bar", "baz"]),
            (r#"|= ip("10.1.2.3")"#, &["at 10.1.2.3:80"]),
            (r#"|= ip("10.1.2.3") or "baz""#, &["baz", "at 10.1.2.3:80"]),
            (r#"|> "<_> bar" or "at <_>""#, &["foo bar", "at 10.1.2.34", "at 10.1.2.3:80"]),
            (r#"!> "<_>a<_>" != "at""#, &["foo"]),
            (r#"|= """#, &lines),
            (r#"!= """#, &[]),
        ] {
            let pipeline = compile(stages).unwrap();
            let mut runner = pipeline.runner(&none);
            let passed: Vec<_> =
                lines.into_iter().filter(|line| runner.run(0, line.as_bytes(), &none).is_some()).collect();
            assert_eq!(passed, expected, "{stages}");
        }
    }

    #[test]
    fn required_literals_hold_for_every_line_that_passes() {
        for (stages, expected) in [
            (r#"|= "foo" != "bar""#, "[foo]"),
            (r#"|= "foo" or "ba" |~ "x+(?i)y""#, "[foo/ba][x][~y]"),
            (r#"|~ "a|b" or "longer.*x""#, "[a/b/longer]"),
            (r#"|~ "a*" or "b""#, ""),
            (r#"|> "<_> GET <_>x""#, "[ GET ][x]"),
            (r#"|= ip("10.1.2.3")"#, "[10.1.2.3]"),
            (r#"| line_format "x" |= "y""#, ""),
            (r#"| unpack |= "y""#, ""),
            (r#"| json | a="b" |= "y""#, "[y]"),
            (r#"|= ip("10.1.2.0/24") |= """#, ""),
        ] {
            let pipeline = compile(stages).unwrap();
            let text =
                |l: &Literal| format!("{}{}", if l.fold_case { "~" } else { "" }, String::from_utf8_lossy(&l.text));
            let lists = pipeline.required_literals().iter();
            let lists: Vec<String> =
                lists.map(|list| format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join("/"))).collect();
            assert_eq!(lists.concat(), expected, "{stages}");
        }
    }

    #[test]
    fn line_filters_run_first_within_a_segment() {
        let query = r#"{a="b"} | json |= "1" | x="y" | logfmt |= "2" | line_format "" | drop q |= "3""#;
        let Expr::Log(log) = parse(query).unwrap() else { unreachable!() };
        let order: Vec<String> = reordered(&log.stages).into_iter().map(ToString::to_string).collect();
        let expected = [
            r#"|= "1""#,
            "| json",
            r#"| x="y""#,
            r#"|= "2""#,
            "| logfmt",
            r#"| line_format """#,
            r#"|= "3""#,
            "| drop q",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn tells_whether_the_line_is_read() {
        for (stages, expected) in [
            ("", false),
            (r#"| a="b" | drop c | keep d"#, false),
            (r#"|= "x""#, true),
            (r#"| a="b" | json"#, true),
            (r#"| label_format a="{{__line__}}""#, true),
        ] {
            assert_eq!(compile(stages).unwrap().reads_line(), expected, "{stages}");
        }
    }

    #[test]
    fn errors_name_the_stage() {
        for (stages, message) in [
            (r#"|~ "[""#, r#"stage '|~ "["' : error parsing regexp: missing closing ]: `[`"#),
            (r#"|= ip("bogus")"#, r#"stage '|= ip("bogus")' : ip: invalid pattern: "bogus""#),
            (r#"|~ ip("1.2.3.4")"#, r#"stage '|~ ip("1.2.3.4")' : ip: invalid operation"#),
            (r#"|> "<x>""#, r#"stage '|> "<x>"' : named captures are not allowed: found '<x>'"#),
            (r#"|> "<_><_>""#, r#"stage '|> "<_><_>"' : found consecutive capture '<_><_>': invalid expression"#),
        ] {
            assert_eq!(compile(stages).unwrap_err().to_string(), format!("parse error : {message}"));
        }
    }

    #[test]
    fn metadata_never_hide_a_stream_label() {
        let set = |pairs: &[(&str, &str)]| {
            LabelSet::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
        };
        let (stream, metadata) = (set(&[("a", "1"), ("b", "2")]), set(&[("a", "3"), ("c", "4")]));
        let pipeline = compile("").unwrap();
        let mut runner = pipeline.runner(&stream);
        let labels = runner.run(0, b"", &metadata).unwrap().labels.unwrap();
        assert_eq!(labels.structured_metadata().collect::<Vec<_>>(), [("a_extracted", "3"), ("c", "4")]);
        assert_eq!(labels.stream().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        let own = set(&[("c", "4")]);
        assert!(runner.run(0, b"", &own).unwrap().labels.is_none());
    }
}
