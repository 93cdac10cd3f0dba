//! `lib.json.GetJSONPathStr`, `…Int`, `…Float`, `…Bool`, `…List` and `…Dict`: one value out of nested data, by a dotted
//! path such as `orders.0.city`.

use std::sync::Arc;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value, compat::py_str};

use super::document::weigh;

/// The value at a dotted path; nothing where it is missing or null. Empty steps are skipped, so `.a` means `a`.
fn find<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = data;
    for step in path.split('.').filter(|s| !s.is_empty()) {
        at = match at {
            Value::Map(map) => map.get(step)?,
            Value::List(items) if step.bytes().all(|b| b.is_ascii_digit()) => {
                items.get(step.parse::<usize>().ok()?)?
            }
            _ => return None,
        };
    }
    Some(at).filter(|v| !v.is_null())
}

fn not(found: &Value, path: &str, expected: &str) -> NodeError {
    NodeError::bad(
        "path",
        format!(
            "at {path:?} is {} {} (expected {expected})",
            found.kind(),
            found.preview(80)
        ),
    )
}

/// Takes text out of nested data.
/// json, path, extract, text, nested, field
///
/// Numbers and other values become text; a missing one gives the default.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct GetJSONPathStr {
    /// Where to look.
    #[prop(default = Map::new())]
    data: Value,
    /// Keys and list positions, with dots between.
    path: String,
    /// What a missing value gives.
    default: String,
}

impl Process for GetJSONPathStr {
    type Output = Arc<str>;

    async fn process(self, _: &NodeCx) -> Result<Arc<str>, NodeError> {
        Ok(match find(&self.data, &self.path) {
            None => self.default.into(),
            Some(Value::Str(text)) => text.clone(),
            Some(found) => {
                weigh(found, 0).map_err(|e| NodeError::bad("data", e))?;
                py_str(found).into()
            }
        })
    }
}

/// Takes a whole number out of nested data.
/// json, path, extract, integer, number, nested
///
/// Text and fractions are converted; what is there and no number is an error.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct GetJSONPathInt {
    /// Where to look.
    #[prop(default = Map::new())]
    data: Value,
    /// Keys and list positions, with dots between.
    path: String,
    /// What a missing value gives.
    default: i64,
}

impl Process for GetJSONPathInt {
    type Output = i64;

    async fn process(self, _: &NodeCx) -> Result<i64, NodeError> {
        let Some(found) = find(&self.data, &self.path) else {
            return Ok(self.default);
        };
        match found {
            Value::Int(i) => Some(*i),
            Value::Bool(b) => Some(i64::from(*b)),
            Value::Float(f) if f.abs() < 9.2e18 => Some(*f as i64),
            Value::Str(s) => s.trim().parse().ok(),
            _ => None,
        }
        .ok_or_else(|| not(found, &self.path, "int"))
    }
}

/// Takes a number out of nested data.
/// json, path, extract, float, decimal, number, nested
///
/// Text is converted; what is there and no number is an error.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct GetJSONPathFloat {
    /// Where to look.
    #[prop(default = Map::new())]
    data: Value,
    /// Keys and list positions, with dots between.
    path: String,
    /// What a missing value gives.
    default: f64,
}

impl Process for GetJSONPathFloat {
    type Output = f64;

    async fn process(self, _: &NodeCx) -> Result<f64, NodeError> {
        let Some(found) = find(&self.data, &self.path) else {
            return Ok(self.default);
        };
        match found {
            Value::Bool(b) => Some(f64::from(*b)),
            Value::Str(s) => s.trim().parse().ok(),
            other => other.as_f64(),
        }
        .ok_or_else(|| not(found, &self.path, "float"))
    }
}

/// Takes a yes or no out of nested data.
/// json, path, extract, boolean, flag, nested
///
/// Zero, empty text and empty lists and dicts count as no.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct GetJSONPathBool {
    /// Where to look.
    #[prop(default = Map::new())]
    data: Value,
    /// Keys and list positions, with dots between.
    path: String,
    /// What a missing value gives.
    default: bool,
}

impl Process for GetJSONPathBool {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(match find(&self.data, &self.path) {
            None => self.default,
            Some(Value::Null) => false,
            Some(Value::Bool(b)) => *b,
            Some(Value::Int(i)) => *i != 0,
            Some(Value::Float(f)) => *f != 0.0,
            Some(Value::Str(s)) => !s.is_empty(),
            Some(Value::Bytes(b)) => !b.is_empty(),
            Some(Value::List(items)) => !items.is_empty(),
            Some(Value::Map(map)) => !map.is_empty(),
        })
    }
}

/// Takes a list out of nested data.
/// json, path, extract, list, array, nested
///
/// What is missing or no list gives the default.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct GetJSONPathList {
    /// Where to look.
    #[prop(default = Map::new())]
    data: Value,
    /// Keys and list positions, with dots between.
    path: String,
    /// What a missing value gives.
    #[prop(ty = "list", default = Vec::<Value>::new())]
    default: Value,
}

/// The list.
#[derive(Outputs)]
pub(super) struct List {
    #[slot(ty = "list")]
    output: Value,
}

impl Process for GetJSONPathList {
    type Output = List;

    async fn process(self, _: &NodeCx) -> Result<List, NodeError> {
        let found = find(&self.data, &self.path).filter(|v| v.as_list().is_some());
        Ok(List {
            output: found.cloned().unwrap_or(self.default),
        })
    }
}

/// Takes a dictionary out of nested data.
/// json, path, extract, dictionary, object, nested
///
/// What is missing or no dictionary gives the default.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct GetJSONPathDict {
    /// Where to look.
    #[prop(default = Map::new())]
    data: Value,
    /// Keys and list positions, with dots between.
    path: String,
    /// What a missing value gives.
    #[prop(ty = "dict", default = Map::new())]
    default: Value,
}

/// The dictionary.
#[derive(Outputs)]
pub(super) struct Dict {
    #[slot(ty = "dict")]
    output: Value,
}

impl Process for GetJSONPathDict {
    type Output = Dict;

    async fn process(self, _: &NodeCx) -> Result<Dict, NodeError> {
        let found = find(&self.data, &self.path).filter(|v| v.as_map().is_some());
        Ok(Dict {
            output: found.cloned().unwrap_or(self.default),
        })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    fn data() -> Value {
        serde_json::from_str(r#"{"a":{"0":"key","l":[1,"2",{"x":null}],"f":3.9,"t":true,"e":[]}}"#)
            .unwrap()
    }

    #[test]
    fn dots_lead_through_dicts_and_lists() {
        let data = data();
        for (path, want) in [
            ("a.l.1", Some(Value::from("2"))),
            ("a.0", Some("key".into())),
            (".a..l.0", Some(1i64.into())),
            ("a.l.2.x", None),
            ("a.l.-1", None),
            ("a.l.99999999999999999999", None),
            ("a.l.x", None),
            ("a.f.x", None),
        ] {
            assert_eq!(find(&data, path), want.as_ref(), "{path}");
        }
    }

    #[tokio::test]
    async fn numbers_are_converted_or_refused_but_never_replaced_by_the_default() {
        let int = |path: &str| {
            case::<GetJSONPathInt>()
                .set("data", data())
                .set("path", path)
                .set("default", 7i64)
                .value()
        };
        assert_eq!(int("a.f").await.unwrap(), Value::Int(3));
        assert_eq!(int("a.l.1").await.unwrap(), Value::Int(2));
        assert_eq!(int("a.t").await.unwrap(), Value::Int(1));
        assert_eq!(int("a.nope").await.unwrap(), Value::Int(7));
        let error = int("a.0").await.unwrap_err().to_string();
        assert!(error.contains("`path`") && error.contains("expected int"));
    }

    #[tokio::test]
    async fn text_of_other_values_is_as_python_prints_it() {
        let text = |path: &str| {
            case::<GetJSONPathStr>()
                .set("data", data())
                .set("path", path)
                .value()
        };
        assert_eq!(text("a.t").await.unwrap(), Value::from("True"));
        assert_eq!(
            text("a.l").await.unwrap(),
            Value::from("[1, '2', {'x': None}]")
        );
    }

    #[tokio::test]
    async fn an_empty_list_is_false_and_a_missing_one_the_default() {
        let flag = |path: &str| {
            case::<GetJSONPathBool>()
                .set("data", data())
                .set("path", path)
                .set("default", true)
                .value()
        };
        assert_eq!(flag("a.e").await.unwrap(), Value::Bool(false));
        assert_eq!(flag("a.x").await.unwrap(), Value::Bool(true));
    }
}
