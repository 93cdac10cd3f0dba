use nodetool_macros::Outputs;

#[derive(Outputs)]
enum Branch {
    IfTrue(String, String),
}

fn main() {}
