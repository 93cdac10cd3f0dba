//! `nodetool.image.Crop`.

use image::imageops;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, edit, whole};

/// Largest coordinate.
const MAX: u32 = 4096;

/// Cuts a rectangle out of a picture; what lies outside of it is black.
/// image, crop, cut, rectangle, region
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct Crop {
    /// The picture.
    image: ImageRef,
    /// First column.
    #[prop(default = 0, min = 0, max = 4096)]
    left: i64,
    /// First row.
    #[prop(default = 0, min = 0, max = 4096)]
    top: i64,
    /// The column behind the last one.
    #[prop(default = 512, min = 0, max = 4096)]
    right: i64,
    /// The row behind the last one.
    #[prop(default = 512, min = 0, max = 4096)]
    bottom: i64,
}

impl Process for Crop {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let left = whole("left", self.left, 0, MAX)?;
        let top = whole("top", self.top, 0, MAX)?;
        let width = span("right", left, whole("right", self.right, 0, MAX)?)?;
        let height = span("bottom", top, whole("bottom", self.bottom, 0, MAX)?)?;
        edit(cx, &self.image, move |picture| {
            let color = [0, 0, 0, if picture.has_alpha { 0 } else { 255 }];
            let mut cut = Picture::filled(width, height, color)?;
            let (x, y) = (-i64::from(left), -i64::from(top));
            imageops::replace(&mut cut.pixels, &picture.pixels, x, y);
            cut.has_alpha = picture.has_alpha;
            Ok(cut)
        })
        .await
    }
}

fn span(property: &str, first: u32, behind: u32) -> Result<u32, NodeError> {
    match behind.checked_sub(first) {
        Some(span) if span > 0 => Ok(span),
        _ => {
            let message = format!("{behind} (expected more than {first}, where the cut begins)");
            Err(NodeError::bad(property, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    #[tokio::test]
    async fn a_rectangle_is_cut_out_and_what_is_outside_is_black() {
        let image = painted(4, 4, |x, y| [x as u8 + 1, y as u8 + 1, 5, 255]);
        let case = case::<Crop>().set("image", image.0);
        let case = case.set("left", 2i64).set("top", 3i64);
        let cut = case.set("right", 6i64).set("bottom", 5i64).value().await;
        let cut = seen(&cut.unwrap()).pixels;
        assert_eq!(cut.dimensions(), (4, 2));
        assert_eq!(cut.get_pixel(0, 0).0, [3, 4, 5, 255]);
        assert_eq!(cut.get_pixel(2, 0).0, [0, 0, 0, 255]);
    }

    #[tokio::test]
    async fn a_rectangle_without_area_is_refused() {
        let image = painted(4, 4, |_, _| [1, 1, 1, 255]);
        let run = case::<Crop>().set("image", image.0).set("left", 512i64);
        let refused = run.run().await.unwrap_err().to_string();
        assert!(refused.contains("`right`"), "{refused}");
    }
}
