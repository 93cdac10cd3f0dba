//! `nodetool.text.RemovePunctuation`.

use std::collections::HashSet;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{fits, on};

/// Takes punctuation out of a text.
/// text, punctuation, clean, remove, normalize
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct RemovePunctuation {
    /// The text.
    text: String,
    /// What comes in the place of each.
    replacement: String,
    /// The characters to take out.
    #[prop(
        default = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        title = "Punctuation Characters"
    )]
    punctuation: String,
}

impl Process for RemovePunctuation {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let unwanted: HashSet<char> = self.punctuation.chars().collect();
        let replacement = self.replacement;
        on(self.text, move |text| {
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if unwanted.contains(&c) {
                    fits("replacement", out.len() + replacement.len())?;
                    out.push_str(&replacement);
                } else {
                    out.push(c);
                }
            }
            Ok(out)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn each_listed_character_is_replaced() {
        let case = || case::<RemovePunctuation>().set("text", "a`b-[c]…");
        assert_eq!(case().value().await.unwrap(), Value::from("abc…"));
        let case = case().set("punctuation", "-…").set("replacement", "+");
        assert_eq!(case.value().await.unwrap(), Value::from("a`b+[c]+"));
    }
}
