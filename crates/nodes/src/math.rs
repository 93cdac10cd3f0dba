//! `lib.math`: arithmetic on numbers that stay integers where Python keeps them so.

use nodetool_sdk::Registry;

mod add;
mod divide;
mod math_function;
mod modulus;
mod multiply;
mod power;
mod sqrt;
mod subtract;
mod trigonometry;

pub(crate) fn register(r: &mut Registry) {
    r.add::<add::Add>();
    r.add::<trigonometry::Cosine>();
    r.add::<divide::Divide>();
    r.add::<math_function::MathFunction>();
    r.add::<modulus::Modulus>();
    r.add::<multiply::Multiply>();
    r.add::<power::Power>();
    r.add::<trigonometry::Sine>();
    r.add::<sqrt::Sqrt>();
    r.add::<subtract::Subtract>();
}
