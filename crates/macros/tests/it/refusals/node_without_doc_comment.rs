use nodetool_macros::Node;

#[derive(Node)]
#[node(namespace = "test")]
struct Add {
    a: f64,
}

fn main() {}
