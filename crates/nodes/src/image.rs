//! `nodetool.image`: pictures made by models, loaded, stored, cut and brought to size.

use nodetool_sdk::Registry;

mod crop;
mod get_metadata;
mod image_to_image;
mod levels;
mod load_image_assets;
mod load_image_file;
mod load_image_folder;
mod paste;
mod rotate_and_flip;
mod save_image;
mod sizes;
pub(crate) mod text_to_image;

pub(crate) fn register(r: &mut Registry) {
    r.add::<load_image_file::LoadImageFile>();
    r.add::<load_image_folder::LoadImageFolder>();
    r.add::<load_image_assets::LoadImageAssets>();
    r.add::<save_image::SaveImage>();
    r.add::<get_metadata::GetMetadata>();
    r.add::<paste::Paste>();
    r.add::<sizes::Scale>();
    r.add::<sizes::Resize>();
    r.add::<crop::Crop>();
    r.add::<sizes::Fit>();
    r.add::<levels::Levels>();
    r.add::<rotate_and_flip::RotateAndFlip>();
    r.add::<text_to_image::TextToImage>();
    r.add::<image_to_image::ImageToImage>();
}
