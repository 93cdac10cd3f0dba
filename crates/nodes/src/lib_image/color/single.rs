//! `lib.image.color.Invert`, `Exposure`, `Posterize` and `ChannelSplit`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::masked;
use crate::picture::{Picture, required};
use crate::picture::{Pixel, make, number, whole};

/// Turns light into dark and colours into their opposites.
/// image, invert, negative, color
#[derive(Node)]
#[node(namespace = "lib.image.color")]
pub(super) struct Invert {
    /// The picture.
    image: ImageRef,
    /// Where it is light the picture changes; everywhere without one.
    mask: ImageRef,
    /// How far: 0 not at all, 1 wholly.
    #[prop(default = 1.0, min = 0, max = 1)]
    amount: f64,
}

impl Process for Invert {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let amount = number("amount", self.amount, 0.0, 1.0)? as f32;
        let tone = move |pixel: Pixel| pixel.mixed(pixel.map(|v| 1.0 - v), amount);
        masked(cx, &self.image, &self.mask, tone).await
    }
}

/// Makes a picture lighter or darker by stops.
/// image, exposure, stops, brightness, light
#[derive(Node)]
#[node(namespace = "lib.image.color")]
pub(super) struct Exposure {
    /// The picture.
    image: ImageRef,
    /// Where it is light the picture changes; everywhere without one.
    mask: ImageRef,
    /// Stops: each one doubles the light.
    #[prop(default = 0.0, min = -4, max = 4)]
    stops: f64,
}

impl Process for Exposure {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let gain = (number("stops", self.stops, -4.0, 4.0)? as f32).exp2();
        let tone = move |pixel: Pixel| pixel.map(|v| v * gain);
        masked(cx, &self.image, &self.mask, tone).await
    }
}

/// Leaves few steps of each colour.
/// image, posterize, levels, poster, quantize
#[derive(Node)]
#[node(namespace = "lib.image.color")]
pub(super) struct Posterize {
    /// The picture.
    image: ImageRef,
    /// Where it is light the picture changes; everywhere without one.
    mask: ImageRef,
    /// How many steps.
    #[prop(default = 4, min = 2, max = 32)]
    levels: i64,
}

impl Process for Posterize {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let steps = (whole("levels", self.levels, 2, 32)? - 1) as f32;
        let tone = move |pixel: Pixel| pixel.map(|v| (v * steps).round() / steps);
        masked(cx, &self.image, &self.mask, tone).await
    }
}

/// Shows one channel of a picture as grey.
/// image, channel, red, green, blue, alpha, split
#[derive(Node)]
#[node(namespace = "lib.image.color")]
pub(super) struct ChannelSplit {
    /// The picture.
    image: ImageRef,
    /// Which channel: 0 red, 1 green, 2 blue, 3 how opaque.
    #[prop(default = 0, min = 0, max = 3)]
    mode: i64,
}

impl Process for ChannelSplit {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let channel = whole("mode", self.mode, 0, 3)? as usize;
        let file = required(cx, "image", &self.image).await?;
        make(move || {
            let mut picture = Picture::decode("image", &file)?;
            for pixel in picture.pixels.pixels_mut() {
                let grey = pixel[channel];
                pixel.0 = [grey, grey, grey, pixel[3]];
            }
            Ok(picture)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    async fn made<N: Node>(set: &[(&str, Value)]) -> [[u8; 4]; 2] {
        let image = painted(2, 1, |_, _| [10, 130, 250, 40]);
        let mut case = case::<N>().set("image", image.0);
        for (name, value) in set {
            case = case.set(name, value.clone());
        }
        let made = seen(&case.value().await.unwrap()).pixels;
        [made.get_pixel(0, 0).0, made.get_pixel(1, 0).0]
    }

    #[tokio::test]
    async fn colours_change_by_their_rules_and_rest_changes_nothing() {
        let old = [10, 130, 250, 40];
        assert_eq!(made::<Invert>(&[]).await, [[245, 125, 5, 40]; 2]);
        assert_eq!(made::<Invert>(&[("amount", 0.0.into())]).await, [old; 2]);
        assert_eq!(made::<Exposure>(&[]).await, [old; 2]);
        let up = made::<Exposure>(&[("stops", 1.0.into())]).await;
        assert_eq!(up, [[20, 255, 255, 40]; 2]);
        let two = made::<Posterize>(&[("levels", 2i64.into())]).await;
        assert_eq!(two, [[0, 255, 255, 40]; 2]);
        let alpha = made::<ChannelSplit>(&[("mode", 3i64.into())]).await;
        assert_eq!(alpha, [[40; 4]; 2]);
    }

    #[tokio::test]
    async fn a_mask_says_where() {
        let mask = painted(2, 1, |x, _| [if x == 0 { 0 } else { 255 }, 0, 0, 255]);
        let white = painted(2, 1, |x, _| [if x == 0 { 0 } else { 255 }; 4]);
        let [left, right] = made::<Invert>(&[("mask", white.0)]).await;
        assert_eq!((left, right), ([10, 130, 250, 40], [245, 125, 5, 40]));
        let [_, partly] = made::<Invert>(&[("mask", mask.0)]).await;
        assert!(partly[0] > 10 && partly[0] < 245, "{partly:?}");
    }
}
