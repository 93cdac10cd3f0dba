//! `lib.pillow.color_grading.Curves`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::within;
use crate::picture::{Pixel, edit};

/// Bends the tones of a picture: its ends, its dark, middle and light parts, and the middle of each colour.
/// image, curves, tone, black point, white point, gamma, midtones
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct Curves {
    /// The picture.
    image: ImageRef,
    /// What becomes black.
    #[prop(default = 0.0, min = 0, max = 0.5)]
    black_point: f64,
    /// What becomes white.
    #[prop(default = 1.0, min = 0.5, max = 1)]
    white_point: f64,
    /// Lifts or lowers dark tones.
    #[prop(default = 0.0, min = -0.5, max = 0.5)]
    shadows: f64,
    /// Lifts or lowers middle tones.
    #[prop(default = 0.0, min = -0.5, max = 0.5)]
    midtones: f64,
    /// Lifts or lowers light tones.
    #[prop(default = 0.0, min = -0.5, max = 0.5)]
    highlights: f64,
    /// Lifts or lowers the middle of red.
    #[prop(default = 0.0, min = -0.5, max = 0.5)]
    red_midtones: f64,
    /// Lifts or lowers the middle of green.
    #[prop(default = 0.0, min = -0.5, max = 0.5)]
    green_midtones: f64,
    /// Lifts or lowers the middle of blue.
    #[prop(default = 0.0, min = -0.5, max = 0.5)]
    blue_midtones: f64,
}

impl Process for Curves {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let black = within("black_point", self.black_point, 0.0, 0.5)?;
        let white = within("white_point", self.white_point, 0.5, 1.0)?;
        // The two may meet in the middle; then everything is black or white.
        let span = (white - black).max(1e-3);
        let shadows = within("shadows", self.shadows, -0.5, 0.5)?;
        let highlights = within("highlights", self.highlights, -0.5, 0.5)?;
        let gamma = |name, value| Ok::<_, NodeError>(1.0 / (1.0 + within(name, value, -0.5, 0.5)?));
        let middle = gamma("midtones", self.midtones)?;
        let colors = [
            gamma("red_midtones", self.red_midtones)?,
            gamma("green_midtones", self.green_midtones)?,
            gamma("blue_midtones", self.blue_midtones)?,
        ];
        let tone = move |pixel: Pixel| {
            pixel
                .map(|v| ((v - black) / span).clamp(0.0, 1.0))
                .map(|v| (v + shadows * (1.0 - v).powi(2) * v.sqrt()).max(0.0))
                .map(|v| v.powf(middle))
                .map(|v| (v + highlights * v * v * (1.0 - v).max(0.0).sqrt()).max(0.0))
                .with(colors, f32::powf)
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn points_become_the_ends_and_tones_move_where_they_are() {
        assert!(leaves_alone::<Curves>(&[]).await);
        let ends = [("black_point", 0.2.into()), ("white_point", 0.8.into())];
        let made = graded::<Curves>([51, 128, 204], &ends).await;
        assert_eq!([made[0], made[2]], [0, 255]);
        let up = graded::<Curves>([128; 3], &[("midtones", 0.5.into())]).await;
        assert!(up[0] > 128);
        let red = graded::<Curves>([128; 3], &[("red_midtones", 0.5.into())]).await;
        assert!(red[0] > 128 && red[1] == 128);
        for (name, value) in [("shadows", 40), ("highlights", 220)] {
            let made = graded::<Curves>([value; 3], &[(name, (-0.3).into())]).await;
            assert!(made[0] < value, "{name}");
            let ends = graded::<Curves>([0, 0, 255], &[(name, 0.3.into())]).await;
            assert_eq!(ends, [0, 0, 255, 128], "{name}");
        }
    }
}
