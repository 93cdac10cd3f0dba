//! `nodetool.text.HasLength`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

/// Tells whether a text has a certain number of characters.
/// text, length, check, validate, size
///
/// The exact length always decides, and 0 means an empty text: the least and the largest length have no say.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Check Length")]
pub(super) struct HasLength {
    /// The text.
    text: String,
    /// Least length; not looked at.
    #[prop(title = "Minimum Length")]
    #[expect(dead_code, reason = "the exact length always decides")]
    min_length: i64,
    /// Largest length; not looked at.
    #[prop(title = "Maximum Length")]
    #[expect(dead_code, reason = "the exact length always decides")]
    max_length: i64,
    /// The length asked for.
    #[prop(title = "Exact Length")]
    exact_length: i64,
}

impl Process for HasLength {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let length = self.text.chars().count();
        Ok(usize::try_from(self.exact_length) == Ok(length))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn the_exact_length_decides_alone() {
        let case = || {
            case::<HasLength>()
                .set("text", "añb")
                .set("min_length", 1i64)
        };
        assert_eq!(case().value().await.unwrap(), Value::from(false));
        let exact = case().set("exact_length", 3i64).value().await.unwrap();
        assert_eq!(exact, Value::from(true));
    }
}
