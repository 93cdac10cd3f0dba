//! `fal`: models of fal that have a node of their own.

use nodetool_sdk::Registry;

mod nano_banana_2;

pub(crate) fn register(r: &mut Registry) {
    r.add::<nano_banana_2::NanoBanana2>();
}
