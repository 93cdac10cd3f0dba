//! `lib.image.warp.Offset`, `Pad` and `Tile`.

use image::imageops;
use nodetool_sdk::{ColorRef, ImageRef, Node, NodeCx, NodeError, Process, Value};

use super::{Beyond, warped};
use crate::picture::{Picture, check_size, color, edit, number, whole};

/// Moves a picture within its canvas.
/// image, offset, shift, move, scroll, wrap
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct Offset {
    /// The picture.
    image: ImageRef,
    /// How far to the right, in parts of the width.
    dx: f64,
    /// How far down, in parts of the height.
    dy: f64,
    /// What comes in at the other side: 0 the edge, 1 the picture again, 2 its mirror image.
    #[prop(default = 0, min = 0, max = 2)]
    wrap: i64,
}

impl Process for Offset {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let dx = number("dx", self.dx, -1e3, 1e3)?;
        let dy = number("dy", self.dy, -1e3, 1e3)?;
        let beyond = Beyond::of(self.wrap)?;
        edit(cx, &self.image, move |p| {
            Ok(warped(&p, p.pixels.dimensions(), beyond, |u, v| {
                (u - dx, v - dy)
            }))
        })
        .await
    }
}

/// Puts room around a picture.
/// image, pad, border, margin, canvas, extend
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct Pad {
    /// The picture.
    image: ImageRef,
    /// Room at the left, in parts of the width.
    #[prop(default = 0.0, min = 0, max = 4)]
    left: f64,
    /// Room above, in parts of the height.
    #[prop(default = 0.0, min = 0, max = 4)]
    top: f64,
    /// Room at the right, in parts of the width.
    #[prop(default = 0.0, min = 0, max = 4)]
    right: f64,
    /// Room below, in parts of the height.
    #[prop(default = 0.0, min = 0, max = 4)]
    bottom: f64,
    /// Its colour.
    #[prop(default = clear())]
    color: ColorRef,
}

fn clear() -> Value {
    Value::map([("type", "color".into()), ("value", "#00000000".into())])
}

impl Process for Pad {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let left = number("left", self.left, 0.0, 4.0)?;
        let top = number("top", self.top, 0.0, 4.0)?;
        let right = number("right", self.right, 0.0, 4.0)?;
        let bottom = number("bottom", self.bottom, 0.0, 4.0)?;
        let color = color("color", &self.color)?;
        edit(cx, &self.image, move |picture| {
            let (w, h) = picture.pixels.dimensions();
            let (w, h) = (f64::from(w), f64::from(h));
            let width = (w * (1.0 + left + right)).round() as u32;
            let height = (h * (1.0 + top + bottom)).round() as u32;
            check_size("image", width, height)?;
            let mut wide = Picture::filled(width, height, color)?;
            let (x, y) = ((left * w).round() as i64, (top * h).round() as i64);
            imageops::replace(&mut wide.pixels, &picture.pixels, x, y);
            let all_covered = (width, height) == picture.pixels.dimensions();
            wide.has_alpha = picture.has_alpha || (wide.has_alpha && !all_covered);
            Ok(wide)
        })
        .await
    }
}

/// Repeats a picture within its canvas.
/// image, tile, repeat, pattern, wallpaper
#[derive(Node)]
#[node(namespace = "lib.image.warp")]
pub(super) struct Tile {
    /// The picture.
    image: ImageRef,
    /// How many side by side.
    #[prop(default = 2, min = 1, max = 1024)]
    tiles_x: i64,
    /// How many above each other.
    #[prop(default = 2, min = 1, max = 1024)]
    tiles_y: i64,
    /// How they follow: 0 the edge, 1 the picture again, 2 its mirror image.
    #[prop(default = 1, min = 0, max = 2)]
    wrap: i64,
}

impl Process for Tile {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let across = f64::from(whole("tiles_x", self.tiles_x, 1, 1024)?);
        let down = f64::from(whole("tiles_y", self.tiles_y, 1, 1024)?);
        let beyond = Beyond::of(self.wrap)?;
        edit(cx, &self.image, move |p| {
            Ok(warped(&p, p.pixels.dimensions(), beyond, |u, v| {
                (u * across, v * down)
            }))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::*;
    use crate::picture::testing::{painted, seen};

    async fn made(case: Case) -> Picture {
        let image = painted(4, 2, |x, y| [x as u8 * 50, y as u8 * 50, 7, 255]);
        seen(&case.set("image", image.0).value().await.unwrap())
    }

    #[tokio::test]
    async fn a_whole_width_is_no_move_and_a_part_is() {
        let old = made(case::<Offset>()).await;
        let wrapped = || case::<Offset>().set("wrap", 1i64);
        assert_eq!(made(wrapped().set("dx", 1.0).set("dy", -2.0)).await, old);
        let moved = made(wrapped().set("dx", 0.25)).await.pixels;
        let reds = [0, 1, 2, 3].map(|x| moved.get_pixel(x, 0)[0]);
        assert_eq!(reds, [150, 0, 50, 100]);
    }

    #[tokio::test]
    async fn room_is_put_around_and_tiles_keep_the_size() {
        let case_of_room = case::<Pad>().set("left", 0.25).set("bottom", 0.5);
        let padded = made(case_of_room).await;
        assert_eq!(padded.pixels.dimensions(), (5, 3));
        assert_eq!(padded.pixels.get_pixel(0, 0).0, [0; 4]);
        assert_eq!(padded.pixels.get_pixel(1, 1).0, [0, 50, 7, 255]);
        assert_eq!(made(case::<Pad>()).await, made(case::<Offset>()).await);
        let tiled = made(case::<Tile>()).await.pixels;
        assert_eq!(tiled.dimensions(), (4, 2));
        assert_eq!(tiled.get_pixel(0, 0), tiled.get_pixel(2, 1));
    }
}
