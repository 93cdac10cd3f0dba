//! `lib.pillow.enhance.Equalize`.

use std::array;

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::edit;

/// Spreads the values of each colour evenly.
/// image, equalize, histogram, contrast, tone
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Equalize {
    /// The picture.
    image: ImageRef,
}

impl Process for Equalize {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |picture| {
            let tables = array::from_fn(|channel| table(&picture.histogram(channel)));
            Ok(picture.look_up(&tables))
        })
        .await
    }
}

/// Where each value goes when every step gets as many pixels.
fn table(counts: &[u64; 256]) -> [u8; 256] {
    let last = counts.iter().rev().find(|n| **n > 0).copied();
    let step = (counts.iter().sum::<u64>() - last.unwrap_or(0)) / 255;
    if step == 0 {
        return array::from_fn(|value| value as u8);
    }
    let mut sum = step / 2;
    array::from_fn(|value| {
        let new = (sum / step).min(255) as u8;
        sum += counts[value];
        new
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowded_values_are_spread_and_a_single_one_stays() {
        let mut counts = [0; 256];
        counts[100..104].fill(1000);
        let spread = table(&counts);
        assert_eq!([100, 101, 102, 103].map(|v| spread[v]), [0, 91, 182, 255]);
        let mut one = [0; 256];
        one[9] = 1_000_000;
        assert_eq!(table(&one)[9], 9);
    }
}
