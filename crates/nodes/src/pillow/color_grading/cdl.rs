//! `lib.pillow.color_grading.CDL`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Pixel, edit};

/// Grades by a colour decision list: slope, offset and power of each colour, then saturation.
/// image, cdl, asc, slope, offset, power, grade
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading", name = "CDL", title = "CDL")]
pub(super) struct Cdl {
    /// The picture.
    image: ImageRef,
    /// What red is multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    slope_r: f64,
    /// What green is multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    slope_g: f64,
    /// What blue is multiplied by.
    #[prop(default = 1.0, min = 0, max = 4)]
    slope_b: f64,
    /// What is added to red.
    #[prop(default = 0.0, min = -1, max = 1)]
    offset_r: f64,
    /// What is added to green.
    #[prop(default = 0.0, min = -1, max = 1)]
    offset_g: f64,
    /// What is added to blue.
    #[prop(default = 0.0, min = -1, max = 1)]
    offset_b: f64,
    /// The power red is raised to.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    power_r: f64,
    /// The power green is raised to.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    power_g: f64,
    /// The power blue is raised to.
    #[prop(default = 1.0, min = 0.1, max = 4)]
    power_b: f64,
    /// How strong colours are: 0 is grey, 1 leaves them alone.
    #[prop(default = 1.0, min = 0, max = 4)]
    saturation: f64,
}

impl Process for Cdl {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let slope = [
            within("slope_r", self.slope_r, 0.0, 4.0)?,
            within("slope_g", self.slope_g, 0.0, 4.0)?,
            within("slope_b", self.slope_b, 0.0, 4.0)?,
        ];
        let offset = [
            within("offset_r", self.offset_r, -1.0, 1.0)?,
            within("offset_g", self.offset_g, -1.0, 1.0)?,
            within("offset_b", self.offset_b, -1.0, 1.0)?,
        ];
        let power = [
            within("power_r", self.power_r, 0.1, 4.0)?,
            within("power_g", self.power_g, 0.1, 4.0)?,
            within("power_b", self.power_b, 0.1, 4.0)?,
        ];
        let saturation = within("saturation", self.saturation, 0.0, 4.0)?;
        let tone = move |pixel: Pixel| {
            pixel
                .with(slope, |v, slope| v * slope)
                .with(offset, |v, offset| v + offset)
                .clamped()
                .with(power, f32::powf)
                .saturated(saturation)
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn slope_offset_and_power_follow_each_other() {
        assert!(leaves_alone::<Cdl>(&[]).await);
        let set = [
            ("slope_r", 2.0.into()),
            ("offset_g", 0.2.into()),
            ("power_b", 2.0.into()),
        ];
        let made = graded::<Cdl>([50, 51, 51], &set).await;
        assert_eq!(made, [100, 102, 10, 128]);
    }
}
