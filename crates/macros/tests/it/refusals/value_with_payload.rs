use nodetool_macros::ValueType;

#[derive(ValueType)]
enum Mode {
    Fast,
    Slow(u32),
}

fn main() {}
