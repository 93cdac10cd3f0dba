//! Values as cells of a table, and back.
//!
//! What a cell cannot hold is written as JSON; text that looks like JSON is read as such.

use bytes::Bytes;
use nodetool_sdk::Value;
use rusqlite::types::{Value as Cell, ValueRef};

/// A value to bind.
pub(super) fn written(value: &Value) -> Result<Cell, String> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(yes) => Cell::Integer(i64::from(*yes)),
        Value::Int(number) => Cell::Integer(*number),
        Value::Float(number) => Cell::Real(*number),
        Value::Str(text) => Cell::Text(text.to_string()),
        Value::Bytes(bytes) => Cell::Blob(bytes.to_vec()),
        Value::List(_) | Value::Map(_) => {
            let text = serde_json::to_string(value);
            Cell::Text(text.map_err(|e| format!("cannot be written as JSON: {e}"))?)
        }
    })
}

/// A cell that was read.
pub(super) fn read(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => {
            let text = String::from_utf8_lossy(text);
            json(&text).unwrap_or_else(|| Value::from(&*text))
        }
        ValueRef::Blob(bytes) => Bytes::copy_from_slice(bytes).into(),
    }
}

/// What the cell was written from, where it was a list or an object.
fn json(text: &str) -> Option<Value> {
    let bare = text.trim();
    let looks_so = (bare.starts_with('{') && bare.ends_with('}'))
        || (bare.starts_with('[') && bare.ends_with(']'));
    looks_so.then(|| serde_json::from_str(bare).ok()).flatten()
}

/// Bytes of a cell.
pub(super) fn size(cell: ValueRef<'_>) -> usize {
    match cell {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_written() {
        let nested: Value = serde_json::from_str(r#"{"a":[1,null]}"#).unwrap();
        for value in [
            Value::Null,
            3i64.into(),
            0.5.into(),
            "a [b]".into(),
            nested,
            Bytes::from_static(b"\0\xff").into(),
        ] {
            let cell = written(&value).unwrap();
            assert_eq!(read(ValueRef::from(&cell)), value);
        }
        assert_eq!(read(ValueRef::Text(b"[not json]")), "[not json]".into());
        assert_eq!(written(&true.into()), Ok(Cell::Integer(1)));
    }
}
