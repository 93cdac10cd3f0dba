use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test")]
struct Add {
    #[prop(min = "zero")]
    a: f64,
}

fn main() {}
