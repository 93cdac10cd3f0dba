//! Rust types as property, input and output types.

use std::sync::Arc;

use bytes::Bytes;
use nodetool_protocol::{Map, TypeMetadata, Value};

/// A Rust type that values can be read into and written from.
pub trait ValueType: Sized + Send + 'static {
    /// How it is declared in metadata.
    fn type_metadata() -> TypeMetadata;
    /// Reads a value that was already fitted to the declared type.
    fn from_value(value: Value) -> Result<Self, String>;
    /// The value.
    fn into_value(self) -> Value;
    /// Default of a property of this type when none is declared.
    fn default_value() -> Value;
}

fn misfit(value: &Value, expected: &str) -> String {
    format!(
        "{} {} (expected {expected})",
        value.kind(),
        value.preview(80)
    )
}

impl ValueType for Value {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::any()
    }
    fn from_value(value: Value) -> Result<Self, String> {
        Ok(value)
    }
    fn into_value(self) -> Value {
        self
    }
    fn default_value() -> Value {
        Value::Null
    }
}

/// `none`: a slot that is declared and carries nothing.
impl ValueType for () {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("none")
    }
    fn from_value(_: Value) -> Result<Self, String> {
        Ok(())
    }
    fn into_value(self) -> Value {
        Value::Null
    }
    fn default_value() -> Value {
        Value::Null
    }
}

impl ValueType for bool {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("bool")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| misfit(&value, "bool"))
    }
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
    fn default_value() -> Value {
        Value::Bool(false)
    }
}

impl ValueType for i64 {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("int")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Int(i) => Ok(i),
            Value::Float(f) if f.fract() == 0.0 && f.abs() < 9.2e18 => Ok(f as i64),
            other => Err(misfit(&other, "int")),
        }
    }
    fn into_value(self) -> Value {
        Value::Int(self)
    }
    fn default_value() -> Value {
        Value::Int(0)
    }
}

impl ValueType for f64 {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("float")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Float(f) => Ok(f),
            Value::Int(i) => Ok(i as f64),
            Value::Bool(b) => Ok(f64::from(b)),
            other => Err(misfit(&other, "float")),
        }
    }
    fn into_value(self) -> Value {
        Value::Float(self)
    }
    fn default_value() -> Value {
        Value::Float(0.0)
    }
}

/// `int | float`: a number that stays what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Float(f64),
}

impl Number {
    /// The number as a float.
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        }
    }
}

impl ValueType for Number {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::with_args(
            "union",
            vec![TypeMetadata::new("int"), TypeMetadata::new("float")],
        )
    }
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Int(i) => Ok(Number::Int(i)),
            Value::Float(f) => Ok(Number::Float(f)),
            Value::Bool(b) => Ok(Number::Int(i64::from(b))),
            other => Err(misfit(&other, "int or float")),
        }
    }
    fn into_value(self) -> Value {
        match self {
            Number::Int(i) => Value::Int(i),
            Number::Float(f) => Value::Float(f),
        }
    }
    fn default_value() -> Value {
        Value::Int(0)
    }
}

impl ValueType for String {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("str")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| misfit(&value, "str"))
    }
    fn into_value(self) -> Value {
        Value::from(self)
    }
    fn default_value() -> Value {
        Value::from("")
    }
}

impl ValueType for Arc<str> {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("str")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Str(s) = value {
            Ok(s)
        } else {
            Err(misfit(&value, "str"))
        }
    }
    fn into_value(self) -> Value {
        Value::Str(self)
    }
    fn default_value() -> Value {
        Value::from("")
    }
}

impl ValueType for Bytes {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::new("bytes")
    }
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Bytes(b) = value {
            Ok(b)
        } else {
            Err(misfit(&value, "bytes"))
        }
    }
    fn into_value(self) -> Value {
        Value::Bytes(self)
    }
    fn default_value() -> Value {
        Value::Bytes(Bytes::new())
    }
}

/// `dict[str, any]`; declare `#[prop(ty = "dict")]` for the bare type.
impl ValueType for Map {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::with_args("dict", vec![TypeMetadata::new("str"), TypeMetadata::any()])
    }
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Map(m) = value {
            Ok(Arc::unwrap_or_clone(m))
        } else {
            Err(misfit(&value, "dict"))
        }
    }
    fn into_value(self) -> Value {
        Value::from(self)
    }
    fn default_value() -> Value {
        Value::from(Map::new())
    }
}

impl<T: ValueType> ValueType for Vec<T> {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::with_args("list", vec![T::type_metadata()])
    }
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::List(items) => match Arc::try_unwrap(items) {
                Ok(items) => items.into_iter().map(T::from_value).collect(),
                Err(shared) => shared.iter().cloned().map(T::from_value).collect(),
            },
            Value::Null => Ok(Vec::new()),
            other => T::from_value(other).map(|v| vec![v]),
        }
    }
    fn into_value(self) -> Value {
        Value::from(self.into_iter().map(T::into_value).collect::<Vec<_>>())
    }
    fn default_value() -> Value {
        Value::list([])
    }
}

impl<T: ValueType> ValueType for Option<T> {
    fn type_metadata() -> TypeMetadata {
        T::type_metadata().nullable()
    }
    fn from_value(value: Value) -> Result<Self, String> {
        if value.is_null() {
            Ok(None)
        } else {
            T::from_value(value).map(Some)
        }
    }
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
    fn default_value() -> Value {
        Value::Null
    }
}
