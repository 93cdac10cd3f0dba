//! `lib.pillow.color_grading.Exposure`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::{darkness, lightness, within};
use crate::picture::{Pixel, edit};

/// Sets how light a picture is: as a whole, and in its light and dark parts.
/// image, exposure, highlights, shadows, whites, blacks, contrast, tone
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct Exposure {
    /// The picture.
    image: ImageRef,
    /// Stops: each one doubles the light.
    #[prop(default = 0.0, min = -5, max = 5)]
    exposure: f64,
    /// Contrast about the middle.
    #[prop(default = 0.0, min = -1, max = 1)]
    contrast: f64,
    /// Lifts or lowers light parts.
    #[prop(default = 0.0, min = -1, max = 1)]
    highlights: f64,
    /// Lifts or lowers dark parts.
    #[prop(default = 0.0, min = -1, max = 1)]
    shadows: f64,
    /// Moves what is nearly white.
    #[prop(default = 0.0, min = -1, max = 1)]
    whites: f64,
    /// Moves what is nearly black.
    #[prop(default = 0.0, min = -1, max = 1)]
    blacks: f64,
}

impl Process for Exposure {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let gain = within("exposure", self.exposure, -5.0, 5.0)?.exp2();
        let contrast = within("contrast", self.contrast, -1.0, 1.0)?;
        let highlights = within("highlights", self.highlights, -1.0, 1.0)?;
        let shadows = within("shadows", self.shadows, -1.0, 1.0)?;
        let whites = within("whites", self.whites, -1.0, 1.0)?;
        let blacks = within("blacks", self.blacks, -1.0, 1.0)?;
        let tone = move |pixel: Pixel| {
            let pixel = pixel.map(|v| v * gain);
            let light = pixel.luminance();
            let (dark, bright) = (darkness(light), lightness(light));
            // The ends are where the parts are nearly whole.
            let shift = 0.5 * (highlights * bright + shadows * dark)
                + 0.3 * (whites * bright.powi(3) + blacks * dark.powi(3));
            pixel.map(|v| {
                let v = v + shift;
                v + (v - 0.5) * contrast
            })
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn a_stop_doubles_and_rest_changes_nothing() {
        assert!(leaves_alone::<Exposure>(&[]).await);
        let up = graded::<Exposure>([40, 50, 200], &[("exposure", 1.0.into())]).await;
        assert_eq!(up, [80, 100, 255, 128]);
    }

    #[tokio::test]
    async fn each_setting_moves_its_part_only() {
        let (dark, light) = ([20, 20, 20], [235, 235, 235]);
        for (name, dark_moves, light_moves) in [
            ("shadows", true, false),
            ("blacks", true, false),
            ("highlights", false, true),
            ("whites", false, true),
            ("contrast", true, true),
        ] {
            let set = [(name, (-0.5).into())];
            assert_eq!(
                graded::<Exposure>(dark, &set).await[0] != 20,
                dark_moves,
                "{name}"
            );
            assert_eq!(
                graded::<Exposure>(light, &set).await[0] != 235,
                light_moves,
                "{name}"
            );
        }
    }
}
