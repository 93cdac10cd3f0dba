//! `nodetool.compare.CompareImages`.

use bytes::Bytes;
use nodetool_sdk::{ImageRef, Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use crate::picture::{Picture, file, work};

/// Says how alike two pictures are and shows them side by side.
/// image, compare, difference, before, after, similarity, slider
///
/// The score is 1 for the same pixels, transparency included, and 0 for sizes that differ or a picture that is not
/// there. Two missing pictures are the same.
#[derive(Node)]
#[node(namespace = "nodetool.compare", uncached, basic("image_a", "image_b"))]
pub(super) struct CompareImages {
    /// The first picture.
    image_a: ImageRef,
    /// The second picture.
    image_b: ImageRef,
    /// What the first is called.
    #[prop(default = "A")]
    label_a: String,
    /// What the second is called.
    #[prop(default = "B")]
    label_b: String,
}

/// What is found.
#[derive(Outputs)]
pub(super) struct Comparison {
    comparison: Map,
    score: f64,
    equal: bool,
}

impl Process for CompareImages {
    type Output = Comparison;

    async fn process(self, cx: &NodeCx) -> Result<Comparison, NodeError> {
        let first = file(cx, "image_a", &self.image_a).await?;
        let second = file(cx, "image_b", &self.image_b).await?;
        let score = match (first, second) {
            (None, None) => 1.0,
            (Some(a), Some(b)) => work(move || likeness(&a, &b)).await?,
            _ => 0.0,
        };
        let equal = score == 1.0;
        let comparison: Map = [
            ("type", Value::from("image_comparison")),
            ("image_a", self.image_a.0),
            ("image_b", self.image_b.0),
            ("label_a", self.label_a.into()),
            ("label_b", self.label_b.into()),
            ("score", score.into()),
            ("equal", equal.into()),
        ]
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect();
        cx.preview(comparison.clone().into());
        Ok(Comparison {
            comparison,
            score,
            equal,
        })
    }
}

/// From 0 to 1, and 1 only for the same pixels. Files that are no pictures are compared byte by byte.
fn likeness(a: &Bytes, b: &Bytes) -> Result<f64, NodeError> {
    if a == b {
        return Ok(1.0);
    }
    let decoded = (Picture::decode("image_a", a), Picture::decode("image_b", b));
    let (a, b) = match &decoded {
        (Ok(a), Ok(b)) if a.pixels.dimensions() == b.pixels.dimensions() => {
            (&a.pixels.as_raw()[..], &b.pixels.as_raw()[..])
        }
        (Ok(_), Ok(_)) => return Ok(0.0),
        (Err(_), Err(_)) => return Ok(same_bytes(a, b)),
        _ => {
            let (a, b) = decoded;
            return a.and(b).map(|_| 0.0);
        }
    };
    let away: u64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    Ok(1.0 - away as f64 / (a.len() as f64 * 255.0))
}

fn same_bytes(a: &[u8], b: &[u8]) -> f64 {
    let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
    same as f64 / a.len().max(b.len()) as f64
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::picture::testing::painted;

    async fn compared(a: Option<ImageRef>, b: Option<ImageRef>) -> (f64, bool) {
        let mut case = case::<CompareImages>();
        if let Some(a) = a {
            case = case.set("image_a", a.0);
        }
        if let Some(b) = b {
            case = case.set("image_b", b.0);
        }
        let given = case.run().await.unwrap();
        let score = given[0]["score"].as_f64().unwrap();
        (score, given[0]["equal"] == true.into())
    }

    #[tokio::test]
    async fn pixels_decide_and_sizes_and_absence_count_as_different() {
        let flat = |v: u8, alpha: u8| Some(painted(2, 2, |_, _| [v, v, v, alpha]));
        assert_eq!(compared(flat(9, 255), flat(9, 255)).await, (1.0, true));
        assert_eq!(compared(None, None).await, (1.0, true));
        assert_eq!(compared(None, flat(9, 255)).await, (0.0, false));
        let wide = Some(painted(3, 2, |_, _| [9, 9, 9, 255]));
        assert_eq!(compared(flat(9, 255), wide).await, (0.0, false));
        let (near, equal) = compared(flat(9, 255), flat(9, 254)).await;
        assert!(near > 0.99 && near < 1.0 && !equal);
        let (far, _) = compared(flat(0, 255), flat(255, 255)).await;
        assert_eq!(far, 0.25);
    }

    #[test]
    fn a_picture_and_something_else_cannot_be_compared() {
        let picture = painted(1, 1, |_, _| [0; 4]).get("data");
        let file = Bytes::copy_from_slice(picture.as_bytes().unwrap());
        let other = Bytes::from_static(b"hello");
        let refused = likeness(&file, &other).unwrap_err().to_string();
        assert!(refused.contains("`image_b`"), "{refused}");
        assert_eq!(
            likeness(&other, &Bytes::from_static(b"hellu")).unwrap(),
            0.8
        );
    }
}
