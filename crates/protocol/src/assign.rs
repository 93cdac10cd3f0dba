//! Fitting a value to a declared type: what is accepted, how it is converted, and the words of the refusal.
//!
//! It must not know nodes or properties. Source: engine spec 2.4 and 2.5 with FIX-8, FIX-9 and FIX-10.

use std::sync::Arc;

use crate::catalogue;
use crate::data_uri::decode_data_uri;
use crate::types::TypeMetadata;
use crate::value::{Map, Value};

/// Why a value does not fit; the text names what was expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{kind} {shown} (expected {expected})")]
pub struct Misfit {
    /// Shape of the value that came.
    pub kind: &'static str,
    /// The value, cut short.
    pub shown: String,
    /// The declared type.
    pub expected: String,
}

impl TypeMetadata {
    /// Fits `value` to this type, converting where the rules say so.
    ///
    /// Integral floats become ints for `int`; a scalar becomes a one-item list for `list[T]`; an object without a
    /// `type` tag gets the tag of a structured type. Null is accepted only by `any`, `none` and optional types:
    /// callers decide what null means for a property (its default).
    pub fn assign(&self, value: Value) -> Result<Value, Misfit> {
        self.try_assign(value).map_err(|v| Misfit {
            kind: v.kind(),
            shown: v.preview(80),
            expected: self.to_string(),
        })
    }

    /// Whether [`assign`](Self::assign) would take the value.
    pub fn accepts(&self, value: &Value) -> bool {
        self.try_assign(value.clone()).is_ok()
    }

    fn try_assign(&self, value: Value) -> Result<Value, Value> {
        match (&*self.name, &value) {
            ("any", _) => Ok(value),
            (_, Value::Null) if self.optional => Ok(value),
            ("none", Value::Null) => Ok(value),
            ("int", Value::Int(_)) => Ok(value),
            ("int", Value::Float(f)) if f.fract() == 0.0 && f.abs() < 9.2e18 => {
                Ok(Value::Int(*f as i64))
            }
            ("float", Value::Int(_) | Value::Float(_) | Value::Bool(_)) => Ok(value),
            ("str", Value::Str(_)) | ("bool", Value::Bool(_)) | ("bytes", Value::Bytes(_)) => {
                Ok(value)
            }
            ("bytes", Value::Str(uri)) => decode_data_uri(uri).ok_or(value),
            ("union", _) => self.assign_union(value),
            ("enum", _) => {
                if self
                    .values
                    .as_ref()
                    .is_some_and(|members| members.contains(&value))
                {
                    Ok(value)
                } else {
                    Err(value)
                }
            }
            ("list", _) => self.assign_list(value),
            ("tuple", Value::List(items)) => {
                let ok = self.type_args.is_empty()
                    || (self.type_args.len() == items.len()
                        && self
                            .type_args
                            .iter()
                            .zip(items.iter())
                            .all(|(t, v)| t.accepts(v)));
                if ok { Ok(value) } else { Err(value) }
            }
            ("dict", Value::Map(_)) => self.assign_dict(value),
            ("object", Value::Map(m)) if m.contains_key("type") => Ok(value),
            (
                "int" | "float" | "str" | "bool" | "bytes" | "none" | "dict" | "object" | "tuple",
                _,
            ) => Err(value),
            (name, _) if name.starts_with("comfy.") => Ok(value),
            (name, Value::Map(map)) => match map.get("type") {
                Some(Value::Str(tag)) if **tag == *name || catalogue::is_subtype(tag, name) => {
                    Ok(value)
                }
                Some(_) => Err(value),
                None => catalogue::tag_untyped(name, map).ok_or(value),
            },
            (_, _) => Err(value),
        }
    }

    fn assign_union(&self, value: Value) -> Result<Value, Value> {
        // A member of the very shape wins over one that would convert: 2.0 stays a float in union[int, float].
        let exact = self.type_args.iter().find(|t| match &value {
            Value::Int(_) => t.is("int"),
            Value::Float(_) => t.is("float"),
            Value::List(_) => t.is("list"),
            _ => false,
        });
        if let Some(Ok(v)) = exact.map(|t| t.try_assign(value.clone())) {
            return Ok(v);
        }
        self.type_args
            .iter()
            .find_map(|t| t.try_assign(value.clone()).ok())
            .ok_or(value)
    }

    fn assign_list(&self, value: Value) -> Result<Value, Value> {
        let element = self.type_args.first();
        match (&value, element) {
            (Value::List(_), None) => Ok(value),
            (Value::List(_), Some(t)) if t.is("any") => Ok(value),
            (Value::List(items), Some(t)) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items.iter() {
                    match t.try_assign(item.clone()) {
                        Ok(v) => out.push(v),
                        Err(_) => return Err(value),
                    }
                }
                Ok(out.into())
            }
            (Value::Null, _) | (_, None) => Err(value),
            (_, Some(t)) => t.try_assign(value).map(|v| Value::from(vec![v])),
        }
    }

    fn assign_dict(&self, value: Value) -> Result<Value, Value> {
        let [key, item] = self.type_args.as_slice() else {
            return Ok(value);
        };
        if (key.is("str") || key.is("any")) && item.is("any") {
            return Ok(value);
        }
        let Value::Map(map) = &value else {
            return Err(value);
        };
        let mut out = Map::with_capacity(map.len());
        for (k, v) in map.iter() {
            if !key.accepts(&Value::Str(k.clone())) && !key.is("int") {
                return Err(value);
            }
            match item.try_assign(v.clone()) {
                Ok(v) => out.insert(k.clone(), v),
                Err(_) => return Err(value),
            };
        }
        Ok(Value::Map(Arc::new(out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(ty: &str, json: &str) -> Result<String, String> {
        let value: Value = serde_json::from_str(json).unwrap();
        ty.parse::<TypeMetadata>()
            .unwrap()
            .assign(value)
            .map(|v| serde_json::to_string(&v).unwrap())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn values_are_converted_only_where_the_rules_say_so() {
        for (ty, json, want) in [
            ("int", "3.0", Some("3")),
            ("int", "3.5", None),
            ("int", "true", None),
            ("int", "\"3\"", None),
            ("float", "3", Some("3")),
            ("float", "true", Some("true")),
            ("union[int,float]", "2.0", Some("2.0")),
            ("union[int,str]", "2.0", Some("2")),
            ("list[str]", "\"a\"", Some("[\"a\"]")),
            ("list", "\"a\"", None),
            ("list[int]", "[1, 2.0]", Some("[1,2]")),
            ("list[int]", "[\"x\"]", None),
            ("dict", "{\"type\":\"image\"}", Some("{\"type\":\"image\"}")),
            (
                "union[str,dict]",
                "{\"type\":\"x\"}",
                Some("{\"type\":\"x\"}"),
            ),
            (
                "image",
                "{\"type\":\"image\",\"uri\":\"u\"}",
                Some("{\"type\":\"image\",\"uri\":\"u\"}"),
            ),
            ("image", "{\"type\":\"audio\"}", None),
            (
                "image",
                "{\"uri\":\"u\"}",
                Some("{\"type\":\"image\",\"uri\":\"u\"}"),
            ),
            ("image", "\"u\"", None),
            (
                "hf.unheard_of",
                "{\"type\":\"hf.unheard_of\",\"x\":1}",
                Some("{\"type\":\"hf.unheard_of\",\"x\":1}"),
            ),
            ("str?", "null", Some("null")),
            ("str", "null", None),
            ("object", "3", None),
        ] {
            assert_eq!(assign(ty, json).ok().as_deref(), want, "{json} to {ty}");
        }
    }

    #[test]
    fn a_refusal_names_the_value_and_the_type() {
        assert_eq!(
            assign("int", "\"x\"").unwrap_err(),
            "str \"x\" (expected int)"
        );
    }
}
