//! Mixing two pictures as Pillow does: between them by parts, beyond them by more than one.

use super::Picture;

/// `from` at factor 0, `to` at factor 1, further away from `from` beyond that. Both have one size; how opaque pixels
/// are is what it is in `to`.
pub(crate) fn blend(from: &Picture, to: Picture, factor: f64) -> Picture {
    if factor == 1.0 {
        return to;
    }
    let factor = factor as f32;
    let mut mixed = to;
    for (new, old) in mixed.pixels.pixels_mut().zip(from.pixels.pixels()) {
        for channel in 0..3 {
            new[channel] = step(old[channel], new[channel], factor);
        }
    }
    mixed
}

/// Fractions are cut off, and so is what a byte cannot hold.
fn step(from: u8, to: u8, factor: f32) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    (from + factor * (to - from)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_cut_off_and_the_ends_hold() {
        assert_eq!(step(0, 101, 0.5), 50);
        assert_eq!(step(10, 200, 2.0), 255);
        assert_eq!(step(200, 10, 2.0), 0);
        assert_eq!(step(200, 10, 0.0), 200);
    }
}
