//! `lib.math.Sine` and `lib.math.Cosine`.

use nodetool_sdk::{Node, NodeCx, NodeError, Number, Process};

/// Gives the sine of an angle.
/// math, sin, trigonometry, wave, radians
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Sine {
    /// The angle in radians.
    #[prop(default = 0.0, title = "Angle (rad)")]
    angle_rad: Number,
}

impl Process for Sine {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        Ok(Number::Float(finite("angle_rad", self.angle_rad)?.sin()))
    }
}

/// Gives the cosine of an angle.
/// math, cos, trigonometry, wave, radians
#[derive(Node)]
#[node(namespace = "lib.math", layout = "small", tool)]
pub(super) struct Cosine {
    /// The angle in radians.
    #[prop(default = 0.0, title = "Angle (rad)")]
    angle_rad: Number,
}

impl Process for Cosine {
    type Output = Number;

    async fn process(self, _: &NodeCx) -> Result<Number, NodeError> {
        Ok(Number::Float(finite("angle_rad", self.angle_rad)?.cos()))
    }
}

/// The angle in `property`, which must not be infinite.
pub(super) fn finite(property: &str, angle: Number) -> Result<f64, NodeError> {
    let angle = angle.as_f64();
    if angle.is_infinite() {
        return Err(NodeError::bad(
            property,
            format!("{angle} (expected a finite angle)"),
        ));
    }
    Ok(angle)
}
