use nodetool_macros::ValueType;

#[derive(ValueType)]
enum Mode {
    #[value(1)]
    Fast,
}

fn main() {}
