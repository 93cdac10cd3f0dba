//! `nodetool.text.TruncateText`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{chars, on};

/// Cuts a text to a largest length.
/// text, truncate, shorten, limit, ellipsis
///
/// The ellipsis counts as part of that length; where it has no room beside the text, it is left out.
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct TruncateText {
    /// The text.
    text: String,
    /// Most characters of the result; with 0 only the ellipsis is left.
    #[prop(default = 100, min = 0)]
    max_length: i64,
    /// What shows that something is missing.
    ellipsis: String,
}

impl Process for TruncateText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (most, ellipsis) = (self.max_length, self.ellipsis);
        on(self.text, move |text| {
            let most = usize::try_from(most).unwrap_or(0);
            let whole = chars::offset(text, most) == text.len();
            let mark = ellipsis.chars().count();
            Ok(if whole {
                text.to_owned()
            } else if most == 0 {
                ellipsis
            } else if mark < most {
                text[..chars::offset(text, most - mark)].to_owned() + &ellipsis
            } else {
                text[..chars::offset(text, most)].to_owned()
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn the_ellipsis_counts() {
        for (most, ellipsis, expected) in [
            (4i64, "…", "äöü…"),
            (5, "…", "äöüxy"),
            (2, "...", "äö"),
            (0, "...", "..."),
            (-1, "", ""),
        ] {
            let case = case::<TruncateText>()
                .set("text", "äöüxy")
                .set("max_length", most)
                .set("ellipsis", ellipsis);
            assert_eq!(case.value().await.unwrap(), Value::from(expected), "{most}");
        }
    }
}
