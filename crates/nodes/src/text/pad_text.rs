//! `nodetool.text.PadText`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};

use super::{fits, on};

/// Where a text is filled up.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.text.PadText.PadDirection")]
pub(super) enum PadDirection {
    #[value("left")]
    Left,
    #[value("right")]
    Right,
    #[value("both")]
    Both,
}

/// Fills a text up to a length.
/// text, pad, fill, align, width
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct PadText {
    /// The text.
    text: String,
    /// Least characters of the result.
    #[prop(title = "Target Length", min = 0)]
    length: i64,
    /// What to fill with: one character.
    #[prop(default = " ")]
    pad_character: String,
    /// Where to fill.
    #[prop(default = "right")]
    direction: PadDirection,
}

impl Process for PadText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let mut chars = self.pad_character.chars();
        let (Some(c), None) = (chars.next(), chars.next()) else {
            return Err(NodeError::bad(
                "pad_character",
                format!(
                    "{} characters (expected a single character)",
                    self.pad_character.chars().count()
                ),
            ));
        };
        let (length, direction) = (self.length, self.direction);
        on(self.text, move |text| {
            let length = usize::try_from(length).unwrap_or(0);
            let gap = length.saturating_sub(text.chars().count());
            fits(
                "length",
                text.len().saturating_add(gap.saturating_mul(c.len_utf8())),
            )?;
            let left = match direction {
                PadDirection::Left => gap,
                PadDirection::Right => 0,
                PadDirection::Both => gap / 2,
            };
            let pad = c.to_string();
            Ok(pad.repeat(left) + text + &pad.repeat(gap - left))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn an_odd_gap_is_wider_on_the_right() {
        let case = || case::<PadText>().set("text", "é").set("pad_character", "ü");
        let both = case().set("length", 4i64).set("direction", "both");
        assert_eq!(both.value().await.unwrap(), Value::from("üéüü"));
        let e = case().set("length", i64::MAX).value().await.unwrap_err();
        assert!(e.to_string().contains("`length`"), "{e}");
        let e = case().set("pad_character", "").value().await.unwrap_err();
        assert!(e.to_string().contains("single character"), "{e}");
    }
}
