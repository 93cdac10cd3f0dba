//! `lib.image.color`: colours of the current generation, some of them only where a mask is light.

use image::imageops::{self, FilterType};
use nodetool_sdk::{ImageRef, NodeCx, NodeError, Registry};

use crate::picture::{self, Picture, Pixel, luma, make, required};

mod grade;
mod single;

pub(super) fn register(r: &mut Registry) {
    r.add::<single::Invert>();
    r.add::<single::Exposure>();
    r.add::<single::Posterize>();
    r.add::<single::ChannelSplit>();
    r.add::<grade::Grade>();
}

/// Gives every pixel another colour, as far as the mask is light there; without a mask everywhere.
async fn masked(
    cx: &NodeCx,
    image: &ImageRef,
    mask: &ImageRef,
    f: impl Fn(Pixel) -> Pixel + Send + 'static,
) -> Result<ImageRef, NodeError> {
    let image = required(cx, "image", image).await?;
    let mask = picture::file(cx, "mask", mask).await?;
    make(move || {
        let picture = Picture::decode("image", &image)?;
        let Some(mask) = mask else {
            return Ok(picture.grade(f));
        };
        let (width, height) = picture.pixels.dimensions();
        let mask = Picture::decode("mask", &mask)?.pixels;
        let mask = imageops::resize(&mask, width, height, FilterType::Triangle);
        let mut changed = picture;
        for (pixel, mask) in changed.pixels.pixels_mut().zip(mask.pixels()) {
            let [r, g, b, a] = pixel.0;
            let part = f32::from(luma([mask[0], mask[1], mask[2]])) / 255.0;
            let old = Pixel::from_bytes([r, g, b]);
            let [r, g, b] = old.mixed(f(old).clamped(), part).to_bytes();
            pixel.0 = [r, g, b, a];
        }
        Ok(changed)
    })
    .await
}
