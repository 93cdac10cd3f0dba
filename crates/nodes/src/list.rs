//! `nodetool.list`: making, cutting, joining and summing up lists.

use nodetool_sdk::{Map, NodeError, Registry, Value};

mod aggregate;
mod append;
mod chunk;
mod dedupe;
mod extend;
mod filter_dicts;
mod filter_dicts_by_number;
mod flatten;
mod get_element;
mod items;
mod key;
mod length;
mod map_field;
mod randomize;
mod range;
mod repeat;
mod reverse;
mod save_list;
mod select_elements;
mod sequence;
mod sets;
mod slice;
mod sort;

/// An item of a list of records.
fn record(value: &Value, index: usize) -> Result<&Map, NodeError> {
    value.as_map().ok_or_else(|| {
        let text = format!(
            "item {index} is {} {} (expected dict)",
            value.kind(),
            value.preview(40)
        );
        NodeError::bad("values", text)
    })
}

pub(crate) fn register(r: &mut Registry) {
    r.add::<length::Length>();
    r.add::<sequence::ListRange>();
    r.add::<sequence::GenerateSequence>();
    r.add::<range::Range>();
    r.add::<slice::Slice>();
    r.add::<select_elements::SelectElements>();
    r.add::<get_element::GetElement>();
    r.add::<append::Append>();
    r.add::<extend::Extend>();
    r.add::<dedupe::Dedupe>();
    r.add::<reverse::Reverse>();
    r.add::<save_list::SaveList>();
    r.add::<randomize::Randomize>();
    r.add::<sort::Sort>();
    r.add::<sets::Intersection>();
    r.add::<sets::Union>();
    r.add::<sets::Difference>();
    r.add::<chunk::Chunk>();
    r.add::<aggregate::Sum>();
    r.add::<aggregate::Average>();
    r.add::<aggregate::Minimum>();
    r.add::<aggregate::Maximum>();
    r.add::<aggregate::Product>();
    r.add::<flatten::Flatten>();
    r.add::<repeat::Tile>();
    r.add::<repeat::RepeatEach>();
    r.add::<repeat::RepeatValue>();
    r.add::<filter_dicts::FilterDicts>();
    r.add::<filter_dicts_by_number::FilterDictsByNumber>();
    r.add::<map_field::MapField>();
}
