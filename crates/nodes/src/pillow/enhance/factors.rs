//! `lib.pillow.enhance.Brightness`, `Color`, `Contrast` and `Sharpness`: away from a duller copy, or nearer to it.
//!
//! A factor of 1 changes nothing, 0 gives the dull copy, and more than 1 goes the other way.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Kernel, Picture, blend, edit, luma, number};

/// Furthest factor; beyond it every pixel has long reached an end of its scale.
const MAX_FACTOR: f64 = 1e6;

/// Blends the picture with the copy of it that `dull` makes.
async fn enhance(
    cx: &NodeCx,
    image: &ImageRef,
    factor: f64,
    dull: impl FnOnce(&Picture) -> Picture + Send + 'static,
) -> Result<ImageRef, NodeError> {
    let factor = number("factor", factor, -MAX_FACTOR, MAX_FACTOR)?;
    edit(cx, image, move |picture| {
        if factor == 1.0 {
            return Ok(picture);
        }
        let dull = dull(&picture);
        Ok(blend(&dull, picture, factor))
    })
    .await
}

/// Makes a picture lighter or darker.
/// image, brightness, lighten, darken, exposure
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Brightness {
    /// The picture.
    image: ImageRef,
    /// How bright it becomes: 0 is black, 1 leaves it alone.
    #[prop(default = 1.0, ty = "union[float, int]")]
    factor: f64,
}

impl Process for Brightness {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let black = |picture: &Picture| picture.clone().recolor(|_| [0; 3]);
        enhance(cx, &self.image, self.factor, black).await
    }
}

/// Makes the difference between light and dark larger or smaller.
/// image, contrast, tone, flat, punch
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Contrast {
    /// The picture.
    image: ImageRef,
    /// How much contrast it gets: 0 is an even grey, 1 leaves it alone.
    #[prop(default = 1.0)]
    factor: f64,
}

impl Process for Contrast {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        enhance(cx, &self.image, self.factor, |picture| {
            let grey = mean_luma(picture);
            picture.clone().recolor(|_| [grey; 3])
        })
        .await
    }
}

fn mean_luma(picture: &Picture) -> u8 {
    let pixels = picture.pixels.pixels();
    let sum: u64 = pixels.map(|p| u64::from(luma([p[0], p[1], p[2]]))).sum();
    let count = picture.pixels.len() as u64 / 4;
    (sum as f64 / count as f64 + 0.5) as u8
}

/// Makes colours stronger or paler.
/// image, color, saturation, vivid, grayscale
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Color {
    /// The picture.
    image: ImageRef,
    /// How strong colours become: 0 is grey, 1 leaves them alone.
    #[prop(default = 1.0)]
    factor: f64,
}

impl Process for Color {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let grey = |picture: &Picture| picture.clone().recolor(|rgb| [luma(rgb); 3]);
        enhance(cx, &self.image, self.factor, grey).await
    }
}

/// Makes a picture crisper or softer.
/// image, sharpness, sharpen, soften, clarity
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Sharpness {
    /// The picture.
    image: ImageRef,
    /// How sharp it becomes: 0 is smoothed, 1 leaves it alone, 2 is sharpened.
    #[prop(default = 1.0)]
    factor: f64,
}

impl Process for Sharpness {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let smooth = |picture: &Picture| Kernel::SMOOTH.apply(picture);
        enhance(cx, &self.image, self.factor, smooth).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    async fn first<N: Node>(factor: f64) -> [u8; 4] {
        let image = painted(4, 4, |x, _| [if x < 2 { 100 } else { 50 }, 150, 200, 90]);
        let case = case::<N>().set("image", image.0).set("factor", factor);
        let given = case.value().await.unwrap();
        seen(&given).pixels.get_pixel(0, 0).0
    }

    #[tokio::test]
    async fn factors_lead_from_the_dull_copy_to_the_picture_and_beyond() {
        assert_eq!(first::<Brightness>(0.5).await, [50, 75, 100, 90]);
        assert_eq!(first::<Brightness>(2.0).await, [200, 255, 255, 90]);
        // Greys of 141 and 126: 133.5 on average, which becomes 134.
        assert_eq!(first::<Contrast>(0.0).await, [134, 134, 134, 90]);
        assert_eq!(first::<Contrast>(2.0).await, [66, 166, 255, 90]);
        assert_eq!(first::<Color>(0.0).await, [141, 141, 141, 90]);
        assert_eq!(first::<Sharpness>(3.0).await, [100, 150, 200, 90]);
        for same in [
            first::<Brightness>(1.0).await,
            first::<Contrast>(1.0).await,
            first::<Color>(1.0).await,
            first::<Sharpness>(1.0).await,
        ] {
            assert_eq!(same, [100, 150, 200, 90]);
        }
    }

    #[tokio::test]
    async fn a_factor_without_end_is_refused() {
        let image = painted(1, 1, |_, _| [1, 2, 3, 255]);
        let run = case::<Color>().set("image", image.0);
        let refused = run.set("factor", Value::Float(f64::NAN)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`factor`"), "{refused}");
    }
}
