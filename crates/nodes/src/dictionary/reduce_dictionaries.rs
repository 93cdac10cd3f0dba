//! `nodetool.dictionary.ReduceDictionaries`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value, ValueType};

use super::key::{key_text, no_key};
use crate::bounds;

/// Which of several records of one key counts.
#[derive(Clone, Copy, ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.dictionary.ReduceDictionaries.ConflictResolution")]
pub(super) enum ConflictResolution {
    First,
    Last,
    Error,
}

/// Turns a list of records into one dictionary, by the value of a field.
/// dictionary, reduce, group, index, records, key
///
/// Without a value field, each key holds the rest of its record.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary")]
pub(super) struct ReduceDictionaries {
    /// The records.
    dictionaries: Vec<Map>,
    /// The field that becomes the key.
    key_field: String,
    /// The field that becomes the value; empty for all others.
    value_field: String,
    /// Which record counts when a key comes twice.
    conflict_resolution: ConflictResolution,
}

/// The dictionary.
#[derive(Outputs)]
pub(super) struct Reduced {
    #[slot(ty = "dict[any, any]")]
    output: Map,
}

impl Process for ReduceDictionaries {
    type Output = Reduced;

    async fn process(self, _: &NodeCx) -> Result<Reduced, NodeError> {
        bounds::work(self.dictionaries.len(), move || self.reduced()).await
    }
}

impl ReduceDictionaries {
    fn reduced(self) -> Result<Reduced, NodeError> {
        let mut output = Map::new();
        for mut record in self.dictionaries {
            let key = record.get(self.key_field.as_str()).ok_or_else(|| {
                let text = format!("Key field '{}' not found in dictionary", self.key_field);
                NodeError::bad("key_field", text)
            })?;
            let key = key_text(key).ok_or_else(|| NodeError::bad("key_field", no_key(key)))?;
            if output.contains_key(&key) {
                match self.conflict_resolution {
                    ConflictResolution::First => continue,
                    ConflictResolution::Last => {}
                    ConflictResolution::Error => {
                        let text = format!("Duplicate key found: {key}");
                        return Err(NodeError::bad("dictionaries", text));
                    }
                }
            }
            let value = if self.value_field.is_empty() {
                record.shift_remove(self.key_field.as_str());
                Value::from(record)
            } else {
                record
                    .get(self.value_field.as_str())
                    .cloned()
                    .ok_or_else(|| {
                        let text =
                            format!("Value field '{}' not found in dictionary", self.value_field);
                        NodeError::bad("value_field", text)
                    })?
            };
            output.insert(key, value);
        }
        Ok(Reduced { output })
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn conflicts_are_resolved_as_asked() {
        let rows = r#"[{"id": 1, "v": "a"}, {"id": null, "v": "b"}, {"id": 1, "v": "c"}]"#;
        let rows: Value = serde_json::from_str(rows).unwrap();
        let reduce = |how: &str| {
            let case = case::<ReduceDictionaries>().set("dictionaries", rows.clone());
            let case = case.set("key_field", "id").set("value_field", "v");
            case.set("conflict_resolution", how).value()
        };
        for (how, want) in [("first", "a"), ("last", "c")] {
            let want = Value::map([("1", Value::from(want)), ("null", "b".into())]);
            assert_eq!(reduce(how).await.unwrap(), want, "{how}");
        }
        let e = reduce("error").await.unwrap_err().to_string();
        assert!(e.contains("Duplicate key found: 1"), "{e}");
    }
}
