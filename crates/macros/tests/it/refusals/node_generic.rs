use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test")]
struct Add<T> {
    a: T,
}

fn main() {}
