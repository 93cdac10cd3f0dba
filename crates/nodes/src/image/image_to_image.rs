//! `nodetool.image.ImageToImage`.

use nodetool_sdk::models::ImageRequest;
use nodetool_sdk::{ImageModel, ImageRef, Map, Node, NodeCx, NodeError, Process};

use super::text_to_image::first_picture;
use crate::models::media::{self, Kind};
use crate::models::{chosen, said, seed, selector, timeout, whole, workflow};

/// Has a model redraw a picture as a text says.
/// image, edit, redraw, style, image to image, diffusion, flux
#[derive(Node)]
#[node(
    namespace = "nodetool.image",
    tool,
    uncached,
    effect = "idempotent",
    basic("model", "image", "prompt", "strength", "seed")
)]
pub(super) struct ImageToImage {
    /// The model that draws.
    #[prop(default = selector("image_model", "huggingface_fal_ai", "fal-ai/flux/dev", "FLUX.1 Dev"))]
    model: ImageModel,
    /// The picture to start from.
    image: ImageRef,
    /// What is to become of it.
    #[prop(default = "A photorealistic version of the input image")]
    prompt: String,
    /// What the new picture is not to show.
    negative_prompt: String,
    /// How far to go from the old picture: 0 stays, 1 forgets it.
    #[prop(default = 0.8, min = 0, max = 1)]
    strength: f64,
    /// How closely the prompt is followed.
    #[prop(default = 7.5, min = 0, max = 30)]
    guidance_scale: f64,
    /// Steps of the model: more take longer and may look better.
    #[prop(default = 30, min = 1, max = 100)]
    num_inference_steps: i64,
    /// Width in pixels.
    #[prop(default = 512, min = 64, max = 2048)]
    target_width: i64,
    /// Height in pixels.
    #[prop(default = 512, min = 64, max = 2048)]
    target_height: i64,
    /// The same number gives the same picture again; -1 for any.
    #[prop(default = -1, min = -1)]
    seed: i64,
    /// Name of the scheduler, for models that have several.
    scheduler: String,
    /// Whether the provider looks for what it should not draw.
    #[prop(default = true)]
    safety_check: bool,
    /// Seconds to wait; 0 for the provider's own time.
    #[prop(default = 0, min = 0, max = 3600)]
    timeout_seconds: i64,
}

impl Process for ImageToImage {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let model = chosen(&self.model.0, "model that makes images")?;
        let source = media::required(cx, "image", &self.image.0, Kind::Image).await?;
        let mut extra = Map::new();
        if let Some(scheduler) = said(&self.scheduler) {
            extra.insert("scheduler".into(), scheduler.into());
        }
        let request = ImageRequest {
            provider: model.provider,
            model: model.model,
            prompt: self.prompt.trim().to_owned(),
            negative_prompt: said(&self.negative_prompt),
            sources: vec![source],
            width: Some(whole("target_width", self.target_width)?),
            height: Some(whole("target_height", self.target_height)?),
            guidance_scale: Some(self.guidance_scale),
            num_inference_steps: Some(whole("num_inference_steps", self.num_inference_steps)?),
            strength: Some(self.strength),
            seed: seed(self.seed),
            safety_check: Some(self.safety_check),
            timeout_s: timeout(self.timeout_seconds),
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

    use bytes::Bytes;
    use nodetool_sdk::Value;
    use nodetool_sdk::models::Media;
    use nodetool_sdk::testing::{Asked, ScriptedModels, case};

    use super::*;
    use crate::models::testing::with;

    #[tokio::test]
    async fn the_old_picture_goes_along_and_the_new_one_comes_back() {
        let old = Bytes::from_static(b"\xff\xd8\xff\xe0old");
        let new = Bytes::from_static(b"\x89PNG\r\n\x1a\nnew");
        let made = Media::bytes("image/png", new.clone());
        let models = Arc::new(ScriptedModels::new([]).with_image(made));
        let image = Value::map([("type", Value::from("image")), ("data", old.clone().into())]);
        let given = case::<ImageToImage>()
            .set("image", image)
            .set("scheduler", "ddim")
            .set("seed", 7i64)
            .set("timeout_seconds", 30i64)
            .within(with(&models))
            .value()
            .await
            .unwrap();
        assert_eq!(given.get("data"), Some(&new.into()));
        let asked = models.asked();
        let Asked::Image(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!(asked.sources, [Media::bytes("image/jpeg", old)]);
        assert_eq!(asked.strength, Some(0.8));
        assert_eq!((asked.seed, asked.timeout_s), (Some(7), Some(30.0)));
        assert_eq!(asked.extra["scheduler"], "ddim".into());
    }

    #[tokio::test]
    async fn without_a_picture_there_is_nothing_to_redraw() {
        let models = Arc::new(ScriptedModels::new([]));
        let refused = case::<ImageToImage>().within(with(&models)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`image`: is empty"), "{refused}");
    }
}
