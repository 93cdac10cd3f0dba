//! Calls: methods of values and a few functions, each checked for its arguments.

use std::sync::Arc;

use nodetool_sdk::Value;

use super::super::expr::{Comparison, Expr, Function};
use super::super::lexer::Token;
use super::super::text::Pattern;
use super::{Deep, OR, Parser};
use crate::data::aggregation::Aggregation;

impl Parser {
    /// What follows a dot.
    pub(super) fn member(&mut self, left: Deep) -> Result<Deep, String> {
        let place = self.place();
        let Token::Name { name, .. } = self.peek().clone() else {
            return Err(self.unexpected("a method or member name"));
        };
        self.next += 1;
        if self.is_sign("(") {
            return self.method(left, &name, place);
        }
        match &*name {
            "str" if self.is_sign(".") || self.is_sign("[") => Ok(left),
            "length" => self.deep(Expr::Call(Function::Length, vec![left.0]), left.1 + 1),
            _ => self.deep(Expr::Member(Box::new(left.0), name), left.1 + 1),
        }
    }

    fn method(&mut self, left: Deep, name: &str, place: usize) -> Result<Deep, String> {
        if let (Expr::Name(column), Some(whole)) = (&left.0, Aggregation::named(name)) {
            self.expect("(")?;
            self.expect(")")?;
            let whole = (*column, whole);
            let known = self.wholes.iter().position(|w| *w == whole);
            let number = known.unwrap_or(self.wholes.len());
            if known.is_none() {
                self.wholes.push(whole);
            }
            return Ok((Expr::Whole(number), 1));
        }
        let mut args = self.arguments()?;
        let depth = left.1.max(args.depth) + 1;
        let subject = left.0;
        let call = |function, subject, args: Arguments| {
            let mut all = vec![subject];
            all.extend(args.plain);
            Expr::Call(function, all)
        };
        let count = args.plain.len();
        let bad = |wants: &str| format!("`.{name}()` at character {place} takes {wants}");
        let expr = match name {
            "contains" | "match" | "fullmatch" => {
                let Some(Expr::Const(Value::Str(pattern))) = args.plain.first() else {
                    return Err(bad("a text, such as 'abc'"));
                };
                // The second plain argument of pandas' contains and match is `case`.
                let fold = !args.flag("case", args.second_flag().unwrap_or(true))?;
                let pattern = match name {
                    "contains" if !args.flag("regex", true)? => Pattern::plain(pattern, fold),
                    "contains" => Pattern::regex(pattern, "", fold),
                    "match" => Pattern::regex(pattern, "start", fold),
                    _ => Pattern::regex(pattern, "whole", fold),
                };
                let pattern =
                    pattern.map_err(|e| format!("`.{name}()` at character {place}: {e}"))?;
                Expr::Search {
                    of: Box::new(subject),
                    pattern,
                    missing: args.flag("na", false)?,
                }
            }
            "startswith" | "startsWith" if count == 1 => call(Function::StartsWith, subject, args),
            "endswith" | "endsWith" if count == 1 => call(Function::EndsWith, subject, args),
            "includes" if count == 1 => call(Function::Includes, subject, args),
            "startswith" | "startsWith" | "endswith" | "endsWith" | "includes" => {
                return Err(bad("one value"));
            }
            "isin" if count == 1 => {
                let list = args.plain.remove(0);
                Expr::Compare(Box::new(subject), vec![(Comparison::In, list)])
            }
            "isin" => return Err(bad("a list")),
            "between" if count == 2 => call(Function::Between, subject, args),
            "between" => return Err(bad("two values")),
            "round" if count <= 1 => call(Function::Round, subject, args),
            _ => {
                let function = match name {
                    "isnull" | "isna" => Function::IsMissing,
                    "notnull" | "notna" => Function::IsPresent,
                    "lower" | "toLowerCase" => Function::Lower,
                    "upper" | "toUpperCase" => Function::Upper,
                    "strip" | "trim" => Function::Trim,
                    "len" => Function::Length,
                    "abs" => Function::Abs,
                    _ => {
                        return Err(format!(
                            "there is no method '{name}' (at character {place}; expected one of isnull, notnull, isin, \
                             between, abs, round, str.contains, str.match, str.fullmatch, str.startswith, str.endswith, \
                             str.lower, str.upper, str.strip, str.len, and over whole columns mean, sum, min, max, \
                             median, std, count)"
                        ));
                    }
                };
                if count > 0 {
                    return Err(bad("no value"));
                }
                call(function, subject, args)
            }
        };
        self.deep(expr, depth)
    }

    /// A call of a plain function.
    pub(super) fn call_function(&mut self, name: &str) -> Result<Deep, String> {
        let place = self.place();
        let function = match name {
            "abs" => Function::Abs,
            "round" => Function::Round,
            "floor" => Function::Floor,
            "ceil" => Function::Ceil,
            "sqrt" => Function::Sqrt,
            "exp" => Function::Exp,
            "log" => Function::Log,
            "log10" => Function::Log10,
            "len" => Function::Length,
            _ => {
                return Err(format!(
                    "there is no function '{name}' (at character {place}; expected one of abs, round, floor, ceil, sqrt, \
                     exp, log, log10, len)"
                ));
            }
        };
        self.next += 1;
        let args = self.arguments()?;
        if args.plain.is_empty() || args.plain.len() > 1 + usize::from(name == "round") {
            return Err(format!("`{name}()` at character {place} takes one value"));
        }
        self.deep(Expr::Call(function, args.plain), args.depth + 1)
    }

    /// Arguments in brackets.
    fn arguments(&mut self) -> Result<Arguments, String> {
        self.expect("(")?;
        let mut args = Arguments::default();
        while !self.took(")") {
            let named = match (self.peek(), self.peek_at(1)) {
                (Token::Name { name, .. }, Token::Sign("=")) => Some(name.clone()),
                _ => None,
            };
            if named.is_some() {
                self.next += 2;
            }
            let (value, d) = self.expr(OR)?;
            args.depth = args.depth.max(d);
            match named {
                Some(name) => args.named.push((name, value)),
                None => args.plain.push(value),
            }
            if !self.took(",") && !self.is_sign(")") {
                return Err(self.unexpected("',' or ')'"));
            }
        }
        Ok(args)
    }
}

/// Arguments of a call.
#[derive(Default)]
struct Arguments {
    plain: Vec<Expr>,
    named: Vec<(Arc<str>, Expr)>,
    depth: usize,
}

impl Arguments {
    /// A named argument that is True or False.
    fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.named.iter().find(|(n, _)| &**n == name) {
            None => Ok(default),
            Some((_, Expr::Const(Value::Bool(b)))) => Ok(*b),
            Some((_, Expr::Const(Value::Null))) => Ok(default),
            Some(_) => Err(format!("`{name}` must be True or False")),
        }
    }

    fn second_flag(&self) -> Option<bool> {
        match self.plain.get(1) {
            Some(Expr::Const(Value::Bool(b))) => Some(*b),
            _ => None,
        }
    }
}
