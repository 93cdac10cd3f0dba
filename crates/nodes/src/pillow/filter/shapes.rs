//! `lib.pillow.filter.Blur`, `Contour`, `Emboss`, `FindEdges` and `Smooth`: what looks at the pixels around each.

use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process};

use crate::picture::{Kernel, edit, gaussian, whole};

/// Blurs a picture.
/// image, blur, gaussian, soft, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Blur {
    /// The picture.
    image: ImageRef,
    /// How far the blur reaches, in pixels.
    #[prop(default = 2, min = 0, max = 128)]
    radius: i64,
}

impl Process for Blur {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let radius = f64::from(whole("radius", self.radius, 0, 128)?);
        edit(cx, &self.image, move |p| Ok(gaussian(&p, radius))).await
    }
}

/// Draws the outlines of a picture, dark on white.
/// image, contour, outline, lines, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Contour {
    /// The picture.
    image: ImageRef,
}

impl Process for Contour {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::CONTOUR.apply(&p))).await
    }
}

/// Makes a picture look as if it were pressed into metal.
/// image, emboss, relief, texture, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Emboss {
    /// The picture.
    image: ImageRef,
}

impl Process for Emboss {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::EMBOSS.apply(&p))).await
    }
}

/// Shows the edges of a picture, light on black.
/// image, edges, detect, lines, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct FindEdges {
    /// The picture.
    image: ImageRef,
}

impl Process for FindEdges {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::FIND_EDGES.apply(&p))).await
    }
}

/// Makes a picture a little softer.
/// image, smooth, soft, noise, filter
#[derive(Node)]
#[node(namespace = "lib.pillow.filter")]
pub(super) struct Smooth {
    /// The picture.
    image: ImageRef,
}

impl Process for Smooth {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        edit(cx, &self.image, |p| Ok(Kernel::SMOOTH.apply(&p))).await
    }
}
