//! `lib.pillow.color_grading.FilmLook`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process, ValueType};

use super::within;
use crate::picture::{Pixel, edit};

/// A look.
#[derive(Clone, Copy, Debug, ValueType)]
#[value(type_name = "nodetool.nodes.lib.pillow.color_grading.FilmLookPreset")]
pub(super) enum Preset {
    TealOrange,
    Blockbuster,
    Noir,
    Vintage,
    ColdBlue,
    WarmSunset,
    Matrix,
    BleachBypass,
    CrossProcess,
    FadedFilm,
}

/// What a look is made of.
struct Look {
    /// What is added to dark parts.
    dark: [f32; 3],
    /// What is added to light parts.
    light: [f32; 3],
    /// 1 leaves it alone.
    contrast: f32,
    /// 1 leaves it alone, 0 is grey.
    saturation: f32,
    /// How far black is lifted.
    fade: f32,
}

const fn look(dark: [f32; 3], light: [f32; 3], contrast: f32, saturation: f32, fade: f32) -> Look {
    Look {
        dark,
        light,
        contrast,
        saturation,
        fade,
    }
}

impl Preset {
    fn look(self) -> Look {
        match self {
            Preset::TealOrange => look([-0.06, 0.02, 0.08], [0.08, 0.02, -0.08], 1.1, 1.1, 0.0),
            Preset::Blockbuster => look([-0.05, 0.01, 0.07], [0.07, 0.03, -0.05], 1.25, 0.95, 0.0),
            Preset::Noir => look([0.0; 3], [0.0; 3], 1.4, 0.0, 0.0),
            Preset::Vintage => look([0.05, 0.02, -0.02], [0.06, 0.04, -0.06], 0.9, 0.75, 0.06),
            Preset::ColdBlue => look([-0.04, 0.0, 0.1], [-0.04, 0.01, 0.06], 1.1, 0.8, 0.0),
            Preset::WarmSunset => look([0.06, 0.0, -0.02], [0.12, 0.05, -0.1], 1.05, 1.15, 0.0),
            Preset::Matrix => look([-0.05, 0.07, -0.05], [-0.03, 0.06, -0.04], 1.2, 0.7, 0.0),
            Preset::BleachBypass => look([0.0; 3], [0.02, 0.02, 0.02], 1.35, 0.45, 0.0),
            Preset::CrossProcess => look([-0.04, -0.02, 0.1], [0.08, 0.08, -0.1], 1.2, 1.2, 0.0),
            Preset::FadedFilm => look([0.02, 0.02, 0.04], [0.03, 0.02, 0.0], 0.85, 0.8, 0.1),
        }
    }
}

/// Gives a picture the colours of a kind of film.
/// image, film look, cinematic, preset, grade, mood
#[derive(Node)]
#[node(namespace = "lib.pillow.color_grading")]
pub(super) struct FilmLook {
    /// The picture.
    image: ImageRef,
    /// Which look.
    preset: Preset,
    /// How much of it: 0 is none, 2 is too much.
    #[prop(default = 1.0, min = 0, max = 2)]
    intensity: f64,
}

impl Process for FilmLook {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let intensity = within("intensity", self.intensity, 0.0, 2.0)?;
        let look = self.preset.look();
        let tone = move |pixel: Pixel| {
            let light = pixel.luminance();
            let graded = pixel
                .with(look.dark, |v, tint| v + tint * (1.0 - light))
                .with(look.light, |v, tint| v + tint * light)
                .map(|v| (v - 0.5) * look.contrast + 0.5)
                .saturated(look.saturation)
                .map(|v| look.fade + v * (1.0 - look.fade));
            pixel.mixed(graded, intensity)
        };
        edit(cx, &self.image, move |p| Ok(p.grade(tone))).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graded, leaves_alone};
    use super::*;

    #[tokio::test]
    async fn looks_differ_from_each_other_and_none_of_one_changes_nothing() {
        assert!(leaves_alone::<FilmLook>(&[("intensity", 0.0.into())]).await);
        let mut seen = Vec::new();
        for preset in [
            "teal_orange",
            "blockbuster",
            "noir",
            "vintage",
            "cold_blue",
            "warm_sunset",
            "matrix",
            "bleach_bypass",
            "cross_process",
            "faded_film",
        ] {
            let made = graded::<FilmLook>([180, 110, 60], &[("preset", preset.into())]).await;
            assert!(!seen.contains(&made), "{preset} {made:?}");
            seen.push(made);
        }
        let [r, g, b, _] = seen[2];
        assert!(r == g && g == b, "black and white has no colour");
    }
}
