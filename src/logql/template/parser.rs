//! Parses a template. Errors are in Go's words, as far as clients see them.

use std::collections::BTreeMap;

use super::functions::{self, Function};
use super::lexer::{Placed, Token, tokens};

/// Actions and parentheses may stand this deep in each other; a template is run recursively.
const NESTING_MAX: usize = 20;

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    With { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    Range { pipe: Pipe, then: Vec<Node>, otherwise: Vec<Node> },
    Break,
    Continue,
    Template { name: String, pipe: Option<Pipe>, at: usize },
}

/// Commands, each fed with the result of the one before.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Variables that are set.
    pub(super) variables: Vec<String>,
    /// Whether they exist already.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

/// An operand, or a function with its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
    /// Where it stands in the template, in bytes.
    pub(super) at: usize,
    /// Its text.
    pub(super) text: String,
}

/// Something that has a value.
#[derive(Debug)]
pub(super) enum Operand {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.`
    Dot,
    /// `$x`
    Variable(String),
    Function(&'static Function),
    /// `(...)`
    Pipe(Box<Pipe>),
    /// `x.a.b`
    Fields(Box<Operand>, Vec<String>),
}

/// A parsed template and those it defines.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

/// Parses a template; the error is where, in bytes, and what.
pub(super) fn parse(text: &str) -> Result<Tree, (usize, String)> {
    let tokens = tokens(text)?;
    let mut parser =
        Parser { text, tokens, next: 0, variables: vec![String::new()], defined: BTreeMap::new(), depth: 0, loops: 0 };
    let (nodes, end) = parser.nodes()?;
    if let End::Keyword(word) = end {
        return Err((parser.here(), format!("unexpected {{{{{word}}}}}")));
    }
    let Parser { defined, .. } = parser;
    Ok(Tree { nodes, defined })
}

type Parsed<T> = Result<T, (usize, String)>;

/// What ends a list of nodes.
#[derive(PartialEq)]
enum End {
    Template,
    Keyword(&'static str),
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Placed>,
    next: usize,
    /// Variables that are known here; `$` has the empty name.
    variables: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
    depth: usize,
    /// How many `range` are open.
    loops: usize,
}

impl Parser<'_> {
    fn here(&self) -> usize {
        self.tokens[self.next].at
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next].token
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.next].token.clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    fn eat(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.advance();
        }
        found
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err((self.here(), message.into()))
    }

    fn unexpected<T>(&self, context: &str) -> Parsed<T> {
        let text = match self.peek() {
            Token::End => return self.fail("unexpected EOF"),
            Token::Close => "\"}}\"".to_owned(),
            Token::Symbol(symbol) => format!("{symbol:?}"),
            Token::Identifier(name) => format!("<{name}>"),
            Token::Field(name) => format!("<.{name}>"),
            Token::String(text) => format!("{text:?}"),
            token => format!("{token:?}"),
        };
        self.fail(format!("unexpected {text} in {context}"))
    }

    /// The keyword that is next.
    fn keyword(&self) -> Option<&'static str> {
        const KEYWORDS: [&str; 11] =
            ["if", "else", "end", "with", "range", "break", "continue", "define", "template", "block", "nil"];
        let Token::Identifier(name) = self.peek() else {
            return None;
        };
        KEYWORDS.iter().copied().find(|word| word == name)
    }

    /// Nodes up to the end of the template, `{{end}}` or `{{else`; the keyword is passed.
    fn nodes(&mut self) -> Parsed<(Vec<Node>, End)> {
        let mut nodes = Vec::new();
        loop {
            match self.advance() {
                Token::End => return Ok((nodes, End::Template)),
                Token::Text(text) => nodes.push(Node::Text(text)),
                _ => {
                    if let Some(word @ ("end" | "else")) = self.keyword() {
                        self.advance();
                        if word == "end" {
                            self.close("end")?;
                        }
                        return Ok((nodes, End::Keyword(word)));
                    }
                    let known = self.variables.len();
                    self.depth += 1;
                    if self.depth > NESTING_MAX {
                        return self.fail("nested too deeply");
                    }
                    let node = self.action()?;
                    self.depth -= 1;
                    if !matches!(node, Some(Node::Action(_))) {
                        self.variables.truncate(known);
                    }
                    nodes.extend(node);
                }
            }
        }
    }

    fn close(&mut self, context: &str) -> Parsed<()> {
        if self.eat(&Token::Close) { Ok(()) } else { self.unexpected(context) }
    }

    /// What stands between `{{` and `}}`; nothing for a definition.
    fn action(&mut self) -> Parsed<Option<Node>> {
        let at = self.here();
        let Some(word) = self.keyword().filter(|word| *word != "nil") else {
            let pipe = self.pipe("command")?;
            self.close("command")?;
            return Ok(Some(Node::Action(pipe)));
        };
        self.advance();
        Ok(Some(match word {
            "if" => {
                let (pipe, then, otherwise) = self.control(word)?;
                Node::If { pipe, then, otherwise }
            }
            "with" => {
                let (pipe, then, otherwise) = self.control(word)?;
                Node::With { pipe, then, otherwise }
            }
            "range" => {
                let (pipe, then, otherwise) = self.control(word)?;
                Node::Range { pipe, then, otherwise }
            }
            "break" | "continue" => {
                if self.loops == 0 {
                    return Err((at, format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                self.close(word)?;
                if word == "break" { Node::Break } else { Node::Continue }
            }
            "template" => {
                let name = self.template_name(word)?;
                let pipe = if *self.peek() == Token::Close { None } else { Some(self.pipe(word)?) };
                self.close(word)?;
                Node::Template { name, pipe, at }
            }
            "block" => {
                let name = self.template_name(word)?;
                let pipe = self.pipe(word)?;
                self.close(word)?;
                self.define(name.clone())?;
                Node::Template { name, pipe: Some(pipe), at }
            }
            "define" => {
                let name = self.template_name(word)?;
                self.close(word)?;
                self.define(name)?;
                return Ok(None);
            }
            _ => return Err((at, format!("unexpected {{{{{word}}}}}"))),
        }))
    }

    fn template_name(&mut self, context: &str) -> Parsed<String> {
        match self.advance() {
            Token::String(name) => Ok(name),
            _ => self.unexpected(&format!("{context} clause")),
        }
    }

    /// The body of a definition, with variables of its own.
    fn define(&mut self, name: String) -> Parsed<()> {
        let outer = std::mem::replace(&mut self.variables, vec![String::new()]);
        let loops = std::mem::take(&mut self.loops);
        let (nodes, end) = self.nodes()?;
        self.variables = outer;
        self.loops = loops;
        if end != End::Keyword("end") {
            return self.fail("unexpected EOF");
        }
        self.defined.insert(name, nodes);
        Ok(())
    }

    /// The condition and the two branches of `if`, `with` or `range`.
    fn control(&mut self, word: &'static str) -> Parsed<(Pipe, Vec<Node>, Vec<Node>)> {
        if *self.peek() == Token::Close {
            return self.fail(format!("missing value for {word}"));
        }
        let pipe = self.pipe(word)?;
        self.close(word)?;
        self.loops += usize::from(word == "range");
        let (then, end) = self.nodes()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            End::Template => return self.fail("unexpected EOF"),
            End::Keyword("else") => self.otherwise(word)?,
            End::Keyword(_) => Vec::new(),
        };
        Ok((pipe, then, otherwise))
    }

    /// What follows `{{else`.
    fn otherwise(&mut self, word: &'static str) -> Parsed<Vec<Node>> {
        if self.keyword() == Some(word) && word != "range" {
            // `{{else if x}}` is an `if` inside the `else`; one `{{end}}` closes both.
            self.advance();
            let (pipe, then, otherwise) = self.nested(|parser| parser.control(word))?;
            return Ok(vec![if word == "if" {
                Node::If { pipe, then, otherwise }
            } else {
                Node::With { pipe, then, otherwise }
            }]);
        }
        self.close("else")?;
        match self.nodes()? {
            (nodes, End::Keyword("end")) => Ok(nodes),
            (_, End::Keyword(word)) => self.fail(format!("unexpected {{{{{word}}}}}")),
            (_, End::Template) => self.fail("unexpected EOF"),
        }
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return self.fail("nested too deeply");
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// `$x := a | b`
    fn pipe(&mut self, context: &str) -> Parsed<Pipe> {
        let (variables, assigns) = self.declaration(context)?;
        let mut commands = vec![self.command(context)?];
        while self.eat(&Token::Symbol("|")) {
            commands.push(self.command(context)?);
        }
        if let Some(command) = commands.iter().skip(1).find(|command| !is_callable(&command.operands[0])) {
            let message = format!("non executable command in pipeline stage 2: {}", command.text);
            return Err((command.at, message));
        }
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipe { variables, assigns, commands })
    }

    /// `$x :=`, `$x =` or, for `range`, `$i, $x :=`.
    fn declaration(&mut self, context: &str) -> Parsed<(Vec<String>, bool)> {
        let start = self.next;
        let mut variables = Vec::new();
        while let Token::Variable(name) = self.peek().clone() {
            self.advance();
            variables.push(name);
            if context != "range" || !self.eat(&Token::Symbol(",")) {
                break;
            }
        }
        let assigns = match self.peek() {
            Token::Symbol(":=") if !variables.is_empty() => false,
            Token::Symbol("=") if !variables.is_empty() => true,
            _ => {
                self.next = start;
                return Ok((Vec::new(), false));
            }
        };
        if assigns && let Some(unknown) = variables.iter().find(|name| !self.variables.contains(name)) {
            return self.fail(format!("undefined variable \"${unknown}\""));
        }
        self.advance();
        Ok((variables, assigns))
    }

    fn command(&mut self, context: &str) -> Parsed<Command> {
        let at = self.here();
        let mut operands = Vec::new();
        while !matches!(self.peek(), Token::Close | Token::Symbol("|" | ")") | Token::End) {
            operands.push(self.operand()?);
            if !self.tokens[self.next].spaced
                && !matches!(self.peek(), Token::Close | Token::Symbol("|" | ")" | "(") | Token::End)
            {
                return self.unexpected("operand");
            }
        }
        if operands.is_empty() {
            return match self.peek() {
                Token::Close if context != "command" => self.fail(format!("missing value for {context}")),
                Token::Close => self.fail("missing value for command"),
                _ => self.unexpected(context),
            };
        }
        if operands.len() == 1 && matches!(operands[0], Operand::Nil) {
            return Err((at, "nil is not a command".to_owned()));
        }
        let text = self.text[at..self.here()].trim_end().to_owned();
        Ok(Command { operands, at, text })
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let at = self.here();
        let operand = match self.advance() {
            Token::Identifier(name) => match name.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                name => match functions::find(name) {
                    Some(function) => Operand::Function(function),
                    None => return Err((at, format!("function {name:?} not defined"))),
                },
            },
            Token::Dot => Operand::Dot,
            Token::Field(name) => Operand::Fields(Box::new(Operand::Dot), vec![name]),
            Token::Variable(name) => {
                if !self.variables.contains(&name) {
                    return Err((at, format!("undefined variable \"${name}\"")));
                }
                Operand::Variable(name)
            }
            Token::Int(value) => Operand::Int(value),
            Token::Float(value) => Operand::Float(value),
            Token::String(text) => Operand::Text(text),
            Token::Symbol("(") => {
                let pipe = self.nested(|parser| parser.pipe("parenthesized pipeline"))?;
                if !self.eat(&Token::Symbol(")")) {
                    return self.fail("unclosed left paren");
                }
                Operand::Pipe(Box::new(pipe))
            }
            _ => {
                self.next = self.next.saturating_sub(1);
                return self.unexpected("operand");
            }
        };
        Ok(self.with_fields(operand))
    }

    /// The fields that follow without a space.
    fn with_fields(&mut self, operand: Operand) -> Operand {
        let mut names = Vec::new();
        while let Placed { token: Token::Field(name), spaced: false, .. } = &self.tokens[self.next] {
            names.push(name.clone());
            self.advance();
        }
        match operand {
            operand if names.is_empty() => operand,
            Operand::Fields(inner, mut first) => {
                first.extend(names);
                Operand::Fields(inner, first)
            }
            operand => Operand::Fields(Box::new(operand), names),
        }
    }
}

/// Whether the result of another command can be fed to one that starts so.
fn is_callable(operand: &Operand) -> bool {
    matches!(
        operand,
        Operand::Function(_) | Operand::Fields(..) | Operand::Variable(_) | Operand::Pipe(_) | Operand::Dot
    )
}
