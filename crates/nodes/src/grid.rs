//! `lib.grid`: many pictures as one, and one as many.

use nodetool_sdk::Registry;

mod combine_image_grid;
mod slice_image_grid;

pub(crate) fn register(r: &mut Registry) {
    r.add::<combine_image_grid::CombineImageGrid>();
    r.add::<slice_image_grid::SliceImageGrid>();
}
