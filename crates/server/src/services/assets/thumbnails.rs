//! Small JPEG pictures of images. Decoding is bounded in pixels, memory and number at a time. It must not know assets.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};

/// Largest encoded picture that is decoded.
pub(super) const MAX_SOURCE: u64 = 64 << 20;
/// Most pixels of a picture that is decoded.
const MAX_PIXELS: u64 = 64_000_000;
/// Most memory a decoder may take.
const MAX_ALLOCATION: u64 = 256 << 20;
/// JPEG quality, of 100.
const QUALITY: u8 = 85;

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
pub(super) enum ThumbnailError {
    #[error("the picture has {0} pixels, at most {MAX_PIXELS} are decoded")]
    Pixels(u64),
    #[error(transparent)]
    Image(#[from] image::ImageError),
    #[error("the format cannot be told")]
    Format(#[from] std::io::Error),
}

/// A JPEG of at most the given size with the proportions of the picture. Blocks for as long as decoding takes.
pub(super) fn make(source: &[u8], width: u32, height: u32) -> Result<Bytes, ThumbnailError> {
    let reader = ImageReader::new(Cursor::new(source)).with_guessed_format()?;
    let mut decoder = reader.into_decoder()?;
    let (w, h) = decoder.dimensions();
    let pixels = u64::from(w) * u64::from(h);
    if pixels > MAX_PIXELS {
        return Err(ThumbnailError::Pixels(pixels));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if picture.width() > width || picture.height() > height {
        // Turned on its side a picture still fits, since it is turned before it is fitted again.
        let longest = width.max(height);
        picture = picture.thumbnail(longest, longest);
    }
    picture.apply_orientation(orientation);
    if picture.width() > width || picture.height() > height {
        picture = picture.thumbnail(width, height);
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&on_white(&picture))?;
    Ok(jpeg.into())
}

/// JPEG knows no transparency; what shows through is white.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (from, to) in picture.pixels().zip(flat.pixels_mut()) {
        let [r, g, b, a] = from.0.map(u16::from);
        let mix = |c: u16| ((c * a + 255 * (255 - a)) / 255) as u8;
        *to = Rgb([mix(r), mix(g), mix(b)]);
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgba8(width, height)
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    fn png_crc(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn a_picture_is_fitted_and_what_is_clear_becomes_white() {
        let made = make(&png(2000, 1000), 512, 512).unwrap();
        let read = image::load_from_memory(&made).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (512, 256));
        assert_eq!(read.get_pixel(0, 0).0, [255, 255, 255]);
        let small = make(&png(3, 5), 512, 512).unwrap();
        let read = image::load_from_memory(&small).unwrap();
        assert_eq!((read.width(), read.height()), (3, 5));
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        assert!(make(b"no picture", 64, 64).is_err());
        let broken = &png(100, 100)[..60];
        assert!(make(broken, 64, 64).is_err());
        // A header that promises more pixels than are decoded.
        let mut huge = png(1, 1);
        huge[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        // The checksum of the changed header, so that nothing but the size is wrong with it.
        let crc = png_crc(&huge[12..29]).to_be_bytes();
        huge[29..33].copy_from_slice(&crc);
        let refused = make(&huge, 64, 64);
        assert!(matches!(
            refused,
            Err(ThumbnailError::Pixels(4_294_967_296))
        ));
    }
}
