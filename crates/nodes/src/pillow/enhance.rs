//! `lib.pillow.enhance`: brightness, contrast, colour and sharpness.

use nodetool_sdk::Registry;

mod adaptive_contrast;
mod auto_contrast;
mod equalize;
mod factors;
mod kernels;
mod rank_filter;
mod unsharp_mask;

pub(super) fn register(r: &mut Registry) {
    r.add::<adaptive_contrast::AdaptiveContrast>();
    r.add::<auto_contrast::AutoContrast>();
    r.add::<factors::Brightness>();
    r.add::<factors::Color>();
    r.add::<factors::Contrast>();
    r.add::<kernels::Detail>();
    r.add::<kernels::DetailToBorder>();
    r.add::<kernels::EdgeEnhance>();
    r.add::<equalize::Equalize>();
    r.add::<rank_filter::RankFilter>();
    r.add::<kernels::Sharpen>();
    r.add::<factors::Sharpness>();
    r.add::<unsharp_mask::UnsharpMask>();
}
