//! `lib.pillow.color_grading.Vignette`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Picture, Pixel, edit};

/// Darkens a picture toward its corners, or lightens it there.
/// image, vignette, corners, darken, frame, lens
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct Vignette {
    /// The picture.
    image: ImageRef,
    /// How dark the corners become; lighter below 0.
    #[prop(default = 0.5, min = -1, max = 1)]
    amount: f64,
    /// How far from the middle it begins.
    #[prop(default = 0.5, min = 0, max = 1)]
    midpoint: f64,
    /// From the shape of the picture (-1) to a circle (1).
    #[prop(default = 0.0, min = -1, max = 1)]
    roundness: f64,
    /// How soft the edge is.
    #[prop(default = 0.5, min = 0, max = 1)]
    feather: f64,
}

impl Process for Vignette {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let shade = Shade {
            amount: within("amount", self.amount, -1.0, 1.0)?,
            midpoint: within("midpoint", self.midpoint, 0.0, 1.0)?,
            roundness: within("roundness", self.roundness, -1.0, 1.0)?,
            feather: within("feather", self.feather, 0.0, 1.0)?,
        };
        edit(cx, &self.image, move |picture| Ok(shade.apply(picture))).await
    }
}

struct Shade {
    amount: f32,
    midpoint: f32,
    roundness: f32,
    feather: f32,
}

impl Shade {
    fn apply(&self, mut picture: Picture) -> Picture {
        let (width, height) = picture.pixels.dimensions();
        let (half_width, half_height) = (width as f32 / 2.0, height as f32 / 2.0);
        let longest = half_width.max(half_height);
        // An ellipse inside the picture, a circle around its longer side, or what lies between.
        let round = (self.roundness + 1.0) / 2.0;
        let reach = |half: f32| half + (longest - half) * round;
        let (reach_x, reach_y) = (reach(half_width), reach(half_height));
        let width_of_edge = self.feather.max(1e-3);
        for (x, y, pixel) in picture.pixels.enumerate_pixels_mut() {
            let across = (x as f32 + 0.5 - half_width) / reach_x;
            let down = (y as f32 + 0.5 - half_height) / reach_y;
            // 1 in the corners of an ellipse that touches the sides.
            let away = (across * across + down * down).sqrt() / std::f32::consts::SQRT_2;
            let at = ((away - self.midpoint) / width_of_edge + 0.5).clamp(0.0, 1.0);
            let part = at * at * (3.0 - 2.0 * at) * self.amount;
            let [r, g, b, a] = pixel.0;
            let new = Pixel::from_bytes([r, g, b]).map(|v| {
                if part >= 0.0 {
                    v * (1.0 - part)
                } else {
                    v - (1.0 - v) * part
                }
            });
            let [r, g, b] = new.to_bytes();
            pixel.0 = [r, g, b, a];
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::leaves_alone;
    use super::*;
    use crate::picture::testing::{painted, seen};

    #[tokio::test]
    async fn corners_are_shaded_and_the_middle_stays() {
        assert!(leaves_alone::<Vignette>(&[("amount", 0.0.into())]).await);
        let picture = seen(&painted(40, 20, |_, _| [100, 100, 100, 50]).0);
        for (amount, darker) in [(0.8, true), (-0.8, false)] {
            let shade = Shade {
                amount,
                midpoint: 0.5,
                roundness: 0.0,
                feather: 0.5,
            };
            let made = shade.apply(picture.clone()).pixels;
            assert_eq!(made.get_pixel(20, 10).0, [100, 100, 100, 50]);
            assert_eq!(made.get_pixel(0, 0)[0] < 90, darker);
            assert_eq!(made.get_pixel(39, 19)[0] > 110, !darker);
        }
    }
}
