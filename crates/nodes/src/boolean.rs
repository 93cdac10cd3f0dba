//! `nodetool.boolean`: conditions and the choice between two values.

use nodetool_sdk::Registry;

mod logical_operator;

pub(crate) fn register(r: &mut Registry) {
    r.add::<logical_operator::LogicalOperator>();
}
