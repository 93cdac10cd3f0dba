//! `nodetool.image.RotateAndFlip`.

use image::{Rgba, RgbaImage, imageops};
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, check_size, edit, number};

/// Turns a picture and mirrors it.
/// image, rotate, turn, flip, mirror
///
/// The picture becomes as large as it has to; new corners are clear, or black where it has no transparency.
#[derive(Node)]
#[node(namespace = "nodetool.image")]
pub(super) struct RotateAndFlip {
    /// The picture.
    image: ImageRef,
    /// How far it is turned clockwise, in degrees.
    angle: f64,
    /// Whether left and right change places.
    flip_horizontal: bool,
    /// Whether top and bottom change places.
    flip_vertical: bool,
}

impl Process for RotateAndFlip {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let angle = number("angle", self.angle, -1e9, 1e9)?.rem_euclid(360.0);
        let (horizontal, vertical) = (self.flip_horizontal, self.flip_vertical);
        edit(cx, &self.image, move |picture| {
            let mut turned = turn(picture, angle)?;
            if horizontal {
                imageops::flip_horizontal_in_place(&mut turned.pixels);
            }
            if vertical {
                imageops::flip_vertical_in_place(&mut turned.pixels);
            }
            Ok(turned)
        })
        .await
    }
}

fn turn(picture: Picture, angle: f64) -> Result<Picture, NodeError> {
    let from = &picture.pixels;
    let pixels = if angle == 0.0 {
        return Ok(picture);
    } else if angle == 90.0 {
        imageops::rotate90(from)
    } else if angle == 180.0 {
        imageops::rotate180(from)
    } else if angle == 270.0 {
        imageops::rotate270(from)
    } else {
        let (sin, cos) = angle.to_radians().sin_cos();
        let (w, h) = (f64::from(from.width()), f64::from(from.height()));
        let width = (w * cos.abs() + h * sin.abs()).ceil();
        let height = (w * sin.abs() + h * cos.abs()).ceil();
        check_size("angle", width as u32, height as u32)?;
        let corner = Rgba([0, 0, 0, if picture.has_alpha { 0 } else { 255 }]);
        RgbaImage::from_fn(width as u32, height as u32, |x, y| {
            let across = f64::from(x) + 0.5 - width / 2.0;
            let down = f64::from(y) + 0.5 - height / 2.0;
            let u = (across * cos + down * sin + w / 2.0) / w;
            let v = (down * cos - across * sin + h / 2.0) / h;
            let inside = (0.0..=1.0).contains(&u) && (0.0..=1.0).contains(&v);
            let found = inside.then(|| imageops::sample_bilinear(from, u as f32, v as f32));
            found.flatten().unwrap_or(corner)
        })
    };
    Ok(Picture {
        pixels,
        has_alpha: picture.has_alpha,
    })
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    #[tokio::test]
    async fn turns_go_clockwise_and_mirrors_come_after_them() {
        let image = painted(3, 2, |x, y| [x as u8, y as u8, 0, 255]);
        let made = async |angle: f64, horizontal: bool, vertical: bool| {
            let case = case::<RotateAndFlip>().set("image", image.0.clone());
            let case = case.set("angle", angle).set("flip_vertical", vertical);
            let case = case.set("flip_horizontal", horizontal);
            seen(&case.value().await.unwrap()).pixels
        };
        let quarter = made(90.0, false, false).await;
        assert_eq!(quarter.dimensions(), (2, 3));
        // The upper left corner is at the upper right.
        assert_eq!(quarter.get_pixel(1, 0).0, [0, 0, 0, 255]);
        assert_eq!(made(-270.0, false, false).await, quarter);
        assert_eq!(made(180.0, true, true).await, made(0.0, false, false).await);
        assert_eq!(made(45.0, false, false).await.dimensions(), (4, 4));
    }
}
