//! `nodetool.text.Replace`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{fits, on};

/// Replaces every occurrence of a text by another.
/// text, replace, substitute, find, change
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Replace Text")]
pub(super) struct Replace {
    /// Where to look.
    text: String,
    /// What to replace; when empty, the places between all characters.
    old: String,
    /// What comes instead.
    new: String,
}

impl Process for Replace {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (old, new) = (self.old, self.new);
        on(self.text, move |text| {
            let places = text.matches(&old).count();
            let grown = new.len().saturating_sub(old.len()).saturating_mul(places);
            fits("new", text.len().saturating_add(grown))?;
            Ok(text.replace(&old, &new))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn an_empty_text_is_found_between_all_characters() {
        let case = || case::<Replace>().set("text", "aé");
        let text = case().set("new", "-").value().await.unwrap();
        assert_eq!(text, Value::from("-a-é-"));
        let text = case().set("old", "é").set("new", "").value().await.unwrap();
        assert_eq!(text, Value::from("a"));
    }

    #[tokio::test]
    async fn a_result_beyond_all_bounds_is_refused() {
        let e = case::<Replace>()
            .set("text", "a".repeat(20_000))
            .set("old", "a")
            .set("new", "b".repeat(20_000))
            .value()
            .await
            .unwrap_err();
        assert!(e.to_string().contains("`new`"), "{e}");
    }
}
