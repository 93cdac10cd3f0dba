//! `lib.pillow.color_grading.LiftGammaGain`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Pixel, edit};

/// Sets dark, middle and light tones of each colour, as with three wheels.
/// image, lift, gamma, gain, color wheels, grade
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct LiftGammaGain {
    /// The picture.
    image: ImageRef,
    /// What is added to red.
    #[prop(default = 0.0, min = -1, max = 1)]
    lift_r: f64,
    /// What is added to green.
    #[prop(default = 0.0, min = -1, max = 1)]
    lift_g: f64,
    /// What is added to blue.
    #[prop(default = 0.0, min = -1, max = 1)]
    lift_b: f64,
    /// What is added to all of them.
    #[prop(default = 0.0, min = -1, max = 1)]
    lift_master: f64,
    /// The gamma of red: more is lighter.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    gamma_r: f64,
    /// The gamma of green.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    gamma_g: f64,
    /// The gamma of blue.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    gamma_b: f64,
    /// The gamma of all of them.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    gamma_master: f64,
    /// What red is multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    gain_r: f64,
    /// What green is multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    gain_g: f64,
    /// What blue is multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    gain_b: f64,
    /// What all of them are multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    gain_master: f64,
}

impl Process for LiftGammaGain {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let all = within("lift_master", self.lift_master, -1.0, 1.0)?;
        let lift = [
            within("lift_r", self.lift_r, -1.0, 1.0)?,
            within("lift_g", self.lift_g, -1.0, 1.0)?,
            within("lift_b", self.lift_b, -1.0, 1.0)?,
        ]
        .map(|lift| lift + all);
        let all = within("gamma_master", self.gamma_master, 0.1, 4.0)?;
        let power = [
            within("gamma_r", self.gamma_r, 0.1, 4.0)?,
            within("gamma_g", self.gamma_g, 0.1, 4.0)?,
            within("gamma_b", self.gamma_b, 0.1, 4.0)?,
        ]
        .map(|gamma| 1.0 / (gamma * all));
        let all = within("gain_master", self.gain_master, 0.0, 4.0)?;
        let gain = [
            within("gain_r", self.gain_r, 0.0, 4.0)?,
            within("gain_g", self.gain_g, 0.0, 4.0)?,
            within("gain_b", self.gain_b, 0.0, 4.0)?,
        ]
        .map(|gain| gain * all);
        let tone = move |pixel: Pixel| {
            pixel
                .with(gain, |v, gain| v * gain)
                .with(lift, |v, lift| v + lift)
                .clamped()
                .with(power, f32::powf)
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn masters_work_along_with_the_single_colours() {
        assert!(leaves_alone::<LiftGammaGain>(&[]).await);
        let set = [
            ("gain_r", 2.0.into()),
            ("gain_master", 0.5.into()),
            ("lift_g", 0.2.into()),
            ("gamma_b", 2.0.into()),
        ];
        let made = graded::<LiftGammaGain>([80, 80, 80], &set).await;
        assert_eq!(made, [80, 91, 101, 128]);
    }
}
