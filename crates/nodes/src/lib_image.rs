//! `lib.image`: pictures from nothing, colours and warps of the current generation. What is equal in both generations
//! lies in `lib.pillow`.

use nodetool_sdk::Registry;

mod color;
mod draw;
mod warp;

pub(crate) fn register(r: &mut Registry) {
    draw::register(r);
    color::register(r);
    warp::register(r);
}
