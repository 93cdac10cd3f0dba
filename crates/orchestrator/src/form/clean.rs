//! One value as its field takes it, or what people are told. Numbers and texts are read as Python reads them.

use std::fmt::Display;
use std::sync::Arc;

use nodetool_sdk::Value;
use nodetool_sdk::compat::{is_py_space, json_dumps, py_float, py_str};
use nodetool_sdk::steps::{FieldKind, FieldSpec};

use super::is_empty;

pub(super) const REQUIRED: &str = "This field is required.";
const NO_INTEGER: &str = "Enter a whole number.";
const NO_NUMBER: &str = "Enter a number.";

type Cleaned = Result<Value, String>;

/// Reads a value as its field takes it: type, range, length and choice. An empty optional number is null, an empty
/// optional text is empty.
///
/// # Errors
/// What people are told.
pub fn clean(field: &FieldSpec, raw: Option<&Value>) -> Result<Value, String> {
    let value = match &field.kind {
        FieldKind::Text { max } | FieldKind::Password { max } => text(field, raw, *max)?,
        FieldKind::Textarea { .. } => text(field, raw, None)?,
        FieldKind::Integer { min, max } => integer(raw, *min, *max)?,
        FieldKind::Float { min, max } => float(raw, *min, *max)?,
        FieldKind::Boolean => return Ok(Value::Bool(flag(raw))),
        FieldKind::Choice(choices) => choice(field, raw, choices)?,
        FieldKind::Dependent(_) | FieldKind::BrowserPool(_) => match raw {
            raw if is_empty(raw) => Value::from(""),
            raw => Value::Str(text_of(field, raw)),
        },
    };
    if field.required && is_empty(Some(&value)) {
        return Err(REQUIRED.into());
    }
    Ok(value)
}

/// A value as text, as templates and text fields see it: JSON in a JSON field, else as Python prints it.
pub(super) fn text_of(field: &FieldSpec, raw: Option<&Value>) -> Arc<str> {
    match raw {
        raw if is_empty(raw) => "".into(),
        None | Some(Value::Null) => "".into(),
        Some(Value::Str(text)) => text.clone(),
        Some(other) => match field.kind {
            FieldKind::Textarea { json: true, .. } => json_dumps(other, false, None).into(),
            _ => py_str(other).into(),
        },
    }
}

fn text(field: &FieldSpec, raw: Option<&Value>, max: Option<usize>) -> Cleaned {
    let text = text_of(field, raw);
    let trimmed = text.trim_matches(is_py_space);
    if trimmed.contains('\0') {
        return Err("Null characters are not allowed.".into());
    }
    if let Some(max) = max {
        let length = trimmed.chars().count();
        if length > max {
            let noun = if max == 1 { "character" } else { "characters" };
            return Err(format!(
                "Ensure this value has at most {max} {noun} (it has {length})."
            ));
        }
    }
    if trimmed.len() == text.len() {
        return Ok(Value::Str(text));
    }
    Ok(trimmed.into())
}

fn integer(raw: Option<&Value>, min: Option<i64>, max: Option<i64>) -> Cleaned {
    let number = match raw {
        raw if is_empty(raw) => return Ok(Value::Null),
        Some(Value::Int(n)) => *n,
        #[expect(clippy::cast_possible_truncation, reason = "whole and far within i64")]
        Some(Value::Float(n)) if n.fract() == 0.0 && n.abs() < 9e15 => *n as i64,
        Some(Value::Str(text)) => match whole(text.trim_matches(is_py_space)) {
            Some(Whole::Is(n)) => n,
            Some(Whole::Above) => return Err(too_large(max.unwrap_or(i64::MAX))),
            Some(Whole::Below) => return Err(too_small(min.unwrap_or(i64::MIN))),
            None => return Err(NO_INTEGER.into()),
        },
        _ => return Err(NO_INTEGER.into()),
    };
    if let Some(min) = min.filter(|min| number < *min) {
        return Err(too_small(min));
    }
    if let Some(max) = max.filter(|max| number > *max) {
        return Err(too_large(max));
    }
    Ok(number.into())
}

enum Whole {
    Is(i64),
    Above,
    Below,
}

/// `1`, `+1`, `1.00`, `1_000`; nothing else.
fn whole(text: &str) -> Option<Whole> {
    let text = match text.split_once('.') {
        Some((whole, zeros)) if zeros.chars().all(|c| c == '0') => whole,
        Some(_) => return None,
        None => text,
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let grouped = digits
        .split('_')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !grouped {
        return None;
    }
    Some(match text.replace('_', "").parse() {
        Ok(n) => Whole::Is(n),
        Err(_) if text.starts_with('-') => Whole::Below,
        Err(_) => Whole::Above,
    })
}

fn float(raw: Option<&Value>, min: Option<f64>, max: Option<f64>) -> Cleaned {
    let number = match raw {
        raw if is_empty(raw) => return Ok(Value::Null),
        #[expect(clippy::cast_precision_loss, reason = "numbers people type")]
        Some(Value::Int(n)) => *n as f64,
        Some(Value::Float(n)) => *n,
        Some(Value::Str(text)) => text
            .trim_matches(is_py_space)
            .parse()
            .map_err(|_| NO_NUMBER.to_owned())?,
        _ => return Err(NO_NUMBER.into()),
    };
    if !number.is_finite() {
        return Err(NO_NUMBER.into());
    }
    if let Some(min) = min.filter(|min| number < *min) {
        return Err(too_small(py_float(min)));
    }
    if let Some(max) = max.filter(|max| number > *max) {
        return Err(too_large(py_float(max)));
    }
    Ok(number.into())
}

fn flag(raw: Option<&Value>) -> bool {
    match raw {
        Some(Value::Str(text)) => {
            let text = text.trim_matches(is_py_space);
            !(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false"))
        }
        Some(value) => crate::condition::truth(value),
        None => false,
    }
}

fn choice(field: &FieldSpec, raw: Option<&Value>, choices: &[(&str, &str)]) -> Cleaned {
    let text = text_of(field, raw);
    if text.is_empty() || choices.iter().any(|(value, _)| *value == &*text) {
        return Ok(Value::Str(text));
    }
    let shown: String = text.chars().take(200).collect();
    Err(format!(
        "Select a valid choice. {shown} is not one of the available choices."
    ))
}

fn too_small(min: impl Display) -> String {
    format!("Ensure this value is greater than or equal to {min}.")
}

fn too_large(max: impl Display) -> String {
    format!("Ensure this value is less than or equal to {max}.")
}
