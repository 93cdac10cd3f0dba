//! `lib.pillow.color_grading.HSLAdjust`, and `lib.image.color_grading.HSLAdjust`, which counts hues in degrees.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process, ValueType};

use super::within;
use crate::picture::{Hsv, Pixel, edit};

/// Half of the width of a range of hues, in degrees.
const REACH: f32 = 45.0;

/// A range of hues.
#[derive(Clone, Copy, Debug, ValueType)]
#[value(type_name = "nodetool.nodes.lib.pillow.color_grading.HSLAdjust.ColorRange")]
pub(super) enum ColorRange {
    All,
    Reds,
    Oranges,
    Yellows,
    Greens,
    Cyans,
    Blues,
    Purples,
    Magentas,
}

impl ColorRange {
    /// The hue in its middle, in degrees.
    fn middle(self) -> Option<f32> {
        match self {
            ColorRange::All => None,
            ColorRange::Reds => Some(0.0),
            ColorRange::Oranges => Some(30.0),
            ColorRange::Yellows => Some(60.0),
            ColorRange::Greens => Some(120.0),
            ColorRange::Cyans => Some(180.0),
            ColorRange::Blues => Some(240.0),
            ColorRange::Purples => Some(280.0),
            ColorRange::Magentas => Some(320.0),
        }
    }

    /// How much a hue belongs to it: 1 in its middle, 0 from its edge on.
    fn part(self, hue: f32) -> f32 {
        let Some(middle) = self.middle() else {
            return 1.0;
        };
        let away = (hue * 360.0 - middle).rem_euclid(360.0);
        let away = away.min(360.0 - away);
        (1.0 - away / REACH).max(0.0)
    }
}

/// Changes hue, strength and lightness of one range of colours; greys stay.
/// image, hsl, hue, saturation, luminance, selective color
#[derive(Node)]
#[node(
    namespace = "lib.pillow.color_grading",
    name = "HSLAdjust",
    title = "HSLAdjust"
)]
pub(super) struct HslAdjust {
    /// The picture.
    image: ImageRef,
    /// Which colours.
    color_range: ColorRange,
    /// How far the hue turns: 1 is half way around.
    #[prop(default = 0.0, min = -1, max = 1)]
    hue_shift: f64,
    /// How much stronger or paler they become.
    #[prop(default = 0.0, min = -1, max = 1)]
    saturation: f64,
    /// How much lighter or darker they become.
    #[prop(default = 0.0, min = -1, max = 1)]
    luminance: f64,
}

impl Process for HslAdjust {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let adjustment = Adjustment {
            range: self.color_range,
            turn: within("hue_shift", self.hue_shift, -1.0, 1.0)? / 2.0,
            saturation: within("saturation", self.saturation, -1.0, 1.0)?,
            luminance: within("luminance", self.luminance, -1.0, 1.0)?,
        };
        let tone = move |pixel| adjustment.apply(pixel);
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

/// Changes hue, strength and lightness of one range of colours; greys stay.
/// image, hsl, hue, saturation, luminance, selective color, degrees
#[derive(Node)]
#[node(
    namespace = "lib.image.color_grading",
    name = "HSLAdjust",
    title = "HSLAdjust"
)]
pub(super) struct HslAdjustInDegrees {
    /// The picture.
    image: ImageRef,
    /// Which colours.
    color_range: ColorRange,
    /// How far the hue turns, in degrees.
    #[prop(default = 0.0, min = -180, max = 180)]
    hue_shift: f64,
    /// How much stronger or paler they become.
    #[prop(default = 0.0, min = -1, max = 1)]
    saturation: f64,
    /// How much lighter or darker they become.
    #[prop(default = 0.0, min = -1, max = 1)]
    luminance: f64,
}

impl Process for HslAdjustInDegrees {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let adjustment = Adjustment {
            range: self.color_range,
            turn: within("hue_shift", self.hue_shift, -180.0, 180.0)? / 360.0,
            saturation: within("saturation", self.saturation, -1.0, 1.0)?,
            luminance: within("luminance", self.luminance, -1.0, 1.0)?,
        };
        let tone = move |pixel| adjustment.apply(pixel);
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[derive(Clone, Copy)]
struct Adjustment {
    range: ColorRange,
    /// In turns.
    turn: f32,
    saturation: f32,
    luminance: f32,
}

impl Adjustment {
    fn apply(self, pixel: Pixel) -> Pixel {
        let hsv = Hsv::from(pixel);
        let part = self.range.part(hsv.hue);
        if part == 0.0 || hsv.saturation == 0.0 {
            return pixel;
        }
        Pixel::from(Hsv {
            hue: hsv.hue + self.turn * part,
            saturation: (hsv.saturation * (1.0 + self.saturation * part)).clamp(0.0, 1.0),
            value: (hsv.value * (1.0 + self.luminance * part)).clamp(0.0, 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn one_range_turns_and_the_others_stay() {
        assert!(leaves_alone::<HslAdjust>(&[]).await);
        let turned = [("color_range", "blues".into()), ("hue_shift", 1.0.into())];
        let blue = graded::<HslAdjust>([0, 0, 200], &turned).await;
        assert_eq!(blue, [200, 200, 0, 128]);
        let red = graded::<HslAdjust>([200, 0, 0], &turned).await;
        assert_eq!(red, [200, 0, 0, 128]);
        let degrees = [("color_range", "reds".into()), ("hue_shift", 120.0.into())];
        let green = graded::<HslAdjustInDegrees>([200, 0, 0], &degrees).await;
        assert_eq!(green, [0, 200, 0, 128]);
    }

    #[tokio::test]
    async fn greys_stay_whatever_the_range() {
        let set = [("luminance", 1.0.into()), ("saturation", 1.0.into())];
        assert_eq!(graded::<HslAdjust>([90; 3], &set).await, [90, 90, 90, 128]);
    }
}
