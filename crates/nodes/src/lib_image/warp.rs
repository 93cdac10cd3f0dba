//! `lib.image.warp`: pictures that are moved and bent. Places are counted in parts of the sides, from the upper left.

use image::{Rgba, RgbaImage};
use nodetool_sdk::{NodeError, Registry};

use crate::picture::Picture;

mod bends;
mod canvases;
mod matrices;

pub(super) fn register(r: &mut Registry) {
    r.add::<canvases::Offset>();
    r.add::<canvases::Pad>();
    r.add::<canvases::Tile>();
    r.add::<matrices::Affine>();
    r.add::<matrices::CornerPin>();
    r.add::<bends::PolarRemap>();
    r.add::<bends::Displace>();
    r.add::<bends::Spherize>();
}

/// What is seen beyond the edge.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beyond {
    /// Nothing.
    Clear,
    /// The edge.
    Edge,
    /// The picture again.
    Again,
    /// The picture in a mirror.
    Mirror,
}

impl Beyond {
    fn of(wrap: i64) -> Result<Self, NodeError> {
        match wrap {
            0 => Ok(Beyond::Edge),
            1 => Ok(Beyond::Again),
            2 => Ok(Beyond::Mirror),
            other => {
                let message = format!("{other} (expected 0 edge, 1 repeat or 2 mirror)");
                Err(NodeError::bad("wrap", message))
            }
        }
    }

    /// The pixel that is seen at a place of an endless row.
    fn place(self, at: i64, side: u32) -> Option<u32> {
        let side = i64::from(side);
        let at = match self {
            Beyond::Clear => Some(at).filter(|at| (0..side).contains(at))?,
            Beyond::Edge => at.clamp(0, side - 1),
            Beyond::Again => at.rem_euclid(side),
            Beyond::Mirror => {
                let at = at.rem_euclid(2 * side);
                at.min(2 * side - 1 - at)
            }
        };
        u32::try_from(at).ok()
    }
}

/// The colour at a place, mixed of the four pixels around it.
fn sample(from: &RgbaImage, (u, v): (f64, f64), beyond: Beyond) -> Rgba<u8> {
    // Places beyond all reason, and those that are none, are brought near: the mix below counts in whole numbers.
    let bounded = |at: f64| {
        if at.is_finite() {
            at.clamp(-1e6, 1e6)
        } else {
            -1e6
        }
    };
    let x = bounded(u) * f64::from(from.width()) - 0.5;
    let y = bounded(v) * f64::from(from.height()) - 0.5;
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let mut mixed = [0.0; 4];
    for (dy, part_y) in [(0, 1.0 - down), (1, down)] {
        for (dx, part_x) in [(0, 1.0 - across), (1, across)] {
            let column = beyond.place(left as i64 + dx, from.width());
            let row = beyond.place(top as i64 + dy, from.height());
            if let (Some(column), Some(row)) = (column, row) {
                let pixel = from.get_pixel(column, row);
                for (sum, value) in mixed.iter_mut().zip(pixel.0) {
                    *sum += f64::from(value) * part_x * part_y;
                }
            }
        }
    }
    Rgba(mixed.map(|v| v.round() as u8))
}

/// A picture of some size whose pixels are looked up where `f` says.
fn warped(
    picture: &Picture,
    (width, height): (u32, u32),
    beyond: Beyond,
    f: impl Fn(f64, f64) -> (f64, f64),
) -> Picture {
    let pixels = RgbaImage::from_fn(width, height, |x, y| {
        let u = (f64::from(x) + 0.5) / f64::from(width);
        let v = (f64::from(y) + 0.5) / f64::from(height);
        sample(&picture.pixels, f(u, v), beyond)
    });
    let has_alpha = picture.has_alpha || pixels.pixels().any(|p| p[3] != 255);
    Picture { pixels, has_alpha }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::testing::{painted, seen};

    #[test]
    fn what_is_beyond_the_edge_is_as_asked() {
        let at = |beyond: Beyond| [-2, -1, 0, 2, 3, 4].map(|at| beyond.place(at, 3));
        assert_eq!(
            at(Beyond::Clear),
            [None, None, Some(0), Some(2), None, None]
        );
        assert_eq!(at(Beyond::Edge), [0, 0, 0, 2, 2, 2].map(Some));
        assert_eq!(at(Beyond::Again), [1, 2, 0, 2, 0, 1].map(Some));
        assert_eq!(at(Beyond::Mirror), [1, 0, 0, 2, 2, 1].map(Some));
        assert!(Beyond::of(3).is_err());
    }

    #[test]
    fn places_that_are_none_do_no_harm() {
        let picture = seen(&painted(3, 2, |_, _| [9, 9, 9, 255]).0);
        for at in [f64::NAN, f64::INFINITY, -1e300] {
            for beyond in [Beyond::Clear, Beyond::Edge, Beyond::Again, Beyond::Mirror] {
                sample(&picture.pixels, (at, at), beyond);
            }
        }
        let same = warped(&picture, (3, 2), Beyond::Clear, |u, v| (u, v));
        assert_eq!(same, picture);
    }
}
