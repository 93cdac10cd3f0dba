//! `nodetool.image`: pictures made by models.

use nodetool_sdk::Registry;

mod image_to_image;
mod text_to_image;

pub(crate) fn register(r: &mut Registry) {
    r.add::<text_to_image::TextToImage>();
    r.add::<image_to_image::ImageToImage>();
}
