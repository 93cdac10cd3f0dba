//! Filters of three by three pixels.

use super::Picture;

/// Weights of a pixel's neighbourhood, row by row, and what their sum is divided by.
pub(crate) struct Kernel {
    weights: [f32; 9],
    scale: f32,
    offset: f32,
}

impl Kernel {
    /// Fine lines stand out.
    pub(crate) const DETAIL: Kernel =
        Kernel::new([0., -1., 0., -1., 10., -1., 0., -1., 0.], 6., 0.);
    /// Edges stand out.
    pub(crate) const EDGE_ENHANCE: Kernel =
        Kernel::new([-1., -1., -1., -1., 10., -1., -1., -1., -1.], 2., 0.);
    /// Everything is a little crisper.
    pub(crate) const SHARPEN: Kernel =
        Kernel::new([-2., -2., -2., -2., 32., -2., -2., -2., -2.], 16., 0.);
    /// Everything is a little softer.
    pub(crate) const SMOOTH: Kernel = Kernel::new([1., 1., 1., 1., 5., 1., 1., 1., 1.], 13., 0.);
    /// Dark lines on white.
    pub(crate) const CONTOUR: Kernel =
        Kernel::new([-1., -1., -1., -1., 8., -1., -1., -1., -1.], 1., 255.);
    /// As if pressed into metal.
    pub(crate) const EMBOSS: Kernel = Kernel::new([-1., 0., 0., 0., 1., 0., 0., 0., 0.], 1., 128.);
    /// Light lines on black.
    pub(crate) const FIND_EDGES: Kernel =
        Kernel::new([-1., -1., -1., -1., 8., -1., -1., -1., -1.], 1., 0.);

    const fn new(weights: [f32; 9], scale: f32, offset: f32) -> Self {
        Kernel {
            weights,
            scale,
            offset,
        }
    }

    /// The filtered picture. Pixels at the border have no whole neighbourhood and stay.
    pub(crate) fn apply(&self, picture: &Picture) -> Picture {
        let mut filtered = picture.clone();
        let (width, height) = picture.pixels.dimensions();
        if width < 3 || height < 3 {
            return filtered;
        }
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                self.filter(picture, &mut filtered, x, y);
            }
        }
        filtered
    }

    /// The same with the border: beyond it the picture goes on as it ends.
    pub(crate) fn apply_to_border(&self, picture: &Picture) -> Picture {
        let mut filtered = picture.clone();
        let (width, height) = picture.pixels.dimensions();
        for y in 0..height {
            for x in 0..width {
                self.filter(picture, &mut filtered, x, y);
            }
        }
        filtered
    }

    fn filter(&self, from: &Picture, to: &mut Picture, x: u32, y: u32) {
        let (right, bottom) = (from.pixels.width() - 1, from.pixels.height() - 1);
        let columns = [x.saturating_sub(1), x, (x + 1).min(right)];
        let rows = [y.saturating_sub(1), y, (y + 1).min(bottom)];
        let mut sums = [self.offset; 3];
        for (i, weight) in self.weights.iter().enumerate() {
            let near = from.pixels.get_pixel(columns[i % 3], rows[i / 3]);
            for (sum, value) in sums.iter_mut().zip(near.0) {
                *sum += f32::from(value) * (weight / self.scale);
            }
        }
        let pixel = to.pixels.get_pixel_mut(x, y);
        for (value, sum) in pixel.0.iter_mut().zip(sums) {
            *value = (sum + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{painted, seen};
    use super::*;

    #[test]
    fn a_dot_is_sharpened_by_its_weights_and_the_border_stays() {
        let dot = painted(5, 5, |x, y| match (x, y) {
            (2, 2) => [100, 0, 0, 255],
            (0, 0) => [7, 7, 7, 255],
            _ => [40, 0, 0, 255],
        });
        let sharp = Kernel::SHARPEN.apply(&seen(&dot.0)).pixels;
        // (32·100 - 16·40) / 16 in the middle.
        assert_eq!(sharp.get_pixel(2, 2).0, [160, 0, 0, 255]);
        // (32·40 - 2·100 - 14·40) / 16 beside it, 32.5 before it is rounded.
        assert_eq!(sharp.get_pixel(3, 2).0, [33, 0, 0, 255]);
        assert_eq!(sharp.get_pixel(0, 0).0, [7, 7, 7, 255]);
    }

    #[test]
    fn even_colour_stays_even() {
        let flat = seen(&painted(4, 4, |_, _| [90, 60, 30, 128]).0);
        for kernel in [
            Kernel::DETAIL,
            Kernel::SMOOTH,
            Kernel::SHARPEN,
            Kernel::EDGE_ENHANCE,
        ] {
            assert_eq!(kernel.apply(&flat), flat);
        }
    }

    #[test]
    fn the_border_is_filtered_where_it_is_asked_for() {
        let ramp = seen(&painted(6, 4, |x, _| [x as u8 * 12, 0, 0, 255]).0);
        assert_eq!(Kernel::DETAIL.apply(&ramp), ramp);
        let all = Kernel::DETAIL.apply_to_border(&ramp).pixels;
        // (10·60 - 60 - 60 - 60 - 48) / 6 at the right.
        assert_eq!((all.get_pixel(5, 0)[0], all.get_pixel(3, 0)[0]), (62, 36));
    }

    #[test]
    fn a_picture_smaller_than_the_filter_stays() {
        let thin = seen(&painted(9, 2, |x, _| [x as u8, 0, 0, 255]).0);
        assert_eq!(Kernel::FIND_EDGES.apply(&thin), thin);
    }
}
