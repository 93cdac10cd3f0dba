//! `lib.grid.SliceImageGrid`.

use image::imageops;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, carried, required, whole, work};

/// Most tiles a picture is cut into.
const MAX_TILES: u64 = 4096;

/// Cuts a picture into tiles, row by row.
/// image, grid, slice, tiles, cut, split
///
/// Where the picture cannot be cut evenly, what is left over at its right and its bottom becomes tiles as well.
#[derive(Node)]
#[node(namespace = "lib.grid")]
pub(super) struct SliceImageGrid {
    /// The picture.
    image: ImageRef,
    /// Into how many columns; 0 for one, or for as many as rows.
    #[prop(default = 0, min = 0)]
    columns: i64,
    /// Into how many rows; 0 for one, or for as many as columns.
    #[prop(default = 0, min = 0)]
    rows: i64,
}

impl Process for SliceImageGrid {
    type Output = Vec<ImageRef>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<ImageRef>, NodeError> {
        let columns = whole("columns", self.columns, 0, u32::MAX)?;
        let rows = whole("rows", self.rows, 0, u32::MAX)?;
        let (columns, rows) = match (columns, rows) {
            (0, 0) => (1, 1),
            (0, n) | (n, 0) => (n, n),
            both => both,
        };
        let file = required(cx, "image", &self.image).await?;
        work(move || slice(&Picture::decode("image", &file)?, columns, rows)).await
    }
}

fn slice(picture: &Picture, columns: u32, rows: u32) -> Result<Vec<ImageRef>, NodeError> {
    let (width, height) = picture.pixels.dimensions();
    let across = cut("columns", width, columns)?;
    let down = cut("rows", height, rows)?;
    let count = width.div_ceil(across) as u64 * u64::from(height.div_ceil(down));
    if count > MAX_TILES {
        let message = format!("there would be {count} tiles (expected at most {MAX_TILES})");
        return Err(NodeError::bad("columns", message));
    }
    let mut tiles = Vec::with_capacity(count as usize);
    for y in (0..height).step_by(down as usize) {
        for x in (0..width).step_by(across as usize) {
            let (w, h) = (across.min(width - x), down.min(height - y));
            let tile = Picture {
                pixels: imageops::crop_imm(&picture.pixels, x, y, w, h).to_image(),
                has_alpha: picture.has_alpha,
            };
            tiles.push(carried(tile.encode()?));
        }
    }
    Ok(tiles)
}

/// The side of a tile.
fn cut(property: &str, side: u32, parts: u32) -> Result<u32, NodeError> {
    match side / parts {
        0 => {
            let message = format!("{parts} (the picture has only {side} pixels that way)");
            Err(NodeError::bad(property, message))
        }
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::{painted, seen};

    #[test]
    fn what_is_left_over_becomes_tiles_too() {
        let picture = seen(&painted(7, 4, |x, y| [x as u8, y as u8, 0, 255]).0);
        let tiles = slice(&picture, 2, 2).unwrap();
        let tiles: Vec<_> = tiles.iter().map(|t| seen(&t.0).pixels).collect();
        let sizes: Vec<_> = tiles.iter().map(|t| t.dimensions()).collect();
        assert_eq!(sizes, [(3, 2), (3, 2), (1, 2), (3, 2), (3, 2), (1, 2)]);
        assert_eq!(tiles[4].get_pixel(0, 0).0, [3, 2, 0, 255]);
    }

    #[test]
    fn more_parts_than_pixels_are_refused() {
        let picture = seen(&painted(3, 3, |_, _| [0, 0, 0, 255]).0);
        let refused = slice(&picture, 4, 1).unwrap_err().to_string();
        assert!(refused.contains("`columns`"), "{refused}");
    }
}
