//! Methods of texts, lists and dicts, as far as templates call them.

use std::sync::Arc;

use nodetool_protocol::Value;

use super::arguments::{Arguments, Val};
use super::eval::{Outcome, Vm, described};
use super::filters::pairs;
use super::operators::equal;
use crate::compat::is_py_space;

/// Calls `value.name(args)`.
pub(super) fn call(vm: &mut Vm<'_>, value: Value, name: &str, mut args: Arguments) -> Outcome<Val> {
    let result = match &value {
        Value::Str(text) => of_text(vm, text, name, &mut args)?,
        Value::Map(map) => match name {
            "items" => {
                vm.spend(map.len())?;
                Some(pairs(map).into())
            }
            "keys" => Some(Value::list(map.keys().map(|k| Value::Str(k.clone()))).into()),
            "values" => Some(Value::list(map.values().cloned()).into()),
            "get" => {
                let key = args.required("key")?;
                let key = vm.text(&key)?;
                let default = args.take("default").unwrap_or_default();
                Some(map.get(&*key).cloned().unwrap_or(default).into())
            }
            _ => None,
        },
        Value::List(items) => match name {
            "count" | "index" => {
                let wanted = args.required("value")?;
                vm.weigh(&value)?;
                if name == "count" {
                    Some(items.iter().filter(|i| equal(i, &wanted)).count().into())
                } else {
                    let at = items.iter().position(|i| equal(i, &wanted));
                    Some(
                        at.ok_or_else(|| format!("{} is not in the list", described(&wanted)))?
                            .into(),
                    )
                }
            }
            _ => None,
        },
        _ => None,
    };
    match result {
        Some(result) => {
            args.done(name)?;
            Ok(result)
        }
        None => Err(format!("{} has no method `{name}`", described(&value))),
    }
}

fn of_text(
    vm: &mut Vm<'_>,
    text: &Arc<str>,
    name: &str,
    args: &mut Arguments,
) -> Outcome<Option<Val>> {
    vm.grow(text.len())?;
    let affix = |args: &mut Arguments, fits: fn(&str, &str) -> bool| -> Outcome<Val> {
        Ok(match args.required("text")? {
            Value::List(many) => many
                .iter()
                .any(|v| v.as_str().is_some_and(|a| fits(text, a)))
                .into(),
            Value::Str(one) => fits(text, &one).into(),
            other => return Err(format!("{} is no text", described(&other))),
        })
    };
    let every =
        |fits: fn(char) -> bool| -> Val { (!text.is_empty() && text.chars().all(fits)).into() };
    Ok(Some(match name {
        "upper" => text.to_uppercase().into(),
        "lower" | "casefold" => text.to_lowercase().into(),
        "capitalize" => capitalize(text).into(),
        "title" => title(text).into(),
        "strip" | "lstrip" | "rstrip" => {
            let chars = args.take("chars");
            strip(text, chars.as_ref(), name != "rstrip", name != "lstrip")?.into()
        }
        "replace" => {
            let (old, new) = (args.text("old")?, args.text("new")?);
            let count = args.int_or("count", -1)?;
            replace(vm, text, &old, &new, count)?.into()
        }
        "split" => split(vm, text, args)?,
        "splitlines" => {
            vm.spend(text.len() / 8)?;
            Value::list(text.lines().map(Value::from)).into()
        }
        "join" => {
            let items = args.required("items")?;
            let parts = vm.items(items.into())?;
            let mut out = String::new();
            for (i, part) in parts.iter().enumerate() {
                let Value::Str(part) = part else {
                    return Err(format!("`join` needs texts, not {}", described(part)));
                };
                vm.extend(out.len(), text.len() + part.len())?;
                if i > 0 {
                    out.push_str(text);
                }
                out.push_str(part);
            }
            out.into()
        }
        "startswith" => affix(args, |t, a| t.starts_with(a))?,
        "endswith" => affix(args, |t, a| t.ends_with(a))?,
        "find" => {
            let part = args.text("part")?;
            let at = text.find(&part).map(|i| text[..i].chars().count() as i64);
            at.unwrap_or(-1).into()
        }
        "count" => {
            let part = args.text("part")?;
            let count = if part.is_empty() {
                text.chars().count() + 1
            } else {
                text.matches(&part).count()
            };
            count.into()
        }
        "isdigit" | "isnumeric" | "isdecimal" => every(char::is_numeric),
        "isalpha" => every(char::is_alphabetic),
        "isalnum" => every(char::is_alphanumeric),
        "isspace" => every(is_py_space),
        "isupper" | "islower" => {
            let wrong: fn(char) -> bool = if name == "isupper" {
                char::is_lowercase
            } else {
                char::is_uppercase
            };
            let cased = text.chars().any(|c| c.is_uppercase() || c.is_lowercase());
            (cased && !text.chars().any(wrong)).into()
        }
        _ => return Ok(None),
    }))
}

fn split(vm: &mut Vm<'_>, text: &str, args: &mut Arguments) -> Outcome<Val> {
    let separator = args.take("sep").filter(|v| !v.is_null());
    let most = match args.int_or("maxsplit", -1)? {
        n if n < 0 => usize::MAX,
        n => usize::try_from(n)
            .unwrap_or(usize::MAX - 1)
            .saturating_add(1),
    };
    let parts: Vec<Value> = match separator {
        None => {
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
        Some(Value::Str(s)) => text.splitn(most, &*s).map(Value::from).collect(),
        Some(other) => return Err(format!("{} is no separator", described(&other))),
    };
    vm.spend(parts.len())?;
    Ok(Value::from(parts).into())
}

/// The text without some characters at its ends; blanks unless told otherwise.
pub(super) fn strip(text: &str, chars: Option<&Value>, start: bool, end: bool) -> Outcome<String> {
    let unwanted: Box<dyn Fn(char) -> bool> = match chars {
        None | Some(Value::Null) => Box::new(is_py_space),
        Some(Value::Str(set)) => {
            let set = set.clone();
            Box::new(move |c| set.contains(c))
        }
        Some(other) => return Err(format!("{} is no set of characters", described(other))),
    };
    let mut text = text;
    if start {
        text = text.trim_start_matches(&*unwanted);
    }
    if end {
        text = text.trim_end_matches(&*unwanted);
    }
    Ok(text.to_owned())
}

/// Replaces the first `count` places, or all when it is negative.
pub(super) fn replace(
    vm: &mut Vm<'_>,
    text: &str,
    old: &str,
    new: &str,
    count: i64,
) -> Outcome<String> {
    let places = if old.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(old).count()
    };
    let places = usize::try_from(count).map_or(places, |n| n.min(places));
    let longer = new.len().saturating_mul(places);
    vm.grow(text.len().saturating_add(longer))?;
    Ok(text.replacen(old, new, places))
}

pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) => c.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase(),
        None => String::new(),
    }
}

/// A capital after everything that is no letter.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}
