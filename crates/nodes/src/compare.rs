//! `nodetool.compare`: how alike two things are.

use nodetool_sdk::Registry;

mod compare_images;

pub(crate) fn register(r: &mut Registry) {
    r.add::<compare_images::CompareImages>();
}
