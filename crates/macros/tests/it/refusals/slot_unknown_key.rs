use nodetool_macros::Outputs;

#[derive(Outputs)]
struct Sums {
    #[slot(title = "Sum")]
    sum: f64,
}

fn main() {}
