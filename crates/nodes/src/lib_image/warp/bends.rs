//! `lib.image.warp.PolarRemap`, `Displace` and `Spherize`.

use std::f64::consts::TAU;

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use super::{Beyond, sample, warped};
use crate::picture::{Picture, edit, make, number, required};

/// Unrolls a picture around its middle, or rolls it up.
/// image, polar, coordinates, unroll, tiny planet
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct PolarRemap {
    /// The picture.
    image: ImageRef,
    /// 0 unrolls: across is the angle, down the distance. 1 rolls up.
    #[prop(default = 0, min = 0, max = 1)]
    mode: i64,
}

impl Process for PolarRemap {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let place: fn(f64, f64) -> (f64, f64) = match self.mode {
            0 => |u, v| {
                let (sin, cos) = (u * TAU).sin_cos();
                (0.5 + cos * v / 2.0, 0.5 + sin * v / 2.0)
            },
            1 => |u, v| {
                let (x, y) = (u - 0.5, v - 0.5);
                ((y.atan2(x) / TAU).rem_euclid(1.0), x.hypot(y) * 2.0)
            },
            other => {
                let message = format!("{other} (expected 0 to unroll or 1 to roll up)");
                return Err(NodeError::bad("mode", message));
            }
        };
        edit(cx, &self.image, move |p| {
            Ok(warped(&p, p.pixels.dimensions(), Beyond::Edge, place))
        })
        .await
    }
}

/// Moves the pixels of a picture as another one says.
/// image, displace, distortion, map, ripple
///
/// Red moves across, green down; a value in the middle moves nothing.
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct Displace {
    /// The picture.
    image: ImageRef,
    /// The picture that says how far.
    displacement: ImageRef,
    /// How far red moves, in parts of the width.
    #[prop(default = 0.05)]
    amount_x: f64,
    /// How far green moves, in parts of the height.
    #[prop(default = 0.05)]
    amount_y: f64,
}

impl Process for Displace {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let across = number("amount_x", self.amount_x, -1e3, 1e3)?;
        let down = number("amount_y", self.amount_y, -1e3, 1e3)?;
        let image = required(cx, "image", &self.image).await?;
        let map = required(cx, "displacement", &self.displacement).await?;
        make(move || {
            let picture = Picture::decode("image", &image)?;
            let map = Picture::decode("displacement", &map)?.pixels;
            let far = |value: u8| f64::from(value) / 127.5 - 1.0;
            let size = picture.pixels.dimensions();
            Ok(warped(&picture, size, Beyond::Edge, |u, v| {
                let said = sample(&map, (u, v), Beyond::Edge);
                (u + far(said[0]) * across, v + far(said[1]) * down)
            }))
        })
        .await
    }
}

/// Makes the middle of a picture bulge, or pinches it.
/// image, spherize, bulge, pinch, lens, fisheye
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct Spherize {
    /// The picture.
    image: ImageRef,
    /// How far it bulges; below 0 it is pinched.
    #[prop(default = 0.5, min = -1, max = 1)]
    amount: f64,
}

impl Process for Spherize {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let amount = number("amount", self.amount, -1.0, 1.0)?;
        edit(cx, &self.image, move |p| {
            if amount == 0.0 {
                return Ok(p);
            }
            let place = |u: f64, v: f64| {
                let (x, y) = (u - 0.5, v - 0.5);
                let away = x.hypot(y) * 2.0;
                if away == 0.0 || away >= 1.0 {
                    return (u, v);
                }
                let nearer = away.powf(amount);
                (0.5 + x * nearer, 0.5 + y * nearer)
            };
            Ok(warped(&p, p.pixels.dimensions(), Beyond::Edge, place))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::*;
    use crate::picture::testing::{painted, seen};

    fn image() -> ImageRef {
        painted(9, 9, |x, y| [x as u8 * 20, y as u8 * 20, 7, 255])
    }

    async fn made(case: Case) -> Picture {
        seen(&case.set("image", image().0).value().await.unwrap())
    }

    #[tokio::test]
    async fn bends_at_rest_change_nothing_and_others_do() {
        let old = seen(&image().0);
        let grey = painted(2, 2, |_, _| [128, 128, 0, 255]);
        let displaced = |map: ImageRef| case::<Displace>().set("displacement", map.0);
        assert_eq!(made(case::<Spherize>().set("amount", 0.0)).await, old);
        let still = displaced(grey).set("amount_x", 0.0).set("amount_y", 0.0);
        assert_eq!(made(still).await, old);
        let bulge = made(case::<Spherize>()).await.pixels;
        assert_eq!(bulge.get_pixel(4, 4), old.pixels.get_pixel(4, 4));
        // What is beside the middle comes from nearer to it.
        assert!(bulge.get_pixel(6, 4)[0] < old.pixels.get_pixel(6, 4)[0]);
        let white = painted(1, 1, |_, _| [255, 128, 0, 255]);
        let moved = made(displaced(white).set("amount_x", 0.5)).await.pixels;
        assert!(moved.get_pixel(2, 4)[0] > old.pixels.get_pixel(2, 4)[0]);
        assert_ne!(made(case::<PolarRemap>()).await, old);
        assert_ne!(made(case::<PolarRemap>().set("mode", 1i64)).await, old);
    }
}
