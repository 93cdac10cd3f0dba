//! `nodetool.image.Levels`.

use std::array;

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{edit, number, whole};

/// Sets black, white and the middle of each colour.
/// image, levels, black point, white point, gamma, histogram
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct Levels {
    /// The picture.
    image: ImageRef,
    /// What becomes no red.
    #[prop(default = 0, min = 0, max = 255)]
    r_black: i64,
    /// The gamma of red: more is lighter.
    #[prop(default = 1.0, min = 0.01, max = 10)]
    r_gamma: f64,
    /// What becomes full red.
    #[prop(default = 255, min = 0, max = 255)]
    r_white: i64,
    /// What becomes no green.
    #[prop(default = 0, min = 0, max = 255)]
    g_black: i64,
    /// The gamma of green.
    #[prop(default = 1.0, min = 0.01, max = 10)]
    g_gamma: f64,
    /// What becomes full green.
    #[prop(default = 255, min = 0, max = 255)]
    g_white: i64,
    /// What becomes no blue.
    #[prop(default = 0, min = 0, max = 255)]
    b_black: i64,
    /// The gamma of blue.
    #[prop(default = 1.0, min = 0.01, max = 10)]
    b_gamma: f64,
    /// What becomes full blue.
    #[prop(default = 255, min = 0, max = 255)]
    b_white: i64,
}

impl Process for Levels {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let tables = [
            table("r", self.r_black, self.r_gamma, self.r_white)?,
            table("g", self.g_black, self.g_gamma, self.g_white)?,
            table("b", self.b_black, self.b_gamma, self.b_white)?,
        ];
        edit(cx, &self.image, move |p| Ok(p.look_up(&tables))).await
    }
}

/// What becomes of each value of one colour.
fn table(color: &str, black: i64, gamma: f64, white: i64) -> Result<[u8; 256], NodeError> {
    let black = f64::from(whole(&format!("{color}_black"), black, 0, 255)?);
    let gamma = number(&format!("{color}_gamma"), gamma, 0.01, 10.0)?;
    let white = f64::from(whole(&format!("{color}_white"), white, 0, 255)?);
    // Black at or above white leaves a step.
    let span = (white - black).max(1.0);
    Ok(array::from_fn(|value| {
        let part = ((value as f64 - black) / span).clamp(0.0, 1.0);
        (part.powf(1.0 / gamma) * 255.0).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_and_white_move_and_the_middle_bends() {
        let same = table("r", 0, 1.0, 255).unwrap();
        assert!((0..256).all(|v| usize::from(same[v]) == v));
        let cut = table("r", 50, 1.0, 150).unwrap();
        assert_eq!([50, 100, 150, 200].map(|v| cut[v]), [0, 128, 255, 255]);
        assert!(table("r", 0, 2.0, 255).unwrap()[128] > 128);
        let refused = table("g", 0, 0.0, 255).unwrap_err().to_string();
        assert!(refused.contains("`g_gamma`"), "{refused}");
    }
}
