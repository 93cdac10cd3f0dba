//! `nodetool.boolean`: conditions and the choice between two values.

use nodetool_sdk::Registry;

mod all_and_some;
mod compare;
mod conditional_switch;
mod is_in;
mod is_none;
mod logical_operator;
mod not;

pub(crate) fn register(r: &mut Registry) {
    r.add::<conditional_switch::ConditionalSwitch>();
    r.add::<compare::Compare>();
    r.add::<logical_operator::LogicalOperator>();
    r.add::<not::Not>();
    r.add::<is_none::IsNone>();
    r.add::<is_in::IsIn>();
    r.add::<all_and_some::All>();
    r.add::<all_and_some::Some>();
}
