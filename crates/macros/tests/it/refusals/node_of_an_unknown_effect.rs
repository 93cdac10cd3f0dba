use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test", effect = "twice")]
struct Add {
    a: f64,
}

fn main() {}
