use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test", colour = "red")]
struct Add {
    a: f64,
    b: f64,
}

fn main() {}
