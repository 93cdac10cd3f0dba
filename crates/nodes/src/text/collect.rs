//! `nodetool.text.Collect`.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe};

use super::fits;
use crate::extent;

/// Joins a stream of texts into one.
/// text, collect, stream, join, gather, end
#[derive(Node)]
#[node(namespace = "nodetool.text", kind = Pipe, once)]
pub(super) struct Collect {
    /// The texts.
    #[expect(dead_code, reason = "read from the stream")]
    input_item: String,
    /// What stands between them.
    separator: String,
}

impl Pipe for Collect {
    type Output = String;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, String>,
        _: &NodeCx,
    ) -> Result<(), NodeError> {
        let mut separator = self.separator;
        if let Some(value) = inputs.recv("separator").await
            && !value.is_null()
        {
            extent::text("separator", &value, 0)?;
            separator = py_str(&value);
        }
        let mut text = String::new();
        let mut first = true;
        while let Some(item) = inputs.recv("input_item").await {
            if !std::mem::take(&mut first) {
                text.push_str(&separator);
            }
            let bytes = extent::text("input_item", &item, 0)?;
            fits("input_item", text.len() + separator.len() + bytes)?;
            text.push_str(&py_str(&item));
        }
        out.emit(text).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn the_first_item_counts_and_an_empty_stream_gives_an_empty_text() {
        let text = case::<Collect>()
            .set("separator", "---")
            .arrive("input_item", ["", "a", "b"])
            .output()
            .await
            .unwrap();
        assert_eq!(text, [Value::from("---a---b")]);
        assert_eq!(case::<Collect>().output().await.unwrap(), [Value::from("")]);
    }
}
