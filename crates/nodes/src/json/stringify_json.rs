//! `lib.json.StringifyJSON`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value, compat::json_dumps};

use super::document::weigh;
use crate::bounds::work;

const MOST_INDENT: i64 = 100;

/// Writes any value as JSON text.
/// json, stringify, text, serialize, write
///
/// One line per item, keys in their order, characters beyond ASCII as escapes.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct StringifyJSON {
    /// What to write.
    #[prop(default = nodetool_sdk::Map::new())]
    data: Value,
    /// Blanks per level.
    #[prop(default = 2)]
    indent: i64,
}

impl Process for StringifyJSON {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let Self { data, indent } = self;
        if indent > MOST_INDENT {
            return Err(NodeError::bad(
                "indent",
                format!("{indent} (expected at most {MOST_INDENT})"),
            ));
        }
        let indent = usize::try_from(indent).unwrap_or(0);
        let weight = weigh(&data, indent).map_err(|e| NodeError::bad("data", e))?;
        work(weight.bytes / 4, move || {
            Ok(json_dumps(&data, true, Some(indent)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn text_is_ascii_and_keys_keep_their_order() {
        let data = Value::map([("b", Value::from("é")), ("a", Value::list([]))]);
        let text = case::<StringifyJSON>().set("data", data).value().await;
        assert_eq!(
            text.unwrap(),
            Value::from("{\n  \"b\": \"\\u00e9\",\n  \"a\": []\n}")
        );
    }

    #[tokio::test]
    async fn an_indent_or_a_depth_out_of_bounds_is_refused() {
        let mut deep = Value::Null;
        for _ in 0..1_000 {
            deep = Value::list([deep]);
        }
        let error = case::<StringifyJSON>().set("data", deep).value();
        assert!(error.await.unwrap_err().to_string().contains("`data`"));
        let error = case::<StringifyJSON>().set("indent", i64::MAX).value();
        assert!(error.await.unwrap_err().to_string().contains("`indent`"));
    }
}
