//! `nodetool.dictionary.Zip`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::key::{key_text, no_key};
use crate::bounds;

/// Pairs a list of keys with a list of values.
/// dictionary, zip, pair, keys, values, combine
///
/// The shorter list decides how many.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct Zip {
    /// The keys.
    keys: Vec<Value>,
    /// The values.
    values: Vec<Value>,
}

/// The dictionary.
#[derive(Outputs)]
pub(super) struct Zipped {
    #[slot(ty = "dict[any, any]")]
    output: Map,
}

impl Process for Zip {
    type Output = Zipped;

    async fn process(self, _: &NodeCx) -> Result<Zipped, NodeError> {
        bounds::work(self.keys.len().min(self.values.len()), move || {
            let pairs = self.keys.into_iter().zip(self.values);
            let output: Result<Map, _> = pairs
                .map(|(k, v)| match key_text(&k) {
                    Some(key) => Ok((key, v)),
                    None => Err(NodeError::bad("keys", no_key(&k))),
                })
                .collect();
            Ok(Zipped { output: output? })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn keys_that_are_no_text_are_spelt_as_in_json() {
        let zip = |keys: &str| {
            let keys: Value = serde_json::from_str(keys).unwrap();
            let case = case::<Zip>().set("keys", keys.clone());
            case.set("values", keys).value()
        };
        let got = zip(r#"["a", 1, 1.5, true, null]"#).await.unwrap();
        let want = r#"{"a":"a","1":1,"1.5":1.5,"true":true,"null":null}"#;
        assert_eq!(serde_json::to_string(&got).unwrap(), want);
        let e = zip("[[1]]").await.unwrap_err().to_string();
        assert!(e.contains("`keys`"), "{e}");
    }
}
