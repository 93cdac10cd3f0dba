//! `lib.pillow.enhance.Detail`, `EdgeEnhance` and `Sharpen`: filters of fixed weights; and `lib.image.enhance.Detail`,
//! which filters the border too.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Kernel, edit};

/// Brings out fine lines.
/// image, detail, texture, sharpen, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Detail {
    /// The picture.
    image: ImageRef,
}

impl Process for Detail {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::DETAIL.apply(&p))).await
    }
}

/// Brings out fine lines, up to the border.
/// image, detail, texture, sharpen, filter
#[derive(Node)]
#[node(namespace = "lib.image.enhance", name = "Detail")]
pub(super) struct DetailToBorder {
    /// The picture.
    image: ImageRef,
}

impl Process for DetailToBorder {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let filtered = |p| Ok(Kernel::DETAIL.apply_to_border(&p));
        edit(cx, &self.image, filtered).await
    }
}

/// Brings out edges.
/// image, edge, outline, contour, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct EdgeEnhance {
    /// The picture.
    image: ImageRef,
}

impl Process for EdgeEnhance {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::EDGE_ENHANCE.apply(&p))).await
    }
}

/// Makes a picture crisper.
/// image, sharpen, crisp, focus, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.enhance")]
pub(super) struct Sharpen {
    /// The picture.
    image: ImageRef,
}

impl Process for Sharpen {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::SHARPEN.apply(&p))).await
    }
}
