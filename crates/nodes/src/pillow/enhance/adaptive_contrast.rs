//! `lib.pillow.enhance.AdaptiveContrast`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Picture, edit, luma, number, whole};

/// Evens out light and dark in each part of a picture by itself.
/// image, contrast, adaptive, clahe, histogram, local
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct AdaptiveContrast {
    /// The picture.
    image: ImageRef,
    /// How much contrast a part may gain; 0 for no limit.
    #[prop(default = 2.0, min = 0, max = 100)]
    clip_limit: f64,
    /// Into how many parts each side is cut.
    #[prop(default = 8, min = 1, max = 64)]
    grid_size: i64,
}

impl Process for AdaptiveContrast {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let limit = number("clip_limit", self.clip_limit, 0.0, 100.0)?;
        let grid = whole("grid_size", self.grid_size, 1, 64)? as usize;
        edit(cx, &self.image, move |picture| {
            Ok(Parts::new(&picture, limit, grid).apply(picture))
        })
        .await
    }
}

/// One table of lightness for each part of a picture.
struct Parts {
    grid: usize,
    tables: Vec<[u8; 256]>,
}

impl Parts {
    fn new(picture: &Picture, limit: f64, grid: usize) -> Self {
        let (width, height) = picture.pixels.dimensions();
        let part = |at: u32, side: u32| (u64::from(at) * grid as u64 / u64::from(side)) as usize;
        let mut counts = vec![[0u32; 256]; grid * grid];
        for (x, y, pixel) in picture.pixels.enumerate_pixels() {
            let counts = &mut counts[part(y, height) * grid + part(x, width)];
            counts[usize::from(luma([pixel[0], pixel[1], pixel[2]]))] += 1;
        }
        Parts {
            grid,
            tables: counts.into_iter().map(|c| table(c, limit)).collect(),
        }
    }

    /// Brings each pixel to the lightness its part and those beside it say, the nearer the more.
    fn apply(&self, mut picture: Picture) -> Picture {
        let (width, height) = picture.pixels.dimensions();
        for (x, y, pixel) in picture.pixels.enumerate_pixels_mut() {
            let rgb = [pixel[0], pixel[1], pixel[2]];
            let old = luma(rgb);
            let (left, right, across) = self.between(x, width);
            let (above, under, down) = self.between(y, height);
            let at = |row: usize, column: usize| {
                f32::from(self.tables[row * self.grid + column][usize::from(old)])
            };
            let upper = at(above, left) + (at(above, right) - at(above, left)) * across;
            let lower = at(under, left) + (at(under, right) - at(under, left)) * across;
            let new = upper + (lower - upper) * down;
            // Lightness moves alike in all channels, so that the colour is kept.
            let shift = new - f32::from(old);
            for (value, old) in pixel.0.iter_mut().zip(rgb) {
                *value = (f32::from(old) + shift).round() as u8;
            }
        }
        picture
    }

    /// The two parts whose middles a place lies between, and how far it is on the way.
    fn between(&self, at: u32, side: u32) -> (usize, usize, f32) {
        let place = (at as f32 + 0.5) * self.grid as f32 / side as f32 - 0.5;
        let first = place.floor().max(0.0);
        let last = self.grid - 1;
        let first_part = (first as usize).min(last);
        let way = (place - first).clamp(0.0, 1.0);
        (first_part, (first_part + 1).min(last), way)
    }
}

/// Equalises one part; what is above the limit is shared out among all values.
fn table(mut counts: [u32; 256], limit: f64) -> [u8; 256] {
    let total: u32 = counts.iter().sum();
    if limit > 0.0 {
        let most = ((limit * f64::from(total) / 256.0) as u32).max(1);
        let mut above = 0;
        for count in &mut counts {
            above += count.saturating_sub(most);
            *count = (*count).min(most);
        }
        let (each, rest) = (above / 256, above % 256);
        for (i, count) in counts.iter_mut().enumerate() {
            // The rest goes to values spread over the whole range.
            let one = rest > 0 && (i as u32 * rest) / 256 != ((i as u32 + 1) * rest) / 256;
            *count += each + u32::from(one);
        }
    }
    let mut sum = 0u32;
    std::array::from_fn(|value| {
        sum += counts[value];
        match total {
            0 => value as u8,
            _ => (f64::from(sum) * 255.0 / f64::from(total)).round() as u8,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::{painted, seen};

    #[test]
    fn a_dull_part_gains_contrast_and_colours_keep_their_distance() {
        let image = painted(64, 64, |x, _| {
            [100 + (x / 4) as u8, 110 + (x / 4) as u8, 120, 77]
        });
        let picture = seen(&image.0);
        let even = Parts::new(&picture, 4.0, 2).apply(picture.clone());
        let span = |p: &Picture, c: usize| {
            let values = || p.pixels.pixels().map(move |p| p[c]);
            values().max().unwrap() - values().min().unwrap()
        };
        assert!(span(&even, 0) > span(&picture, 0));
        assert!(
            even.pixels
                .pixels()
                .all(|p| p[1] - p[0] == 10 && p[3] == 77)
        );
    }

    #[test]
    fn tables_rise_and_share_out_every_pixel() {
        let mut counts = [0; 256];
        counts[10] = 900;
        counts[200] = 100;
        for limit in [0.0, 1.0, 2.0, 40.0] {
            let table = table(counts, limit);
            assert!(table.is_sorted(), "{limit}");
            assert_eq!(table[255], 255, "{limit}");
        }
    }

    #[test]
    fn a_grid_finer_than_the_picture_is_no_trouble() {
        let small = seen(&painted(3, 2, |x, _| [x as u8 * 80, 0, 0, 255]).0);
        let made = Parts::new(&small, 2.0, 64).apply(small.clone());
        assert_eq!(made.pixels.dimensions(), (3, 2));
    }
}
