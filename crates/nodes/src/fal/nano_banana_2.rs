//! `fal.text_to_image.NanoBanana2`.

use nodetool_sdk::models::ImageRequest;
use nodetool_sdk::{ImageRef, Map, Node, NodeCx, NodeError, Process, ValueType};

use crate::image::text_to_image::first_picture;
use crate::models::{said, seed, workflow};

/// The provider and its model.
const PROVIDER: &str = "fal_ai";
const MODEL: &str = "fal-ai/nano-banana-2";

/// How large the picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueType)]
pub(super) enum Resolution {
    #[value("0.5K")]
    Half,
    #[value("1K")]
    One,
    #[value("2K")]
    Two,
    #[value("4K")]
    Four,
}

/// Width to height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueType)]
pub(super) enum AspectRatio {
    #[value("auto")]
    Auto,
    #[value("21:9")]
    W21H9,
    #[value("16:9")]
    W16H9,
    #[value("3:2")]
    W3H2,
    #[value("4:3")]
    W4H3,
    #[value("5:4")]
    W5H4,
    #[value("1:1")]
    W1H1,
    #[value("4:5")]
    W4H5,
    #[value("3:4")]
    W3H4,
    #[value("2:3")]
    W2H3,
    #[value("9:16")]
    W9H16,
}

/// The format of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueType)]
pub(super) enum Format {
    Png,
    Jpeg,
    Webp,
}

/// Draws a picture with Google's Nano Banana 2, through fal.
/// image, generate, draw, nano banana, gemini, text to image
///
/// Where several pictures are asked for, the first is given.
#[derive(Node)]
#[node(
    namespace = "fal.text_to_image",
    title = "Nano Banana 2",
    tool,
    uncached,
    effect = "idempotent",
    settings("FAL_API_KEY"),
    basic("prompt", "aspect_ratio", "resolution")
)]
pub(super) struct NanoBanana2 {
    /// What the picture is to show.
    prompt: String,
    /// How many are drawn to choose from.
    #[prop(default = 1, min = 1, max = 4)]
    num_images: i64,
    /// The same number gives about the same picture again; -1 for any.
    #[prop(default = -1, min = -1)]
    seed: i64,
    /// Width to height.
    #[prop(default = "auto")]
    aspect_ratio: AspectRatio,
    /// How large it is.
    #[prop(default = "1K")]
    resolution: Resolution,
    /// The format of the file.
    output_format: Format,
}

impl Process for NanoBanana2 {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let Some(prompt) = said(&self.prompt) else {
            let message = "is empty (expected what the picture is to show)";
            return Err(NodeError::bad("prompt", message));
        };
        let count = u32::try_from(self.num_images).ok();
        let Some(count) = count.filter(|n| (1..=4).contains(n)) else {
            let message = format!("{} (expected 1 to 4)", self.num_images);
            return Err(NodeError::bad("num_images", message));
        };
        let extra = Map::from_iter([
            ("aspect_ratio".into(), self.aspect_ratio.into_value()),
            ("resolution".into(), self.resolution.into_value()),
            ("output_format".into(), self.output_format.into_value()),
        ]);
        let request = ImageRequest {
            provider: PROVIDER.into(),
            model: MODEL.into(),
            prompt,
            count: Some(count),
            seed: seed(self.seed),
            extra,
            node_id: Some(cx.node.id.clone()),
            workflow_id: workflow(cx),
            ..ImageRequest::default()
        };
        first_picture(cx, request).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::models::Media;
    use nodetool_sdk::testing::{Asked, ScriptedModels, case};

    use super::*;
    use crate::models::testing::with;

    #[tokio::test]
    async fn the_model_of_fal_is_asked_by_its_own_names() {
        let png = bytes::Bytes::from_static(b"\x89PNG\r\n\x1a\n");
        let picture = Media::bytes("image/png", png);
        let models = Arc::new(ScriptedModels::new([]).with_image(picture));
        let run = case::<NanoBanana2>()
            .set("prompt", "A skyline")
            .set("resolution", "2K")
            .set("aspect_ratio", "16:9");
        let given = run.within(with(&models)).value().await.unwrap();
        assert_eq!(given.type_tag(), Some("image"));
        let asked = models.asked();
        let Asked::Image(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!((&*asked.provider, &*asked.model), (PROVIDER, MODEL));
        assert_eq!(
            (asked.count, asked.seed, asked.width),
            (Some(1), None, None)
        );
        assert_eq!(
            serde_json::to_string(&asked.extra).unwrap(),
            r#"{"aspect_ratio":"16:9","resolution":"2K","output_format":"png"}"#
        );
        let refused = case::<NanoBanana2>().within(with(&models)).run().await;
        assert!(refused.unwrap_err().to_string().contains("`prompt`"));
    }
}
