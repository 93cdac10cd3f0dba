//! `nodetool.image.TextToImage`.

use nodetool_sdk::models::ImageRequest;
use nodetool_sdk::{ImageModel, ImageRef, Node, NodeCx, NodeError, Process};

use crate::models::{chosen, media, said, seed, selector, timeout, whole, workflow};

/// Has a model draw a picture of what a text says.
/// image, generate, draw, picture, text to image, diffusion, flux
#[derive(Node)]
#[node(
    namespace = "nodetool.image",
    tool,
    uncached,
    effect = "idempotent",
    basic("model", "prompt", "width", "height", "seed")
)]
pub(super) struct TextToImage {
    /// The model that draws.
    #[prop(default = selector("image_model", "huggingface_fal_ai", "fal-ai/flux/schnell", "FLUX.1 Schnell"))]
    model: ImageModel,
    /// What the picture is to show.
    #[prop(default = "A cat holding a sign that says hello world")]
    prompt: String,
    /// What it is not to show.
    negative_prompt: String,
    /// Width in pixels.
    #[prop(default = 512, min = 64, max = 2048)]
    width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 64, max = 2048)]
    height: i64,
    /// How closely the prompt is followed.
    #[prop(default = 7.5, min = 0, max = 30)]
    guidance_scale: f64,
    /// Steps of the model: more take longer and may look better.
    #[prop(default = 30, min = 1, max = 100)]
    num_inference_steps: i64,
    /// The same number gives the same picture again; -1 for any.
    #[prop(default = -1, min = -1)]
    seed: i64,
    /// Whether the provider looks for what it should not draw.
    #[prop(default = true)]
    safety_check: bool,
    /// Seconds to wait; 0 for the provider's own time.
    #[prop(default = 0, min = 0, max = 3600)]
    timeout_seconds: i64,
}

impl Process for TextToImage {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let model = chosen(&self.model.0, "model that makes images")?;
        let Some(prompt) = said(&self.prompt) else {
            let message = "is empty (expected what the picture is to show)";
            return Err(NodeError::bad("prompt", message));
        };
        let request = ImageRequest {
            provider: model.provider,
            model: model.model,
            prompt,
            negative_prompt: said(&self.negative_prompt),
            width: Some(whole("width", self.width)?),
            height: Some(whole("height", self.height)?),
            guidance_scale: Some(self.guidance_scale),
            num_inference_steps: Some(whole("num_inference_steps", self.num_inference_steps)?),
            seed: seed(self.seed),
            safety_check: Some(self.safety_check),
            timeout_s: timeout(self.timeout_seconds),
            node_id: Some(cx.node.id.clone()),
            workflow_id: workflow(cx),
            ..ImageRequest::default()
        };
        first_picture(cx, request).await
    }
}

/// The first picture that is made.
pub(crate) async fn first_picture(
    cx: &NodeCx,
    request: ImageRequest,
) -> Result<ImageRef, NodeError> {
    let made = cx.services().models.image(request).await?;
    let Some(picture) = made.into_iter().next() else {
        return Err(NodeError::new("the model made no picture"));
    };
    let empty = ImageRef::default().0;
    media::made(cx, empty, picture).await.map(ImageRef)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use nodetool_sdk::models::Media;
    use nodetool_sdk::testing::{Asked, ScriptedModels, case};

    use super::*;
    use crate::models::testing::with;

    #[tokio::test]
    async fn the_picture_carries_its_bytes_and_unset_values_are_left_to_the_provider() {
        let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n");
        let picture = Media::bytes("image/png", png.clone());
        let models = Arc::new(ScriptedModels::new([]).with_image(picture));
        let given = case::<TextToImage>()
            .set("prompt", "A dot")
            .set("width", 64i64)
            .within(with(&models))
            .value()
            .await
            .unwrap();
        assert_eq!(given.type_tag(), Some("image"));
        assert_eq!(given.get("data"), Some(&png.into()));
        let asked = models.asked();
        let Asked::Image(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!((asked.width, asked.height), (Some(64), Some(512)));
        assert_eq!((asked.seed, asked.timeout_s), (None, None));
        assert_eq!(asked.negative_prompt, None);
        assert_eq!(asked.provider, "huggingface_fal_ai");
    }

    #[tokio::test]
    async fn nothing_to_draw_is_refused_and_so_is_nothing_drawn() {
        let models = Arc::new(ScriptedModels::new([]));
        let run = case::<TextToImage>().set("prompt", " ");
        let refused = run.within(with(&models)).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("`prompt`: is empty"),
            "{refused}"
        );
        let empty = Media::bytes("image/png", Bytes::new());
        let models = Arc::new(ScriptedModels::new([]).with_image(empty));
        let refused = case::<TextToImage>().within(with(&models)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert_eq!(refused, "the model made an empty file");
    }
}
