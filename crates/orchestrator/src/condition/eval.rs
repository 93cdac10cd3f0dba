//! Walks the tree of a condition and counts what it does.

use std::sync::Arc;

use nodetool_sdk::compat::template::operators::{
    Binary, Places, arithmetic, char_at, compare, equal, number, sign, truth, way_to,
};
use nodetool_sdk::compat::{is_py_space, py_str};
use nodetool_sdk::{Map, Value};

use super::syntax::{Comparison, Expr, Method, Step};

/// Most parts that are evaluated.
const MAX_STEPS: usize = 100_000;
/// Bytes of text that count as one part.
const BYTES_PER_STEP: usize = 64;
/// Characters picked one by one that count as one part.
const CHARS_PER_STEP: usize = 8;
/// Most bytes of a text that is made.
const MAX_TEXT: usize = 1 << 20;
/// Deepest nesting of values that are compared.
const MAX_DEPTH: usize = 100;

type Outcome<T> = Result<T, String>;

pub(super) fn value(expr: &Expr, data: Option<&Map>) -> Outcome<Value> {
    let mut vm = Vm {
        data,
        whole: None,
        left: MAX_STEPS,
    };
    vm.eval(expr)
}

struct Vm<'a> {
    data: Option<&'a Map>,
    /// All of the data as a value, once it was asked for.
    whole: Option<Value>,
    left: usize,
}

impl Vm<'_> {
    fn spend(&mut self, steps: usize) -> Outcome<()> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!(
                "it does too much work (expected at most {MAX_STEPS} steps)"
            )),
        }
    }

    fn grow(&mut self, bytes: usize) -> Outcome<()> {
        if bytes > MAX_TEXT {
            return Err(format!(
                "a text becomes too long (expected at most {MAX_TEXT} bytes)"
            ));
        }
        self.spend(bytes / BYTES_PER_STEP)
    }

    /// Counts all of a value.
    fn weigh(&mut self, value: &Value, depth: usize) -> Outcome<()> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "a value is nested more than {MAX_DEPTH} levels deep"
            ));
        }
        match value {
            Value::Str(s) => self.spend(s.len() / BYTES_PER_STEP),
            Value::Bytes(b) => self.spend(b.len() / BYTES_PER_STEP),
            Value::List(items) => {
                self.spend(items.len())?;
                items.iter().try_for_each(|v| self.weigh(v, depth + 1))
            }
            Value::Map(map) => {
                self.spend(map.len())?;
                map.values().try_for_each(|v| self.weigh(v, depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn eval(&mut self, expr: &Expr) -> Outcome<Value> {
        self.spend(1)?;
        Ok(match expr {
            Expr::Const(value) => value.clone(),
            Expr::Data => self.whole()?,
            Expr::List(items) => {
                let items: Outcome<Vec<Value>> = items.iter().map(|item| self.eval(item)).collect();
                items?.into()
            }
            Expr::Dict(pairs) => {
                let mut out = Map::new();
                for (key, value) in pairs {
                    let key = self.eval(key)?;
                    let key = self.key(&key)?;
                    out.insert(key, self.eval(value)?);
                }
                out.into()
            }
            Expr::Not(inner) => (!truth(&self.eval(inner)?)).into(),
            Expr::Sign(minus, inner) => {
                let value = self.eval(inner)?;
                let by = if *minus { -1i64 } else { 1 };
                match arithmetic(Binary::Mul, &value, &by.into()) {
                    Some(result) => result?,
                    None => return Err(format!("{} has no sign", described(&value))),
                }
            }
            Expr::Chain(first, rest) => {
                let mut left = self.eval(first)?;
                for (op, right) in rest {
                    let right = self.eval(right)?;
                    left = self.binary(*op, left, right)?;
                }
                left
            }
            Expr::Power(parts) => {
                let (base, exponent) = (self.eval(&parts.0)?, self.eval(&parts.1)?);
                self.binary(Binary::Pow, base, exponent)?
            }
            Expr::Compare(first, rest) => {
                let mut left = self.eval(first)?;
                for (comparison, right) in rest {
                    let right = self.eval(right)?;
                    if !self.holds(*comparison, &left, &right)? {
                        return Ok(false.into());
                    }
                    left = right;
                }
                true.into()
            }
            Expr::All(items) => self.until(items, false)?,
            Expr::Any(items) => self.until(items, true)?,
            Expr::Choice(parts) => {
                let (then, condition, otherwise) = &**parts;
                if truth(&self.eval(condition)?) {
                    self.eval(then)?
                } else {
                    self.eval(otherwise)?
                }
            }
            Expr::Part(base, steps) => {
                let (mut value, steps) = match (&**base, steps.as_slice(), self.data) {
                    // A part of the data needs no copy of the whole.
                    (Expr::Data, [Step::Item(key), rest @ ..], Some(data)) => {
                        let key = self.eval(key)?;
                        (self.member(data, &key)?, rest)
                    }
                    (base, steps, _) => (self.eval(base)?, steps),
                };
                for step in steps {
                    self.spend(1)?;
                    value = self.step(value, step)?;
                }
                value
            }
        })
    }

    fn whole(&mut self) -> Outcome<Value> {
        if let Some(whole) = &self.whole {
            return Ok(whole.clone());
        }
        let Some(data) = self.data else {
            return Err("there is no data here".into());
        };
        self.spend(data.len())?;
        let whole = Value::from(data.clone());
        self.whole = Some(whole.clone());
        Ok(whole)
    }

    fn member(&mut self, map: &Map, key: &Value) -> Outcome<Value> {
        let key = self.key(key)?;
        map.get(&*key).cloned().ok_or_else(|| {
            let key: String = key.chars().take(60).collect();
            format!("the key '{key}' is missing")
        })
    }

    /// The first value of this truth, else the last one.
    fn until(&mut self, items: &[Expr], wanted: bool) -> Outcome<Value> {
        let mut last = Value::Null;
        for item in items {
            last = self.eval(item)?;
            if truth(&last) == wanted {
                break;
            }
        }
        Ok(last)
    }

    fn binary(&mut self, op: Binary, left: Value, right: Value) -> Outcome<Value> {
        if let Some(result) = arithmetic(op, &left, &right) {
            return result;
        }
        match (op, &left, &right) {
            (Binary::Add, Value::Str(a), Value::Str(b)) => {
                self.grow(a.len() + b.len())?;
                Ok([&**a, &**b].concat().into())
            }
            (Binary::Add, Value::List(a), Value::List(b)) => {
                self.spend(a.len() + b.len())?;
                Ok([a.as_slice(), b.as_slice()].concat().into())
            }
            (Binary::Mul, Value::Str(part), times) | (Binary::Mul, times, Value::Str(part))
                if matches!(number(times), Some(Value::Int(_))) =>
            {
                let times = number(times).and_then(|n| n.as_i64()).unwrap_or(0);
                let times = usize::try_from(times).unwrap_or(0);
                self.grow(part.len().saturating_mul(times))?;
                // An empty text may be asked for any number of times.
                Ok(if part.is_empty() {
                    "".into()
                } else {
                    part.repeat(times).into()
                })
            }
            _ => Err(format!(
                "`{}` does not work on {} and {}",
                sign(op),
                described(&left),
                described(&right)
            )),
        }
    }

    fn holds(&mut self, comparison: Comparison, left: &Value, right: &Value) -> Outcome<bool> {
        if matches!(comparison, Comparison::Is | Comparison::IsNot) {
            // Null, true and false: one of a kind, so that 1 is not True.
            let same = match (left, right) {
                (Value::Null, Value::Null) => true,
                (Value::Bool(a), Value::Bool(b)) => a == b,
                _ => false,
            };
            return Ok(same == (comparison == Comparison::Is));
        }
        self.weigh(left, 0)?;
        self.weigh(right, 0)?;
        let order = match comparison {
            Comparison::Eq => return Ok(equal(left, right)),
            Comparison::Ne => return Ok(!equal(left, right)),
            Comparison::In => return contains(right, left),
            Comparison::NotIn => return contains(right, left).map(|found| !found),
            _ => compare(left, right),
        };
        let order = order.ok_or_else(|| {
            // Not a number has no order, and yet is a number.
            let numbers = number(left).is_some() && number(right).is_some();
            if numbers {
                return String::new();
            }
            format!("{} and {} have no order", described(left), described(right))
        });
        Ok(match (comparison, order) {
            (_, Err(why)) if why.is_empty() => false,
            (_, Err(why)) => return Err(why),
            (Comparison::Lt, Ok(order)) => order.is_lt(),
            (Comparison::Le, Ok(order)) => order.is_le(),
            (Comparison::Gt, Ok(order)) => order.is_gt(),
            (_, Ok(order)) => order.is_ge(),
        })
    }

    fn step(&mut self, value: Value, step: &Step) -> Outcome<Value> {
        match step {
            Step::Item(index) => {
                let index = self.eval(index)?;
                self.item(&value, &index)
            }
            Step::Slice(bounds) => {
                let mut numbers = [None; 3];
                for (bound, number) in bounds.iter().zip(&mut numbers) {
                    if let Some(bound) = bound {
                        *number = match self.eval(bound)? {
                            Value::Null => None,
                            Value::Int(n) => Some(n),
                            other => {
                                return Err(format!(
                                    "a slice needs whole numbers, not {}",
                                    described(&other)
                                ));
                            }
                        };
                    }
                }
                let [start, stop, by] = numbers;
                self.slice(&value, start, stop, by.unwrap_or(1))
            }
            Step::Call(method, arguments) => {
                let arguments: Outcome<Vec<Value>> =
                    arguments.iter().map(|a| self.eval(a)).collect();
                self.call(&value, *method, &arguments?)
            }
        }
    }

    fn item(&mut self, value: &Value, index: &Value) -> Outcome<Value> {
        let whole = || match *index {
            Value::Int(index) => Ok(index),
            _ => Err(format!(
                "{} is no index (expected a whole number)",
                described(index)
            )),
        };
        let beyond = |index: i64| format!("the index {index} is out of range");
        let at = |len: usize| -> Outcome<usize> {
            let index = whole()?;
            let len = i64::try_from(len).unwrap_or(i64::MAX);
            let from_start = if index < 0 {
                index.saturating_add(len)
            } else {
                index
            };
            match usize::try_from(from_start) {
                Ok(at) if from_start < len => Ok(at),
                _ => Err(beyond(index)),
            }
        };
        match value {
            Value::Map(map) => self.member(map, index),
            Value::List(items) => Ok(items[at(items.len())?].clone()),
            Value::Str(text) => {
                let index = whole()?;
                self.spend(way_to(text, index) / BYTES_PER_STEP)?;
                let found = char_at(text, index).ok_or_else(|| beyond(index))?;
                Ok(found.to_string().into())
            }
            other => Err(format!("{} has no items", described(other))),
        }
    }

    fn slice(
        &mut self,
        value: &Value,
        start: Option<i64>,
        stop: Option<i64>,
        by: i64,
    ) -> Outcome<Value> {
        if by == 0 {
            return Err("the step of a slice cannot be 0".into());
        }
        match value {
            Value::List(items) => {
                let places = Places::of(items.len(), start, stop, by);
                self.spend(places.count())?;
                let parts = places.iter().filter_map(|at| items.get(at).cloned());
                Ok(Value::list(parts))
            }
            Value::Str(text) => {
                // Where characters begin is found by looking at all before them.
                self.spend(text.len() / BYTES_PER_STEP)?;
                let places = Places::of(text.chars().count(), start, stop, by);
                if !places.are_contiguous() {
                    self.spend(places.count() / CHARS_PER_STEP)?;
                }
                let part = places.text_of(text);
                self.grow(part.len())?;
                Ok(part.into())
            }
            other => Err(format!("{} cannot be sliced", described(other))),
        }
    }

    fn call(&mut self, value: &Value, method: Method, arguments: &[Value]) -> Outcome<Value> {
        match value {
            Value::Map(map) => {
                self.spend(if method == Method::Get { 1 } else { map.len() })?;
                let keys = || map.keys().cloned().map(Value::Str);
                match (method, arguments) {
                    (Method::Get, [key, rest @ ..]) => {
                        let key = self.key(key)?;
                        let default = || rest.first().cloned().unwrap_or_default();
                        return Ok(map.get(&*key).cloned().unwrap_or_else(default));
                    }
                    (Method::Keys, _) => return Ok(Value::list(keys())),
                    (Method::Values, _) => return Ok(Value::list(map.values().cloned())),
                    (Method::Items, _) => {
                        let pairs = keys().zip(map.values().cloned());
                        return Ok(Value::list(pairs.map(|(k, v)| Value::list([k, v]))));
                    }
                    _ => {}
                }
            }
            Value::List(items) => {
                if let (Method::Count, [wanted]) = (method, arguments) {
                    self.weigh(value, 0)?;
                    let found = items.iter().filter(|item| equal(item, wanted));
                    return Ok(found.count().into());
                }
            }
            Value::Str(text) => {
                self.grow(text.len())?;
                if let Some(result) = self.of_text(text, method, arguments)? {
                    return Ok(result);
                }
            }
            _ => {}
        }
        Err(format!(
            "{} has no method `{}`",
            described(value),
            method.name()
        ))
    }

    fn of_text(
        &mut self,
        text: &Arc<str>,
        method: Method,
        arguments: &[Value],
    ) -> Outcome<Option<Value>> {
        let affix = |fits: fn(&str, &str) -> bool| match arguments.first() {
            Some(Value::Str(affix)) => Ok(fits(text, affix)),
            Some(Value::List(many)) => Ok(many
                .iter()
                .any(|affix| affix.as_str().is_some_and(|affix| fits(text, affix)))),
            other => Err(expected_text(method, other)),
        };
        Ok(Some(match (method, arguments) {
            (Method::Lower, _) => text.to_lowercase().into(),
            (Method::Upper, _) => text.to_uppercase().into(),
            (Method::Strip, [] | [Value::Null]) => text.trim_matches(is_py_space).into(),
            (Method::Strip, [Value::Str(set)]) => {
                let set = set.clone();
                self.spend(set.len() * text.len() / BYTES_PER_STEP)?;
                text.trim_matches(|c| set.contains(c)).into()
            }
            (Method::StartsWith, _) => affix(|text, affix| text.starts_with(affix))?.into(),
            (Method::EndsWith, _) => affix(|text, affix| text.ends_with(affix))?.into(),
            (Method::Count, [Value::Str(part)]) if part.is_empty() => {
                (text.chars().count() + 1).into()
            }
            (Method::Count, [Value::Str(part)]) => text.matches(&**part).count().into(),
            (Method::Split, _) => self.split(text, arguments)?,
            (Method::Strip | Method::Count, _) => {
                return Err(expected_text(method, arguments.first()));
            }
            _ => return Ok(None),
        }))
    }

    fn split(&mut self, text: &str, arguments: &[Value]) -> Outcome<Value> {
        let most = match arguments.get(1) {
            None => usize::MAX,
            Some(Value::Int(n)) => usize::try_from(*n).map_or(usize::MAX, |n| n.saturating_add(1)),
            Some(other) => {
                return Err(format!(
                    "`split` got {} (expected a whole number)",
                    described(other)
                ));
            }
        };
        let parts: Vec<Value> = match arguments.first() {
            None | Some(Value::Null) => {
                let mut parts = Vec::new();
                let mut rest = text.trim_start_matches(is_py_space);
                while !rest.is_empty() {
                    let end = rest.find(is_py_space).unwrap_or(rest.len());
                    if parts.len() + 1 >= most {
                        parts.push(rest.trim_end_matches(is_py_space).into());
                        break;
                    }
                    parts.push(rest[..end].into());
                    rest = rest[end..].trim_start_matches(is_py_space);
                }
                parts
            }
            Some(Value::Str(s)) if s.is_empty() => return Err("empty separator".into()),
            Some(Value::Str(s)) => text.splitn(most, &**s).map(Value::from).collect(),
            other => return Err(expected_text(Method::Split, other)),
        };
        self.spend(parts.len())?;
        Ok(parts.into())
    }

    /// A value as the key of a dict.
    fn key(&mut self, value: &Value) -> Outcome<Arc<str>> {
        match value {
            Value::Str(key) => Ok(key.clone()),
            Value::List(_) | Value::Map(_) => Err(format!("{} cannot be a key", described(value))),
            other => Ok(py_str(other).into()),
        }
    }
}

fn contains(whole: &Value, part: &Value) -> Outcome<bool> {
    match (whole, part) {
        (Value::Str(whole), Value::Str(part)) => Ok(whole.contains(&**part)),
        (Value::Str(_), other) => Err(format!("{} cannot be part of a text", described(other))),
        (Value::List(items), part) => Ok(items.iter().any(|item| equal(item, part))),
        (Value::Map(map), Value::Str(key)) => Ok(map.contains_key(&**key)),
        (Value::Map(_), _) => Ok(false),
        (other, _) => Err(format!("{} has no items", described(other))),
    }
}

fn expected_text(method: Method, found: Option<&Value>) -> String {
    let found = found.map_or_else(|| "nothing".into(), described);
    format!("`{}` got {found} (expected a text)", method.name())
}

/// A value in messages.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        other => format!("{} {}", other.kind(), other.preview(40)),
    }
}
