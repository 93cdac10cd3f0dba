use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test")]
struct Add(f64, f64);

fn main() {}
