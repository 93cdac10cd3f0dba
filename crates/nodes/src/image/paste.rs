//! `nodetool.image.Paste`.

use image::imageops;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, make, required, whole};

/// Puts one picture onto another.
/// image, paste, overlay, place, combine
///
/// What stands out over the edge is cut off; nothing shines through.
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct Paste {
    /// The picture below.
    image: ImageRef,
    /// The picture on top.
    paste: ImageRef,
    /// Its first column.
    #[prop(default = 0, min = 0, max = 4096)]
    left: i64,
    /// Its first row.
    #[prop(default = 0, min = 0, max = 4096)]
    top: i64,
}

impl Process for Paste {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let left = i64::from(whole("left", self.left, 0, 4096)?);
        let top = i64::from(whole("top", self.top, 0, 4096)?);
        let below = required(cx, "image", &self.image).await?;
        let above = required(cx, "paste", &self.paste).await?;
        make(move || {
            let mut below = Picture::decode("image", &below)?;
            let above = Picture::decode("paste", &above)?;
            imageops::replace(&mut below.pixels, &above.pixels, left, top);
            below.has_alpha |= above.has_alpha;
            Ok(below)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    #[tokio::test]
    async fn the_picture_on_top_covers_its_place() {
        let below = painted(4, 3, |_, _| [1, 1, 1, 255]);
        let above = painted(3, 3, |_, _| [9, 9, 9, 255]);
        let case = case::<Paste>().set("image", below.0).set("paste", above.0);
        let case = case.set("left", 2i64).set("top", 1i64);
        let made = seen(&case.value().await.unwrap()).pixels;
        assert_eq!(made.dimensions(), (4, 3));
        let on_top = made.pixels().filter(|p| p[0] == 9).count();
        assert_eq!((on_top, made.get_pixel(2, 1)[0]), (4, 9));
    }
}
