use nodetool_macros::Outputs;

#[derive(Outputs)]
struct Sums(f64, f64);

fn main() {}
