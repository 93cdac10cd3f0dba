//! `lib.pillow`: work on the pixels of pictures, by the rules of the library of that name.

use nodetool_sdk::Registry;

mod color_grading;
mod draw;
mod enhance;
mod filter;

pub(crate) fn register(r: &mut Registry) {
    enhance::register(r);
    filter::register(r);
    draw::register(r);
    color_grading::register(r);
}
