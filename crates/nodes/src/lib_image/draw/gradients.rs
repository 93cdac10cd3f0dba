//! `lib.image.draw.LinearGradient`, `RadialGradient`, `AngularGradient` and `DiamondGradient`.

use std::f64::consts::TAU;

use nodetool_sdk::{ColorRef, ImageRef, Node, NodeCx, NodeError, Process};

use super::{Canvas, named};
use crate::picture::number;

/// Paints a way from one colour to another along a line.
/// image, gradient, linear, ramp, background
#[derive(Node)]
#[node(namespace = "lib.image.draw")]
pub(super) struct LinearGradient {
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
    /// The colour it begins with.
    #[prop(default = named("#000000"))]
    color_a: ColorRef,
    /// The colour it ends with.
    #[prop(default = named("#ffffff"))]
    color_b: ColorRef,
    /// Where it goes, in degrees: 0 is to the right, 90 down.
    #[prop(default = 0.0, min = -180, max = 180)]
    angle: f64,
    /// Where on the way both colours are mixed evenly.
    #[prop(default = 0.5, min = 0, max = 1)]
    midpoint: f64,
}

impl Process for LinearGradient {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let colors = [("color_a", &self.color_a), ("color_b", &self.color_b)];
        let canvas = Canvas::new((self.width, self.height), colors)?;
        let angle = number("angle", self.angle, -180.0, 180.0)?.to_radians();
        let middle = number("midpoint", self.midpoint, 0.0, 1.0)?.clamp(0.001, 0.999);
        let (w, h) = (f64::from(canvas.width), f64::from(canvas.height));
        let (sin, cos) = angle.sin_cos();
        let length = w * cos.abs() + h * sin.abs();
        let way = move |x: f64, y: f64| {
            let at = ((x - w / 2.0) * cos + (y - h / 2.0) * sin) / length + 0.5;
            if at < middle {
                at / middle / 2.0
            } else {
                0.5 + (at - middle) / (1.0 - middle) / 2.0
            }
        };
        canvas.paint(way).await
    }
}

/// Paints a way from one colour to another, from the middle outward.
/// image, gradient, radial, circle, spot
#[derive(Node)]
#[node(namespace = "lib.image.draw")]
pub(super) struct RadialGradient {
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
    /// The colour in the middle.
    #[prop(default = named("#ffffff"))]
    color_inner: ColorRef,
    /// The colour outside.
    #[prop(default = named("#000000"))]
    color_outer: ColorRef,
    /// How far it goes, as a part of the shorter side.
    #[prop(default = 0.5, min = 0, max = 2)]
    radius: f64,
}

impl Process for RadialGradient {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let colors = [
            ("color_inner", &self.color_inner),
            ("color_outer", &self.color_outer),
        ];
        let canvas = Canvas::new((self.width, self.height), colors)?;
        outward(canvas, self.radius, f64::hypot).await
    }
}

/// Paints a way from one colour to another, from the middle outward in the shape of a diamond.
/// image, gradient, diamond, rhombus
#[derive(Node)]
#[node(namespace = "lib.image.draw")]
pub(super) struct DiamondGradient {
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
    /// The colour in the middle.
    #[prop(default = named("#ffffff"))]
    color_inner: ColorRef,
    /// The colour outside.
    #[prop(default = named("#000000"))]
    color_outer: ColorRef,
    /// How far it goes, as a part of the shorter side.
    #[prop(default = 0.5, min = 0, max = 2)]
    radius: f64,
}

impl Process for DiamondGradient {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let colors = [
            ("color_inner", &self.color_inner),
            ("color_outer", &self.color_outer),
        ];
        let canvas = Canvas::new((self.width, self.height), colors)?;
        outward(canvas, self.radius, |x, y| x.abs() + y.abs()).await
    }
}

/// From the middle outward; `distance` says how far a place is.
async fn outward(
    canvas: Canvas,
    radius: f64,
    distance: fn(f64, f64) -> f64,
) -> Result<ImageRef, NodeError> {
    let (w, h) = (f64::from(canvas.width), f64::from(canvas.height));
    let reach = number("radius", radius, 0.0, 2.0)?.max(1e-6) * w.min(h);
    let way = move |x: f64, y: f64| distance(x - w / 2.0, y - h / 2.0) / reach;
    canvas.paint(way).await
}

/// Paints a way from one colour to another around the middle.
/// image, gradient, angular, conic, sweep
#[derive(Node)]
#[node(namespace = "lib.image.draw")]
pub(super) struct AngularGradient {
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
    /// The colour it begins with.
    #[prop(default = named("#000000"))]
    color_a: ColorRef,
    /// The colour it ends with.
    #[prop(default = named("#ffffff"))]
    color_b: ColorRef,
    /// Where it begins, in degrees: 0 is at the right.
    #[prop(default = 0.0, min = -180, max = 180)]
    rotation: f64,
}

impl Process for AngularGradient {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let colors = [("color_a", &self.color_a), ("color_b", &self.color_b)];
        let canvas = Canvas::new((self.width, self.height), colors)?;
        let begin = number("rotation", self.rotation, -180.0, 180.0)?.to_radians();
        let (w, h) = (f64::from(canvas.width), f64::from(canvas.height));
        let way = move |x: f64, y: f64| {
            let angle = (y - h / 2.0).atan2(x - w / 2.0) - begin;
            (angle / TAU).rem_euclid(1.0)
        };
        canvas.paint(way).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::seen;

    async fn reds<N: Node>(set: &[(&str, Value)], places: [(u32, u32); 3]) -> [u8; 3] {
        let mut case = case::<N>().set("width", 41i64).set("height", 21i64);
        for (name, value) in set {
            case = case.set(name, value.clone());
        }
        let made = seen(&case.value().await.unwrap()).pixels;
        assert_eq!(made.dimensions(), (41, 21));
        places.map(|(x, y)| made.get_pixel(x, y)[0])
    }

    #[tokio::test]
    async fn gradients_go_their_ways() {
        let [left, middle, right] = reds::<LinearGradient>(&[], [(0, 10), (20, 10), (40, 0)]).await;
        assert!(
            left < 5 && right > 250 && middle == 128,
            "{left} {middle} {right}"
        );
        let down = [("angle", 90.0.into())];
        let [up, _, low] = reds::<LinearGradient>(&down, [(20, 0), (20, 10), (0, 20)]).await;
        assert!(up < 10 && low > 245);
        let places = [(20, 10), (25, 15), (0, 0)];
        let [inner, round, outer] = reds::<RadialGradient>(&[], places).await;
        assert_eq!((inner, outer), (255, 0));
        let [inner, sharp, _] = reds::<DiamondGradient>(&[], places).await;
        assert!(inner == 255 && sharp < round, "{sharp} {round}");
        let [begin, half, _] = reds::<AngularGradient>(&[], [(40, 11), (0, 10), (20, 10)]).await;
        assert!(begin < 10 && (120..136).contains(&half), "{begin} {half}");
    }

    #[tokio::test]
    async fn a_canvas_too_large_is_refused() {
        let run = case::<LinearGradient>().set("width", 5000i64).run().await;
        let refused = run.unwrap_err().to_string();
        assert!(refused.contains("`width`"), "{refused}");
    }
}
