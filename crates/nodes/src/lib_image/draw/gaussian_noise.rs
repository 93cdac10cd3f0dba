//! `lib.image.draw.GaussianNoise`.

use std::f64::consts::TAU;

use image::{Rgba, RgbaImage};
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, make, number, whole};

/// Largest mean or deviation; beyond it all noise is black or white.
const MAX: f64 = 1e6;

/// Paints noise whose values are spread like a bell.
/// image, noise, gaussian, random, texture, grain
///
/// The same seed gives the same picture.
#[derive(Node)]
#[node(namespace = "lib.image.draw")]
pub(super) struct GaussianNoise {
    /// The middle of all values: 0 is black, 1 white.
    mean: f64,
    /// How far values spread.
    #[prop(default = 1.0)]
    stddev: f64,
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 1024)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 1024)]
    height: i64,
    /// Which noise.
    seed: i64,
}

impl Process for GaussianNoise {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let mean = number("mean", self.mean, -MAX, MAX)?;
        let deviation = number("stddev", self.stddev, 0.0, MAX)?;
        let width = whole("width", self.width, 1, 1024)?;
        let height = whole("height", self.height, 1, 1024)?;
        let mut random = fastrand::Rng::with_seed(self.seed as u64);
        make(move || {
            let mut value = || {
                // Box and Muller's way from even numbers to a bell.
                let away = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
                let value = mean + deviation * away * (TAU * random.f64()).cos();
                (value.clamp(0.0, 1.0) * 255.0).round() as u8
            };
            Ok(Picture {
                pixels: RgbaImage::from_fn(width, height, |_, _| {
                    Rgba([value(), value(), value(), 255])
                }),
                has_alpha: false,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::seen;

    #[tokio::test]
    async fn seeds_decide_and_values_lie_around_the_mean() {
        let noise = async |seed: i64| {
            let case = case::<GaussianNoise>().set("seed", seed).set("mean", 0.5);
            let case = case.set("stddev", 0.1).set("width", 64i64);
            seen(&case.set("height", 64i64).value().await.unwrap()).pixels
        };
        let (one, two) = (noise(7).await, noise(8).await);
        assert_eq!(one, noise(7).await);
        assert_ne!(one, two);
        let sum: u64 = one.pixels().map(|p| u64::from(p[0])).sum();
        assert!((120..136).contains(&(sum / 4096)), "{}", sum / 4096);
    }
}
