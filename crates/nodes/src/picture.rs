//! Pictures as pixels: read from references, worked on away from the async threads, given on as PNG.
//!
//! Colours are eight bits of red, green and blue; how opaque a pixel is stays what it was unless a node says otherwise.
//! Sizes, memory and the number of pictures at work are bounded. It must not know any node.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader, Limits, Rgba,
    RgbaImage,
};
use nodetool_sdk::{ImageRef, NodeCx, NodeError, Value};
use tokio::sync::Semaphore;

use crate::bounds;

mod blend;
mod blur;
mod color;
mod kernel;
mod pixel;

pub(crate) use blend::blend;
pub(crate) use blur::{gaussian, unsharp};
pub(crate) use color::color;
pub(crate) use kernel::Kernel;
pub(crate) use pixel::{Hsv, Pixel, luma};

/// Most bytes of a file that is decoded.
pub(crate) const MAX_BYTES: usize = 100 << 20;
/// Most pixels of a picture.
pub(crate) const MAX_PIXELS: u64 = 64_000_000;
/// Most memory a decoder may take.
const MAX_ALLOCATION: u64 = 512 << 20;

/// How many pictures are worked on at a time, by all runs together: each may take hundreds of megabytes.
static PLACES: Semaphore = Semaphore::const_new(4);

/// A decoded picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) pixels: RgbaImage,
    /// Whether it has transparency, which it then keeps when it is written.
    pub(crate) has_alpha: bool,
}

impl Picture {
    /// One colour everywhere.
    pub(crate) fn filled(width: u32, height: u32, color: [u8; 4]) -> Result<Self, NodeError> {
        check_size("width", width, height)?;
        Ok(Picture {
            pixels: RgbaImage::from_pixel(width, height, Rgba(color)),
            has_alpha: color[3] != 255,
        })
    }

    /// Decodes a file; `property` is named in errors.
    pub(crate) fn decode(property: &str, file: &[u8]) -> Result<Self, NodeError> {
        let broken = |e: String| {
            let expected = "expected a PNG, JPEG, WebP, GIF or BMP picture";
            NodeError::bad(
                property,
                format!("cannot be read as a picture: {e} ({expected})"),
            )
        };
        let reader = ImageReader::new(Cursor::new(file)).with_guessed_format();
        let reader = reader.map_err(|e| broken(e.to_string()))?;
        let mut decoder = reader.into_decoder().map_err(|e| broken(e.to_string()))?;
        let (width, height) = decoder.dimensions();
        check_size(property, width, height)?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(MAX_ALLOCATION);
        limits
            .reserve(decoder.total_bytes())
            .and_then(|()| decoder.set_limits(limits))
            .map_err(|e| broken(e.to_string()))?;
        let decoded = DynamicImage::from_decoder(decoder).map_err(|e| broken(e.to_string()))?;
        Ok(Picture {
            has_alpha: decoded.color().has_alpha(),
            pixels: decoded.into_rgba8(),
        })
    }

    /// The picture as a PNG file.
    pub(crate) fn encode(&self) -> Result<Bytes, NodeError> {
        let (width, height) = self.pixels.dimensions();
        let mut file = Vec::new();
        let encoder =
            PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive);
        let written = if self.has_alpha {
            encoder.write_image(
                self.pixels.as_raw(),
                width,
                height,
                ExtendedColorType::Rgba8,
            )
        } else {
            let pixels = self.pixels.pixels();
            let rgb: Vec<u8> = pixels.flat_map(|p| [p[0], p[1], p[2]]).collect();
            encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8)
        };
        written.map_err(|e| NodeError::new(format!("The picture cannot be written: {e}")))?;
        Ok(file.into())
    }

    /// Gives every pixel other colours.
    pub(crate) fn recolor(mut self, f: impl Fn([u8; 3]) -> [u8; 3]) -> Self {
        for pixel in self.pixels.pixels_mut() {
            let [r, g, b, a] = pixel.0;
            let [r, g, b] = f([r, g, b]);
            pixel.0 = [r, g, b, a];
        }
        self
    }

    /// Gives every pixel other colours, in parts of one.
    pub(crate) fn grade(self, f: impl Fn(Pixel) -> Pixel) -> Self {
        self.recolor(|rgb| f(Pixel::from_bytes(rgb)).to_bytes())
    }

    /// How often each value of a channel occurs.
    pub(crate) fn histogram(&self, channel: usize) -> [u64; 256] {
        let mut counts = [0; 256];
        for pixel in self.pixels.pixels() {
            counts[usize::from(pixel[channel])] += 1;
        }
        counts
    }

    /// Looks each value of each channel up in the channel's table.
    pub(crate) fn look_up(self, tables: &[[u8; 256]; 3]) -> Self {
        self.recolor(|rgb| {
            let mut new = [0; 3];
            for (channel, value) in new.iter_mut().enumerate() {
                *value = tables[channel][usize::from(rgb[channel])];
            }
            new
        })
    }
}

/// Refuses sizes beyond what is worked on, and pictures without pixels.
pub(crate) fn check_size(property: &str, width: u32, height: u32) -> Result<(), NodeError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS {
        let message = format!("{width}×{height} pixels (expected 1 to {MAX_PIXELS} in all)");
        return Err(NodeError::bad(property, message));
    }
    Ok(())
}

/// The bytes behind a reference; nothing for a reference to nothing.
pub(crate) async fn file(
    cx: &NodeCx,
    property: &str,
    image: &ImageRef,
) -> Result<Option<Bytes>, NodeError> {
    if image.is_empty() {
        return Ok(None);
    }
    let file = match image.get("data") {
        Value::Bytes(bytes) => bytes,
        _ => {
            let read = cx.services().assets.read(&image.0).await;
            read.map_err(|e| match e {
                NodeError::Stopped => e,
                e => NodeError::bad(property, e.to_string()),
            })?
        }
    };
    if file.len() > MAX_BYTES {
        let message = format!("{} bytes (expected at most {MAX_BYTES})", file.len());
        return Err(NodeError::bad(property, message));
    }
    Ok(Some(file))
}

/// The same where there has to be something.
pub(crate) async fn required(
    cx: &NodeCx,
    property: &str,
    image: &ImageRef,
) -> Result<Bytes, NodeError> {
    let file = file(cx, property, image).await?;
    file.ok_or_else(|| NodeError::bad(property, "is empty (expected a picture)"))
}

/// Does work on pixels on a thread for blocking work, when there is a place.
pub(crate) async fn work<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    // The place is given back when the work is done, even if nobody waits for it any more.
    let place = PLACES.acquire().await.map_err(|_| NodeError::Stopped)?;
    bounds::blocking(move || {
        let _place = place;
        f()
    })
    .await
}

/// Makes a picture and gives a reference that carries it.
pub(crate) async fn make(
    f: impl FnOnce() -> Result<Picture, NodeError> + Send + 'static,
) -> Result<ImageRef, NodeError> {
    work(move || f()?.encode()).await.map(carried)
}

/// Makes another picture of the one in the property `image`.
pub(crate) async fn edit(
    cx: &NodeCx,
    image: &ImageRef,
    f: impl FnOnce(Picture) -> Result<Picture, NodeError> + Send + 'static,
) -> Result<ImageRef, NodeError> {
    let file = required(cx, "image", image).await?;
    make(move || f(Picture::decode("image", &file)?)).await
}

/// A reference that carries a file.
pub(crate) fn carried(file: Bytes) -> ImageRef {
    let mut map = ImageRef::default().0.as_map().cloned().unwrap_or_default();
    map.insert("data".into(), file.into());
    ImageRef(map.into())
}

/// A number within its bounds. Numbers that come along an edge may lie outside; infinite ones and none go nowhere.
pub(crate) fn number(property: &str, value: f64, low: f64, high: f64) -> Result<f64, NodeError> {
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let message = format!("{value} (expected a number from {low} to {high})");
    Err(NodeError::bad(property, message))
}

/// A whole number within its bounds.
pub(crate) fn whole(property: &str, value: i64, low: u32, high: u32) -> Result<u32, NodeError> {
    match u32::try_from(value) {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => {
            let message = format!("{value} (expected a whole number from {low} to {high})");
            Err(NodeError::bad(property, message))
        }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Small pictures for the tests of nodes.

    use super::*;

    /// A picture whose pixels are said by their place.
    pub(crate) fn painted(
        width: u32,
        height: u32,
        paint: impl Fn(u32, u32) -> [u8; 4],
    ) -> ImageRef {
        let pixels = RgbaImage::from_fn(width, height, |x, y| Rgba(paint(x, y)));
        let has_alpha = pixels.pixels().any(|p| p[3] != 255);
        let picture = Picture { pixels, has_alpha };
        carried(picture.encode().unwrap())
    }

    /// The pixels a reference carries.
    pub(crate) fn seen(image: &Value) -> Picture {
        let file = image.get("data").and_then(Value::as_bytes).unwrap();
        Picture::decode("image", file).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{painted, seen};
    use super::*;

    #[test]
    fn what_is_written_is_read_again_with_and_without_transparency() {
        for alpha in [255, 7] {
            let image = painted(3, 2, |x, y| [x as u8, y as u8, 9, alpha]);
            let picture = seen(&image.0);
            assert_eq!(picture.has_alpha, alpha != 255);
            assert_eq!(picture.pixels.get_pixel(2, 1).0, [2, 1, 9, alpha]);
        }
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        let refused = Picture::decode("image", b"hello").unwrap_err().to_string();
        assert!(
            refused.contains("`image`: cannot be read as a picture"),
            "{refused}"
        );
        assert!(check_size("image", 1 << 16, 1 << 16).is_err());
        assert!(check_size("image", 0, 5).is_err());
        assert!(number("factor", f64::NAN, 0.0, 1.0).is_err());
        assert!(whole("size", -1, 0, 5).is_err());
    }

    #[tokio::test]
    async fn a_missing_picture_is_named() {
        let cx = nodetool_sdk::testing::context();
        let refused = edit(&cx, &ImageRef::default(), Ok).await.unwrap_err();
        let want = "Invalid value for property `image`: is empty (expected a picture)";
        assert_eq!(refused.to_string(), want);
    }
}
