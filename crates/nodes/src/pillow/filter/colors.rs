//! `lib.pillow.filter.ConvertToGrayscale`, `GetChannel`, `Invert`, `Posterize` and `Solarize`: each pixel by itself.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process, ValueType};

use crate::picture::{edit, luma, whole};

/// Takes the colours out of a picture.
/// image, grayscale, black and white, monochrome, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct ConvertToGrayscale {
    /// The picture.
    image: ImageRef,
}

impl Process for ConvertToGrayscale {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(p.recolor(|rgb| [luma(rgb); 3]))).await
    }
}

/// A colour of a pixel.
#[derive(Clone, Copy, Debug, ValueType)]
#[value(type_name = "nodetool.nodes.lib.pillow.filter.GetChannel.ChannelEnum")]
pub(super) enum Channel {
    #[value("R")]
    Red,
    #[value("G")]
    Green,
    #[value("B")]
    Blue,
}

/// Shows one colour of a picture as grey.
/// image, channel, red, green, blue, separate
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct GetChannel {
    /// The picture.
    image: ImageRef,
    /// Which colour.
    channel: Channel,
}

impl Process for GetChannel {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let channel = self.channel as usize;
        edit(cx, &self.image, move |p| {
            Ok(p.recolor(|rgb| [rgb[channel]; 3]))
        })
        .await
    }
}

/// Turns light into dark and colours into their opposites.
/// image, invert, negative, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Invert {
    /// The picture.
    image: ImageRef,
}

impl Process for Invert {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| {
            Ok(p.recolor(|rgb| rgb.map(|v| 255 - v)))
        })
        .await
    }
}

/// Leaves few steps of each colour.
/// image, posterize, bits, poster, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Posterize {
    /// The picture.
    image: ImageRef,
    /// How many bits of each colour are kept.
    #[prop(default = 4, min = 1, max = 8)]
    bits: i64,
}

impl Process for Posterize {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let mask = !0u8 << (8 - whole("bits", self.bits, 1, 8)?);
        edit(cx, &self.image, move |p| {
            Ok(p.recolor(|rgb| rgb.map(|v| v & mask)))
        })
        .await
    }
}

/// Inverts what is lighter than a threshold.
/// image, solarize, invert, threshold, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Solarize {
    /// The picture.
    image: ImageRef,
    /// Values from here on are inverted.
    #[prop(default = 128, min = 0, max = 255)]
    threshold: i64,
}

impl Process for Solarize {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let threshold = whole("threshold", self.threshold, 0, 255)? as u8;
        let turn = move |v: u8| if v < threshold { v } else { 255 - v };
        edit(cx, &self.image, move |p| Ok(p.recolor(|rgb| rgb.map(turn)))).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    async fn made<N: Node>(name: &str, value: impl Into<Value>) -> [u8; 4] {
        let image = painted(1, 1, |_, _| [10, 130, 250, 40]);
        let case = case::<N>().set(name, value).set("image", image.0);
        let given = case.value().await.unwrap();
        seen(&given).pixels.get_pixel(0, 0).0
    }

    #[tokio::test]
    async fn colours_change_by_their_rules_and_transparency_stays() {
        assert_eq!(
            made::<ConvertToGrayscale>("x", 0i64).await,
            [108, 108, 108, 40]
        );
        assert_eq!(
            made::<GetChannel>("channel", "B").await,
            [250, 250, 250, 40]
        );
        assert_eq!(made::<Invert>("x", 0i64).await, [245, 125, 5, 40]);
        assert_eq!(made::<Posterize>("bits", 2i64).await, [0, 128, 192, 40]);
        assert_eq!(made::<Posterize>("bits", 8i64).await, [10, 130, 250, 40]);
        assert_eq!(
            made::<Solarize>("threshold", 130i64).await,
            [10, 125, 5, 40]
        );
    }
}
