//! `nodetool.image.Fit`, `Resize` and `Scale`: pictures of another size.

use image::imageops::{self, FilterType};
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, check_size, edit, number, whole};

/// Longest side that can be asked for.
const MAX: u32 = 4096;

/// The picture with another size, smoothly.
fn resized(picture: &Picture, width: u32, height: u32) -> Picture {
    Picture {
        pixels: imageops::resize(&picture.pixels, width, height, FilterType::Lanczos3),
        has_alpha: picture.has_alpha,
    }
}

/// Brings a picture to a size; what does not fit its proportions is cut off evenly.
/// image, fit, crop, resize, thumbnail, cover
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct Fit {
    /// The picture.
    image: ImageRef,
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
}

impl Process for Fit {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let width = whole("width", self.width, 1, MAX)?;
        let height = whole("height", self.height, 1, MAX)?;
        edit(cx, &self.image, move |picture| {
            let (w, h) = picture.pixels.dimensions();
            let ratio = f64::from(width) / f64::from(height);
            let (across, down) = if f64::from(w) > f64::from(h) * ratio {
                (((f64::from(h) * ratio).round() as u32).clamp(1, w), h)
            } else {
                (w, ((f64::from(w) / ratio).round() as u32).clamp(1, h))
            };
            let (x, y) = ((w - across) / 2, (h - down) / 2);
            let middle = Picture {
                pixels: imageops::crop_imm(&picture.pixels, x, y, across, down).to_image(),
                has_alpha: picture.has_alpha,
            };
            Ok(resized(&middle, width, height))
        })
        .await
    }
}

/// Brings a picture to a size, whatever its proportions were.
/// image, resize, size, stretch, dimensions
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct Resize {
    /// The picture.
    image: ImageRef,
    /// Width in pixels.
    #[prop(default = 512, min = 0, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 0, max = 4096)]
    height: i64,
}

impl Process for Resize {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let width = whole("width", self.width, 1, MAX)?;
        let height = whole("height", self.height, 1, MAX)?;
        edit(cx, &self.image, move |picture| {
            Ok(resized(&picture, width, height))
        })
        .await
    }
}

/// Makes a picture larger or smaller.
/// image, scale, enlarge, shrink, zoom
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct Scale {
    /// The picture.
    image: ImageRef,
    /// How many times as large: 0.5 is half of each side.
    #[prop(default = 1.0, min = 0, max = 10)]
    scale: f64,
}

impl Process for Scale {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let scale = number("scale", self.scale, 0.0, 10.0)?;
        edit(cx, &self.image, move |picture| {
            let side = |pixels: u32| (f64::from(pixels) * scale) as u32;
            let (width, height) = picture.pixels.dimensions();
            let (width, height) = (side(width), side(height));
            check_size("scale", width, height)?;
            Ok(resized(&picture, width, height))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    #[tokio::test]
    async fn pictures_get_the_size_that_was_asked_for() {
        let image = painted(40, 20, |x, _| {
            [if (10..30).contains(&x) { 200 } else { 0 }, 9, 9, 255]
        });
        let sized = async |case: nodetool_sdk::testing::Case| {
            seen(&case.set("image", image.0.clone()).value().await.unwrap()).pixels
        };
        let square = case::<Fit>().set("width", 10i64).set("height", 10i64);
        let square = sized(square).await;
        assert_eq!(square.dimensions(), (10, 10));
        // The middle alone is left.
        assert_eq!(square.get_pixel(5, 5).0, [200, 9, 9, 255]);
        let tall = case::<Resize>().set("width", 5i64).set("height", 30i64);
        assert_eq!(sized(tall).await.dimensions(), (5, 30));
        assert_eq!(
            sized(case::<Scale>().set("scale", 1.5)).await.dimensions(),
            (60, 30)
        );
    }

    #[tokio::test]
    async fn sizes_of_nothing_are_refused() {
        let image = painted(4, 4, |_, _| [1, 1, 1, 255]);
        for (run, name) in [
            (case::<Scale>().set("scale", 0.0), "`scale`"),
            (case::<Resize>().set("width", 0i64), "`width`"),
        ] {
            let refused = run.set("image", image.0.clone()).run().await;
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
        }
    }
}
