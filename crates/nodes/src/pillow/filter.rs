//! `lib.pillow.filter`: fixed effects.

use nodetool_sdk::Registry;

mod colors;
mod expand;
mod shapes;

pub(super) fn register(r: &mut Registry) {
    r.add::<shapes::Blur>();
    r.add::<shapes::Contour>();
    r.add::<colors::ConvertToGrayscale>();
    r.add::<shapes::Emboss>();
    r.add::<expand::Expand>();
    r.add::<shapes::FindEdges>();
    r.add::<colors::GetChannel>();
    r.add::<colors::Invert>();
    r.add::<colors::Posterize>();
    r.add::<shapes::Smooth>();
    r.add::<colors::Solarize>();
}
