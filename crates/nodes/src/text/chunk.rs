//! `nodetool.text.Chunk`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{fits, on};
use crate::bounds::check_items;

/// Cuts a text into pieces of so many words.
/// text, chunk, pieces, words, window, split
///
/// Each piece begins `length` minus `overlap` words after the one before.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Split Text into Chunks")]
pub(super) struct Chunk {
    /// What to cut.
    text: String,
    /// Words in a piece.
    #[prop(default = 100, min = 1, max = 1000)]
    length: i64,
    /// Words that a piece shares with the next one.
    overlap: i64,
    /// What stands between words.
    #[prop(default = " ")]
    separator: String,
}

impl Process for Chunk {
    type Output = Vec<String>;

    async fn process(self, _: &NodeCx) -> Result<Vec<String>, NodeError> {
        let bad = |property: &str, wanted: &str| {
            Err(NodeError::bad(
                property,
                format!("Invalid chunk parameters: expected {wanted}"),
            ))
        };
        if self.length < 1 {
            return bad("length", "at least one word");
        }
        if self.overlap >= self.length {
            return bad("overlap", "fewer words than `length`");
        }
        if self.separator.is_empty() {
            return bad("separator", "at least one character");
        }
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let step = self.length.saturating_sub(self.overlap);
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let separator = self.separator;
        on(self.text, move |text| {
            check_items("separator", text.matches(&separator).count())?;
            let words: Vec<&str> = text.split(&separator).collect();
            let mut out = Vec::new();
            let mut bytes = 0;
            for start in (0..words.len()).step_by(step) {
                let end = start.saturating_add(length).min(words.len());
                let size: usize = words[start..end].iter().map(|w| w.len() + 1).sum();
                bytes += size;
                fits("overlap", bytes)?;
                out.push(words[start..end].join(" "));
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
    async fn pieces_overlap_and_the_last_may_be_short() {
        let case = case::<Chunk>()
            .set("text", "a;b;c;d;e")
            .set("separator", ";")
            .set("length", 3i64)
            .set("overlap", 1i64);
        let pieces = Value::list(["a b c", "c d e", "e"].map(Value::from));
        assert_eq!(case.value().await.unwrap(), pieces);
    }

    #[tokio::test]
    async fn pieces_that_overlap_without_end_are_refused() {
        for (length, overlap, property) in [(1, 1, "overlap"), (0, -1, "length")] {
            let case = case::<Chunk>()
                .set("length", length)
                .set("overlap", overlap);
            let e = case.value().await.unwrap_err().to_string();
            assert!(
                e.contains(property) && e.contains("Invalid chunk parameters"),
                "{e}"
            );
        }
        let case = case::<Chunk>()
            .set("text", ("x".repeat(10_000) + " ").repeat(1_000))
            .set("length", 500i64)
            .set("overlap", 499i64);
        let e = case.value().await.unwrap_err().to_string();
        assert!(e.contains("`overlap`") && e.contains("bytes"), "{e}");
    }
}
