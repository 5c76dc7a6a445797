//! The functions of templates: one table, in groups of a file each.

mod builtin;
mod convert;
mod math;
mod text;
mod times;

use std::fmt;

use super::Scope;
use super::value::Value;

/// What a function gives; the error is the part of Go's message behind "error calling NAME: ".
pub(super) type Outcome<'c> = Result<Value<'c>, String>;

/// A function that templates can call.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The fewest arguments, a piped one included.
    pub(super) min: usize,
    /// The most.
    pub(super) max: usize,
    pub(super) call: Call,
}

/// How a function is called.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// With all arguments.
    Plain(for<'c> fn(&Scope<'c>, &[Value<'c>]) -> Outcome<'c>),
    /// With its arguments up to the first that is false.
    And,
    /// With its arguments up to the first that is true.
    Or,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A row of the table: a function of exactly so many arguments.
const fn exactly(
    count: usize,
    name: &'static str,
    call: for<'c> fn(&Scope<'c>, &[Value<'c>]) -> Outcome<'c>,
) -> Function {
    Function { name, min: count, max: count, call: Call::Plain(call) }
}

/// A row of the table: a function of at least `min` and at most `max` arguments.
const fn between(
    min: usize,
    max: usize,
    name: &'static str,
    call: for<'c> fn(&Scope<'c>, &[Value<'c>]) -> Outcome<'c>,
) -> Function {
    Function { name, min, max, call: Call::Plain(call) }
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    let groups: [&'static [Function]; 5] =
        [builtin::FUNCTIONS, text::FUNCTIONS, math::FUNCTIONS, convert::FUNCTIONS, times::FUNCTIONS];
    groups.into_iter().flatten().find(|function| function.name == name)
}

/// An argument that must be text.
fn text_of<'a>(value: &'a Value<'_>) -> Result<&'a str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_type("string", other)),
    }
}

/// An argument that must be a whole number.
fn int_of(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        other => Err(wrong_type("int", other)),
    }
}

fn wrong_type(expected: &str, value: &Value<'_>) -> String {
    format!("wrong type for value; expected {expected}; got {}", value.type_name())
}
