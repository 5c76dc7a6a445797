//! Runs a template over one entry.

use super::Scope;
use super::functions::{Call, Function};
use super::parser::{Command, Node, Operand, Pipe, Tree};
use super::value::{Value, sorted};

/// A run of a template makes at most so many bytes ...
pub(super) const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// ... in at most so many steps: one for each command and turn of a loop ...
const STEPS_MAX: usize = 100_000;
/// ... and one for so many bytes of text, or items of a list, that a command takes or gives.
const STEP_UNITS: usize = 64;
/// Templates may call each other this deep.
const CALLS_MAX: u32 = 8;

/// Why a template could not be run to its end.
pub(super) struct Failure {
    /// Where, in bytes.
    pub(super) at: usize,
    /// The command that failed, as it was written.
    pub(super) text: String,
    pub(super) message: String,
}

/// Runs `tree` and appends what it makes to `out`.
pub(super) fn run<'c>(tree: &'c Tree, scope: &Scope<'c>, out: &mut String) -> Result<(), Failure> {
    let root = Value::Labels(scope.labels);
    let mut run = Run {
        tree,
        scope,
        variables: vec![("", root.clone())],
        steps: 0,
        calls: 0,
        limit: out.len() + OUTPUT_BYTES_MAX,
    };
    run.nodes(&tree.nodes, &root, out).map(|_| ())
}

struct Run<'r, 'c> {
    tree: &'c Tree,
    scope: &'r Scope<'c>,
    variables: Vec<(&'c str, Value<'c>)>,
    steps: usize,
    calls: u32,
    limit: usize,
}

/// What a node means for the loop around it.
enum Flow {
    Next,
    Break,
    Continue,
}

type Ran<T> = Result<T, Failure>;

impl<'c> Run<'_, 'c> {
    fn nodes(&mut self, nodes: &'c [Node], dot: &Value<'c>, out: &mut String) -> Ran<Flow> {
        for node in nodes {
            match self.node(node, dot, out)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'c Node, dot: &Value<'c>, out: &mut String) -> Ran<Flow> {
        let known = self.variables.len();
        let flow = match node {
            Node::Text(text) => {
                out.push_str(text);
                Flow::Next
            }
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    value.print(out);
                }
                if out.len() > self.limit {
                    return Err(failure(&pipe.commands[0], format!("more than {OUTPUT_BYTES_MAX} bytes of output")));
                }
                return Ok(Flow::Next); // its variables stay known to the nodes behind it
            }
            Node::If { pipe, then, otherwise } => {
                let branch = if self.pipe(pipe, dot)?.is_true() { then } else { otherwise };
                self.nodes(branch, dot, out)?
            }
            Node::With { pipe, then, otherwise } => {
                let value = self.pipe(pipe, dot)?;
                if value.is_true() { self.nodes(then, &value, out)? } else { self.nodes(otherwise, dot, out)? }
            }
            Node::Range { pipe, then, otherwise } => self.range(pipe, then, otherwise, dot, out)?,
            Node::Break => Flow::Break,
            Node::Continue => Flow::Continue,
            Node::Template { name, pipe, at } => {
                let value = pipe.as_ref().map_or(Ok(Value::Nil), |pipe| self.pipe(pipe, dot))?;
                self.call(name, *at, &value, out)?;
                Flow::Next
            }
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn call(&mut self, name: &str, at: usize, dot: &Value<'c>, out: &mut String) -> Ran<()> {
        let fail = |message: String| Err(Failure { at, text: format!("{{{{template {name:?}}}}}"), message });
        let Some(nodes) = self.tree.defined.get(name) else {
            return fail(format!("template {name:?} not defined"));
        };
        if self.calls == CALLS_MAX {
            return fail(format!("exceeded maximum template depth ({CALLS_MAX})"));
        }
        self.calls += 1;
        let outer = std::mem::replace(&mut self.variables, vec![("", dot.clone())]);
        self.nodes(nodes, dot, out)?;
        self.variables = outer;
        self.calls -= 1;
        Ok(())
    }

    fn range(
        &mut self,
        pipe: &'c Pipe,
        then: &'c [Node],
        otherwise: &'c [Node],
        dot: &Value<'c>,
        out: &mut String,
    ) -> Ran<Flow> {
        let value = self.pipe(pipe, dot)?;
        let items: Box<dyn Iterator<Item = (Value<'c>, Value<'c>)>> = match value {
            Value::Int(count) => Box::new((0..count).map(|at| (Value::Int(at), Value::Int(at)))),
            Value::List(items) => {
                let indexed =
                    (0..items.len()).map(move |at| (Value::Int(at.try_into().unwrap_or(i64::MAX)), items[at].clone()));
                Box::new(indexed)
            }
            Value::Map(members) => {
                let members: Vec<_> = members.iter().map(|(k, v)| (Value::text(k.clone()), v.clone())).collect();
                Box::new(members.into_iter())
            }
            Value::Labels(labels) => {
                let text = |text: &'c str| Value::Text(text.into());
                Box::new(sorted(labels).into_iter().map(move |(name, value)| (text(name), text(value))))
            }
            Value::Nil => Box::new(std::iter::empty()),
            other => {
                let message = format!("range can't iterate over {}", other.printed());
                return Err(failure(&pipe.commands[0], message));
            }
        };
        let known = self.variables.len();
        let mut any = false;
        for (key, item) in items {
            any = true;
            self.step(&pipe.commands[0], 1)?;
            match &pipe.variables[..] {
                [] => {}
                [only] => self.assign(only, item.clone(), pipe.assigns),
                [index, element, ..] => {
                    self.assign(index, key, pipe.assigns);
                    self.assign(element, item.clone(), pipe.assigns);
                }
            }
            let flow = self.nodes(then, &item, out)?;
            if !pipe.assigns {
                self.variables.truncate(known);
            }
            if out.len() > self.limit {
                return Err(failure(&pipe.commands[0], format!("more than {OUTPUT_BYTES_MAX} bytes of output")));
            }
            if let Flow::Break = flow {
                break;
            }
        }
        if any { Ok(Flow::Next) } else { self.nodes(otherwise, dot, out) }
    }

    fn step(&mut self, command: &Command, steps: usize) -> Ran<()> {
        self.steps += steps;
        if self.steps > STEPS_MAX {
            return Err(failure(command, format!("more than {STEPS_MAX} steps")));
        }
        Ok(())
    }

    fn assign(&mut self, name: &'c str, value: Value<'c>, existing: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| *known == name);
        match known {
            Some((_, slot)) if existing => *slot = value,
            _ => self.variables.push((name, value)),
        }
    }

    fn pipe(&mut self, pipe: &'c Pipe, dot: &Value<'c>) -> Ran<Value<'c>> {
        let mut piped = None;
        for command in &pipe.commands {
            let value = self.command(command, dot, piped)?;
            self.step(command, 1 + units(&value) / STEP_UNITS)?;
            piped = Some(value);
        }
        let value = piped.unwrap_or(Value::Nil);
        if let [name] = &pipe.variables[..] {
            self.assign(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    /// A command; `piped` is the result of the one before and its last argument.
    fn command(&mut self, command: &'c Command, dot: &Value<'c>, piped: Option<Value<'c>>) -> Ran<Value<'c>> {
        let [first, rest @ ..] = &command.operands[..] else {
            return Ok(Value::Nil);
        };
        match first {
            Operand::Function(function) => self.function(command, function, rest, dot, piped),
            Operand::Fields(inner, names) => {
                let mut arguments = self.arguments(command, rest, dot)?;
                arguments.extend(piped);
                let inner = self.operand(command, inner, dot)?;
                fields(command, inner, names, &arguments)
            }
            operand if rest.is_empty() && piped.is_none() => self.operand(command, operand, dot),
            _ => Err(failure(command, format!("can't give argument to non-function {}", command.text))),
        }
    }

    fn arguments(&mut self, command: &'c Command, operands: &'c [Operand], dot: &Value<'c>) -> Ran<Vec<Value<'c>>> {
        let mut arguments = Vec::with_capacity(operands.len());
        for operand in operands {
            let value = self.operand(command, operand, dot)?;
            self.step(command, units(&value) / STEP_UNITS)?;
            arguments.push(value);
        }
        Ok(arguments)
    }

    fn function(
        &mut self,
        command: &'c Command,
        function: &Function,
        operands: &'c [Operand],
        dot: &Value<'c>,
        piped: Option<Value<'c>>,
    ) -> Ran<Value<'c>> {
        let count = operands.len() + usize::from(piped.is_some());
        if count < function.min || count > function.max {
            let at_least = if function.max == usize::MAX { "at least " } else { "" };
            let message =
                format!("wrong number of args for {}: want {at_least}{} got {count}", function.name, function.min);
            return Err(failure(command, message));
        }
        match function.call {
            Call::Plain(call) => {
                let mut arguments = self.arguments(command, operands, dot)?;
                arguments.extend(piped);
                call(self.scope, &arguments)
                    .map_err(|message| failure(command, format!("error calling {}: {message}", function.name)))
            }
            // These two look at no argument behind the one that decides.
            Call::And | Call::Or => {
                let decides = matches!(function.call, Call::Or);
                let mut value = Value::Nil;
                for operand in operands {
                    value = self.operand(command, operand, dot)?;
                    if value.is_true() == decides {
                        return Ok(value);
                    }
                }
                Ok(piped.unwrap_or(value))
            }
        }
    }

    fn operand(&mut self, command: &'c Command, operand: &'c Operand, dot: &Value<'c>) -> Ran<Value<'c>> {
        Ok(match operand {
            Operand::Nil => Value::Nil,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Int(value) => Value::Int(*value),
            Operand::Float(value) => Value::Float(*value),
            Operand::Text(text) => Value::Text(text.as_str().into()),
            Operand::Dot => dot.clone(),
            Operand::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map_or(Value::Nil, |(_, value)| value.clone())
            }
            Operand::Function(function) => self.function(command, function, &[], dot, None)?,
            Operand::Pipe(pipe) => self.pipe(pipe, dot)?,
            Operand::Fields(inner, names) => {
                let inner = self.operand(command, inner, dot)?;
                fields(command, inner, names, &[])?
            }
        })
    }
}

/// `.a.b` of a value; only a method, at the end, takes arguments.
fn fields<'c>(command: &Command, value: Value<'c>, names: &[String], arguments: &[Value<'c>]) -> Ran<Value<'c>> {
    let mut value = value;
    for (at, name) in names.iter().enumerate() {
        let arguments = if at + 1 == names.len() { arguments } else { &[] };
        value = match value {
            Value::Time(instant) => instant.method(name, arguments).map_err(|message| failure(command, message))?,
            _ if !arguments.is_empty() => {
                let message = format!("{name} is not a method but has arguments");
                return Err(failure(command, message));
            }
            Value::Labels(labels) => Value::Text(labels.get(name).unwrap_or("").into()),
            Value::Map(members) => members.get(name).cloned().unwrap_or(Value::Nil),
            Value::Nil => {
                return Err(failure(command, format!("nil data; no entry for key {name:?}")));
            }
            other => {
                let message = format!("can't evaluate field {name} in type {}", other.type_name());
                return Err(failure(command, message));
            }
        };
    }
    Ok(value)
}

/// How much there is to copy or to look through in a value.
fn units(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(members) => members.len(),
        _ => 0,
    }
}

fn failure(command: &Command, message: String) -> Failure {
    Failure { at: command.at, text: command.text.clone(), message }
}
