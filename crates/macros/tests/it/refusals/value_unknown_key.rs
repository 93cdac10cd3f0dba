use nodetool_macros::ValueType;

#[derive(ValueType)]
#[value(name = "test.Mode")]
enum Mode {
    Fast,
}

fn main() {}
