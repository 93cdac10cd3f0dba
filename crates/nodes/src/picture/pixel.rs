//! One colour in parts of one, and the ways to look at it.

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pixel(pub(crate) [f32; 3]);

impl Pixel {
    pub(crate) fn from_bytes(rgb: [u8; 3]) -> Self {
        Pixel(rgb.map(|v| f32::from(v) / 255.0))
    }

    /// The nearest colour of bytes; what lies outside is brought to the edge, and what is no number becomes black.
    pub(crate) fn to_bytes(self) -> [u8; 3] {
        self.0.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
    }

    pub(crate) fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Pixel(self.0.map(f))
    }

    /// Channel by channel with another.
    pub(crate) fn with(self, other: [f32; 3], f: impl Fn(f32, f32) -> f32) -> Self {
        let ([r, g, b], [r2, g2, b2]) = (self.0, other);
        Pixel([f(r, r2), f(g, g2), f(b, b2)])
    }

    pub(crate) fn clamped(self) -> Self {
        self.map(|v| v.clamp(0.0, 1.0))
    }

    /// How bright it is (Rec. 709).
    pub(crate) fn luminance(self) -> f32 {
        let [r, g, b] = self.0;
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// Further from its grey, or nearer: 1 leaves it alone, 0 is the grey.
    pub(crate) fn saturated(self, factor: f32) -> Self {
        if factor == 1.0 {
            return self;
        }
        let grey = self.luminance();
        self.map(|v| grey + (v - grey) * factor)
    }

    /// On the way to another colour.
    pub(crate) fn mixed(self, other: Pixel, part: f32) -> Self {
        self.with(other.0, |a, b| a + (b - a) * part)
    }
}

/// Hue in turns, saturation and value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hsv {
    pub(crate) hue: f32,
    pub(crate) saturation: f32,
    pub(crate) value: f32,
}

impl From<Pixel> for Hsv {
    fn from(pixel: Pixel) -> Self {
        let [r, g, b] = pixel.0;
        let (high, low) = (r.max(g).max(b), r.min(g).min(b));
        let span = high - low;
        let hue = if span <= 0.0 {
            0.0
        } else if high == r {
            ((g - b) / span / 6.0).rem_euclid(1.0)
        } else if high == g {
            (b - r) / span / 6.0 + 1.0 / 3.0
        } else {
            (r - g) / span / 6.0 + 2.0 / 3.0
        };
        Hsv {
            hue,
            saturation: if high > 0.0 { span / high } else { 0.0 },
            value: high,
        }
    }
}

impl From<Hsv> for Pixel {
    fn from(hsv: Hsv) -> Self {
        let part = |shift: f32| {
            let at = (hsv.hue.rem_euclid(1.0) * 6.0 + shift).rem_euclid(6.0);
            let away = at.min(4.0 - at).clamp(0.0, 1.0);
            hsv.value * (1.0 - hsv.saturation * away)
        };
        Pixel([part(5.0), part(3.0), part(1.0)])
    }
}

/// The grey of a colour (Rec. 601, in the fixed-point steps of Pillow).
pub(crate) fn luma([r, g, b]: [u8; 3]) -> u8 {
    let sum = u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000;
    (sum >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_survive_the_way_through_hue_and_back() {
        for r in (0..=255u8).step_by(51) {
            for g in (0..=255u8).step_by(51) {
                for b in (0..=255u8).step_by(51) {
                    let there = Hsv::from(Pixel::from_bytes([r, g, b]));
                    assert_eq!(Pixel::from(there).to_bytes(), [r, g, b]);
                }
            }
        }
    }

    #[test]
    fn grey_is_weighed_as_eyes_do() {
        let greys = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]].map(luma);
        assert_eq!(greys, [76, 150, 29, 9]);
    }
}
