//! Printed trees read back as themselves, and the broken form looks as Loki's does.

use super::super::ast::{BinaryExpr, BinaryOp, Group, RangeOp, VectorOp};
use super::*;
use crate::logql::parse;
use crate::logql::random::Random;

/// A generator of trees.
struct Trees(Random);

impl Trees {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        self.0.pick(items)
    }

    fn many<T>(&mut self, from: u64, to: u64, make: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..from + self.below(to - from + 1)).map(|_| make(self)).collect()
    }

    fn name(&mut self) -> String {
        self.pick(&["a", "_b", "sum", "duration", "bytes", "Ip", "count"]).to_owned()
    }

    fn text(&mut self) -> String {
        self.pick(&["", "x", "a b", "\"q\"", "\\d+`", "é\n\t\u{1}", "{{.x}}", "foo.*", "[0-9]+"]).to_owned()
    }

    fn matcher(&mut self, form: Form) -> Matcher {
        let name = self.name();
        let positive = self.below(2) == 0;
        if self.below(2) == 0 {
            return Matcher::text(name, positive, self.text());
        }
        let source = self.text();
        let regex = Regex::new(&source, form).unwrap();
        Matcher::regex(name, positive, source, std::sync::Arc::new(move |value| regex.is_match(value.as_bytes())))
    }

    fn log(&mut self) -> LogExpr {
        let mut selector = vec![Matcher::text(self.name(), true, "v")];
        selector.extend(self.many(0, 2, |trees| trees.matcher(Form::WholeDotAll)));
        let mut stages = self.many(0, 4, Self::stage);
        // `keep a != "x"` is one stage, so no negated filter may follow such a list.
        let mut after_list = false;
        stages.retain(|stage| {
            let fits = !(after_list && matches!(stage, Stage::LineFilter(filter) if filter.op.is_negated()));
            after_list = fits && matches!(stage, Stage::Drop(_) | Stage::Keep(_)) || after_list && !fits;
            fits
        });
        LogExpr { selector, stages }
    }

    fn stage(&mut self) -> Stage {
        match self.below(12) {
            0 | 1 => {
                let op = self.pick(&[
                    LineOp::Contains,
                    LineOp::NotMatches,
                    LineOp::Pattern,
                    LineOp::NotPattern,
                    LineOp::Matches,
                ]);
                let most = if op.is_negated() { 1 } else { 3 };
                let operands = self.many(1, most, |trees| match trees.below(4) {
                    0 => LineOperand::Ip(trees.text()),
                    _ => LineOperand::Text(trees.text()),
                });
                Stage::LineFilter(LineFilter { op, operands })
            }
            2 => Stage::Json(self.many(0, 2, Self::field)),
            3 => Stage::Logfmt {
                strict: self.below(2) == 0,
                keep_empty: self.below(2) == 0,
                fields: self.many(0, 2, Self::field),
            },
            4 => Stage::Regexp("(?P<x>.)\\d".to_owned()),
            5 => Stage::Pattern("<x> \"<_>\"".to_owned()),
            6 if self.below(2) == 0 => Stage::Unpack,
            6 => Stage::Decolorize,
            7 => Stage::LineFormat(self.text()),
            8 => Stage::LabelFormat(self.many(1, 3, |trees| {
                let to = trees.name();
                match trees.below(2) {
                    0 => LabelFormat::Rename { to, from: trees.name() },
                    _ => LabelFormat::Template { to, template: trees.text() },
                }
            })),
            9 => Stage::Drop(self.many(1, 3, Self::choice)),
            10 => Stage::Keep(self.many(1, 3, Self::choice)),
            _ => Stage::LabelFilter(self.filter(3)),
        }
    }

    fn field(&mut self) -> FieldExpr {
        FieldExpr { label: self.name(), path: self.text() }
    }

    fn choice(&mut self) -> LabelChoice {
        match self.below(2) {
            0 => LabelChoice::Name(self.name()),
            _ => LabelChoice::Matching(self.matcher(Form::WholeDotAll)),
        }
    }

    fn filter(&mut self, depth: u64) -> LabelFilter {
        let ops = [
            CompareOp::Equal,
            CompareOp::NotEqual,
            CompareOp::Greater,
            CompareOp::GreaterEqual,
            CompareOp::Less,
            CompareOp::LessEqual,
        ];
        let (name, op) = (self.name(), self.pick(&ops));
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => LabelFilter::Text(self.matcher(Form::Whole)),
            1 => LabelFilter::Ip { name, negated: self.below(2) == 0, pattern: self.text() },
            2 => LabelFilter::Number(Comparison { name, op, value: self.pick(&[0.0, 1.5, -3.0, 1e20, 0.000_001]) }),
            3 => LabelFilter::Duration(Comparison {
                name,
                op,
                value: self.pick(&[0, 5_000, 90_000_000_000, -3_600_000_000_000, 1_500_000_000]),
            }),
            4 => LabelFilter::Bytes(Comparison { name, op, value: self.pick(&[5, 5_000, 1_500_000, 42_000_000_000]) }),
            5 => LabelFilter::And(Box::new(self.filter(depth - 1)), Box::new(self.filter(depth - 1))),
            _ => LabelFilter::Or(Box::new(self.filter(depth - 1)), Box::new(self.filter(depth - 1))),
        }
    }

    fn grouping(&mut self) -> Option<Grouping> {
        (self.below(2) == 0).then(|| Grouping { without: self.below(2) == 0, labels: self.many(1, 2, Self::name) })
    }

    fn metric(&mut self, depth: u64) -> MetricExpr {
        match self.below(if depth == 0 { 3 } else { 7 }) {
            0 => MetricExpr::Vector(self.pick(&[0.0, 0.5, 12.0])),
            1 => MetricExpr::Range(Box::new(RangeAggregation {
                op: self.pick(&[RangeOp::Rate, RangeOp::Count, RangeOp::BytesRate]),
                parameter: None,
                log: self.log(),
                unwrap: None,
                range_ns: self.pick(&[0, 300_000_000_000, 90_061_005_000_000]),
                offset_ns: self.pick(&[0, 1_000_000_000, -3_600_000_000_000]),
                grouping: None,
            })),
            2 => MetricExpr::Range(Box::new(RangeAggregation {
                op: RangeOp::Quantile,
                parameter: Some(0.95),
                log: self.log(),
                unwrap: Some(Unwrap {
                    label: self.name(),
                    conversion: self.pick(&[
                        None,
                        Some(Conversion::Bytes),
                        Some(Conversion::Duration),
                        Some(Conversion::DurationSeconds),
                    ]),
                    filters: self.many(0, 2, |trees| trees.filter(1)),
                }),
                range_ns: 60_000_000_000,
                offset_ns: 0,
                grouping: self.grouping(),
            })),
            3 => MetricExpr::Aggregate(Box::new(VectorAggregation {
                op: VectorOp::Topk,
                parameter: Some(3),
                grouping: self.grouping(),
                inner: self.metric(depth - 1),
            })),
            4 => MetricExpr::LabelReplace(Box::new(LabelReplace {
                inner: self.metric(depth - 1),
                destination: self.text(),
                replacement: self.text(),
                source: self.text(),
                regex: self.text(),
            })),
            _ => {
                let group = (self.below(2) == 0)
                    .then(|| Group { left: self.below(2) == 0, include: self.many(0, 2, Self::name) });
                let matching = (self.below(2) == 0).then(|| Matching {
                    on: self.below(2) == 0,
                    labels: self.many(0, 2, Self::name),
                    group,
                });
                let op = self.pick(&[
                    BinaryOp::Add,
                    BinaryOp::Power,
                    BinaryOp::Or,
                    BinaryOp::Unless,
                    BinaryOp::LessEqual,
                    BinaryOp::NotEqual,
                ]);
                let left = self.metric(depth - 1);
                let right =
                    if op.is_set() || self.below(2) == 0 { self.metric(depth - 1) } else { MetricExpr::Literal(2.5) };
                MetricExpr::Binary(Box::new(BinaryExpr { op, return_bool: self.below(4) == 0, matching, left, right }))
            }
        }
    }
}

#[test]
fn a_printed_tree_parses_to_itself() {
    let mut trees = Trees(Random::new());
    for round in 0..2000 {
        let tree = if round % 2 == 0 { Expr::Log(trees.log()) } else { Expr::Metric(trees.metric(3)) };
        for text in [tree.to_string(), pretty(&tree)] {
            match parse(&text) {
                Ok(parsed) => assert_eq!(parsed, tree, "round {round}: {text}"),
                Err(error) => panic!("round {round}: {text}: {error}"),
            }
        }
    }
}

#[test]
fn a_long_query_is_broken() {
    let filler = "abcdefghijklmnopqrstuvwxyz".repeat(4);
    for (query, expected) in [
        (
            r#"{app="frontend",cluster="eu-central-1"} |= "GET" != "healthz" |~ "status=5.." | logfmt | duration > 500ms and status >= 500 | line_format "{{.method}} {{.path}} {{.duration}}""#.to_owned(),
            "{app=\"frontend\", cluster=\"eu-central-1\"}\n  |= \"GET\" != \"healthz\" |~ \"status=5..\"\n  | logfmt\n  | ( duration>500ms , status>=500 )\n  | line_format \"{{.method}} {{.path}} {{.duration}}\"".to_owned(),
        ),
        (
            format!(r#"sum by (a, b) (rate({{a="{filler}"}} |= "x" | json [5m] offset 1h)) / topk(2, vector(1))"#),
            format!("(\n  sum by (a, b)(\n    rate(\n      {{a=\"{filler}\"}}\n        |= \"x\"\n        | json [5m] offset 1h\n    )\n  )\n/\n  topk(2,vector(1.000000))\n)"),
        ),
    ] {
        assert_eq!(pretty(&parse(&query).unwrap()), expected);
    }
}
