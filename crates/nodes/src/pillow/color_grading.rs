//! `lib.pillow.color_grading`: the tools of colourists. Settings of rest give back exactly the same pixels.

use nodetool_sdk::Registry;

mod cdl;
mod color_balance;
mod curves;
mod exposure;
mod film_look;
mod hsl_adjust;
mod lift_gamma_gain;
mod saturation_vibrance;
mod split_toning;
mod vignette;

pub(super) fn register(r: &mut Registry) {
    r.add::<cdl::Cdl>();
    r.add::<color_balance::ColorBalance>();
    r.add::<curves::Curves>();
    r.add::<exposure::Exposure>();
    r.add::<film_look::FilmLook>();
    r.add::<hsl_adjust::HslAdjust>();
    r.add::<hsl_adjust::HslAdjustInDegrees>();
    r.add::<lift_gamma_gain::LiftGammaGain>();
    r.add::<saturation_vibrance::SaturationVibrance>();
    r.add::<split_toning::SplitToning>();
    r.add::<vignette::Vignette>();
}

/// A number within the bounds of its property.
fn within(name: &str, value: f64, low: f64, high: f64) -> Result<f32, nodetool_sdk::NodeError> {
    crate::picture::number(name, value, low, high).map(|v| v as f32)
}

/// How much of a dark pixel's share a luminance has: 1 at black, 0 from the middle on.
fn darkness(luminance: f32) -> f32 {
    (1.0 - 2.0 * luminance).clamp(0.0, 1.0)
}

/// How much of a light pixel's share a luminance has: 0 up to the middle, 1 at white.
fn lightness(luminance: f32) -> f32 {
    (2.0 * luminance - 1.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod testing {
    //! One pixel through a node.

    use nodetool_sdk::testing::case;
    use nodetool_sdk::{Node, Value};

    use crate::picture::testing::{painted, seen};

    /// What becomes of a half-clear pixel in the middle of five times five equal ones.
    pub(super) async fn graded<N: Node>(rgb: [u8; 3], set: &[(&str, Value)]) -> [u8; 4] {
        let [r, g, b] = rgb;
        let image = painted(5, 5, |_, _| [r, g, b, 128]);
        let mut case = case::<N>().set("image", image.0);
        for (name, value) in set {
            case = case.set(name, value.clone());
        }
        let given = case.value().await.unwrap_or_else(|e| panic!("{e}"));
        seen(&given).pixels.get_pixel(2, 2).0
    }

    /// Whether the node at rest gives back each of some pixels.
    pub(super) async fn leaves_alone<N: Node>(set: &[(&str, Value)]) -> bool {
        let mut same = true;
        for rgb in [[0, 0, 0], [255, 255, 255], [1, 128, 254], [200, 30, 90]] {
            let [r, g, b] = rgb;
            same &= graded::<N>(rgb, set).await == [r, g, b, 128];
        }
        same
    }
}
