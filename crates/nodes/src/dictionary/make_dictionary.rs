//! `nodetool.dictionary.MakeDictionary`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

/// Gathers its inputs into a dictionary.
/// dictionary, make, create, object, record, build
///
/// Each input added to the node becomes a key.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small", dynamic)]
pub(super) struct MakeDictionary {
    #[prop(dynamic)]
    inputs: Map,
}

impl Process for MakeDictionary {
    type Output = Map;

    async fn process(self, _: &NodeCx) -> Result<Map, NodeError> {
        Ok(self.inputs)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn every_input_becomes_a_key() {
        let case = case::<MakeDictionary>().set("b", 1i64).set("a", "x");
        let got = serde_json::to_string(&case.value().await.unwrap()).unwrap();
        assert_eq!(got, r#"{"b":1,"a":"x"}"#);
    }
}
