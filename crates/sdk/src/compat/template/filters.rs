//! Filters and tests. What makes text says first how long it will be.

mod groups;
mod texts;

use std::cmp::Ordering;
use std::sync::Arc;

use nodetool_protocol::{Map, Value};

use super::arguments::{Arguments, Val};
use super::cost::BYTES_PER_STEP;
use super::eval::{Outcome, Vm, described};
use super::operators::{arithmetic, compare, equal, number, truth};
use super::syntax::{Binary, Comparison};
use super::{methods, printf};
use crate::compat::{is_py_space, json_dumps, py_repr};

/// Applies a filter.
pub(super) fn apply(vm: &mut Vm<'_>, name: &str, value: Val, mut args: Arguments) -> Outcome<Val> {
    let value = value.firm();
    let result = match name {
        "default" | "d" => {
            let fallback = args.take("default_value").unwrap_or_else(|| "".into());
            let falsy_too = args.flag("boolean");
            if value.is_missing() || (falsy_too && !value.truth()) {
                fallback.into()
            } else {
                value
            }
        }
        "safe" => value,
        "upper" | "lower" | "capitalize" | "title" | "escape" | "e" | "forceescape"
        | "wordcount" => words(vm, name, value)?,
        "trim" => {
            let text = vm.shown(value)?;
            let chars = args.take("chars");
            methods::strip(&text, chars.as_ref(), true, true)?.into()
        }
        "truncate" => truncate(vm, value, &mut args)?,
        "replace" => {
            let text = vm.shown(value)?;
            let (old, new) = (args.required("old")?, args.required("new")?);
            let (old, new) = (vm.text(&old)?, vm.text(&new)?);
            let count = args.int_or("count", -1)?;
            methods::replace(vm, &text, &old, &new, count)?.into()
        }
        "center" => {
            let text = vm.shown(value)?;
            let width = usize::try_from(args.int_or("width", 80)?).unwrap_or(0);
            let gap = width.saturating_sub(text.chars().count());
            vm.grow(text.len().saturating_add(gap))?;
            let left = gap / 2 + (gap & width & 1);
            format!("{}{text}{}", " ".repeat(left), " ".repeat(gap - left)).into()
        }
        "indent" => indent(vm, value, &mut args)?,
        "format" => {
            let text = vm.shown(value)?;
            return printf::format(vm, &text, args).map(Val::from);
        }
        "string" => {
            let text = vm.shown(value)?;
            Value::Str(text).into()
        }
        "tojson" => {
            let value = value.value();
            let bytes = vm.weigh(&value)?;
            let indent = args.take("indent").and_then(|v| v.as_i64());
            let indent = indent.map(|n| n.clamp(0, 16) as usize);
            vm.grow(bytes.saturating_mul(if indent.is_some() { 12 } else { 6 }))?;
            json_dumps(&value, true, indent).into()
        }
        "length" | "count" => length(vm, &value)?.into(),
        "first" => one_of(vm, value, 0)?,
        "last" => one_of(vm, value, -1)?,
        "join" => join(vm, value, &mut args)?,
        "list" => Value::from(vm.items(value)?).into(),
        "reverse" => match value {
            Val::Is(Value::Str(s)) => {
                vm.grow(s.len())?;
                s.chars().rev().collect::<String>().into()
            }
            other => {
                let mut items = vm.items(other)?;
                items.reverse();
                Value::from(items).into()
            }
        },
        "sort" => {
            let reverse = args.flag("reverse");
            let mut keyed = keyed(vm, value, &mut args)?;
            order(vm, &mut keyed, reverse)?;
            Value::list(keyed.into_iter().map(|(_, item)| item)).into()
        }
        "min" | "max" => {
            let mut keyed = keyed(vm, value, &mut args)?;
            order(vm, &mut keyed, name == "max")?;
            match keyed.into_iter().next() {
                Some((_, item)) => item.into(),
                None => Val::Missing(format!("the {name} of an empty list")),
            }
        }
        "unique" => {
            let keyed = keyed(vm, value, &mut args)?;
            let mut out: Vec<(Value, Value)> = Vec::new();
            for (key, item) in keyed {
                let bytes = vm.weigh(&key)?;
                vm.spend(out.len().saturating_mul(1 + bytes / BYTES_PER_STEP))?;
                if !out.iter().any(|(k, _)| equal(k, &key)) {
                    out.push((key, item));
                }
            }
            Value::list(out.into_iter().map(|(_, item)| item)).into()
        }
        "sum" => {
            let attribute = args.take("attribute");
            let mut sum = args.take("start").unwrap_or(Value::Int(0));
            for item in vm.items(value)? {
                let item = attribute_of(vm, item, attribute.as_ref())?.value();
                sum = arithmetic(Binary::Add, &sum, &item)
                    .ok_or_else(|| format!("{} cannot be summed", described(&item)))??;
            }
            sum.into()
        }
        "abs" | "round" | "int" | "float" => return numeric(vm, name, value, args),
        "items" => return methods::call(vm, value.value(), "items", args),
        "dictsort" => dictsort(vm, value, &mut args)?,
        "batch" => batch(vm, value, &mut args)?,
        "slice" => groups::slice(vm, value, &mut args)?,
        "groupby" => groups::groupby(vm, value, &mut args)?,
        "urlencode" => texts::urlencode(vm, value)?,
        "striptags" => texts::striptags(vm, value)?,
        "wordwrap" => texts::wordwrap(vm, value, &mut args)?,
        "filesizeformat" => texts::filesizeformat(value, &mut args)?,
        "pprint" => {
            let value = value.value();
            let bytes = vm.weigh(&value)?;
            vm.grow(bytes)?;
            py_repr(&value).into()
        }
        "map" => return map(vm, value, args),
        "select" | "reject" | "selectattr" | "rejectattr" => return pick(vm, name, value, args),
        "attr" => {
            let attribute = args.required("name")?;
            attribute_of(vm, value.value(), Some(&attribute))?
        }
        _ => {
            if let Some(result) = vm.own_filter(name, &value, &mut args) {
                return result;
            }
            return Err(format!(
                "unknown filter `{name}` (expected one of abs, attr, batch, capitalize, center, default, dictsort, \
                 escape, filesizeformat, first, float, forceescape, format, groupby, indent, int, items, join, last, \
                 length, list, lower, map, max, min, pprint, reject, rejectattr, replace, reverse, round, safe, \
                 select, selectattr, slice, sort, string, striptags, sum, title, tojson, trim, truncate, unique, \
                 upper, urlencode, wordcount, wordwrap)"
            ));
        }
    };
    args.done(name)?;
    Ok(result)
}

fn words(vm: &mut Vm<'_>, name: &str, value: Val) -> Outcome<Val> {
    let text = vm.shown(value)?;
    vm.grow(text.len())?;
    Ok(match name {
        "upper" => text.to_uppercase().into(),
        "lower" => text.to_lowercase().into(),
        "capitalize" => methods::capitalize(&text).into(),
        "title" => {
            let mut out = String::with_capacity(text.len());
            let mut start = true;
            for c in text.chars() {
                if start {
                    out.extend(c.to_uppercase());
                } else {
                    out.extend(c.to_lowercase());
                }
                start = c.is_whitespace() || "-({[<".contains(c);
            }
            out.into()
        }
        "wordcount" => text
            .split(|c: char| !(c == '_' || c.is_alphanumeric()))
            .filter(|w| !w.is_empty())
            .count()
            .into(),
        _ => {
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                match c {
                    '&' => out.push_str("&amp;"),
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    '"' => out.push_str("&#34;"),
                    '\'' => out.push_str("&#39;"),
                    c => out.push(c),
                }
            }
            out.into()
        }
    })
}

/// Cuts at a word's end, with a mark, unless the text is hardly longer than allowed.
fn truncate(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let text = vm.shown(value)?;
    let length = args.int_or("length", 255)?;
    let kill = args.flag("killwords");
    let end = args.text_or("end", "...")?;
    let leeway = args.int_or("leeway", 5)?;
    let mark = end.chars().count() as i64;
    if length < mark {
        return Err(format!(
            "`truncate` to {length} characters leaves no room for '{end}'"
        ));
    }
    vm.grow(text.len())?;
    let count = text.chars().count() as i64;
    if count <= length.saturating_add(leeway.max(0)) {
        return Ok(Value::Str(text).into());
    }
    let keep = usize::try_from(length - mark).unwrap_or(0);
    let mut cut: String = text.chars().take(keep).collect();
    if !kill && let Some(at) = cut.rfind(' ') {
        cut.truncate(at);
    }
    Ok((cut + &end).into())
}

fn indent(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let text = vm.shown(value)?;
    let blanks = match args.take("width") {
        Some(Value::Str(s)) => s.to_string(),
        Some(v) => {
            let width = v
                .as_i64()
                .and_then(|n| usize::try_from(n).ok())
                .unwrap_or(0);
            vm.grow(width)?;
            " ".repeat(width)
        }
        None => "    ".into(),
    };
    let (first, blank) = (args.flag("first"), args.flag("blank"));
    let lines = text.matches('\n').count() + 1;
    vm.grow(
        text.len()
            .saturating_add(blanks.len().saturating_mul(lines)),
    )?;
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let wanted = if i == 0 {
            first
        } else {
            blank || !line.trim().is_empty()
        };
        if wanted {
            out.push_str(&blanks);
        }
        out.push_str(line);
    }
    Ok(out.into())
}

fn length(vm: &mut Vm<'_>, value: &Val) -> Outcome<usize> {
    let (Val::Is(value) | Val::Soft(value)) = value else {
        return Ok(0);
    };
    match value {
        Value::Str(s) => {
            vm.spend(s.len() / BYTES_PER_STEP)?;
            Ok(s.chars().count())
        }
        Value::List(items) => Ok(items.len()),
        Value::Map(map) => Ok(map.len()),
        Value::Bytes(b) => Ok(b.len()),
        other => Err(format!("{} has no length", described(other))),
    }
}

fn one_of(vm: &mut Vm<'_>, value: Val, index: i64) -> Outcome<Val> {
    match value {
        Val::Is(Value::Map(map)) => {
            let key = if index == 0 { map.first() } else { map.last() };
            Ok(key.map_or(Val::Missing("an item".into()), |(k, _)| {
                Value::Str(k.clone()).into()
            }))
        }
        Val::Is(value @ (Value::List(_) | Value::Str(_))) => vm.item(&value, &index.into()),
        other => vm.items(other).map(|_| Val::Missing("an item".into())),
    }
}

fn join(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let separator = args.take("d").unwrap_or_else(|| "".into());
    let separator = vm.text(&separator)?;
    let attribute = args.take("attribute");
    let mut out = String::new();
    for (i, item) in vm.items(value)?.into_iter().enumerate() {
        let item = attribute_of(vm, item, attribute.as_ref())?;
        let text = vm.shown(item)?;
        vm.extend(out.len(), text.len() + separator.len())?;
        if i > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text);
    }
    Ok(out.into())
}

/// A part of an item by a path such as `address.city` or an index.
fn attribute_of(vm: &mut Vm<'_>, item: Value, attribute: Option<&Value>) -> Outcome<Val> {
    let Some(attribute) = attribute else {
        return Ok(item.into());
    };
    let Value::Str(path) = attribute else {
        return vm.item(&item, attribute);
    };
    let mut item = Val::Is(item);
    for part in path.split('.') {
        item = match &item {
            Val::Is(list @ Value::List(_)) => match part.parse::<i64>() {
                Ok(i) => vm.item(list, &i.into())?,
                Err(_) => Val::Missing(part.into()),
            },
            Val::Is(map @ Value::Map(_)) => vm.item(map, &part.into())?,
            _ => Val::Missing(part.into()),
        };
    }
    Ok(item)
}

/// What has no items at all counts as an empty list where Jinja lets it.
fn items_if_any(vm: &mut Vm<'_>, value: Val) -> Outcome<Vec<Value>> {
    if value.truth() {
        vm.items(value)
    } else {
        Ok(Vec::new())
    }
}

/// Items with what they are compared by.
fn keyed(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Vec<(Value, Value)>> {
    let strict = args.flag("case_sensitive");
    let attribute = args.take("attribute");
    let items = vm.items(value)?;
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        let key = match attribute_of(vm, item.clone(), attribute.as_ref())?.value() {
            Value::Str(s) if !strict => {
                vm.grow(s.len())?;
                s.to_lowercase().into()
            }
            key => key,
        };
        out.push((key, item));
    }
    Ok(out)
}

/// Sorts by the keys, which need an order among them.
fn order(vm: &mut Vm<'_>, keyed: &mut Vec<(Value, Value)>, reverse: bool) -> Outcome<()> {
    let rounds = keyed.len().max(2).ilog2() as usize + 1;
    for (key, _) in keyed.iter() {
        let bytes = vm.weigh(key)?;
        vm.spend((1 + bytes / BYTES_PER_STEP) * rounds)?;
    }
    *keyed = sorted(std::mem::take(keyed), reverse)?;
    Ok(())
}

/// A merge sort that ends at the first two keys without an order: those of the standard library need a total one.
fn sorted(mut items: Vec<(Value, Value)>, reverse: bool) -> Outcome<Vec<(Value, Value)>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let mut left = sorted(items, reverse)?.into_iter().peekable();
    let mut right = sorted(right, reverse)?.into_iter().peekable();
    let mut out = Vec::with_capacity(left.len() + right.len());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let Some(order) = compare(a, b) else {
            return Err(format!(
                "{} and {} have no order",
                described(a),
                described(b)
            ));
        };
        let order = if reverse { order.reverse() } else { order };
        let next = if order == Ordering::Greater {
            right.next()
        } else {
            left.next()
        };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
}

fn numeric(vm: &mut Vm<'_>, name: &str, value: Val, mut args: Arguments) -> Outcome<Val> {
    let value = value.value();
    let as_float = |value: &Value| match value {
        Value::Str(s) => s
            .trim_matches(is_py_space)
            .replace('_', "")
            .parse::<f64>()
            .ok(),
        other => number(other).and_then(|n| n.as_f64()),
    };
    let result: Val = match name {
        "int" => whole(&value, as_float(&value), &mut args)?,
        "float" => {
            let default = args.take("default").unwrap_or(Value::Float(0.0));
            as_float(&value).map_or(default, Value::Float).into()
        }
        _ => {
            let n = number(&value)
                .ok_or_else(|| format!("`{name}` needs a number, not {}", described(&value)))?;
            if name == "abs" {
                match n {
                    Value::Int(i) => i.checked_abs().ok_or("the number is too large")?.into(),
                    other => other.as_f64().unwrap_or_default().abs().into(),
                }
            } else {
                round(&n, &mut args)?
            }
        }
    };
    vm.spend(1)?;
    args.done(name)?;
    Ok(result)
}

/// A whole number: what is none is the default, and what is too large for one is, where a default was given.
fn whole(value: &Value, float: Option<f64>, args: &mut Arguments) -> Outcome<Val> {
    let default = args.take("default");
    let base = args.int_or("base", 10)?;
    // The least that is too large; its negative is the least that is not too small.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let mut too_large = false;
    let number = match value {
        Value::Str(s) => {
            let text = s.trim_matches(is_py_space);
            let digits = match base {
                16 => text.trim_start_matches("0x"),
                8 => text.trim_start_matches("0o"),
                2 => text.trim_start_matches("0b"),
                _ => text,
            };
            let base = u32::try_from(base).ok().filter(|b| (2..=36).contains(b));
            let base = base.ok_or("`int` needs a base from 2 to 36")?;
            let read = i64::from_str_radix(&digits.replace('_', ""), base);
            too_large = read.as_ref().is_err_and(|e| {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                matches!(e.kind(), PosOverflow | NegOverflow)
            });
            read.ok()
        }
        other => number(other).and_then(|n| n.as_i64()),
    };
    let number = match (number, float) {
        (None, Some(f)) if !too_large => {
            // A word for infinity is no whole number; a number without end is one that is too large.
            too_large = match value {
                Value::Str(_) => f.is_finite() && !(-BEYOND..BEYOND).contains(&f),
                _ => !f.is_nan() && !(-BEYOND..BEYOND).contains(&f),
            };
            (!too_large && !f.is_nan() && f.is_finite()).then_some(f as i64)
        }
        (number, _) => number,
    };
    match (number, default) {
        (Some(number), _) => Ok(number.into()),
        (None, Some(default)) => Ok(default.into()),
        (None, None) if too_large => Err(format!(
            "{} is too large for `int` (expected a number of 64 bits, or the argument `default`)",
            described(value)
        )),
        (None, None) => Ok(0i64.into()),
    }
}

fn round(n: &Value, args: &mut Arguments) -> Outcome<Val> {
    let precision = args.int_or("precision", 0)?.clamp(-20, 20);
    let method = args.text_or("method", "common")?;
    if let (Value::Int(i), true, "common") = (n, precision >= 0, method.as_str()) {
        return Ok((*i).into());
    }
    let f = n.as_f64().unwrap_or_default();
    let scale = 10f64.powi(precision as i32);
    let rounded = match method.as_str() {
        "ceil" => (f * scale).ceil() / scale,
        "floor" => (f * scale).floor() / scale,
        "common" if precision >= 0 => {
            // Decimal digits are rounded from the exact value, halves to even, as Python does.
            let text = format!("{f:.*}", precision as usize);
            text.parse().unwrap_or(f)
        }
        "common" => (f * scale).round_ties_even() / scale,
        other => {
            return Err(format!(
                "`round` does not know the method '{other}' (expected common, ceil or floor)"
            ));
        }
    };
    Ok(rounded.into())
}

fn dictsort(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let Val::Is(Value::Map(map)) = value else {
        return Err("`dictsort` needs a dict".into());
    };
    let strict = args.flag("case_sensitive");
    let by = args.text_or("by", "key")?;
    let reverse = args.flag("reverse");
    let mut keyed = Vec::with_capacity(map.len());
    for (k, v) in map.iter() {
        let key = if by == "value" {
            v.clone()
        } else {
            Value::Str(k.clone())
        };
        let key = match key {
            Value::Str(s) if !strict => s.to_lowercase().into(),
            other => other,
        };
        keyed.push((key, Value::list([Value::Str(k.clone()), v.clone()])));
    }
    order(vm, &mut keyed, reverse)?;
    Ok(Value::list(keyed.into_iter().map(|(_, pair)| pair)).into())
}

fn batch(vm: &mut Vm<'_>, value: Val, args: &mut Arguments) -> Outcome<Val> {
    let size = usize::try_from(args.int_or("linecount", 0)?).unwrap_or(0);
    if size == 0 {
        return Err("`batch` needs a size of at least 1".into());
    }
    let fill = args.take("fill_with");
    let items = vm.items(value)?;
    let mut rows: Vec<Value> = items
        .chunks(size)
        .map(|chunk| Value::from(chunk.to_vec()))
        .collect();
    if let (Some(fill), Some(Value::List(last))) = (fill, rows.last_mut()) {
        let gap = size - last.len();
        vm.spend(gap)?;
        Arc::make_mut(last).extend(std::iter::repeat_n(fill, gap));
    }
    vm.counted(rows.into())
}

/// `map('filter', …)` or `map(attribute='name')`.
fn map(vm: &mut Vm<'_>, value: Val, mut args: Arguments) -> Outcome<Val> {
    let items = items_if_any(vm, value)?;
    let mut out = Vec::with_capacity(items.len());
    if let Some(attribute) = args.by_name("attribute") {
        let default = args.by_name("default");
        args.done("map")?;
        for item in items {
            vm.spend(1)?;
            out.push(match attribute_of(vm, item, Some(&attribute))? {
                Val::Is(part) | Val::Soft(part) => part,
                // Nothing can be held in a list only as something that prints as nothing.
                Val::Missing(_) => default.clone().unwrap_or_else(|| "".into()),
            });
        }
    } else {
        let filter = args.text("filter")?;
        if filter == "map" {
            return Err("`map` cannot apply itself".into());
        }
        let (positional, named) = (args.rest(), args.rest_named());
        for item in items {
            vm.spend(1)?;
            let args = Arguments::new(positional.clone(), named.clone());
            out.push(apply(vm, &filter, item.into(), args)?.value());
        }
    }
    vm.counted(out.into())
}

/// Items that stand a test, or whose attribute does.
fn pick(vm: &mut Vm<'_>, name: &str, value: Val, mut args: Arguments) -> Outcome<Val> {
    let attribute = if name.ends_with("attr") {
        Some(args.required("attribute")?)
    } else {
        None
    };
    let keep = name.starts_with("select");
    let mut positional = args.rest().into_iter();
    let test_name = match positional.next() {
        None => None,
        Some(Value::Str(s)) => Some(s),
        Some(other) => return Err(format!("{} is no name of a test", described(&other))),
    };
    let rest: Vec<Value> = positional.collect();
    args.done(name)?;
    let mut out = Vec::new();
    for item in items_if_any(vm, value)? {
        vm.spend(1)?;
        let part = attribute_of(vm, item.clone(), attribute.as_ref())?;
        let passes = match &test_name {
            None => part.truth(),
            Some(t) => test(vm, t, &part, Arguments::new(rest.clone(), Vec::new()))?,
        };
        if passes == keep {
            out.push(item);
        }
    }
    Ok(Value::from(out).into())
}

/// Whether a value stands a test.
pub(super) fn test(vm: &mut Vm<'_>, name: &str, value: &Val, mut args: Arguments) -> Outcome<bool> {
    let value = &value.clone().firm();
    let of = |kinds: &[&str]| matches!(value, Val::Is(v) if kinds.contains(&v.kind()));
    let rest = |by: i64| {
        let value = value.clone().value();
        match arithmetic(Binary::Mod, &value, &by.into()) {
            Some(rest) => rest.map(|r| r.as_f64().unwrap_or_default()),
            None => Err(format!(
                "the test `{name}` needs a number, not {}",
                described(&value)
            )),
        }
    };
    let comparison = match name {
        "eq" | "equalto" | "sameas" => Some(Comparison::Eq),
        "ne" => Some(Comparison::Ne),
        "lt" | "lessthan" => Some(Comparison::Lt),
        "le" => Some(Comparison::Le),
        "gt" | "greaterthan" => Some(Comparison::Gt),
        "ge" => Some(Comparison::Ge),
        "in" => Some(Comparison::In),
        _ => None,
    };
    if let Some(comparison) = comparison {
        let other = args.required("other")?.into();
        args.done(name)?;
        return vm.comparison(comparison, value, &other);
    }
    let result = match name {
        "defined" => !value.is_missing(),
        "undefined" => value.is_missing(),
        "none" => of(&["null"]),
        "true" => matches!(value, Val::Is(Value::Bool(true))),
        "false" => matches!(value, Val::Is(Value::Bool(false))),
        "boolean" => of(&["bool"]),
        "integer" => of(&["int"]),
        "float" => of(&["float"]),
        "number" => of(&["int", "float", "bool"]),
        "string" => of(&["str"]),
        "mapping" => of(&["dict"]),
        "iterable" if value.is_missing() => true,
        "sequence" | "iterable" => of(&["str", "list", "dict"]),
        "odd" => rest(2)? == 1.0,
        "even" => rest(2)? == 0.0,
        "divisibleby" => rest(args.int_or("num", 0)?)? == 0.0,
        "lower" | "upper" => {
            let text = vm.shown(value.clone())?;
            let cased = text.chars().any(|c| c.is_uppercase() || c.is_lowercase());
            let wrong: fn(char) -> bool = if name == "lower" {
                char::is_uppercase
            } else {
                char::is_lowercase
            };
            cased && !text.chars().any(wrong)
        }
        _ => {
            return Err(format!(
                "unknown test `{name}` (expected one of boolean, defined, divisibleby, eq, even, false, float, ge, gt, \
                 in, integer, iterable, le, lower, lt, mapping, ne, none, number, odd, sequence, string, true, \
                 undefined, upper)"
            ));
        }
    };
    args.done(name)?;
    Ok(result)
}

/// The pairs of a dict.
pub(super) fn pairs(map: &Map) -> Value {
    Value::list(
        map.iter()
            .map(|(k, v)| Value::list([Value::Str(k.clone()), v.clone()])),
    )
}
