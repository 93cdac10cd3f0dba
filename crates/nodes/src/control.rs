//! `nodetool.control`: routing, repeating and gathering streams.

use nodetool_sdk::Registry;

mod collect;
mod for_each;
mod if_node;

pub(crate) fn register(r: &mut Registry) {
    r.add::<collect::Collect>();
    r.add::<for_each::ForEach>();
    r.add::<if_node::If>();
}
