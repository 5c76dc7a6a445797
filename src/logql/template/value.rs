//! The values that a template calculates with, how they print and when they count as true.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::entry::Labels;
use super::super::literal::print_float;
use super::time::{Instant, format};

/// A value. Texts are borrowed from the template or the entry where possible.
#[derive(Clone, Debug)]
pub(super) enum Value<'c> {
    /// No value.
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'c, str>),
    Time(Instant),
    List(Rc<Vec<Value<'c>>>),
    Map(Rc<BTreeMap<String, Value<'c>>>),
    /// All labels of the entry: the dot of the whole template.
    Labels(&'c Labels<'c>),
}

impl Value<'_> {
    /// A text of its own.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    /// Whether `if` takes the value as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Time(_) => true,
            Self::List(items) => !items.is_empty(),
            Self::Map(members) => !members.is_empty(),
            Self::Labels(labels) => labels.all().next().is_some(),
        }
    }

    /// Whether `default` takes the value as missing.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_true()
    }

    /// The name of the type in Go, for errors and `%T`.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Time(_) => "time.Time",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Labels(_) => "map[string]string",
        }
    }

    /// Appends the value as an action prints it.
    pub(super) fn print(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<no value>"),
            value => value.print_inner(out),
        }
    }

    /// Appends the value as it prints inside another.
    pub(super) fn print_inner(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<nil>"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&print_float(*value)),
            Self::Text(text) => out.push_str(text),
            Self::Time(instant) => {
                out.push_str(&format(instant, "2006-01-02 15:04:05.999999999 -0700 MST"));
            }
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { " " } else { "" });
                    item.print_inner(out);
                }
                out.push(']');
            }
            Self::Map(members) => {
                print_map(members.iter(), out, Value::print_inner);
            }
            Self::Labels(labels) => print_map(sorted(labels).into_iter(), out, |value, out| {
                out.push_str(value);
            }),
        }
    }

    /// The value as text.
    pub(super) fn printed(&self) -> String {
        let mut text = String::new();
        self.print_inner(&mut text);
        text
    }
}

fn print_map<K: AsRef<str>, V>(
    members: impl Iterator<Item = (K, V)>,
    out: &mut String,
    print: impl Fn(V, &mut String),
) {
    out.push_str("map[");
    for (at, (key, value)) in members.enumerate() {
        out.push_str(if at > 0 { " " } else { "" });
        out.push_str(key.as_ref());
        out.push(':');
        print(value, out);
    }
    out.push(']');
}

/// The labels in order of their names.
pub(super) fn sorted<'c>(labels: &'c Labels<'_>) -> Vec<(&'c str, &'c str)> {
    let mut pairs: Vec<(&str, &str)> = labels.all().collect();
    pairs.sort_unstable();
    pairs
}
