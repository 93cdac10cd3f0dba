//! Reads tokens into the tree, with Python's precedences. It must not know values.

use nodetool_sdk::Value;
use nodetool_sdk::compat::template::operators::Binary;

use super::MAX_SOURCE;
use super::lexer::{Token, tokens};
use super::syntax::{Comparison, Expr, Method, Step};

/// Deepest nesting of brackets, signs and `not`.
const MAX_DEPTH: usize = 40;

type Parsed<T> = Result<T, String>;

pub(super) fn parse(source: &str) -> Parsed<Expr> {
    if source.len() > MAX_SOURCE {
        return Err(format!(
            "it has {} bytes (expected at most {MAX_SOURCE})",
            source.len()
        ));
    }
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        depth: 0,
    };
    let expr = parser.condition()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => parser.unexpected("the end"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(s)) if *s == sign)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.sign(sign) {
            return Ok(());
        }
        self.unexpected(&format!("`{sign}`"))
    }

    fn word(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(n)) if n == name);
        self.at += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        let found = match self.peek() {
            None => "the end".into(),
            Some(Token::Name(name)) => format!("`{name}`"),
            Some(Token::Text(text)) => format!("'{}'", text.chars().take(40).collect::<String>()),
            Some(Token::Int(n)) => n.to_string(),
            Some(Token::Float(n)) => n.to_string(),
            Some(Token::Sign(sign)) => format!("`{sign}`"),
        };
        Err(format!("unexpected {found} (expected {wanted})"))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} levels deep"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn condition(&mut self) -> Parsed<Expr> {
        self.deeper(|p| {
            let then = p.either()?;
            if !p.word("if") {
                return Ok(then);
            }
            let condition = p.either()?;
            if !p.word("else") {
                return p.unexpected("`else`");
            }
            let otherwise = p.condition()?;
            Ok(Expr::Choice(Box::new((then, condition, otherwise))))
        })
    }

    fn either(&mut self) -> Parsed<Expr> {
        let first = self.both()?;
        let mut rest = Vec::new();
        while self.word("or") {
            rest.push(self.both()?);
        }
        Ok(one_or(first, rest, Expr::Any))
    }

    fn both(&mut self) -> Parsed<Expr> {
        let first = self.negation()?;
        let mut rest = Vec::new();
        while self.word("and") {
            rest.push(self.negation()?);
        }
        Ok(one_or(first, rest, Expr::All))
    }

    fn negation(&mut self) -> Parsed<Expr> {
        if self.word("not") {
            return self.deeper(|p| Ok(Expr::Not(Box::new(p.negation()?))));
        }
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison()? {
            let right = if matches!(comparison, Comparison::Is | Comparison::IsNot) {
                self.sameness()?
            } else {
                self.sum()?
            };
            rest.push((comparison, right));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expr::Compare(Box::new(first), rest))
    }

    fn comparison(&mut self) -> Parsed<Option<Comparison>> {
        let found = match self.peek() {
            Some(Token::Sign("==")) => Comparison::Eq,
            Some(Token::Sign("!=")) => Comparison::Ne,
            Some(Token::Sign("<")) => Comparison::Lt,
            Some(Token::Sign("<=")) => Comparison::Le,
            Some(Token::Sign(">")) => Comparison::Gt,
            Some(Token::Sign(">=")) => Comparison::Ge,
            Some(Token::Name(name)) => match name.as_str() {
                "in" => Comparison::In,
                "not" => {
                    self.at += 1;
                    if !self.word("in") {
                        return self.unexpected("`in`");
                    }
                    return Ok(Some(Comparison::NotIn));
                }
                "is" => {
                    self.at += 1;
                    let not = self.word("not");
                    return Ok(Some(if not {
                        Comparison::IsNot
                    } else {
                        Comparison::Is
                    }));
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(found))
    }

    /// What `is` may be asked of.
    fn sameness(&mut self) -> Parsed<Expr> {
        let value = match self.peek() {
            Some(Token::Name(name)) => constant(name),
            _ => None,
        };
        let Some(value) = value else {
            return self.unexpected("None, True or False after `is`; use `==` for other values");
        };
        self.at += 1;
        Ok(Expr::Const(value))
    }

    fn sum(&mut self) -> Parsed<Expr> {
        const SIGNS: &[(&str, Binary)] = &[("+", Binary::Add), ("-", Binary::Sub)];
        self.chain(SIGNS, Self::product)
    }

    fn product(&mut self) -> Parsed<Expr> {
        const SIGNS: &[(&str, Binary)] = &[
            ("*", Binary::Mul),
            ("/", Binary::Div),
            ("//", Binary::FloorDiv),
            ("%", Binary::Mod),
        ];
        self.chain(SIGNS, Self::signed)
    }

    fn chain(
        &mut self,
        signs: &[(&str, Binary)],
        next: fn(&mut Self) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let first = next(self)?;
        let mut rest = Vec::new();
        while let Some((_, op)) = signs.iter().find(|(sign, _)| self.is_sign(sign)) {
            self.at += 1;
            rest.push((*op, next(self)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expr::Chain(Box::new(first), rest))
    }

    fn signed(&mut self) -> Parsed<Expr> {
        for (sign, minus) in [("-", true), ("+", false)] {
            if self.sign(sign) {
                return self.deeper(|p| Ok(Expr::Sign(minus, Box::new(p.signed()?))));
            }
        }
        let base = self.part()?;
        if self.sign("**") {
            let exponent = self.deeper(Self::signed)?;
            return Ok(Expr::Power(Box::new((base, exponent))));
        }
        Ok(base)
    }

    fn part(&mut self) -> Parsed<Expr> {
        let base = self.atom()?;
        let mut steps = Vec::new();
        loop {
            if self.sign("[") {
                steps.push(self.subscript()?);
            } else if self.sign(".") {
                steps.push(self.call()?);
            } else if self.is_sign("(") {
                return Err("only methods can be called".into());
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Ok(base);
        }
        Ok(Expr::Part(Box::new(base), steps))
    }

    fn subscript(&mut self) -> Parsed<Step> {
        let mut bounds: [Option<Expr>; 3] = [None, None, None];
        let mut colons = 0;
        loop {
            if self.sign("]") {
                break;
            }
            if self.sign(":") {
                colons += 1;
                if colons == bounds.len() {
                    return Err("a slice has at most three parts".into());
                }
                continue;
            }
            match bounds.get_mut(colons) {
                Some(bound @ None) => *bound = Some(self.condition()?),
                _ => return self.unexpected("`]`"),
            }
        }
        match (colons, bounds) {
            (0, [Some(index), ..]) => Ok(Step::Item(index)),
            (0, _) => Err("an index is missing between `[` and `]`".into()),
            (_, bounds) => Ok(Step::Slice(bounds)),
        }
    }

    fn call(&mut self) -> Parsed<Step> {
        let Some(Token::Name(name)) = self.peek().cloned() else {
            return self.unexpected("a method");
        };
        self.at += 1;
        if !self.sign("(") {
            return Err(format!(
                "`.{name}` is no part of a value (expected ['{name}'], or a call of a method)"
            ));
        }
        let Some((_, method)) = Method::ALL.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = Method::ALL.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "unknown method `{name}` (expected one of {})",
                known.join(", ")
            ));
        };
        let (arguments, _) = self.list(")")?;
        let (least, most) = method.arguments();
        if arguments.len() < least || arguments.len() > most {
            return Err(format!(
                "`{name}` got {} arguments (expected {least} to {most})",
                arguments.len()
            ));
        }
        Ok(Step::Call(*method, arguments))
    }

    /// Conditions up to the closing sign, and whether a comma stood among them.
    fn list(&mut self, end: &str) -> Parsed<(Vec<Expr>, bool)> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.sign(end) {
            items.push(self.condition()?);
            if !self.sign(",") {
                self.expect(end)?;
                break;
            }
            comma = true;
        }
        Ok((items, comma))
    }

    fn atom(&mut self) -> Parsed<Expr> {
        let Some(token) = self.peek().cloned() else {
            return self.unexpected("a value");
        };
        self.at += 1;
        match token {
            Token::Int(n) => Ok(Expr::Const(n.into())),
            Token::Float(n) => Ok(Expr::Const(n.into())),
            Token::Text(mut text) => {
                while let Some(Token::Text(more)) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                Ok(Expr::Const(text.into()))
            }
            Token::Name(name) if name == "data" => Ok(Expr::Data),
            Token::Name(name) => match constant(&name) {
                Some(value) => Ok(Expr::Const(value)),
                None if ["and", "or", "not", "if", "else", "in", "is"].contains(&name.as_str()) => {
                    self.at -= 1;
                    self.unexpected("a value")
                }
                None => Err(format!(
                    "the name `{name}` is not known (expected `data`; texts stand in quotes)"
                )),
            },
            Token::Sign("(") => {
                let (mut items, comma) = self.list(")")?;
                match (items.len(), comma) {
                    (1, false) => Ok(items.remove(0)),
                    _ => Ok(Expr::List(items)),
                }
            }
            Token::Sign("[") => Ok(Expr::List(self.list("]")?.0)),
            Token::Sign("{") => {
                let mut pairs = Vec::new();
                while !self.sign("}") {
                    let key = self.condition()?;
                    self.expect(":")?;
                    pairs.push((key, self.condition()?));
                    if !self.sign(",") {
                        self.expect("}")?;
                        break;
                    }
                }
                Ok(Expr::Dict(pairs))
            }
            Token::Sign("=") => Err("`=` does not compare (expected `==`)".into()),
            Token::Sign(_) => {
                self.at -= 1;
                self.unexpected("a value")
            }
        }
    }
}

fn constant(name: &str) -> Option<Value> {
    Some(match name {
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        "None" | "null" => Value::Null,
        _ => return None,
    })
}

fn one_or(first: Expr, rest: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    if rest.is_empty() {
        return first;
    }
    many(std::iter::once(first).chain(rest).collect())
}
