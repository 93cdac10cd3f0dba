//! `nodetool.text.Split`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::on;
use crate::bounds::check_items;

/// Cuts a text into a list at every delimiter.
/// text, split, separate, tokenize, list
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Split Text")]
pub(super) struct Split {
    /// What to cut.
    text: String,
    /// Where to cut it.
    #[prop(default = ",")]
    delimiter: String,
}

impl Process for Split {
    type Output = Vec<String>;

    async fn process(self, _: &NodeCx) -> Result<Vec<String>, NodeError> {
        let delimiter = self.delimiter;
        if delimiter.is_empty() {
            return Err(NodeError::bad(
                "delimiter",
                "empty separator (expected at least one character)",
            ));
        }
        on(self.text, move |text| {
            check_items("delimiter", text.matches(&delimiter).count())?;
            Ok(text.split(&delimiter).map(str::to_owned).collect())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn a_text_without_delimiters_is_one_part_and_an_empty_delimiter_is_refused() {
        let parts = case::<Split>().set("text", "a").value().await.unwrap();
        assert_eq!(parts, Value::list(["a".into()]));
        let e = case::<Split>().set("delimiter", "").value().await;
        assert!(e.unwrap_err().to_string().contains("`delimiter`"));
    }
}
