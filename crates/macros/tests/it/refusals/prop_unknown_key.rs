use nodetool_macros::Node;

/// Adds two numbers.
/// math, sum
#[derive(Node)]
#[node(namespace = "test")]
struct Add {
    #[prop(defualt = 1.0)]
    a: f64,
}

fn main() {}
