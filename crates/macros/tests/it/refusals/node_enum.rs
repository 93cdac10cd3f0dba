use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test")]
enum Add {
    Two,
}

fn main() {}
