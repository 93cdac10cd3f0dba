//! `nodetool.dictionary.ToJSON`.

use nodetool_sdk::compat::json_dumps;
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use crate::extent;

/// Writes a dictionary as JSON text on one line.
/// json, dictionary, text, serialize, convert, encode
///
/// Characters beyond ASCII are escaped.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct ToJSON {
    /// The dictionary.
    #[prop(ty = "dict[str, any]", default = Map::new())]
    dictionary: Value,
}

impl Process for ToJSON {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let dump = |v: &Value| json_dumps(v, true, None);
        extent::write("dictionary", self.dictionary, 0, dump).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn small_and_large_dictionaries_are_written_alike_and_endless_ones_refused() {
        let write = |v: Value| case::<ToJSON>().set("dictionary", v).value();
        let small = Value::map([("é", Value::Float(1.0)), ("b", Value::Null)]);
        let want = r#"{"\u00e9": 1.0, "b": null}"#;
        assert_eq!(write(small).await.unwrap(), Value::from(want));
        let large = Value::map((0..6000).map(|i| (i.to_string(), Value::Null)));
        let text = write(large.clone()).await.unwrap();
        let back: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert_eq!(back, large);
        let mut endless = Value::from("x");
        for _ in 0..100 {
            endless = Value::map([("a", endless.clone()), ("b", endless)]);
        }
        let e = write(endless).await.unwrap_err().to_string();
        assert!(e.contains("`dictionary`"), "{e}");
    }
}
