//! `nodetool.numbers`: filters over streams of numbers.

use nodetool_sdk::{Outputs, Registry, Value};

mod filter_number;
mod filter_number_range;

/// A number that passed, as it came.
#[derive(Outputs)]
struct Kept {
    #[slot(ty = "float")]
    output: Value,
}

impl Kept {
    fn new(output: Value) -> Self {
        Kept { output }
    }
}

pub(crate) fn register(r: &mut Registry) {
    r.add::<filter_number::FilterNumber>();
    r.add::<filter_number_range::FilterNumberRange>();
}
