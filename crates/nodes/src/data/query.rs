//! Conditions over one record in the grammar of pandas `query`: comparisons, `in`, `and`, `or`, `not`.
//!
//! It must not know tables or nodes: a record is a map of names to values.

use std::cmp::Ordering;

use nodetool_sdk::{Map, Value};

use crate::order;

const MAX_CONDITION: usize = 64 << 10;
const MAX_DEPTH: usize = 64;

/// A parsed condition.
#[derive(Debug)]
pub(crate) struct Query(Expr);

#[derive(Debug)]
enum Expr {
    Constant(Value),
    Name(String),
    List(Vec<Expr>),
    Not(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// `a < b <= c`: each pair must hold.
    Chain(Box<Expr>, Vec<(Comparison, Expr)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
}

impl Query {
    /// Reads a condition; the error says where it stops making sense.
    pub(crate) fn parse(text: &str) -> Result<Query, String> {
        if text.len() > MAX_CONDITION {
            return Err(format!(
                "a condition of {} bytes (expected at most {MAX_CONDITION})",
                text.len()
            ));
        }
        let tokens = tokens(text)?;
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            depth: 0,
        };
        let expr = parser.any()?;
        match parser.peek() {
            None => Ok(Query(expr)),
            Some(_) => Err(parser.expected("the end of the condition")),
        }
    }

    /// Whether the record fulfils the condition; an error when it has no such name or the values cannot be compared.
    pub(crate) fn matches(&self, row: &Map) -> Result<bool, String> {
        truth(&value_of(&self.0, row)?)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Value(Value),
    Name(String),
    /// A name in backticks, which is never a word of the grammar.
    Quoted(String),
    Sign(&'static str),
}

const SIGNS: [&str; 20] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "&", "|", "~", "!", "(", ")", "[", "]", ",", "-",
    "+", "=",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let used = match c {
            '\'' | '"' => {
                let (value, used) = quoted(rest, c).ok_or_else(|| {
                    format!("text without a closing {c} at position {at} of the condition")
                })?;
                out.push(Token::Value(value.into()));
                used
            }
            '`' => {
                let end = rest[1..].find('`').ok_or_else(|| {
                    format!("name without a closing ` at position {at} of the condition")
                })?;
                out.push(Token::Quoted(rest[1..=end].to_owned()));
                end + 2
            }
            '0'..='9' | '.' => {
                let end = number_end(rest);
                out.push(Token::Value(number(&rest[..end]).ok_or_else(|| {
                    format!(
                        "`{}` at position {at} of the condition is no number",
                        &rest[..end]
                    )
                })?));
                end
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                out.push(match &rest[..end] {
                    "True" | "true" => Token::Value(true.into()),
                    "False" | "false" => Token::Value(false.into()),
                    "None" | "null" => Token::Value(Value::Null),
                    name => Token::Name(name.to_owned()),
                });
                end
            }
            _ => {
                let sign = SIGNS
                    .into_iter()
                    .find(|s| rest.starts_with(s))
                    .ok_or_else(|| format!("unexpected `{c}` at position {at} of the condition"))?;
                out.push(Token::Sign(sign));
                sign.len()
            }
        };
        rest = rest[used..].trim_start();
    }
    Ok(out)
}

/// The text in quotes and how many bytes it took.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Some((out, i + 1)),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
    None
}

fn number_end(rest: &str) -> usize {
    let mut end = 0;
    let mut before = '\0';
    for (i, c) in rest.char_indices() {
        let signed = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || signed) {
            break;
        }
        end = i + c.len_utf8();
        before = c;
    }
    end
}

fn number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    if let Ok(i) = plain.parse::<i64>() {
        return Some(i.into());
    }
    plain
        .parse::<f64>()
        .ok()
        .filter(|f| f.is_finite())
        .map(Value::Float)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn expected(&self, what: &str) -> String {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Value(v)) => v.preview(40),
            Some(Token::Name(n) | Token::Quoted(n)) => format!("`{n}`"),
            Some(Token::Sign(s)) => format!("`{s}`"),
        };
        format!("expected {what}, found {found} in the condition")
    }

    fn takes(&mut self, word: &str) -> bool {
        let hit = match self.peek() {
            Some(Token::Sign(s)) => *s == word,
            Some(Token::Name(n)) => n == word,
            _ => false,
        };
        self.at += usize::from(hit);
        hit
    }

    /// Every way of nesting passes through here, so the stack is bounded.
    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth == MAX_DEPTH {
            return Err(format!(
                "a condition nested more than {MAX_DEPTH} levels deep"
            ));
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }

    fn any(&mut self) -> Result<Expr, String> {
        self.deeper(|p| {
            let mut parts = vec![p.all()?];
            while p.takes("or") || p.takes("|") || p.takes("||") {
                parts.push(p.all()?);
            }
            Ok(single(parts, Expr::Any))
        })
    }

    fn all(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.not()?];
        while self.takes("and") || self.takes("&") || self.takes("&&") {
            parts.push(self.not()?);
        }
        Ok(single(parts, Expr::All))
    }

    fn not(&mut self) -> Result<Expr, String> {
        if self.takes("not") || self.takes("~") || self.takes("!") {
            return self.deeper(|p| Ok(Expr::Not(Box::new(p.not()?))));
        }
        let first = self.operand()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison()? {
            rest.push((comparison, self.operand()?));
        }
        Ok(if rest.is_empty() {
            first
        } else {
            Expr::Chain(Box::new(first), rest)
        })
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, String> {
        for (word, comparison) in [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("in", Comparison::In),
        ] {
            if self.takes(word) {
                return Ok(Some(comparison));
            }
        }
        if self.takes("not") {
            return if self.takes("in") {
                Ok(Some(Comparison::NotIn))
            } else {
                Err(self.expected("`in` after `not`"))
            };
        }
        Ok(None)
    }

    fn operand(&mut self) -> Result<Expr, String> {
        if self.takes("(") {
            let inner = self.any()?;
            return if self.takes(")") {
                Ok(inner)
            } else {
                Err(self.expected("`)`"))
            };
        }
        if self.takes("[") {
            let mut items = Vec::new();
            while !self.takes("]") {
                items.push(self.deeper(Self::operand)?);
                if !self.takes(",") && self.peek() != Some(&Token::Sign("]")) {
                    return Err(self.expected("`,` or `]`"));
                }
            }
            return Ok(Expr::List(items));
        }
        if self.takes("-") {
            return match self.peek() {
                Some(Token::Value(Value::Int(i))) => {
                    let negative = Value::Int(i.wrapping_neg());
                    self.at += 1;
                    Ok(Expr::Constant(negative))
                }
                Some(Token::Value(Value::Float(f))) => {
                    let negative = Value::Float(-f);
                    self.at += 1;
                    Ok(Expr::Constant(negative))
                }
                _ => Err(self.expected("a number after `-`")),
            };
        }
        let expr = match self.peek() {
            Some(Token::Value(v)) => Expr::Constant(v.clone()),
            Some(Token::Quoted(n)) => Expr::Name(n.clone()),
            Some(Token::Name(n)) if !matches!(n.as_str(), "and" | "or" | "not" | "in") => {
                Expr::Name(n.clone())
            }
            _ => return Err(self.expected("a name or a value")),
        };
        self.at += 1;
        Ok(expr)
    }
}

fn single(mut parts: Vec<Expr>, several: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}

fn value_of(expr: &Expr, row: &Map) -> Result<Value, String> {
    Ok(match expr {
        Expr::Constant(v) => v.clone(),
        Expr::Name(name) => row
            .get(name.as_str())
            .cloned()
            .ok_or_else(|| format!("name '{name}' is not defined"))?,
        Expr::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|e| value_of(e, row)).collect();
            items?.into()
        }
        Expr::Not(inner) => (!truth(&value_of(inner, row)?)?).into(),
        Expr::All(parts) => {
            for part in parts {
                if !truth(&value_of(part, row)?)? {
                    return Ok(false.into());
                }
            }
            true.into()
        }
        Expr::Any(parts) => {
            for part in parts {
                if truth(&value_of(part, row)?)? {
                    return Ok(true.into());
                }
            }
            false.into()
        }
        Expr::Chain(first, rest) => {
            let mut left = value_of(first, row)?;
            for (comparison, right) in rest {
                let right = value_of(right, row)?;
                if !holds(*comparison, &left, &right)? {
                    return Ok(false.into());
                }
                left = right;
            }
            true.into()
        }
    })
}

/// Null, as a missing cell, is not fulfilled.
fn truth(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(b) => Ok(*b),
        Value::Null => Ok(false),
        other => Err(format!(
            "{} {} where a condition was expected",
            other.kind(),
            other.preview(40)
        )),
    }
}

fn holds(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, String> {
    let ordered = |want: fn(Ordering) -> bool| {
        if left.is_null() || right.is_null() {
            return Ok(false);
        }
        let order = match (left, right) {
            (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
            _ => match (as_number(left), as_number(right)) {
                (Some(a), Some(b)) => {
                    // Only not-a-number has no order here, and it fulfils nothing.
                    return Ok(order::numbers(&a, &b).is_some_and(want));
                }
                _ => None,
            },
        };
        order
            .map(want)
            .ok_or_else(|| format!("{} and {} cannot be compared", left.kind(), right.kind()))
    };
    match comparison {
        Comparison::Equal => Ok(equal(left, right)),
        Comparison::Unequal => Ok(!equal(left, right)),
        Comparison::Less => ordered(Ordering::is_lt),
        Comparison::AtMost => ordered(Ordering::is_le),
        Comparison::Greater => ordered(Ordering::is_gt),
        Comparison::AtLeast => ordered(Ordering::is_ge),
        Comparison::In => within(left, right),
        Comparison::NotIn => within(left, right).map(|inside| !inside),
    }
}

/// A number beside text that reads as one compares as a number.
fn as_number(value: &Value) -> Option<Value> {
    match value {
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(value.clone()),
        Value::Str(s) => number(s.trim().trim_start_matches('+')),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Str(_), Value::Int(_) | Value::Float(_))
        | (Value::Int(_) | Value::Float(_), Value::Str(_)) => {
            match (as_number(left), as_number(right)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            }
        }
        _ => left == right,
    }
}

fn within(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (_, Value::List(items)) => Ok(items.iter().any(|item| equal(left, item))),
        (Value::Str(part), Value::Str(whole)) => Ok(whole.contains(&**part)),
        (_, Value::Null) => Ok(false),
        (_, other) => Err(format!("`in` needs a list, not {}", other.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(condition: &str) -> Result<bool, String> {
        let row: Value = serde_json::from_str(
            r#"{"age": 35, "name": "Ann", "active": true, "gone": null, "size": "48", "two words": 2, "tags": ["a"]}"#,
        )
        .unwrap();
        Query::parse(condition)?.matches(row.as_map().unwrap())
    }

    #[test]
    fn conditions_read_as_in_pandas() {
        for (condition, want) in [
            ("age > 30", true),
            ("age > 30 and name == 'Bob'", false),
            ("age < 30 or name == \"Ann\"", true),
            ("not active", false),
            ("not age == 35 or active", true),
            ("~(age > 40) & active | False", true),
            ("30 < age <= 35", true),
            ("name in ['Bob', 'Ann']", true),
            ("name not in ['Bob', 'Ann']", false),
            ("'a' in tags", true),
            ("`two words` == 2.0", true),
            ("age > -1", true),
            ("size > 20", true),
            ("size == 48", true),
            ("gone > 1", false),
            ("gone == None", true),
            ("active", true),
        ] {
            assert_eq!(ask(condition), Ok(want), "{condition}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error_that_says_so() {
        for (condition, why) in [
            ("nonexistent > 1", "'nonexistent' is not defined"),
            ("nonexistentVar.foo", "no number"),
            ("age >", "found the end"),
            ("(age > 1", "expected `)`"),
            ("age > 1 2", "end of the condition"),
            ("name == 'x", "closing '"),
            ("name > 3", "cannot be compared"),
            ("age", "where a condition was expected"),
            ("age = 3", "found `=`"),
            ("", "found the end"),
        ] {
            let e = ask(condition).unwrap_err();
            assert!(e.contains(why), "{condition}: {e}");
        }
    }

    #[test]
    fn deep_and_long_conditions_are_refused() {
        for deep in ["(", "not ", "[", "~"] {
            let e = Query::parse(&deep.repeat(10_000)).unwrap_err();
            assert!(e.contains("levels deep"), "{deep}: {e}");
        }
        assert!(
            Query::parse(&"a".repeat(70_000))
                .unwrap_err()
                .contains("bytes")
        );
    }
}
