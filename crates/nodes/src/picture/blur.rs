//! Blurring by boxes that come near to a bell curve, in the fixed-point steps of Pillow, and sharpening with it.

use super::Picture;

/// How often boxes are run over each row and each column.
const PASSES: usize = 3;
/// Bits behind the point.
const BITS: u32 = 24;

/// A Gaussian blur; `radius` is the standard deviation in pixels. Transparency is blurred too.
pub(crate) fn gaussian(picture: &Picture, radius: f64) -> Picture {
    let mut blurred = picture.clone();
    if radius <= 0.0 {
        return blurred;
    }
    let line = LineBlur::new(radius);
    let (width, height) = (
        picture.pixels.width() as usize,
        picture.pixels.height() as usize,
    );
    let bytes = &mut *blurred.pixels;
    for y in 0..height {
        line.run(bytes, y * width * 4, 4, width);
    }
    for x in 0..width {
        line.run(bytes, x * 4, width * 4, height);
    }
    blurred
}

/// Adds what a blur takes away where that is more than `threshold`; `percent` says how much of it.
pub(crate) fn unsharp(picture: Picture, radius: f64, percent: i32, threshold: i32) -> Picture {
    let blurred = gaussian(&picture, radius);
    let mut sharp = picture;
    for (new, soft) in sharp.pixels.pixels_mut().zip(blurred.pixels.pixels()) {
        for channel in 0..3 {
            let away = i32::from(new[channel]) - i32::from(soft[channel]);
            if away.abs() > threshold {
                let value = i32::from(new[channel]) + away * percent / 100;
                new[channel] = value.clamp(0, 255) as u8;
            }
        }
    }
    sharp
}

/// One box with parts of pixels at its ends.
struct LineBlur {
    /// Whole pixels on each side.
    reach: usize,
    /// Weight of whole pixels.
    whole: u64,
    /// Weight of those at the ends.
    ends: u64,
}

impl LineBlur {
    fn new(radius: f64) -> Self {
        let variance = radius * radius / PASSES as f64;
        let side = ((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0;
        let reach = side.floor();
        let part = (2.0 * reach + 1.0) * (reach * (reach + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (reach + 1.0) * (reach + 1.0)));
        let size = (reach + part) * 2.0 + 1.0;
        let whole = (f64::from(1u32 << BITS) / size) as u64;
        let reach = reach as usize;
        LineBlur {
            reach,
            whole,
            ends: ((1 << BITS) - (reach as u64 * 2 + 1) * whole) / 2,
        }
    }

    /// Blurs the pixels at `start`, `start + step`, …
    fn run(&self, bytes: &mut [u8], start: usize, step: usize, count: usize) {
        let mut line = vec![0u8; count];
        for channel in 0..4 {
            let place = |i: usize| start + i * step + channel;
            for _ in 0..PASSES {
                for (i, value) in line.iter_mut().enumerate() {
                    *value = bytes[place(i)];
                }
                self.pass(&line, |i, value| bytes[place(i)] = value);
            }
        }
    }

    /// The line goes on beyond its ends as it ends.
    fn pass(&self, line: &[u8], mut put: impl FnMut(usize, u8)) {
        let last = line.len() - 1;
        let at = |i: usize, back: usize| u64::from(line[i.saturating_sub(back).min(last)]);
        let mut sum = at(0, 0) * (self.reach as u64 + 1);
        for i in 1..=self.reach {
            sum += at(i, 0);
        }
        for i in 0..=last {
            let ends = at(i, self.reach + 1) + at(i + self.reach + 1, 0);
            let value = (sum * self.whole + ends * self.ends + (1 << (BITS - 1))) >> BITS;
            put(i, value.min(255) as u8);
            sum += at(i + self.reach + 1, 0);
            sum -= at(i, self.reach);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{painted, seen};
    use super::*;

    #[test]
    fn an_edge_becomes_a_slope_and_even_colour_stays() {
        let edge = seen(&painted(21, 3, |x, _| [if x < 10 { 0 } else { 200 }, 50, 50, 255]).0);
        let soft = gaussian(&edge, 2.0).pixels;
        let row: Vec<u8> = (0..21).map(|x| soft.get_pixel(x, 1)[0]).collect();
        assert!(row.is_sorted(), "{row:?}");
        assert_eq!((row[0], row[20]), (0, 200));
        assert!(
            (90..=110).contains(&((row[9] as u16 + row[10] as u16) / 2)),
            "{row:?}"
        );
        assert!(soft.pixels().all(|p| p[1] == 50 && p[3] == 255));
    }

    #[test]
    fn sharpening_overshoots_at_edges_above_the_threshold_only() {
        let edge = seen(&painted(21, 3, |x, _| [if x < 10 { 100 } else { 150 }, 0, 0, 255]).0);
        let sharp = unsharp(edge.clone(), 2.0, 150, 3).pixels;
        assert!(sharp.get_pixel(9, 1)[0] < 100 && sharp.get_pixel(10, 1)[0] > 150);
        assert_eq!(unsharp(edge.clone(), 2.0, 150, 60), edge);
    }
}
