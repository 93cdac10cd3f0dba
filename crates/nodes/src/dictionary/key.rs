//! Values as keys: dictionaries on the wire have text keys only. It must not know any node.

use std::sync::Arc;

use nodetool_sdk::Value;
use nodetool_sdk::compat::py_float;

/// The key as JSON writes it: `1`, `1.5`, `true`, `null`. Lists, dictionaries and bytes cannot be keys.
pub(super) fn key_text(value: &Value) -> Option<Arc<str>> {
    Some(match value {
        Value::Str(s) => s.clone(),
        Value::Int(i) => i.to_string().into(),
        Value::Float(f) => py_float(*f).into(),
        Value::Bool(b) => b.to_string().into(),
        Value::Null => "null".into(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

/// The refusal of a value that cannot be a key.
pub(super) fn no_key(value: &Value) -> String {
    format!(
        "{} {} cannot be a key (expected text, a number, a boolean or null)",
        value.kind(),
        value.preview(40)
    )
}
