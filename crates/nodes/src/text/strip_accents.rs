//! `nodetool.text.StripAccents`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::{fits, on};

/// Takes the accents off letters.
/// text, accents, diacritics, normalize, ascii
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct StripAccents {
    /// The text.
    text: String,
    /// Whether other characters beyond ASCII stay.
    #[prop(default = true, title = "Preserve Non-ASCII")]
    preserve_non_ascii: bool,
}

impl Process for StripAccents {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let keep = self.preserve_non_ascii;
        on(self.text, move |text| {
            let mut out = String::with_capacity(text.len());
            for c in plain(text).filter(|c| keep || c.is_ascii()) {
                fits("text", out.len())?;
                out.push(c);
            }
            Ok(out)
        })
        .await
    }
}

/// The characters without accents; ligatures and the like fall apart. A character becomes at most eighteen.
pub(super) fn plain(text: &str) -> impl Iterator<Item = char> {
    text.nfkd().filter(|c| canonical_combining_class(*c) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lose_their_accents_and_ligatures_fall_apart() {
        let text: String = plain("Crème brûlée ﬁ ø 日 ①").collect();
        assert_eq!(text, "Creme brulee fi ø 日 1");
    }
}
