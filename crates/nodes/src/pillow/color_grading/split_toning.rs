//! `lib.pillow.color_grading.SplitToning`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Hsv, Pixel, edit};

/// How far a full tint goes.
const STRENGTH: f32 = 0.5;

/// Tints dark parts with one hue and light parts with another.
/// image, split toning, duotone, shadows, highlights, hue
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct SplitToning {
    /// The picture.
    image: ImageRef,
    /// Hue of dark parts, in degrees.
    #[prop(default = 200.0, min = 0, max = 360)]
    shadow_hue: f64,
    /// How strongly dark parts are tinted.
    #[prop(default = 0.3, min = 0, max = 1)]
    shadow_saturation: f64,
    /// Hue of light parts, in degrees.
    #[prop(default = 40.0, min = 0, max = 360)]
    highlight_hue: f64,
    /// How strongly light parts are tinted.
    #[prop(default = 0.3, min = 0, max = 1)]
    highlight_saturation: f64,
    /// More for dark parts (-1) or for light ones (1).
    #[prop(default = 0.0, min = -1, max = 1)]
    balance: f64,
}

impl Process for SplitToning {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let dark = tint(within("shadow_hue", self.shadow_hue, 0.0, 360.0)?);
        let light = tint(within("highlight_hue", self.highlight_hue, 0.0, 360.0)?);
        let dark_part = within("shadow_saturation", self.shadow_saturation, 0.0, 1.0)?;
        let light_part = within("highlight_saturation", self.highlight_saturation, 0.0, 1.0)?;
        let balance = within("balance", self.balance, -1.0, 1.0)?;
        let tone = move |pixel: Pixel| {
            let bright = (pixel.luminance() + balance / 2.0).clamp(0.0, 1.0);
            let dark_part = dark_part * (1.0 - bright) * STRENGTH;
            let light_part = light_part * bright * STRENGTH;
            pixel
                .with(dark, |v, tint| v + tint * dark_part)
                .with(light, |v, tint| v + tint * light_part)
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

/// What a hue adds to each colour: as much as it takes away.
fn tint(degrees: f32) -> [f32; 3] {
    let full = Pixel::from(Hsv {
        hue: degrees / 360.0,
        saturation: 1.0,
        value: 1.0,
    });
    let grey = full.luminance();
    full.map(|v| v - grey).0
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn dark_and_light_go_their_own_ways() {
        let none = [
            ("shadow_saturation", 0.0.into()),
            ("highlight_saturation", 0.0.into()),
        ];
        assert!(leaves_alone::<SplitToning>(&none).await);
        let [r, _, b, _] = graded::<SplitToning>([40; 3], &[]).await;
        assert!(b > r, "{r} {b}");
        let [r, _, b, _] = graded::<SplitToning>([210; 3], &[]).await;
        assert!(r > b, "{r} {b}");
    }
}
