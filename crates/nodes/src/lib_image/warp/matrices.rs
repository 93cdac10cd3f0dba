//! `lib.image.warp.Affine` and `CornerPin`: each place of the result is looked up where a matrix says.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::{Beyond, warped};
use crate::picture::{check_size, edit, number, whole};

/// Largest number of a matrix.
const MAX: f64 = 1e6;

/// Turns, scales, shears and moves a picture.
/// image, affine, transform, rotate, scale, shear, matrix
///
/// The place (u, v) of the result shows (m00·u + m01·v + tx, m10·u + m11·v + ty) of the picture, in parts of the sides.
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct Affine {
    /// The picture.
    image: ImageRef,
    /// Width of the result in pixels; 0 for that of the picture.
    #[prop(default = 0, min = 0, max = 8192)]
    target_width: i64,
    /// Height of the result in pixels; 0 for that of the picture.
    #[prop(default = 0, min = 0, max = 8192)]
    target_height: i64,
    /// How u moves with u.
    #[prop(default = 1.0)]
    m00: f64,
    /// How u moves with v.
    m01: f64,
    /// What is added to u.
    tx: f64,
    /// How v moves with u.
    m10: f64,
    /// How v moves with v.
    #[prop(default = 1.0)]
    m11: f64,
    /// What is added to v.
    ty: f64,
}

impl Process for Affine {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let width = whole("target_width", self.target_width, 0, 8192)?;
        let height = whole("target_height", self.target_height, 0, 8192)?;
        let m = |name: &str, value: f64| number(name, value, -MAX, MAX);
        let (m00, m01, tx) = (m("m00", self.m00)?, m("m01", self.m01)?, m("tx", self.tx)?);
        let (m10, m11, ty) = (m("m10", self.m10)?, m("m11", self.m11)?, m("ty", self.ty)?);
        edit(cx, &self.image, move |picture| {
            let (w, h) = picture.pixels.dimensions();
            let size = (
                if width == 0 { w } else { width },
                if height == 0 { h } else { height },
            );
            check_size("target_width", size.0, size.1)?;
            let place = |u, v| (m00 * u + m01 * v + tx, m10 * u + m11 * v + ty);
            Ok(warped(&picture, size, Beyond::Clear, place))
        })
        .await
    }
}

/// Bends a picture as if it were seen from aside.
/// image, corner pin, perspective, homography, transform
///
/// The place (u, v) of the result shows the place the matrix gives, divided by its third part.
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct CornerPin {
    /// The picture.
    image: ImageRef,
    /// How u moves with u.
    #[prop(default = 1.0)]
    h00: f64,
    /// How u moves with v.
    h01: f64,
    /// What is added to u.
    h02: f64,
    /// How v moves with u.
    h10: f64,
    /// How v moves with v.
    #[prop(default = 1.0)]
    h11: f64,
    /// What is added to v.
    h12: f64,
    /// How the divisor moves with u.
    h20: f64,
    /// How the divisor moves with v.
    h21: f64,
}

impl Process for CornerPin {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let h = |name: &str, value: f64| number(name, value, -MAX, MAX);
        let (h00, h01, h02) = (
            h("h00", self.h00)?,
            h("h01", self.h01)?,
            h("h02", self.h02)?,
        );
        let (h10, h11, h12) = (
            h("h10", self.h10)?,
            h("h11", self.h11)?,
            h("h12", self.h12)?,
        );
        let (h20, h21) = (h("h20", self.h20)?, h("h21", self.h21)?);
        edit(cx, &self.image, move |picture| {
            let place = |u: f64, v: f64| {
                let by = h20 * u + h21 * v + 1.0;
                (
                    (h00 * u + h01 * v + h02) / by,
                    (h10 * u + h11 * v + h12) / by,
                )
            };
            let size = picture.pixels.dimensions();
            Ok(warped(&picture, size, Beyond::Clear, place))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::*;
    use crate::picture::Picture;
    use crate::picture::testing::{painted, seen};

    fn image() -> ImageRef {
        painted(4, 2, |x, y| [x as u8 * 50, y as u8 * 50, 7, 255])
    }

    async fn made(case: Case) -> Picture {
        seen(&case.set("image", image().0).value().await.unwrap())
    }

    #[tokio::test]
    async fn matrices_at_rest_change_nothing_and_others_look_elsewhere() {
        let old = seen(&image().0);
        assert_eq!(made(case::<Affine>()).await, old);
        assert_eq!(made(case::<CornerPin>()).await, old);
        let mirrored = case::<Affine>().set("m00", -1.0).set("tx", 1.0);
        let mirrored = made(mirrored).await.pixels;
        assert_eq!(mirrored.get_pixel(0, 0).0, [150, 0, 7, 255]);
        let far = made(case::<Affine>().set("tx", 4.0)).await;
        assert!(far.pixels.pixels().all(|p| p.0 == [0; 4]));
        let large = case::<Affine>().set("target_width", 9i64);
        assert_eq!(made(large).await.pixels.dimensions(), (9, 2));
        assert_ne!(made(case::<CornerPin>().set("h01", 0.3)).await, old);
        // Where the divisor is nothing there is no place to look.
        made(case::<CornerPin>().set("h20", -2.0).set("h21", 0.0)).await;
    }
}
