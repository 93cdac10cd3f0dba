//! `lib.secret`: values that are kept out of the graph.

use nodetool_sdk::Registry;

mod get_secret;

pub(crate) fn register(r: &mut Registry) {
    r.add::<get_secret::GetSecret>();
}
