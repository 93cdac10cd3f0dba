use nodetool_macros::Node;

/// Joins what it gets.
/// text, join
#[derive(Node)]
#[node(namespace = "test")]
struct Join {
    separator: String,
    #[prop(dynamic)]
    parts: Vec<String>,
}

fn main() {}
