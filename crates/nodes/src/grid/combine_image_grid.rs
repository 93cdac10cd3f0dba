//! `lib.grid.CombineImageGrid`.

use image::imageops;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{MAX_BYTES, Picture, make, required};

/// Most pictures of a grid.
const MAX_TILES: usize = 4096;

/// Puts pictures side by side, row by row.
/// image, grid, combine, tiles, collage, contact sheet
///
/// Every cell is as large as the largest picture. Without a number of columns the grid is about as wide as high.
#[derive(Node)]
#[node(namespace = "lib.grid")]
pub(super) struct CombineImageGrid {
    /// The pictures.
    tiles: Vec<ImageRef>,
    /// How many stand side by side; 0 for as many as make a square.
    #[prop(default = 0, min = 0)]
    columns: i64,
}

impl Process for CombineImageGrid {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let count = self.tiles.len();
        if !(1..=MAX_TILES).contains(&count) {
            let message = format!("{count} pictures (expected 1 to {MAX_TILES})");
            return Err(NodeError::bad("tiles", message));
        }
        let columns = match usize::try_from(self.columns) {
            Ok(0) => count.isqrt(),
            Ok(columns) => columns.min(count),
            Err(_) => {
                let message = format!("{} (expected 0 or more)", self.columns);
                return Err(NodeError::bad("columns", message));
            }
        };
        let mut files = Vec::with_capacity(count);
        let mut room = MAX_BYTES;
        for tile in &self.tiles {
            let file = required(cx, "tiles", tile).await?;
            let Some(rest) = room.checked_sub(file.len()) else {
                let message = format!("more than {MAX_BYTES} bytes of pictures");
                return Err(NodeError::bad("tiles", message));
            };
            room = rest;
            files.push(file);
        }
        make(move || {
            // Sizes first: all pictures at once could be more than fits.
            let mut cell = (0, 0);
            for file in &files {
                let (width, height) = Picture::decode("tiles", file)?.pixels.dimensions();
                cell = (cell.0.max(width), cell.1.max(height));
            }
            let side = |cells: usize, size: u32| size.saturating_mul(cells as u32);
            let rows = count.div_ceil(columns);
            let (width, height) = (side(columns, cell.0), side(rows, cell.1));
            crate::picture::check_size("tiles", width, height)?;
            let mut grid = Picture::filled(width, height, [0, 0, 0, 255])?;
            for (i, file) in files.iter().enumerate() {
                let tile = Picture::decode("tiles", file)?;
                let (row, column) = ((i / columns) as i64, (i % columns) as i64);
                let (x, y) = (column * i64::from(cell.0), row * i64::from(cell.1));
                imageops::replace(&mut grid.pixels, &tile.pixels, x, y);
                grid.has_alpha |= tile.has_alpha;
            }
            Ok(grid)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::{painted, seen};

    fn tiles(count: u8) -> Value {
        Value::list(
            (0..count).map(|i| painted(2 + u32::from(i % 2), 2, |_, _| [i + 1, 0, 0, 255]).0),
        )
    }

    #[tokio::test]
    async fn cells_are_as_large_as_the_largest_and_rows_fill_up() {
        let case = case::<CombineImageGrid>().set("tiles", tiles(5));
        let grid = seen(&case.set("columns", 3i64).value().await.unwrap()).pixels;
        assert_eq!(grid.dimensions(), (9, 4));
        let reds = [(0, 0), (3, 0), (6, 0), (0, 2), (3, 2), (6, 2), (2, 0)];
        assert_eq!(
            reds.map(|(x, y)| grid.get_pixel(x, y)[0]),
            [1, 2, 3, 4, 5, 0, 0]
        );
    }

    #[tokio::test]
    async fn without_columns_it_is_about_square_and_nothing_is_refused() {
        let case_of_five = case::<CombineImageGrid>().set("tiles", tiles(5));
        let grid = seen(&case_of_five.value().await.unwrap()).pixels;
        assert_eq!(grid.dimensions(), (6, 6));
        let refused = case::<CombineImageGrid>().run().await.unwrap_err();
        assert!(refused.to_string().contains("`tiles`"), "{refused}");
    }
}
