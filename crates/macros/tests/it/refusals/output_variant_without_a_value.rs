use nodetool_macros::Outputs;

#[derive(Outputs)]
enum Branch {
    IfTrue(String),
    IfFalse,
}

fn main() {}
