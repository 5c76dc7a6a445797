//! The parser: tokens to tree, by recursive descent. Reports the first error only, in Loki's words;
//! the list behind "expecting" appears where at most four kinds of token could have followed.
//!
//! Queries come from the network and are parsed on small stacks, so both the nesting of the text
//! and the height of the tree are bounded.

mod label_filter;
mod label_set;
mod log;
mod metric;

use super::ast::{Expr, LineFilter, LogExpr, Stage};
use super::error::ParseError;
use super::lexer::Lexer;
use super::token::{Spanned, Token};
use crate::labels::Matcher;

pub use label_set::parse_label_set;

/// Queries of this many bytes or more are refused, as by Loki.
pub const QUERY_BYTES_MAX: usize = 131_072;
/// Parentheses, functions and the like may stand this deep in each other.
const NESTING_MAX: usize = 24;
/// No branch of a tree is longer than this, so that walking it needs little stack.
const HEIGHT_MAX: usize = 128;

/// Parses a query of any kind.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() >= QUERY_BYTES_MAX {
        return Err(ParseError::Whole(format!("input size too long ({} > {QUERY_BYTES_MAX})", text.len())));
    }
    if text.is_empty() {
        return Err(ParseError::Whole("syntax error: unexpected $end".to_owned()));
    }
    let mut parser = Parser::new(text);
    let expr = parser.whole_query()?;
    if parser.unselective {
        return Err(ParseError::Whole(UNSELECTIVE.to_owned()));
    }
    Ok(expr)
}

/// Parses a selector with line filters and no other stage. Unlike that of a query it may match everything.
pub fn parse_filter(text: &str) -> Result<(Vec<Matcher>, Vec<LineFilter>), ParseError> {
    let refused = || ParseError::Refused("only label matchers and line filters are supported".to_owned());
    let Expr::Log(LogExpr { selector, stages }) = Parser::new(text).whole_query()? else {
        return Err(refused());
    };
    let filters = stages.into_iter().map(|stage| match stage {
        Stage::LineFilter(filter) => Ok(filter),
        _ => Err(refused()),
    });
    Ok((selector, filters.collect::<Result<_, _>>()?))
}

/// Parses a selector without a pipeline, as `labels` and `series` take it.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    match parse(text)? {
        Expr::Log(LogExpr { selector, stages }) if stages.is_empty() => Ok(selector),
        _ => Err(ParseError::Refused("only label matchers are supported".to_owned())),
    }
}

/// Why a selector without a matcher that excludes the empty value is refused.
const UNSELECTIVE: &str = "queries require at least one regexp or equality matcher that does not have an \
                           empty-compatible value. For instance, app=~\".*\" does not meet this requirement, \
                           but app=~\".+\" will";

type Parsed<T> = Result<T, ParseError>;

struct Parser<'q> {
    lexer: Lexer<'q>,
    current: Spanned,
    /// The token after `current`, if it has been looked at.
    following: Option<Spanned>,
    depth: usize,
    /// A selector was read that excludes nothing; reported only if the syntax is sound.
    unselective: bool,
}

impl<'q> Parser<'q> {
    fn new(text: &'q str) -> Self {
        let mut lexer = Lexer::new(text);
        let current = lexer.next();
        Self { lexer, current, following: None, depth: 0, unselective: false }
    }

    fn whole_query(&mut self) -> Parsed<Expr> {
        if self.current.token == Token::Word("variants") {
            self.variants()?;
            return Err(ParseError::Refused("multi variant queries are disabled for this instance".to_owned()));
        }
        let expr = self.expr()?;
        if self.current.token != Token::End {
            return Err(self.unexpected(&[]));
        }
        Ok(expr)
    }

    fn token(&self) -> &Token {
        &self.current.token
    }

    fn advance(&mut self) -> Token {
        let next = self.following.take().unwrap_or_else(|| self.lexer.next());
        std::mem::replace(&mut self.current, next).token
    }

    /// The token after the current one.
    fn peek(&mut self) -> &Token {
        let lexer = &mut self.lexer;
        &self.following.get_or_insert_with(|| lexer.next()).token
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.token(), Token::Symbol(text) if *text == symbol)
    }

    /// Moves past `symbol` if it is next.
    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Moves past `word` if it is next.
    fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.token(), Token::Word(text) if *text == word);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Parsed<()> {
        self.expect_among(symbol, &[symbol])
    }

    /// Moves past `symbol`; if something else stands there, the error names all of `expecting`.
    fn expect_among(&mut self, symbol: &str, expecting: &[&str]) -> Parsed<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(expecting)) }
    }

    fn identifier(&mut self, expecting: &[&str]) -> Parsed<String> {
        let Token::Identifier(name) = &mut self.current.token else {
            return Err(self.unexpected(expecting));
        };
        let name = std::mem::take(name);
        self.advance();
        Ok(name)
    }

    fn string(&mut self, expecting: &[&str]) -> Parsed<String> {
        let Token::String(text) = &mut self.current.token else {
            return Err(self.unexpected(expecting));
        };
        let text = std::mem::take(text);
        self.advance();
        Ok(text)
    }

    /// The error of a token that cannot stand where it stands.
    fn unexpected(&self, expecting: &[&str]) -> ParseError {
        let token = self.token();
        if let Token::Invalid(message) = token {
            return self.error_here(message.clone());
        }
        let list = if expecting.is_empty() { String::new() } else { format!(", expecting {}", expecting.join(" or ")) };
        self.error_here(format!("syntax error: unexpected {token}{list}"))
    }

    fn error_here(&self, message: String) -> ParseError {
        ParseError::At { line: self.current.line, column: self.current.column, message }
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == NESTING_MAX {
            return Err(self.error_here(format!("syntax error: nested deeper than {NESTING_MAX} levels")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// The height of a tree over two others, checked.
    fn height_over(&self, left: usize, right: usize) -> Parsed<usize> {
        let height = left.max(right) + 1;
        if height > HEIGHT_MAX {
            return Err(self.error_here(format!("syntax error: more than {HEIGHT_MAX} operations in a row")));
        }
        Ok(height)
    }
}

/// An error of the whole query.
fn whole(message: impl Into<String>) -> ParseError {
    ParseError::Whole(message.into())
}

#[cfg(test)]
mod tests;
