//! `lib.image.draw`: gradients, patterns and noise.

use image::{Rgba, RgbaImage};
use nodetool_sdk::{ColorRef, ImageRef, NodeError, Registry, Value};

use crate::picture::{self, Picture, make, whole};

mod checkerboard;
mod gaussian_noise;
mod gradients;

pub(super) fn register(r: &mut Registry) {
    r.add::<gradients::LinearGradient>();
    r.add::<gradients::RadialGradient>();
    r.add::<gradients::AngularGradient>();
    r.add::<gradients::DiamondGradient>();
    r.add::<checkerboard::Checkerboard>();
    r.add::<gaussian_noise::GaussianNoise>();
}

/// A colour as it stands in a graph.
fn named(hex: &'static str) -> Value {
    Value::map([("type", "color".into()), ("value", hex.into())])
}

/// A canvas and the two colours on it.
struct Canvas {
    width: u32,
    height: u32,
    colors: [[u8; 4]; 2],
}

impl Canvas {
    fn new((width, height): (i64, i64), colors: [(&str, &ColorRef); 2]) -> Result<Self, NodeError> {
        let [(a, color_a), (b, color_b)] = colors;
        Ok(Canvas {
            width: whole("width", width, 1, 4096)?,
            height: whole("height", height, 1, 4096)?,
            colors: [picture::color(a, color_a)?, picture::color(b, color_b)?],
        })
    }

    /// Mixes the colours by what `part` says of each place, which is counted in pixels from the upper left corner to
    /// the middle of a pixel: 0 is the first colour, 1 the second.
    async fn paint(
        self,
        part: impl Fn(f64, f64) -> f64 + Send + 'static,
    ) -> Result<ImageRef, NodeError> {
        make(move || {
            let [a, b] = self.colors;
            let pixels = RgbaImage::from_fn(self.width, self.height, |x, y| {
                let part = part(f64::from(x) + 0.5, f64::from(y) + 0.5).clamp(0.0, 1.0);
                let mix = |channel: usize| {
                    let (a, b) = (f64::from(a[channel]), f64::from(b[channel]));
                    (a + (b - a) * part).round() as u8
                };
                Rgba([mix(0), mix(1), mix(2), mix(3)])
            });
            Ok(Picture {
                pixels,
                has_alpha: a[3] != 255 || b[3] != 255,
            })
        })
        .await
    }
}
