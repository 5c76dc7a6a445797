//! The query language `LogQL`: text in, tree or error out, and the part of a query that looks at one
//! line. No disk, no clock, no threads: "now" and the entries are arguments.
//!
//! [`parse`] turns a query into an [`Expr`] (`lexer`, `parser`, `ast`), whose `Display` is the
//! canonical text ([`pretty`] breaks a long one). The stages behind a selector are compiled into a
//! [`Pipeline`], which every worker of a query runs line by line through a [`Runner`] of its own.
//! [`Regex`] is the one regular-expression type of the language.
//!
//! What the language means is recorded in `docs/logql.md`; errors are in Loki's words.

mod ast;
mod entry;
mod error;
mod fields;
mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod json_scan;
mod layout;
mod lexer;
mod literal;
mod parser;
mod pipeline;
mod print;
#[cfg(test)]
mod random;
mod regex;
mod stage;
mod template;
mod token;
mod units;
mod wanted;

pub use ast::{
    BinaryExpr, BinaryOp, CompareOp, Comparison, Conversion, Expr, FieldExpr, Group, Grouping, LabelChoice,
    LabelFilter, LabelFormat, LabelReplace, LineFilter, LineOp, LineOperand, LogExpr, Matching, MetricExpr,
    RangeAggregation, RangeOp, Stage, Unwrap, VectorAggregation, VectorOp,
};
pub use error::ParseError;
pub use fields::{Expressions, FieldTemplate, Fields, LineFilters};
pub use filter::Needle;
pub use json_scan::{Malformed, Scanner, Value as JsonValue, append_unescaped};
pub use layout::{Layout, Written};
pub use parser::{QUERY_BYTES_MAX, parse, parse_filter, parse_label_set, parse_selector};
pub use pipeline::{LineLabels, Passed, Pipeline, Runner};
pub use print::pretty;
pub use regex::{Form, GaveUp, LineSearcher, Regex, Searcher, readable};
pub use stage::{decolorize, json_keys_of, logfmt_pairs};
pub use template::Clock;
pub use units::parse_bytes;
pub use wanted::Needs;
