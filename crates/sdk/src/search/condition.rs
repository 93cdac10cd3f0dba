//! What the metadata of a document must be: `{"key": value}`, `{"key": {"$gt": 3}}`, `{"$and": […]}`, `{"$or": […]}`.
//!
//! Several keys of one object have to hold together. A key that is absent equals nothing: `$ne` and `$nin` hold, all
//! others do not. It must not know where the metadata comes from.

use std::cmp::Ordering;
use std::sync::Arc;

use nodetool_protocol::{Map, Value};

/// Deepest nesting of `$and` and `$or`.
const MAX_DEPTH: usize = 16;
/// Most comparisons, and most values of `$in` and `$nin` together.
const MAX_TERMS: usize = 2000;

/// A condition that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct BadCondition {
    /// Where in the condition, such as `$and[1].year.$gt`.
    pub place: String,
    /// What is wrong and what was expected.
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equal(Value),
    NotEqual(Value),
    /// The order of what is there and the value must be one of two.
    Ordered(Value, [Ordering; 2]),
    In(Vec<Value>),
    NotIn(Vec<Value>),
}

/// A condition that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    All(Vec<Kind>),
    Any(Vec<Kind>),
    Key(Arc<str>, Test),
}

struct Reader {
    terms: usize,
}

impl Condition {
    /// Reads a condition; an empty object is one that always holds.
    ///
    /// # Errors
    /// Naming the key that is wrong.
    pub fn read(value: &Value) -> Result<Self, BadCondition> {
        let mut reader = Reader { terms: 0 };
        reader.object(value, "where", "", 0).map(Condition)
    }

    /// Whether it holds for some metadata.
    #[must_use]
    pub fn holds(&self, metadata: &Map) -> bool {
        self.0.holds(metadata)
    }
}

impl Kind {
    fn holds(&self, metadata: &Map) -> bool {
        match self {
            Kind::All(parts) => parts.iter().all(|p| p.holds(metadata)),
            Kind::Any(parts) => parts.iter().any(|p| p.holds(metadata)),
            Kind::Key(key, test) => {
                let found = metadata.get(key).filter(|v| !v.is_null());
                match test {
                    Test::Equal(value) => found.is_some_and(|f| equal(f, value)),
                    Test::NotEqual(value) => !found.is_some_and(|f| equal(f, value)),
                    Test::Ordered(value, wanted) => found
                        .and_then(|f| order(f, value))
                        .is_some_and(|o| wanted.contains(&o)),
                    Test::In(values) => found.is_some_and(|f| values.iter().any(|v| equal(f, v))),
                    Test::NotIn(values) => {
                        !found.is_some_and(|f| values.iter().any(|v| equal(f, v)))
                    }
                }
            }
        }
    }
}

/// How two numbers or two texts stand to each other; nothing for other pairs.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        _ => order(a, b) == Some(Ordering::Equal),
    }
}

fn bad<T>(place: &str, reason: impl Into<String>) -> Result<T, BadCondition> {
    // A key may be of any length, and the place is for people.
    let place = place.chars().take(200).collect();
    let reason = reason.into();
    Err(BadCondition { place, reason })
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

impl Reader {
    fn count(&mut self, terms: usize, place: &str) -> Result<(), BadCondition> {
        self.terms += terms;
        if self.terms > MAX_TERMS {
            return bad(
                place,
                format!("more than {MAX_TERMS} comparisons and values"),
            );
        }
        Ok(())
    }

    /// `name` is what an unnamed place is called.
    fn object(
        &mut self,
        value: &Value,
        name: &str,
        place: &str,
        depth: usize,
    ) -> Result<Kind, BadCondition> {
        let here = if place.is_empty() { name } else { place };
        if depth > MAX_DEPTH {
            return bad(here, format!("nested more than {MAX_DEPTH} deep"));
        }
        let Value::Map(map) = value else {
            let got = value.kind();
            return bad(here, format!("expected an object of conditions, got {got}"));
        };
        let mut parts = Vec::new();
        for (key, value) in map.iter() {
            let place = join(place, key);
            self.count(1, &place)?;
            parts.push(match &**key {
                "$and" => Kind::All(self.list(value, &place, depth)?),
                "$or" => Kind::Any(self.list(value, &place, depth)?),
                k if k.starts_with('$') => {
                    return bad(
                        &place,
                        "is no operator here; expected a key, `$and` or `$or`",
                    );
                }
                _ => self.key(key, value, &place)?,
            });
        }
        Ok(match <[Kind; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) => Kind::All(parts),
        })
    }

    fn list(
        &mut self,
        value: &Value,
        place: &str,
        depth: usize,
    ) -> Result<Vec<Kind>, BadCondition> {
        let items = value.as_list().filter(|items| !items.is_empty());
        let Some(items) = items else {
            return bad(place, "expected a list of at least one condition");
        };
        let items = items.iter().enumerate();
        items
            .map(|(i, item)| self.object(item, "", &format!("{place}[{i}]"), depth + 1))
            .collect()
    }

    fn key(&mut self, key: &Arc<str>, value: &Value, place: &str) -> Result<Kind, BadCondition> {
        let Value::Map(tests) = value else {
            return Ok(Kind::Key(key.clone(), Test::Equal(scalar(value, place)?)));
        };
        if tests.is_empty() {
            return bad(place, "expected a value or an operator such as `$eq`");
        }
        let mut parts = Vec::new();
        for (operator, value) in tests.iter() {
            let place = join(place, operator);
            self.count(1, &place)?;
            let test = match &**operator {
                "$eq" => Test::Equal(scalar(value, &place)?),
                "$ne" => Test::NotEqual(scalar(value, &place)?),
                "$gt" => Test::Ordered(ordered(value, &place)?, [Ordering::Greater; 2]),
                "$lt" => Test::Ordered(ordered(value, &place)?, [Ordering::Less; 2]),
                "$gte" => {
                    let wanted = [Ordering::Greater, Ordering::Equal];
                    Test::Ordered(ordered(value, &place)?, wanted)
                }
                "$lte" => {
                    let wanted = [Ordering::Less, Ordering::Equal];
                    Test::Ordered(ordered(value, &place)?, wanted)
                }
                "$in" => Test::In(self.values(value, &place)?),
                "$nin" => Test::NotIn(self.values(value, &place)?),
                _ => {
                    let known = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin";
                    return bad(&place, format!("is no operator; expected one of {known}"));
                }
            };
            parts.push(Kind::Key(key.clone(), test));
        }
        Ok(Kind::All(parts))
    }

    fn values(&mut self, value: &Value, place: &str) -> Result<Vec<Value>, BadCondition> {
        let Some(items) = value.as_list() else {
            let got = value.kind();
            return bad(place, format!("expected a list of values, got {got}"));
        };
        self.count(items.len(), place)?;
        let items = items.iter().enumerate();
        items
            .map(|(i, item)| scalar(item, &format!("{place}[{i}]")))
            .collect()
    }
}

fn scalar(value: &Value, place: &str) -> Result<Value, BadCondition> {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => Ok(value.clone()),
        other => {
            let got = other.kind();
            bad(
                place,
                format!("expected a text, a number or a flag, got {got}"),
            )
        }
    }
}

fn ordered(value: &Value, place: &str) -> Result<Value, BadCondition> {
    match value {
        Value::Int(_) | Value::Float(_) | Value::Str(_) => Ok(value.clone()),
        other => {
            let got = other.kind();
            bad(place, format!("expected a number or a text, got {got}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    fn holds(condition: &str, metadata: &str) -> bool {
        let Value::Map(metadata) = value(metadata) else {
            panic!("{metadata}")
        };
        Condition::read(&value(condition)).unwrap().holds(&metadata)
    }

    #[test]
    fn each_operator_does_what_its_name_says() {
        let metadata = r#"{"year": 2020, "lang": "de", "draft": false, "none": null, "part": 1.5}"#;
        for (condition, expected) in [
            (r"{}", true),
            (r#"{"lang": "de"}"#, true),
            (r#"{"lang": "en"}"#, false),
            (r#"{"lang": "de", "year": 2020.0}"#, true),
            (r#"{"lang": "de", "year": 2021}"#, false),
            (r#"{"draft": false}"#, true),
            (r#"{"draft": 0}"#, false),
            (r#"{"year": {"$gt": 2019, "$lt": 2020.5}}"#, true),
            (r#"{"year": {"$gt": 2020}}"#, false),
            (r#"{"year": {"$gte": 2020}}"#, true),
            (r#"{"year": {"$lte": 2019}}"#, false),
            (r#"{"part": {"$lt": 2}}"#, true),
            (r#"{"lang": {"$gt": "da"}}"#, true),
            (r#"{"lang": {"$gt": 3}}"#, false),
            (r#"{"lang": {"$ne": "de"}}"#, false),
            (r#"{"absent": {"$ne": "de"}}"#, true),
            (r#"{"none": {"$ne": "de"}}"#, true),
            (r#"{"absent": {"$lt": 3}}"#, false),
            (r#"{"lang": {"$in": ["fr", "de"]}}"#, true),
            (r#"{"lang": {"$in": []}}"#, false),
            (r#"{"lang": {"$nin": ["fr"]}}"#, true),
            (r#"{"absent": {"$nin": ["fr"]}}"#, true),
            (
                r#"{"$and": [{"lang": "de"}, {"year": {"$lt": 2000}}]}"#,
                false,
            ),
            (
                r#"{"$or": [{"lang": "en"}, {"year": {"$gt": 2000}}]}"#,
                true,
            ),
            (r#"{"$or": [{"lang": "en"}], "year": 2020}"#, false),
        ] {
            assert_eq!(holds(condition, metadata), expected, "{condition}");
        }
    }

    #[test]
    fn a_bad_condition_is_refused_by_the_name_of_its_key() {
        let deep = format!("{}{{}}{}", r#"{"$and": ["#.repeat(18), "]}".repeat(18));
        let many = format!(r#"{{"k": {{"$in": [{}1]}}}}"#, "1,".repeat(3000));
        for (condition, place, reason) in [
            (r"[]", "where", "expected an object"),
            (r#"{"a": []}"#, "a", "expected a text, a number or a flag"),
            (r#"{"a": null}"#, "a", "got null"),
            (r#"{"a": {}}"#, "a", "expected a value or an operator"),
            (r#"{"a": {"$like": 1}}"#, "a.$like", "is no operator"),
            (r#"{"a": {"b": 1}}"#, "a.b", "is no operator"),
            (r#"{"$not": {}}"#, "$not", "is no operator here"),
            (r#"{"$or": []}"#, "$or", "at least one"),
            (r#"{"$or": [{}, 3]}"#, "$or[1]", "expected an object"),
            (
                r#"{"$and": [{"y": {"$gt": true}}]}"#,
                "$and[0].y.$gt",
                "expected a number or a text",
            ),
            (r#"{"a": {"$in": 3}}"#, "a.$in", "expected a list"),
            (r#"{"a": {"$nin": [1, {}]}}"#, "a.$nin[1]", "got dict"),
            (&deep, "$and[0].$and[0]", "deep"),
            (&many, "k.$in", "more than"),
        ] {
            let refused = Condition::read(&value(condition)).unwrap_err();
            assert!(refused.place.starts_with(place), "{condition}: {refused}");
            assert!(refused.reason.contains(reason), "{condition}: {refused}");
        }
    }

    fn scalars() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            (-3i64..4).prop_map(Value::Int),
            (-3i64..4).prop_map(|n| Value::Float(n as f64)),
            "[a-c]{0,2}".prop_map(Value::str),
        ]
    }

    fn one(operator: &str, operand: Value) -> Condition {
        let test = Value::map([(operator, operand)]);
        Condition::read(&Value::map([("k", test)])).unwrap()
    }

    proptest! {
        #[test]
        fn opposites_never_agree(found in prop::option::of(scalars()), operand in scalars(), more in scalars()) {
            let metadata: Map = found.iter().map(|v| (Arc::from("k"), v.clone())).collect();
            let list = Value::list([operand.clone(), more]);
            for (yes, no, operand) in [("$eq", "$ne", &operand), ("$in", "$nin", &list)] {
                let yes = one(yes, operand.clone()).holds(&metadata);
                prop_assert_eq!(yes, !one(no, operand.clone()).holds(&metadata));
            }
            if operand.as_bool().is_none() {
                let comparable = found.as_ref().is_some_and(|f| order(f, &operand).is_some());
                for (a, b) in [("$gt", "$lte"), ("$lt", "$gte")] {
                    let (a, b) = (one(a, operand.clone()), one(b, operand.clone()));
                    prop_assert_eq!(a.holds(&metadata) ^ b.holds(&metadata), comparable);
                }
            }
        }

        #[test]
        fn any_json_is_understood_or_refused(text in r#"[\[\]{}:,"$a-dinor0-9 ]{0,60}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text)
                && let Ok(condition) = Condition::read(&value)
            {
                // Whatever it says, asking is safe.
                let _ = condition.holds(&Map::new());
            }
        }
    }
}
