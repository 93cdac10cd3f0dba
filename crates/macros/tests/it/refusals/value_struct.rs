use nodetool_macros::ValueType;

#[derive(ValueType)]
struct Mode {
    fast: bool,
}

fn main() {}
