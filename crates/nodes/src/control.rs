//! `nodetool.control`: routing, repeating and gathering streams.

use nodetool_sdk::{Node, Registry};

mod batch;
mod chunk;
mod collect;
mod collection;
mod count;
mod cross;
mod distinct;
mod drop;
mod drop_while;
mod expression;
mod filter_code;
mod filter_equal;
mod for_each;
mod human_approval;
mod if_node;
mod item;
mod last;
mod loop_node;
mod repeat;
mod reroute;
mod setting;
mod switch;
mod take;
mod take_while;
mod tap;
mod try_catch;
mod zip;

#[cfg(test)]
mod fake_scripts;

/// The longest list, stream or memory of one of these nodes, in items.
const MAX_ITEMS: usize = 10_000_000;

pub(crate) fn register(r: &mut Registry) {
    r.add::<chunk::Chunk>();
    r.add::<collect::Collect>();
    r.add::<collection::Collection>();
    r.add::<count::Count>();
    r.add::<cross::Cross>();
    r.add::<distinct::Distinct>();
    r.add::<drop::Drop>();
    r.add::<drop_while::DropWhile>();
    r.add::<filter_code::FilterCode>();
    r.add::<filter_equal::FilterEqual>();
    r.add::<for_each::ForEach>();
    register_human_approval(r);
    r.add::<if_node::If>();
    r.add::<last::Last>();
    r.add::<loop_node::Loop>();
    r.add::<repeat::RepeatCount>();
    r.add::<repeat::RepeatValue>();
    r.add::<reroute::Reroute>();
    r.add::<switch::Switch>();
    r.add::<take::Take>();
    r.add::<take_while::TakeWhile>();
    r.add::<tap::Tap>();
    r.add::<try_catch::TryCatch>();
    r.add::<zip::Zip>();
}

/// It takes `__event__` but no undeclared inputs of the user's.
fn register_human_approval(r: &mut Registry) {
    let mut def = human_approval::HumanApproval::definition();
    def.metadata.is_dynamic = false;
    r.add_def(def);
}
