//! Label filters: comparisons of labels, combined.
//!
//! `and` binds tighter than `or`. A comma, or nothing at all between two comparisons, means "and"
//! too, but takes only the comparison before it and everything behind it: `a or b, c or d` is
//! `a or (b and (c or d))`.

use super::super::ast::{CompareOp, Comparison, LabelFilter};
use super::super::literal::parse_float;
use super::super::regex::Form;
use super::super::token::Token;
use super::log::matcher;
use super::{Parsed, Parser, whole};
use crate::labels::{MatchOp, Matcher};

/// What may follow where a label filter has to.
pub(super) const STARTS: &[&str] = &["IDENTIFIER", "("];

#[derive(Clone, Copy, PartialEq)]
enum Joint {
    Or,
    And,
    Comma,
}

impl Parser<'_> {
    pub(super) fn label_filter(&mut self) -> Parsed<LabelFilter> {
        Ok(self.tall_label_filter()?.0)
    }

    /// A filter and the height of its tree. Operands and joints are kept on stacks of their own
    /// rather than on the thread's.
    fn tall_label_filter(&mut self) -> Parsed<(LabelFilter, usize)> {
        let mut operands = vec![self.comparison()?];
        let mut joints: Vec<Joint> = Vec::new();
        while let Some(joint) = self.joint() {
            // A comma binds tightly to its left and loosely to its right: it waits for the end.
            while let (Joint::And, Some(Joint::And)) | (Joint::Or, Some(Joint::And | Joint::Or)) =
                (joint, joints.last())
            {
                self.join(&mut operands, joints.pop())?;
            }
            joints.push(joint);
            operands.push(self.comparison()?);
        }
        while let Some(joint) = joints.pop() {
            self.join(&mut operands, Some(joint))?;
        }
        operands.pop().ok_or_else(|| self.unexpected(STARTS))
    }

    /// What joins the comparison just read to another, if anything does.
    fn joint(&mut self) -> Option<Joint> {
        if self.eat_word("and") {
            Some(Joint::And)
        } else if self.eat_word("or") {
            Some(Joint::Or)
        } else if self.eat(",") || self.is_symbol("(") || matches!(self.token(), Token::Identifier(_)) {
            Some(Joint::Comma)
        } else {
            None
        }
    }

    fn join(&self, operands: &mut Vec<(LabelFilter, usize)>, joint: Option<Joint>) -> Parsed<()> {
        if let (Some((right, right_height)), Some((left, left_height))) = (operands.pop(), operands.pop()) {
            let height = self.height_over(left_height, right_height)?;
            let (left, right) = (Box::new(left), Box::new(right));
            let joined = match joint {
                Some(Joint::Or) => LabelFilter::Or(left, right),
                _ => LabelFilter::And(left, right),
            };
            operands.push((joined, height));
        }
        Ok(())
    }

    /// One comparison, or a filter in parentheses.
    fn comparison(&mut self) -> Parsed<(LabelFilter, usize)> {
        if self.eat("(") {
            let inner = self.nested(Self::tall_label_filter)?;
            self.expect_among(")", &[])?;
            return Ok(inner);
        }
        let name = self.identifier(STARTS)?;
        let Token::Symbol(symbol) = *self.token() else {
            return Err(self.unexpected(&[]));
        };
        let filter = match symbol {
            "=" | "!=" => self.equality(name, symbol == "!=")?,
            "=~" | "!~" => {
                self.advance();
                let op = if symbol == "=~" { MatchOp::Regex } else { MatchOp::NotRegex };
                let value = self.string(&["STRING"])?;
                LabelFilter::Text(matcher(name, op, value, Form::Whole)?)
            }
            _ => {
                let op = match symbol {
                    "==" => CompareOp::Equal,
                    ">" => CompareOp::Greater,
                    ">=" => CompareOp::GreaterEqual,
                    "<" => CompareOp::Less,
                    "<=" => CompareOp::LessEqual,
                    _ => return Err(self.unexpected(&[])),
                };
                self.advance();
                self.constant(name, op)?
            }
        };
        Ok((filter, 1))
    }

    /// `=` or `!=`, which compare values of every kind.
    fn equality(&mut self, name: String, negated: bool) -> Parsed<LabelFilter> {
        self.advance();
        match self.token() {
            Token::String(_) => {
                let value = self.string(&[])?;
                Ok(LabelFilter::Text(Matcher::text(name, !negated, value)))
            }
            Token::Function("ip") => {
                let pattern = self.ip_operand()?;
                Ok(LabelFilter::Ip { name, negated, pattern })
            }
            _ => self.constant(name, if negated { CompareOp::NotEqual } else { CompareOp::Equal }),
        }
    }

    /// A duration, size or number to compare with.
    fn constant(&mut self, name: String, op: CompareOp) -> Parsed<LabelFilter> {
        match *self.token() {
            Token::Duration(value) => {
                self.advance();
                Ok(LabelFilter::Duration(Comparison { name, op, value }))
            }
            Token::Bytes(value) => {
                self.advance();
                Ok(LabelFilter::Bytes(Comparison { name, op, value }))
            }
            _ => {
                let value = self.number(&[])?;
                Ok(LabelFilter::Number(Comparison { name, op, value }))
            }
        }
    }

    /// `ip("...")`.
    pub(super) fn ip_operand(&mut self) -> Parsed<String> {
        self.advance();
        self.expect("(")?;
        let pattern = self.string(&["STRING"])?;
        self.expect(")")?;
        Ok(pattern)
    }

    /// A number with an optional sign.
    pub(super) fn number(&mut self, expecting: &[&str]) -> Parsed<f64> {
        let negative = self.is_symbol("-");
        let expecting = if self.eat("-") || self.eat("+") { &["NUMBER"] } else { expecting };
        let Token::Number(text) = self.token() else {
            return Err(self.unexpected(expecting));
        };
        let value = parse_float(text).map_err(|error| whole(format!("unable to parse literal as a float: {error}")))?;
        self.advance();
        Ok(if negative { -value } else { value })
    }
}
