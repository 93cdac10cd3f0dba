//! `lib.pillow.color_grading.SaturationVibrance`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Hsv, Pixel, edit};

/// Makes colours stronger or paler, the pale ones apart.
/// image, saturation, vibrance, vivid, color
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct SaturationVibrance {
    /// The picture.
    image: ImageRef,
    /// For all colours alike: -1 is grey.
    #[prop(default = 0.0, min = -1, max = 1)]
    saturation: f64,
    /// The more for a colour, the paler it is.
    #[prop(default = 0.0, min = -1, max = 1)]
    vibrance: f64,
}

impl Process for SaturationVibrance {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let saturation = within("saturation", self.saturation, -1.0, 1.0)?;
        let vibrance = within("vibrance", self.vibrance, -1.0, 1.0)?;
        let tone = move |pixel: Pixel| {
            let pixel = pixel.saturated(1.0 + saturation).clamped();
            let pale = 1.0 - Hsv::from(pixel).saturation;
            pixel.saturated(1.0 + vibrance * pale)
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn without_saturation_all_is_grey_and_rest_changes_nothing() {
        assert!(leaves_alone::<SaturationVibrance>(&[]).await);
        let grey = [("saturation", (-1.0).into())];
        let [r, g, b, _] = graded::<SaturationVibrance>([255, 0, 0], &grey).await;
        assert_eq!([r, g, b], [54, 54, 54]);
    }

    #[tokio::test]
    async fn vibrance_moves_pale_colours_and_leaves_full_ones() {
        let more = [("vibrance", 1.0.into())];
        let full = graded::<SaturationVibrance>([200, 0, 0], &more).await;
        assert_eq!(full, [200, 0, 0, 128]);
        let pale = graded::<SaturationVibrance>([150, 120, 120], &more).await;
        assert!(pale[0] > 150 && pale[1] < 120, "{pale:?}");
    }
}
