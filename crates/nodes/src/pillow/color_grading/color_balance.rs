//! `lib.pillow.color_grading.ColorBalance`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Pixel, edit};

/// How far the strongest setting moves a colour.
const STRENGTH: f32 = 0.3;

/// Makes a picture warmer or cooler, greener or more magenta.
/// image, temperature, tint, white balance, warm, cool
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct ColorBalance {
    /// The picture.
    image: ImageRef,
    /// From cool (-1) to warm (1).
    #[prop(default = 0.0, min = -1, max = 1)]
    temperature: f64,
    /// From green (-1) to magenta (1).
    #[prop(default = 0.0, min = -1, max = 1)]
    tint: f64,
}

impl Process for ColorBalance {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let warm = within("temperature", self.temperature, -1.0, 1.0)? * STRENGTH;
        let magenta = within("tint", self.tint, -1.0, 1.0)? * STRENGTH;
        let gain = [
            (1.0 + warm) * (1.0 + magenta / 2.0),
            1.0 - magenta,
            (1.0 - warm) * (1.0 + magenta / 2.0),
        ];
        let tone = move |pixel: Pixel| pixel.with(gain, |v, gain| v * gain);
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn warm_is_redder_and_magenta_less_green() {
        assert!(leaves_alone::<ColorBalance>(&[]).await);
        let warm = [("temperature", 1.0.into())];
        assert_eq!(
            graded::<ColorBalance>([100; 3], &warm).await,
            [130, 100, 70, 128]
        );
        let magenta = [("tint", 1.0.into())];
        assert_eq!(
            graded::<ColorBalance>([100; 3], &magenta).await,
            [115, 70, 115, 128]
        );
    }
}
