//! `nodetool.dictionary.FilterDictByValue`.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Value, ValueType};

use super::Kept;
use crate::extent;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Which test.
#[derive(Clone, Copy, ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.dictionary.FilterDictByValue.FilterType")]
pub(super) enum FilterType {
    Contains,
    StartsWith,
    EndsWith,
    Equals,
    TypeIs,
    LengthGreater,
    LengthLess,
    ExactLength,
}

/// Passes the dictionaries of a stream whose field, as text, stands a test.
/// dictionary, filter, text, contains, type, length, stream
///
/// Types go by their Python or JavaScript names. Dictionaries without the field are left out.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", kind = Pipe)]
pub(super) struct FilterDictByValue {
    /// The dictionaries.
    #[prop(ty = "dict", default = nodetool_sdk::Map::new())]
    value: Value,
    /// The field.
    key: String,
    /// Which test.
    filter_type: FilterType,
    /// The text, type name or length to compare with.
    criteria: String,
}

impl StreamFilter for FilterDictByValue {
    const SETTINGS: &'static [&'static str] = &["key", "filter_type", "criteria"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "key" => self.key = setting(handle, value)?,
            "filter_type" => self.filter_type = setting(handle, value)?,
            _ => self.criteria = setting(handle, value)?,
        }
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, _: &NodeCx) -> bool {
        item.get(&self.key)
            .is_some_and(|field| passes(field, self.filter_type, &self.criteria))
    }
}

fn passes(field: &Value, test: FilterType, criteria: &str) -> bool {
    let length = || criteria.trim().parse::<usize>().ok().zip(length(field));
    match test {
        FilterType::TypeIs => type_names(field).contains(&criteria),
        FilterType::LengthGreater => length().is_some_and(|(want, is)| is > want),
        FilterType::LengthLess => length().is_some_and(|(want, is)| is < want),
        FilterType::ExactLength => length().is_some_and(|(want, is)| is == want),
        FilterType::Contains => text(field).is_some_and(|t| t.contains(criteria)),
        FilterType::StartsWith => text(field).is_some_and(|t| t.starts_with(criteria)),
        FilterType::EndsWith => text(field).is_some_and(|t| t.ends_with(criteria)),
        FilterType::Equals => text(field).is_some_and(|t| t == criteria),
    }
}

/// The field as Python prints it; nothing when that would be too long.
pub(super) fn text(field: &Value) -> Option<String> {
    extent::text("value", field, 0).ok().map(|_| py_str(field))
}

/// Items of what has items, characters of everything else as text.
fn length(field: &Value) -> Option<usize> {
    match field {
        Value::List(items) => Some(items.len()),
        Value::Map(map) => Some(map.len()),
        Value::Bytes(bytes) => Some(bytes.len()),
        Value::Str(s) => Some(s.chars().count()),
        other => text(other).map(|t| t.chars().count()),
    }
}

/// What Python and JavaScript call the type.
fn type_names(field: &Value) -> [&'static str; 2] {
    match field {
        Value::Null => ["NoneType", "object"],
        Value::Bool(_) => ["bool", "boolean"],
        Value::Int(_) => ["int", "number"],
        Value::Float(_) => ["float", "number"],
        Value::Str(_) => ["str", "string"],
        Value::Bytes(_) => ["bytes", "object"],
        Value::List(_) => ["list", "object"],
        Value::Map(_) => ["dict", "object"],
    }
}

impl Pipe for FilterDictByValue {
    type Output = Kept;

    async fn pipe(
        mut self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Kept>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let configured = std::mem::take(&mut self.value);
        sift(self, configured, inputs, out, cx, Kept::new).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_tested_as_python_prints_them() {
        let list = Value::list([1i64.into(), "é".into()]);
        for (field, test, criteria, want) in [
            (Value::Bool(true), FilterType::Equals, "True", true),
            (Value::Float(1.0), FilterType::EndsWith, ".0", true),
            (list.clone(), FilterType::Contains, "'é'", true),
            (list, FilterType::ExactLength, "2", true),
            (Value::from("éé"), FilterType::LengthLess, "3", true),
            (Value::from("éé"), FilterType::LengthGreater, "x", false),
            (Value::Int(1), FilterType::TypeIs, "int", true),
            (Value::Int(1), FilterType::TypeIs, "number", true),
            (Value::Int(1), FilterType::TypeIs, "string", false),
        ] {
            assert_eq!(passes(&field, test, criteria), want, "{field:?} {criteria}");
        }
    }
}
