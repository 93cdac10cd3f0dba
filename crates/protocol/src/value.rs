//! The value that travels between nodes. Cloning is O(1) for every shape, so fan-out is free.
//!
//! It must not know types, graphs or nodes. Rules that are a contract:
//! * integers are 64-bit signed and exact on both codecs; a JSON or MessagePack integer outside that
//!   range becomes the nearest float;
//! * NaN and the infinities are exact in MessagePack and written as `null` in JSON, which has no word for them;
//! * bytes are MessagePack `bin`; in JSON they are written as a `data:application/octet-stream;base64,` URI.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::data_uri::encode_data_uri;

/// An ordered map from text to value: a JSON object, a Python dict.
pub type Map = IndexMap<Arc<str>, Value>;

/// Any value a handle can carry.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// Raw bytes.
    Bytes(Bytes),
    /// A sequence.
    List(Arc<Vec<Value>>),
    /// An object with string keys, in insertion order.
    Map(Arc<Map>),
}

impl Value {
    /// Text from anything that becomes shared text.
    pub fn str(s: impl Into<Arc<str>>) -> Self {
        Value::Str(s.into())
    }

    /// A list of the given values.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List(Arc::new(items.into_iter().collect()))
    }

    /// An object of the given pairs, in that order.
    pub fn map<K: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Self {
        Value::Map(Arc::new(
            pairs.into_iter().map(|(k, v)| (k.into(), v)).collect(),
        ))
    }

    /// Whether this is `Null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(b) = self {
            Some(*b)
        } else {
            None
        }
    }

    /// The integer, if it is one (a float is not).
    pub fn as_i64(&self) -> Option<i64> {
        if let Value::Int(i) = self {
            Some(*i)
        } else {
            None
        }
    }

    /// The number as a float, if it is an integer or a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(s) = self {
            Some(s)
        } else {
            None
        }
    }

    /// The bytes, if it is bytes.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        if let Value::Bytes(b) = self {
            Some(b)
        } else {
            None
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(l) = self {
            Some(l)
        } else {
            None
        }
    }

    /// The object, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        if let Value::Map(m) = self {
            Some(m)
        } else {
            None
        }
    }

    /// The member of an object, or nothing.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map().and_then(|m| m.get(key))
    }

    /// The `type` tag of a typed object such as `{"type":"image",…}`.
    pub fn type_tag(&self) -> Option<&str> {
        self.get("type").and_then(Value::as_str)
    }

    /// The word for this shape in messages to people.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Map(_) => "dict",
        }
    }

    /// Whether lists and objects stand in each other more than so many levels deep.
    pub fn deeper_than(&self, levels: usize) -> bool {
        let Some(left) = levels.checked_sub(1) else {
            return matches!(self, Value::List(_) | Value::Map(_));
        };
        match self {
            Value::List(items) => items.iter().any(|v| v.deeper_than(left)),
            Value::Map(map) => map.values().any(|v| v.deeper_than(left)),
            _ => false,
        }
    }

    /// About how many bytes of memory this holds: the lengths of texts and bytes, with a cell for each value, a few
    /// levels deep. For bounding what is kept, not for exact sums.
    pub fn weight(&self) -> usize {
        fn weigh(value: &Value, levels: u32) -> usize {
            const CELL: usize = size_of::<Value>();
            // A key, its hash and its place in the table.
            const ENTRY: usize = 2 * CELL;
            match value {
                Value::Str(s) => CELL + s.len(),
                Value::Bytes(b) => CELL + b.len(),
                Value::List(items) if levels > 0 => {
                    CELL + items.iter().map(|v| weigh(v, levels - 1)).sum::<usize>()
                }
                Value::List(items) => CELL * (1 + items.len()),
                Value::Map(map) if levels > 0 => map
                    .iter()
                    .map(|(k, v)| ENTRY + k.len() + weigh(v, levels - 1))
                    .sum::<usize>(),
                Value::Map(map) => CELL + ENTRY * map.len(),
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => CELL,
            }
        }
        weigh(self, 3)
    }

    /// A short rendering for error texts, cut to `max` characters.
    pub fn preview(&self, max: usize) -> String {
        let mut out = String::new();
        preview_into(self, max, &mut out);
        if out.chars().count() > max {
            out = out.chars().take(max).collect::<String>() + "…";
        }
        out
    }
}

fn preview_into(value: &Value, max: usize, out: &mut String) {
    use fmt::Write;
    if out.len() > max * 4 {
        return;
    }
    let _ = match value {
        Value::Null => write!(out, "null"),
        Value::Bool(b) => write!(out, "{b}"),
        Value::Int(i) => write!(out, "{i}"),
        Value::Float(f) => write!(out, "{f:?}"),
        Value::Str(s) => write!(out, "{:?}", s.chars().take(max).collect::<String>()),
        Value::Bytes(b) => write!(out, "<{} bytes>", b.len()),
        Value::List(items) => {
            out.push('[');
            for (i, v) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                preview_into(v, max, out);
                if out.len() > max * 4 {
                    break;
                }
            }
            write!(out, "]")
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (k, v)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                let _ = write!(out, "{k:?}: ");
                preview_into(v, max, out);
                if out.len() > max * 4 {
                    break;
                }
            }
            write!(out, "}}")
        }
    };
}

/// Equality by value as JSON sees it: `1` equals `1.0`, `true` does not equal `1`, NaN equals nothing.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => *a as f64 == *b,
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => Arc::ptr_eq(a, b) || a == b,
            (Value::Map(a), Value::Map(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => fmt::Debug::fmt(b, f),
            Value::Int(i) => fmt::Debug::fmt(i, f),
            Value::Float(x) => fmt::Debug::fmt(x, f),
            Value::Str(s) => fmt::Debug::fmt(s, f),
            Value::Bytes(b) => write!(f, "<{} bytes>", b.len()),
            Value::List(l) => f.debug_list().entries(l.iter()).finish(),
            Value::Map(m) => f.debug_map().entries(m.iter()).finish(),
        }
    }
}

macro_rules! from {
    ($($t:ty => $e:expr),* $(,)?) => {$(
        impl From<$t> for Value {
            fn from(v: $t) -> Self { ($e)(v) }
        }
    )*};
}
from! {
    bool => Value::Bool,
    i64 => Value::Int,
    i32 => |v| Value::Int(i64::from(v)),
    u32 => |v| Value::Int(i64::from(v)),
    usize => |v| i64::try_from(v).map_or(Value::Float(v as f64), Value::Int),
    f64 => Value::Float,
    &str => |v: &str| Value::Str(v.into()),
    String => |v: String| Value::Str(v.into()),
    Arc<str> => Value::Str,
    Bytes => Value::Bytes,
    Map => |v| Value::Map(Arc::new(v)),
    Vec<Value> => |v| Value::List(Arc::new(v)),
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => s.serialize_unit(),
            Value::Bool(b) => s.serialize_bool(*b),
            Value::Int(i) => s.serialize_i64(*i),
            Value::Float(f) => s.serialize_f64(*f),
            Value::Str(t) => s.serialize_str(t),
            Value::Bytes(b) if s.is_human_readable() => {
                s.serialize_str(&encode_data_uri("application/octet-stream", b))
            }
            Value::Bytes(b) => s.serialize_bytes(b),
            Value::List(items) => {
                let mut seq = s.serialize_seq(Some(items.len()))?;
                for v in items.iter() {
                    seq.serialize_element(v)?;
                }
                seq.end()
            }
            Value::Map(map) => {
                let mut out = s.serialize_map(Some(map.len()))?;
                for (k, v) in map.iter() {
                    out.serialize_entry(&**k, v)?;
                }
                out.end()
            }
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON or MessagePack value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        Value::deserialize(d)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Int(v))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(i64::try_from(v).map_or(Value::Float(v as f64), Value::Int))
    }
    fn visit_i128<E>(self, v: i128) -> Result<Value, E> {
        Ok(i64::try_from(v).map_or(Value::Float(v as f64), Value::Int))
    }
    fn visit_u128<E>(self, v: u128) -> Result<Value, E> {
        Ok(i64::try_from(v).map_or(Value::Float(v as f64), Value::Int))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Float(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::Str(v.into()))
    }
    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::Str(v.into()))
    }
    fn visit_bytes<E>(self, v: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(Bytes::copy_from_slice(v)))
    }
    fn visit_byte_buf<E>(self, v: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(v.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(4096));
        while let Some(v) = seq.next_element()? {
            items.push(v);
        }
        Ok(items.into())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::with_capacity(access.size_hint().unwrap_or(0).min(4096));
        while let Some(Key(k)) = access.next_key()? {
            map.insert(k, access.next_value()?);
        }
        Ok(map.into())
    }
}

/// A map key: text, or a number or boolean written as text (MessagePack allows any key).
struct Key(Arc<str>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Value::deserialize(d)? {
            Value::Str(s) => Ok(Key(s)),
            Value::Int(i) => Ok(Key(i.to_string().into())),
            Value::Bool(b) => Ok(Key(b.to_string().into())),
            other => Err(de::Error::custom(format_args!(
                "object keys must be text, not {}",
                other.kind()
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ValueVisitor)
    }
}

#[cfg(test)]
mod tests;
