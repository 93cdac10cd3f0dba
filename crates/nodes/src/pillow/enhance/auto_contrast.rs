//! `lib.pillow.enhance.AutoContrast`.

use std::array;

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{edit, whole};

/// Stretches each colour so that its darkest value becomes black and its lightest white.
/// image, contrast, automatic, levels, stretch, normalize
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct AutoContrast {
    /// The picture.
    image: ImageRef,
    /// Percent of the darkest and of the lightest pixels that are not looked at.
    #[prop(default = 0, min = 0, max = 255)]
    cutoff: i64,
}

impl Process for AutoContrast {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let cutoff = whole("cutoff", self.cutoff, 0, 255)?;
        edit(cx, &self.image, move |picture| {
            let tables = array::from_fn(|c| table(picture.histogram(c), u64::from(cutoff)));
            Ok(picture.look_up(&tables))
        })
        .await
    }
}

/// What becomes of each value of a channel.
fn table(mut counts: [u64; 256], cutoff: u64) -> [u8; 256] {
    let cut = counts.iter().sum::<u64>() * cutoff / 100;
    take(counts.iter_mut(), cut);
    take(counts.iter_mut().rev(), cut);
    let mut table = array::from_fn(|value| value as u8);
    let low = counts.iter().position(|n| *n > 0);
    let high = counts.iter().rposition(|n| *n > 0);
    // With everything cut away, or one value left, there is nothing to stretch.
    if let (Some(low), Some(high)) = (low, high)
        && low < high
    {
        let scale = 255.0 / (high - low) as f64;
        for (value, new) in table.iter_mut().enumerate() {
            // A fraction is cut off, and so is what a byte cannot hold.
            *new = (value as f64 * scale - low as f64 * scale) as u8;
        }
    }
    table
}

/// Takes so many pixels away, from the first value on.
fn take<'a>(counts: impl Iterator<Item = &'a mut u64>, mut cut: u64) {
    for count in counts {
        let taken = cut.min(*count);
        *count -= taken;
        cut -= taken;
        if cut == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(usize, u64)]) -> [u64; 256] {
        let mut counts = [0; 256];
        of.iter().for_each(|(value, n)| counts[*value] = *n);
        counts
    }

    #[test]
    fn the_range_is_stretched_to_its_ends() {
        let table = table(counts(&[(50, 10), (100, 80), (150, 10)]), 0);
        assert_eq!(
            [49, 50, 100, 150, 151].map(|v| table[v]),
            [0, 0, 127, 255, 255]
        );
    }

    #[test]
    fn rare_values_at_the_ends_are_cut_off_and_cutting_all_changes_nothing() {
        let few = counts(&[(0, 1), (100, 49), (200, 49), (255, 1)]);
        let cut = table(few, 1);
        // 255 / 100 is a little less in binary, so that 200 falls short of white.
        assert_eq!(
            [0, 100, 150, 200, 255].map(|v| cut[v]),
            [0, 0, 127, 254, 255]
        );
        let all = table(few, 108);
        assert!((0..256).all(|v| usize::from(all[v]) == v));
    }
}
