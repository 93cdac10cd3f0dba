//! `lib.pillow.enhance.UnsharpMask`.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{edit, unsharp, whole};

/// Sharpens by what a blur would take away.
/// image, sharpen, unsharp mask, edges, radius
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct UnsharpMask {
    /// The picture.
    image: ImageRef,
    /// How far the blur reaches, in pixels.
    #[prop(default = 2, min = 0, max = 512)]
    radius: i64,
    /// How strongly the difference is added, in percent.
    #[prop(default = 150, min = 0, max = 1000)]
    percent: i64,
    /// Differences up to this one are left alone.
    #[prop(default = 3, min = 0, max = 512)]
    threshold: i64,
}

impl Process for UnsharpMask {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let radius = f64::from(whole("radius", self.radius, 0, 512)?);
        let percent = whole("percent", self.percent, 0, 1000)? as i32;
        let threshold = whole("threshold", self.threshold, 0, 512)? as i32;
        edit(cx, &self.image, move |picture| {
            Ok(unsharp(picture, radius, percent, threshold))
        })
        .await
    }
}
