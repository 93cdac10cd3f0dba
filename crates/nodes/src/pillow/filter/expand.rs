//! `lib.pillow.filter.Expand`.

use image::imageops;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, edit, whole};

/// Puts a border around a picture.
/// image, border, frame, expand, pad
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Expand {
    /// The picture.
    image: ImageRef,
    /// How wide the border is, in pixels.
    #[prop(default = 0, min = 0, max = 512)]
    border: i64,
    /// The grey of the border.
    #[prop(default = 0, min = 0, max = 255)]
    fill: i64,
}

impl Process for Expand {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let border = whole("border", self.border, 0, 512)?;
        let fill = whole("fill", self.fill, 0, 255)? as u8;
        edit(cx, &self.image, move |picture| {
            let (width, height) = picture.pixels.dimensions();
            let color = [fill, fill, fill, 255];
            let mut wide = Picture::filled(width + 2 * border, height + 2 * border, color)?;
            let at = i64::from(border);
            imageops::replace(&mut wide.pixels, &picture.pixels, at, at);
            wide.has_alpha = picture.has_alpha;
            Ok(wide)
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
    async fn the_picture_lies_within_its_border() {
        let image = painted(2, 1, |_, _| [9, 8, 7, 255]);
        let case = case::<Expand>().set("image", image.0).set("border", 3i64);
        let made = seen(&case.set("fill", 200i64).value().await.unwrap()).pixels;
        assert_eq!(made.dimensions(), (8, 7));
        assert_eq!(made.get_pixel(0, 0).0, [200, 200, 200, 255]);
        assert_eq!(made.get_pixel(4, 3).0, [9, 8, 7, 255]);
    }
}
