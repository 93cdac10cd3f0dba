//! From a condition's tokens to its tree, by precedence.
//!
//! As in pandas, `&` and `|` bind like `and` and `or`; `~` and `!` bind tightly, `not` loosely.

use std::collections::HashMap;
use std::sync::Arc;

use nodetool_sdk::Value;

use super::Query;
use super::eval::set_of;
use super::expr::{Arithmetic, Comparison, Expr};
use super::lexer::{Token, tokens};
use crate::data::aggregation::Aggregation;

mod calls;

/// Longest condition, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// Deepest tree.
const MAX_DEPTH: usize = 100;

/// A tree and how deep it is.
type Deep = (Expr, usize);

/// Binding strength of what stands to the right of an operator.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const ADD: u8 = 5;
const MULTIPLY: u8 = 6;
const UNARY: u8 = 7;
const POWER: u8 = 8;

pub(super) fn parse(text: &str) -> Result<Query, String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "the condition has {} bytes (expected at most {MAX_TEXT})",
            text.len()
        ));
    }
    if text.trim().is_empty() {
        return Err("the condition is empty (expected something like age > 30)".into());
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        nesting: 0,
        names: Vec::new(),
        by_name: HashMap::new(),
        wholes: Vec::new(),
    };
    let (expr, _) = parser.expr(OR)?;
    if *parser.peek() != Token::End {
        return Err(parser.unexpected("an operator such as ==, <, and"));
    }
    Ok(Query {
        expr,
        names: parser.names,
        wholes: parser.wholes,
    })
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    nesting: usize,
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, usize>,
    wholes: Vec<(usize, Aggregation)>,
}

/// A comparison, or several parts joined by one word.
enum Infix {
    And,
    Or,
    Compare(Comparison),
    Binary(Arithmetic),
}

impl Parser {
    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.next + ahead).min(last)].0
    }

    fn place(&self) -> usize {
        self.tokens[self.next.min(self.tokens.len() - 1)].1
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(s) if *s == sign)
    }

    /// Takes the sign if it is next.
    fn took(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.took(sign) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{sign}'")))
        }
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Name { name, quoted: false } if &**name == word)
    }

    fn unexpected(&self, expected: &str) -> String {
        let place = self.place();
        let found = match self.peek() {
            Token::End => return format!("the condition ends too early (expected {expected})"),
            Token::Sign("=") => {
                return format!("unexpected '=' at character {place} (expected == to compare)");
            }
            Token::Sign("@") => {
                return format!(
                    "unexpected '@' at character {place}: there are no outer variables (expected a value)"
                );
            }
            Token::Sign(s) => format!("'{s}'"),
            Token::Literal(v) => v.preview(40),
            Token::Name { name, .. } => format!("'{}'", name.chars().take(40).collect::<String>()),
        };
        format!("unexpected {found} at character {place} (expected {expected})")
    }

    fn deep(&self, expr: Expr, depth: usize) -> Result<Deep, String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "the condition is nested too deeply at character {} (expected at most {MAX_DEPTH} levels)",
                self.place()
            ));
        }
        Ok((expr, depth))
    }

    /// The operator that is next, its strength, and how many tokens it has.
    fn infix(&self) -> Option<(Infix, u8, usize)> {
        use Arithmetic::*;
        use Comparison::*;
        Some(match self.peek() {
            Token::Sign(sign) => match *sign {
                "&&" | "&" => (Infix::And, AND, 1),
                "||" | "|" => (Infix::Or, OR, 1),
                "==" | "===" => (Infix::Compare(Equal), COMPARE, 1),
                "!=" | "!==" => (Infix::Compare(Unequal), COMPARE, 1),
                "<" => (Infix::Compare(Less), COMPARE, 1),
                "<=" => (Infix::Compare(LessEqual), COMPARE, 1),
                ">" => (Infix::Compare(Greater), COMPARE, 1),
                ">=" => (Infix::Compare(GreaterEqual), COMPARE, 1),
                "+" => (Infix::Binary(Add), ADD, 1),
                "-" => (Infix::Binary(Subtract), ADD, 1),
                "*" => (Infix::Binary(Multiply), MULTIPLY, 1),
                "/" => (Infix::Binary(Divide), MULTIPLY, 1),
                "//" => (Infix::Binary(FloorDivide), MULTIPLY, 1),
                "%" => (Infix::Binary(Modulo), MULTIPLY, 1),
                "**" => (Infix::Binary(Power), POWER, 1),
                _ => return None,
            },
            Token::Name {
                quoted: false,
                name,
            } => match &**name {
                "and" => (Infix::And, AND, 1),
                "or" => (Infix::Or, OR, 1),
                "in" => (Infix::Compare(In), COMPARE, 1),
                "not" if self.is_word_at(1, "in") => (Infix::Compare(NotIn), COMPARE, 2),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// An expression whose operators bind at least as strongly as `least`.
    fn expr(&mut self, least: u8) -> Result<Deep, String> {
        self.nesting += 1;
        if self.nesting > MAX_DEPTH {
            return self.deep(Expr::Const(Value::Null), self.nesting);
        }
        let mut left = self.prefix(least)?;
        while let Some((infix, strength, length)) = self.infix() {
            if strength < least {
                break;
            }
            self.next += length;
            left = match infix {
                Infix::And | Infix::Or => {
                    let mut depth = left.1;
                    let mut parts = vec![left.0];
                    loop {
                        let (part, d) = self.expr(strength + 1)?;
                        parts.push(part);
                        depth = depth.max(d);
                        match self.infix() {
                            Some((Infix::And | Infix::Or, s, n)) if s == strength => self.next += n,
                            _ => break,
                        }
                    }
                    let joined = if strength == AND {
                        Expr::All(parts)
                    } else {
                        Expr::Any(parts)
                    };
                    self.deep(joined, depth + 1)?
                }
                Infix::Compare(first) => {
                    let (mut how, mut depth) = (first, left.1);
                    let mut rest = Vec::new();
                    loop {
                        let (part, d) = self.expr(COMPARE + 1)?;
                        depth = depth.max(d);
                        rest.push((how, part));
                        match self.infix() {
                            Some((Infix::Compare(next), _, n)) => {
                                how = next;
                                self.next += n;
                            }
                            _ => break,
                        }
                    }
                    self.deep(Expr::Compare(Box::new(left.0), rest), depth + 1)?
                }
                Infix::Binary(how) => {
                    // A power groups to the right and takes a sign before its exponent: 2 ** -1.
                    let right = if strength == POWER {
                        UNARY
                    } else {
                        strength + 1
                    };
                    let (right, d) = self.expr(right)?;
                    let depth = left.1.max(d) + 1;
                    self.deep(Expr::Binary(how, Box::new(left.0), Box::new(right)), depth)?
                }
            };
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn prefix(&mut self, least: u8) -> Result<Deep, String> {
        if self.is_word_at(0, "not") && least <= NOT {
            self.next += 1;
            let (expr, depth) = self.expr(NOT)?;
            return self.deep(Expr::Not(Box::new(expr)), depth + 1);
        }
        if self.took("~") || self.took("!") {
            let (expr, depth) = self.expr(UNARY)?;
            return self.deep(Expr::Not(Box::new(expr)), depth + 1);
        }
        if self.took("-") {
            let (expr, depth) = self.expr(UNARY)?;
            return match expr {
                Expr::Const(Value::Int(i)) => self.deep(Expr::Const(Value::Int(-i)), depth),
                Expr::Const(Value::Float(f)) => self.deep(Expr::Const(Value::Float(-f)), depth),
                other => self.deep(Expr::Minus(Box::new(other)), depth + 1),
            };
        }
        if self.took("+") {
            return self.expr(UNARY);
        }
        let atom = self.atom()?;
        self.postfix(atom)
    }

    fn atom(&mut self) -> Result<Deep, String> {
        let token = self.peek().clone();
        match token {
            Token::Literal(value) => {
                self.next += 1;
                Ok((Expr::Const(value), 1))
            }
            Token::Sign("(") => {
                self.next += 1;
                let (mut items, depth, comma) = self.items(")")?;
                match items.pop() {
                    Some(one) if items.is_empty() && !comma => Ok((one, depth)),
                    last => {
                        items.extend(last);
                        self.deep(list(items), depth + 1)
                    }
                }
            }
            Token::Sign("[") => {
                self.next += 1;
                let (items, depth, _) = self.items("]")?;
                self.deep(list(items), depth + 1)
            }
            Token::Name { name, quoted } => {
                if !quoted {
                    let constant = match &*name {
                        "True" => Some(Value::Bool(true)),
                        "False" => Some(Value::Bool(false)),
                        "None" | "null" | "undefined" => Some(Value::Null),
                        "and" | "or" | "not" | "in" => {
                            return Err(self.unexpected("a column name or a value"));
                        }
                        _ => None,
                    };
                    if let Some(value) = constant {
                        self.next += 1;
                        return Ok((Expr::Const(value), 1));
                    }
                    if matches!(self.peek_at(1), Token::Sign("(")) {
                        return self.call_function(&name);
                    }
                }
                self.next += 1;
                Ok((Expr::Name(self.number_of(name)), 1))
            }
            _ => Err(self.unexpected("a column name or a value")),
        }
    }

    fn number_of(&mut self, name: Arc<str>) -> usize {
        let next = self.names.len();
        *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.names.push(name);
            next
        })
    }

    /// Items up to the closing sign; how deep the deepest is; whether there was a comma.
    fn items(&mut self, close: &str) -> Result<(Vec<Expr>, usize, bool), String> {
        let (mut items, mut depth, mut comma) = (Vec::new(), 0, false);
        while !self.took(close) {
            let (item, d) = self.expr(OR)?;
            items.push(item);
            depth = depth.max(d);
            if self.took(",") {
                comma = true;
            } else if !self.is_sign(close) {
                return Err(self.unexpected(&format!("',' or '{close}'")));
            }
        }
        Ok((items, depth, comma))
    }

    /// What follows a value: `.method(…)`, `.member`, `[item]`.
    fn postfix(&mut self, mut left: Deep) -> Result<Deep, String> {
        loop {
            if self.took("[") {
                let (item, d) = self.expr(OR)?;
                self.expect("]")?;
                let depth = left.1.max(d) + 1;
                left = self.deep(Expr::Item(Box::new(left.0), Box::new(item)), depth)?;
            } else if self.took(".") {
                left = self.member(left)?;
            } else {
                return Ok(left);
            }
        }
    }
}

/// A list; of literals, a set.
fn list(items: Vec<Expr>) -> Expr {
    let literals: Option<Vec<Value>> = items
        .iter()
        .map(|item| match item {
            Expr::Const(v) => Some(v.clone()),
            _ => None,
        })
        .collect();
    match literals {
        Some(values) => Expr::Set(Arc::new(set_of(values))),
        None => Expr::List(items),
    }
}
