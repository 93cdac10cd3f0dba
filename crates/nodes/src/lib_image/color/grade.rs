//! `lib.image.color.Grade`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Hsv, Pixel, edit, number};

/// Sets light, contrast and colours in one go.
/// image, grade, color, brightness, contrast, saturation, hue, temperature
#[derive(Node)]
#[node(namespace = "lib.image.color")]
pub(super) struct Grade {
    /// The picture.
    image: ImageRef,
    /// What is added to all colours.
    #[prop(default = 0.0, min = -1, max = 1)]
    brightness: f64,
    /// Contrast about the middle: 1 leaves it alone.
    #[prop(default = 1.0, min = 0, max = 4)]
    contrast: f64,
    /// How strong colours are: 0 is grey, 1 leaves them alone.
    #[prop(default = 1.0, min = 0, max = 4)]
    saturation: f64,
    /// How far hues turn, in degrees.
    #[prop(default = 0.0, min = -180, max = 180)]
    hue: f64,
    /// From cool (-1) to warm (1).
    #[prop(default = 0.0, min = -1, max = 1)]
    temperature: f64,
    /// From green (-1) to magenta (1).
    #[prop(default = 0.0, min = -1, max = 1)]
    tint: f64,
    /// Lifts or lowers dark parts.
    #[prop(default = 0.0, min = -1, max = 1)]
    shadows: f64,
    /// Lifts or lowers light parts.
    #[prop(default = 0.0, min = -1, max = 1)]
    highlights: f64,
}

impl Process for Grade {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let unit = |name: &str, value: f64| number(name, value, -1.0, 1.0).map(|v| v as f32);
        let brightness = unit("brightness", self.brightness)?;
        let contrast = number("contrast", self.contrast, 0.0, 4.0)? as f32;
        let saturation = number("saturation", self.saturation, 0.0, 4.0)? as f32;
        let turn = number("hue", self.hue, -180.0, 180.0)? as f32 / 360.0;
        let warm = unit("temperature", self.temperature)? * 0.3;
        let magenta = unit("tint", self.tint)? * 0.3;
        let shadows = unit("shadows", self.shadows)?;
        let highlights = unit("highlights", self.highlights)?;
        let gain = [
            (1.0 + warm) * (1.0 + magenta / 2.0),
            1.0 - magenta,
            (1.0 - warm) * (1.0 + magenta / 2.0),
        ];
        let tone = move |pixel: Pixel| {
            let pixel = pixel.with(gain, |v, gain| v * gain);
            let light = pixel.luminance();
            let dark = (1.0 - 2.0 * light).clamp(0.0, 1.0);
            let bright = (2.0 * light - 1.0).clamp(0.0, 1.0);
            let shift = brightness + 0.5 * (shadows * dark + highlights * bright);
            let pixel = pixel
                .map(|v| v + shift)
                .map(|v| v + (v - 0.5) * (contrast - 1.0))
                .saturated(saturation);
            if turn == 0.0 {
                return pixel;
            }
            let hsv = Hsv::from(pixel.clamped());
            Pixel::from(Hsv {
                hue: hsv.hue + turn,
                ..hsv
            })
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    #[tokio::test]
    async fn rest_changes_nothing_and_every_setting_something() {
        let image = painted(3, 1, |x, _| match x {
            0 => [20, 10, 30, 255],
            1 => [200, 100, 50, 0],
            _ => [250, 240, 230, 255],
        });
        let made = async |name: &str, value: f64| {
            let case = case::<Grade>().set("image", image.0.clone());
            seen(&case.set(name, value).value().await.unwrap())
        };
        let old = seen(&image.0);
        assert_eq!(made("hue", 0.0).await, old);
        for (name, value) in [
            ("brightness", 0.1),
            ("contrast", 1.5),
            ("saturation", 0.5),
            ("hue", 90.0),
            ("temperature", 0.5),
            ("tint", 0.5),
            ("shadows", 0.5),
            ("highlights", -0.5),
        ] {
            assert_ne!(made(name, value).await, old, "{name}");
        }
    }
}
