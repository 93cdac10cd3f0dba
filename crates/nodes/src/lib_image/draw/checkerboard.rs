//! `lib.image.draw.Checkerboard`.

use nodetool_sdk::{ColorRef, ImageRef, Node, NodeCx, NodeError, Process};

use super::{Canvas, named};
use crate::picture::whole;

/// Paints squares of two colours.
/// image, checkerboard, squares, pattern, chess
#[derive(Node)]
#[node(namespace = "lib.image.draw")]
pub(super) struct Checkerboard {
    /// Width in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 1, max = 4096)]
    height: i64,
    /// The colour of the first square.
    #[prop(default = named("#ffffff"))]
    color_a: ColorRef,
    /// The colour of the squares beside it.
    #[prop(default = named("#000000"))]
    color_b: ColorRef,
    /// Side of a square in pixels.
    #[prop(default = 32, min = 1, max = 4096)]
    cell_size: i64,
}

impl Process for Checkerboard {
    type Output = ImageRef;

    async fn process(self, _: &NodeCx) -> Result<ImageRef, NodeError> {
        let colors = [("color_a", &self.color_a), ("color_b", &self.color_b)];
        let canvas = Canvas::new((self.width, self.height), colors)?;
        let cell = whole("cell_size", self.cell_size, 1, 4096)?;
        let way = move |x: f64, y: f64| f64::from((x as u32 / cell + y as u32 / cell) % 2);
        canvas.paint(way).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::seen;

    #[tokio::test]
    async fn neighbours_differ() {
        let case = case::<Checkerboard>()
            .set("width", 6i64)
            .set("height", 4i64);
        let made = seen(&case.set("cell_size", 2i64).value().await.unwrap()).pixels;
        let reds = [(0, 0), (1, 1), (2, 0), (0, 2), (2, 2), (5, 3)];
        let reds = reds.map(|(x, y)| made.get_pixel(x, y)[0]);
        assert_eq!(reds, [255, 255, 0, 0, 255, 0]);
    }
}
