use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(title = "Add")]
struct Add {
    a: f64,
}

fn main() {}
