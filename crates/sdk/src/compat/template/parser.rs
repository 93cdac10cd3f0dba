//! Reads tokens into the tree, with Jinja's precedences. It must not know values.

use std::sync::Arc;

use nodetool_protocol::Value;

use super::TemplateError;
use super::lexer::Token;
use super::syntax::{Args, Binary, Comparison, Expr, For, Macro, Step, Stmt, Unary};

/// Deepest nesting of brackets, and of blocks.
const MAX_DEPTH: usize = 40;

type Parsed<T> = Result<T, TemplateError>;

pub(super) fn parse(tokens: Vec<(Token, usize)>) -> Parsed<Vec<Stmt>> {
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let (body, end) = parser.body(&[])?;
    debug_assert!(
        end.is_empty(),
        "a body ends at one of the names it was given"
    );
    Ok(body)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn line(&self) -> usize {
        let at = self.at.min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).map_or(1, |(_, line)| *line)
    }

    fn fail<T>(&self, message: impl Into<String>) -> Parsed<T> {
        Err(TemplateError {
            message: message.into(),
            line: self.line(),
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(t, _)| t)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self
            .tokens
            .get_mut(self.at)
            .map(|(t, _)| std::mem::replace(t, Token::End))?;
        self.at += 1;
        Some(token)
    }

    fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Some(Token::Op(o)) if *o == op)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(n)) if n == name)
    }

    fn op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    fn expect_op(&mut self, op: &str) -> Parsed<()> {
        if self.op(op) {
            return Ok(());
        }
        self.unexpected(&format!("`{op}`"))
    }

    fn expect_end(&mut self) -> Parsed<()> {
        if self.peek() == Some(&Token::End) {
            self.at += 1;
            return Ok(());
        }
        self.unexpected("the end of the tag")
    }

    fn expect_name(&mut self) -> Parsed<String> {
        if let Some(Token::Name(_)) = self.peek()
            && let Some(Token::Name(name)) = self.next()
        {
            return Ok(name);
        }
        self.unexpected("a name")
    }

    fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        let found = match self.peek() {
            None => "the end of the template".into(),
            Some(Token::End) => "the end of the tag".into(),
            Some(Token::Text(_) | Token::Output | Token::Block) => "text".into(),
            Some(Token::Name(n)) => format!("`{n}`"),
            Some(Token::Str(s)) => format!("'{}'", s.chars().take(40).collect::<String>()),
            Some(Token::Int(i)) => i.to_string(),
            Some(Token::Float(f)) => f.to_string(),
            Some(Token::Op(o)) => format!("`{o}`"),
        };
        self.fail(format!("unexpected {found} (expected {wanted})"))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail(format!("nested more than {MAX_DEPTH} levels deep"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Statements up to a tag of one of the given names, which is read as well; at top level, up to the end.
    fn body(&mut self, ends: &[&'static str]) -> Parsed<(Vec<Stmt>, &'static str)> {
        let mut out = Vec::new();
        loop {
            let line = self.line();
            match self.next() {
                None if ends.is_empty() => return Ok((out, "")),
                None => {
                    return self.fail(format!(
                        "a block has no end (expected {})",
                        ends.join(" or ")
                    ));
                }
                Some(Token::Text(text)) => out.push(Stmt::Text(text)),
                Some(Token::Output) => {
                    let expr = self.tuple()?;
                    self.expect_end()?;
                    out.push(Stmt::Emit(expr, line));
                }
                Some(Token::Block) => {
                    let name = self.expect_name()?;
                    if let Some(end) = ends.iter().find(|e| **e == name) {
                        return Ok((out, end));
                    }
                    let stmt = self.deeper(|p| p.statement(&name, line))?;
                    out.push(stmt);
                }
                Some(_) => return self.fail("unexpected token outside a tag"),
            }
        }
    }

    fn statement(&mut self, name: &str, line: usize) -> Parsed<Stmt> {
        match name {
            "if" => self.if_block(line),
            "for" => self.for_block(line),
            "set" => self.set(line),
            "with" => {
                let mut bindings = Vec::new();
                while self.peek() != Some(&Token::End) {
                    let targets = self.targets()?;
                    self.expect_op("=")?;
                    bindings.push((targets, self.expr()?));
                    if !self.op(",") {
                        break;
                    }
                }
                self.expect_end()?;
                let (body, _) = self.body(&["endwith"])?;
                self.expect_end()?;
                Ok(Stmt::With {
                    bindings,
                    body,
                    line,
                })
            }
            "filter" => {
                let mut filters = vec![self.filter()?];
                while self.op("|") {
                    filters.push(self.filter()?);
                }
                self.expect_end()?;
                let (body, _) = self.body(&["endfilter"])?;
                self.expect_end()?;
                Ok(Stmt::Filter {
                    filters,
                    body,
                    line,
                })
            }
            "macro" => self.macro_block(),
            "call" | "include" | "import" | "from" | "extends" | "block" | "autoescape" | "do"
            | "break" | "continue" => {
                self.fail(format!("`{name}` is not available in templates here"))
            }
            name => self.fail(format!(
                "unknown tag `{name}` (expected if, for, set, with, filter, macro or raw)"
            )),
        }
    }

    fn if_block(&mut self, line: usize) -> Parsed<Stmt> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let mut condition = Some(self.expr()?);
        loop {
            self.expect_end()?;
            let ends: &[&str] = if condition.is_some() {
                &["elif", "else", "endif"]
            } else {
                &["endif"]
            };
            let (body, end) = self.body(ends)?;
            match condition.take() {
                Some(c) => branches.push((c, body)),
                None => otherwise = body,
            }
            match end {
                "elif" => condition = Some(self.expr()?),
                "else" => {}
                _ => break,
            }
        }
        self.expect_end()?;
        Ok(Stmt::If {
            branches,
            otherwise,
            line,
        })
    }

    fn for_block(&mut self, line: usize) -> Parsed<Stmt> {
        let targets = self.targets()?;
        if !self.word("in") {
            return self.unexpected("`in`");
        }
        let items = self.any()?;
        let condition = if self.word("if") {
            Some(self.expr()?)
        } else {
            None
        };
        if self.is_name("recursive") {
            return self.fail("`recursive` is not available in templates here");
        }
        self.expect_end()?;
        let (body, end) = self.body(&["else", "endfor"])?;
        self.expect_end()?;
        let mut otherwise = Vec::new();
        if end == "else" {
            otherwise = self.body(&["endfor"])?.0;
            self.expect_end()?;
        }
        Ok(Stmt::For(Box::new(For {
            targets,
            items,
            condition,
            body,
            otherwise,
            line,
        })))
    }

    fn set(&mut self, line: usize) -> Parsed<Stmt> {
        let mut targets = self.targets()?;
        if self.op(".") {
            let part = self.expect_name()?;
            let (Some(target), true) = (targets.pop(), targets.is_empty()) else {
                return self.fail("a part of a namespace is set alone");
            };
            self.expect_op("=")?;
            let value = self.tuple()?;
            self.expect_end()?;
            return Ok(Stmt::SetPart {
                target,
                part,
                value,
                line,
            });
        }
        if self.op("=") {
            let value = self.tuple()?;
            self.expect_end()?;
            return Ok(Stmt::Set {
                targets,
                value,
                line,
            });
        }
        let (Some(target), true) = (targets.pop(), targets.is_empty()) else {
            return self.unexpected("`=`");
        };
        let mut filters = Vec::new();
        while self.op("|") {
            filters.push(self.filter()?);
        }
        self.expect_end()?;
        let (body, _) = self.body(&["endset"])?;
        self.expect_end()?;
        Ok(Stmt::SetBlock {
            target,
            filters,
            body,
            line,
        })
    }

    /// `macro name(a, b=1)`, its body and its end.
    fn macro_block(&mut self) -> Parsed<Stmt> {
        let name = self.expect_name()?;
        self.expect_op("(")?;
        let mut parameters: Vec<(String, Option<Expr>)> = Vec::new();
        while !self.op(")") {
            let parameter = self.expect_name()?;
            let default = if self.op("=") {
                Some(self.expr()?)
            } else {
                None
            };
            if parameters.iter().any(|(known, _)| *known == parameter) {
                return self.fail(format!("the parameter `{parameter}` is there twice"));
            }
            parameters.push((parameter, default));
            if !self.op(",") {
                self.expect_op(")")?;
                break;
            }
        }
        self.expect_end()?;
        let (body, _) = self.body(&["endmacro"])?;
        if self.is_name(&name) {
            self.at += 1;
        }
        self.expect_end()?;
        Ok(Stmt::Macro(Arc::new(Macro {
            name,
            parameters,
            body,
        })))
    }

    /// `a` or `a, b` or `(a, b)`.
    fn targets(&mut self) -> Parsed<Vec<String>> {
        let bracket = self.op("(");
        let mut names = vec![self.expect_name()?];
        while self.op(",") {
            names.push(self.expect_name()?);
        }
        if bracket {
            self.expect_op(")")?;
        }
        Ok(names)
    }

    /// An expression, or several with commas: a list.
    fn tuple(&mut self) -> Parsed<Expr> {
        let first = self.expr()?;
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.op(",") {
            if matches!(self.peek(), Some(Token::End)) || self.is_op(")") {
                break;
            }
            items.push(self.expr()?);
        }
        Ok(Expr::List(items))
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(|p| {
            let mut value = p.any()?;
            if p.word("if") {
                let condition = p.any()?;
                let otherwise = if p.word("else") {
                    Some(Box::new(p.expr()?))
                } else {
                    None
                };
                value = Expr::Choice(Box::new(value), Box::new(condition), otherwise);
            }
            Ok(value)
        })
    }

    fn any(&mut self) -> Parsed<Expr> {
        let first = self.all()?;
        let mut items = vec![first];
        while self.word("or") {
            items.push(self.all()?);
        }
        Ok(one_or(items, Expr::Any))
    }

    fn all(&mut self) -> Parsed<Expr> {
        let first = self.not()?;
        let mut items = vec![first];
        while self.word("and") {
            items.push(self.not()?);
        }
        Ok(one_or(items, Expr::All))
    }

    fn not(&mut self) -> Parsed<Expr> {
        if self.word("not") {
            return self.deeper(|p| Ok(Expr::Unary(Unary::Not, Box::new(p.not()?))));
        }
        let first = self.chain(0)?;
        let mut rest = Vec::new();
        loop {
            let comparison = match self.peek() {
                Some(Token::Op("==")) => Comparison::Eq,
                Some(Token::Op("!=")) => Comparison::Ne,
                Some(Token::Op("<")) => Comparison::Lt,
                Some(Token::Op("<=")) => Comparison::Le,
                Some(Token::Op(">")) => Comparison::Gt,
                Some(Token::Op(">=")) => Comparison::Ge,
                Some(Token::Name(n)) if n == "in" => Comparison::In,
                Some(Token::Name(n)) if n == "not" => {
                    self.at += 1;
                    if !self.is_name("in") {
                        return self.unexpected("`in`");
                    }
                    Comparison::NotIn
                }
                _ => break,
            };
            self.at += 1;
            rest.push((comparison, self.chain(0)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expr::Compare(Box::new(first), rest))
    }

    /// Operators by precedence: `+ -`, then `~`, then `* / // %`, then `**`.
    fn chain(&mut self, level: usize) -> Parsed<Expr> {
        const LEVELS: [&[(&str, Binary)]; 4] = [
            &[("+", Binary::Add), ("-", Binary::Sub)],
            &[("~", Binary::Concat)],
            &[
                ("*", Binary::Mul),
                ("/", Binary::Div),
                ("//", Binary::FloorDiv),
                ("%", Binary::Mod),
            ],
            &[("**", Binary::Pow)],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.unary(true);
        };
        let first = self.chain(level + 1)?;
        let mut rest = Vec::new();
        while let Some((_, op)) = operators.iter().find(|(sign, _)| self.is_op(sign)) {
            self.at += 1;
            rest.push((*op, self.chain(level + 1)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expr::Chain(Box::new(first), rest))
    }

    /// A sign binds tighter than a filter: `-1|abs` is 1.
    fn unary(&mut self, with_filters: bool) -> Parsed<Expr> {
        let sign = if self.op("-") {
            Some(Unary::Minus)
        } else if self.op("+") {
            Some(Unary::Plus)
        } else {
            None
        };
        let base = match sign {
            Some(sign) => self.deeper(|p| Ok(Expr::Unary(sign, Box::new(p.unary(false)?))))?,
            None => self.primary()?,
        };
        let mut steps = Vec::new();
        loop {
            if self.op(".") {
                if let Some(Token::Int(i)) = self.peek() {
                    let index = *i;
                    self.at += 1;
                    steps.push(Step::Item(Expr::Const(index.into())));
                } else {
                    steps.push(Step::Attribute(self.expect_name()?));
                }
            } else if self.op("[") {
                steps.push(self.subscript()?);
            } else if self.op("(") {
                steps.push(Step::Call(self.args()?));
            } else if with_filters && self.op("|") {
                steps.push(self.filter()?);
            } else if with_filters && self.word("is") {
                steps.push(self.test()?);
            } else {
                break;
            }
        }
        if steps.is_empty() {
            return Ok(base);
        }
        Ok(Expr::Postfix(Box::new(base), steps))
    }

    fn subscript(&mut self) -> Parsed<Step> {
        let first = if self.is_op(":") {
            None
        } else {
            Some(self.expr()?)
        };
        if !self.is_op(":") {
            self.expect_op("]")?;
            return match first {
                Some(item) => Ok(Step::Item(item)),
                None => self.unexpected("an index"),
            };
        }
        let mut bound = || -> Parsed<Option<Expr>> {
            if !self.op(":") || self.is_op(":") || self.is_op("]") {
                return Ok(None);
            }
            self.expr().map(Some)
        };
        let (stop, step) = (bound()?, bound()?);
        self.expect_op("]")?;
        Ok(Step::Slice(first, stop, step))
    }

    fn filter(&mut self) -> Parsed<Step> {
        let mut name = self.expect_name()?;
        while self.op(".") {
            name = format!("{name}.{}", self.expect_name()?);
        }
        let args = if self.op("(") {
            self.args()?
        } else {
            Args::default()
        };
        Ok(Step::Filter(name, args))
    }

    fn test(&mut self) -> Parsed<Step> {
        let negated = self.word("not");
        let name = self.expect_name()?;
        let args = if self.op("(") {
            self.args()?
        } else {
            let operand = match self.peek() {
                Some(Token::Str(_) | Token::Int(_) | Token::Float(_)) => true,
                Some(Token::Op(op)) => *op == "[",
                Some(Token::Name(n)) => {
                    !["and", "or", "not", "if", "else", "in", "is", "recursive"]
                        .contains(&n.as_str())
                }
                _ => false,
            };
            let positional = if operand {
                vec![self.unary(false)?]
            } else {
                Vec::new()
            };
            Args {
                positional,
                named: Vec::new(),
            }
        };
        Ok(Step::Test {
            name,
            args,
            negated,
        })
    }

    /// Arguments after `(`, and the `)`.
    fn args(&mut self) -> Parsed<Args> {
        let mut args = Args::default();
        while !self.op(")") {
            let named = matches!(self.peek(), Some(Token::Name(_)))
                && matches!(self.tokens.get(self.at + 1), Some((Token::Op("="), _)));
            if named {
                let name = self.expect_name()?;
                self.expect_op("=")?;
                args.named.push((name, self.expr()?));
            } else {
                args.positional.push(self.expr()?);
            }
            if !self.op(",") {
                self.expect_op(")")?;
                break;
            }
        }
        Ok(args)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let Some(token) = self.peek().cloned() else {
            return self.unexpected("an expression");
        };
        let op = match token {
            Token::Name(name) => {
                self.at += 1;
                return Ok(match name.as_str() {
                    "true" | "True" => Expr::Const(true.into()),
                    "false" | "False" => Expr::Const(false.into()),
                    "none" | "None" => Expr::Const(Value::Null),
                    "and" | "or" | "not" | "if" | "else" | "in" | "is" => {
                        self.at -= 1;
                        return self.unexpected("an expression");
                    }
                    _ => Expr::Var(name),
                });
            }
            Token::Str(mut text) => {
                self.at += 1;
                while let Some(Token::Str(more)) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                return Ok(Expr::Const(text.into()));
            }
            Token::Int(i) => {
                self.at += 1;
                return Ok(Expr::Const(i.into()));
            }
            Token::Float(f) => {
                self.at += 1;
                return Ok(Expr::Const(f.into()));
            }
            Token::Op(op) => op,
            _ => return self.unexpected("an expression"),
        };
        match op {
            "(" => {
                self.at += 1;
                if self.op(")") {
                    return Ok(Expr::List(Vec::new()));
                }
                let inner = self.tuple()?;
                self.expect_op(")")?;
                Ok(inner)
            }
            "[" => {
                self.at += 1;
                let mut items = Vec::new();
                while !self.op("]") {
                    items.push(self.expr()?);
                    if !self.op(",") {
                        self.expect_op("]")?;
                        break;
                    }
                }
                Ok(Expr::List(items))
            }
            "{" => {
                self.at += 1;
                let mut pairs = Vec::new();
                while !self.op("}") {
                    let key = self.expr()?;
                    self.expect_op(":")?;
                    pairs.push((key, self.expr()?));
                    if !self.op(",") {
                        self.expect_op("}")?;
                        break;
                    }
                }
                Ok(Expr::Dict(pairs))
            }
            _ => self.unexpected("an expression"),
        }
    }
}

fn one_or(mut items: Vec<Expr>, many: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match items.pop() {
        Some(only) if items.is_empty() => only,
        Some(last) => {
            items.push(last);
            many(items)
        }
        None => Expr::Const(Value::Null),
    }
}
