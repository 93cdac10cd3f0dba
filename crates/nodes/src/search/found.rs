//! What a search gives: flat records, and the same as text for people and models.
//!
//! It must not know the engines.

use std::fmt::Write as _;
use std::sync::Arc;

use nodetool_sdk::{ImageRef, Map, Outputs, Value};

/// Most characters of one field.
const MAX_FIELD: usize = 4_000;

/// A field of a record and where the engine has it: keys joined by dots.
pub(super) type Pick = (&'static str, &'static str);

/// Records, and the same as text.
#[derive(Outputs)]
pub(super) struct Found {
    #[slot(ty = "list[dict]")]
    results: Vec<Value>,
    text: String,
}

impl Found {
    /// These fields of the first items, without those an item lacks.
    pub(super) fn of<'a>(
        items: impl IntoIterator<Item = &'a Value>,
        picks: &[Pick],
        most: usize,
    ) -> Self {
        let records = items.into_iter().map(|item| record(item, picks));
        let records = records.filter(|record| !record.is_empty());
        Found::records(records.take(most).collect())
    }

    /// These records.
    pub(super) fn records(records: Vec<Map>) -> Self {
        let text = text_of(&records);
        Found {
            results: records.into_iter().map(Value::from).collect(),
            text,
        }
    }
}

/// The list under a key of an answer; empty when there is none.
pub(super) fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    let list = answer.get(key).and_then(Value::as_list);
    list.unwrap_or_default()
}

/// The fields of one item.
pub(super) fn record(item: &Value, picks: &[Pick]) -> Map {
    let fields = picks.iter().filter_map(|(name, path)| {
        let value = at(item, path)?;
        Some((Arc::from(*name), value))
    });
    fields.collect()
}

fn at(item: &Value, path: &str) -> Option<Value> {
    let found = path
        .split('.')
        .try_fold(item, |value, key| value.get(key))?;
    match found {
        Value::Null => None,
        // Pictures in the text itself are of no use and cost a model dearly.
        Value::Str(text) if text.starts_with("data:") => None,
        Value::Str(text) if text.len() > MAX_FIELD => {
            Some(text.chars().take(MAX_FIELD).collect::<String>().into())
        }
        found => Some(found.clone()),
    }
}

/// A picture on the network.
pub(super) fn picture(address: &str) -> Value {
    let empty = ImageRef::default().0;
    let mut map = empty.as_map().cloned().unwrap_or_default();
    map.insert("uri".into(), address.into());
    map.into()
}

/// The first of these keys that holds a public address.
pub(super) fn address<'a>(item: &'a Value, keys: &[&str]) -> Option<&'a str> {
    let texts = keys.iter().filter_map(|key| item.get(key)?.as_str());
    let mut public = texts.filter(|t| t.starts_with("https://") || t.starts_with("http://"));
    public.next()
}

/// Numbered records: the first field on the line of the number, the others below.
fn text_of(records: &[Map]) -> String {
    if records.is_empty() {
        return "No results found.".to_owned();
    }
    let mut text = String::new();
    for (number, record) in records.iter().enumerate() {
        if number > 0 {
            text.push_str("\n\n");
        }
        let shown = record.iter().filter(|(name, _)| &***name != "position");
        let shown = shown.filter_map(|(name, value)| Some((name, plain(value)?)));
        for (at, (name, value)) in shown.enumerate() {
            // Writing to a text does not fail.
            let _ = match at {
                0 => write!(text, "{}. {value}", number + 1),
                _ => write!(text, "\n   {name}: {value}"),
            };
        }
    }
    text
}

fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::Str(text) if !text.is_empty() => text.replace('\n', " "),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().filter_map(plain).collect();
            return (!items.is_empty()).then(|| items.join(", "));
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn records_are_flat_and_read_well() {
        let items = json(
            r#"[{"position":1,"title":"A","date":{"when":"today"},"address":["x","y"],"image":"data:image/png;base64,AA"},
                {"other":1},{"title":"B\nC"},{"title":"D"}]"#,
        );
        let picks: &[Pick] = &[
            ("position", "position"),
            ("title", "title"),
            ("when", "date.when"),
            ("address", "address"),
            ("image", "image"),
        ];
        let found = Found::of(items.as_list().unwrap(), picks, 2);
        let want = json(
            r#"[{"position":1,"title":"A","when":"today","address":["x","y"]},{"title":"B\nC"}]"#,
        );
        assert_eq!(Value::list(found.results), want);
        assert_eq!(
            found.text,
            "1. A\n   when: today\n   address: x, y\n\n2. B C"
        );
        let nothing = Found::of(list(&json("{}"), "x"), picks, 2);
        assert_eq!(nothing.text, "No results found.");
    }
}
