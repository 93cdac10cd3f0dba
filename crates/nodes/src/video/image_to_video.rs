//! `nodetool.video.ImageToVideo`.

use nodetool_sdk::models::VideoRequest;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process, VideoModel, VideoRef};

use super::{AspectRatio, Resolution, film, word};
use crate::models::media::{self, Kind};
use crate::models::{chosen, said, seed, selector, timeout, whole, workflow};

/// Has a model make a video that begins with a picture.
/// video, animate, film, clip, image to video, animation
#[derive(Node)]
#[node(
    namespace = "nodetool.video",
    tool,
    uncached,
    effect = "idempotent",
    basic("image", "model", "prompt", "aspect_ratio", "resolution", "seed")
)]
pub(super) struct ImageToVideo {
    /// The first picture.
    image: ImageRef,
    /// The model that films.
    #[prop(default = selector("video_model", "gemini", "veo-3.1-generate-preview", "Veo 3.1 Preview"))]
    model: VideoModel,
    /// What is to happen.
    prompt: String,
    /// What the video is not to show.
    negative_prompt: String,
    /// Width to height.
    #[prop(default = "16:9")]
    aspect_ratio: AspectRatio,
    /// Lines of a picture.
    #[prop(default = "720p")]
    resolution: Resolution,
    /// Pictures, for models that let choose.
    #[prop(default = 60, min = 1, max = 300)]
    num_frames: i64,
    /// How closely the prompt is followed.
    #[prop(default = 7.5, min = 0, max = 30)]
    guidance_scale: f64,
    /// Steps of the model: more take longer and may look better.
    #[prop(default = 30, min = 1, max = 100)]
    num_inference_steps: i64,
    /// The same number gives the same video again; -1 for any.
    #[prop(default = -1, min = -1)]
    seed: i64,
    /// Seconds to wait; 0 for the provider's own time.
    #[prop(default = 0, min = 0, max = 7200)]
    timeout_seconds: i64,
}

impl Process for ImageToVideo {
    type Output = VideoRef;

    async fn process(self, cx: &NodeCx) -> Result<VideoRef, NodeError> {
        let model = chosen(&self.model.0, "model that makes videos")?;
        let source = media::required(cx, "image", &self.image.0, Kind::Image).await?;
        let request = VideoRequest {
            provider: model.provider,
            model: model.model,
            prompt: self.prompt.trim().to_owned(),
            negative_prompt: said(&self.negative_prompt),
            source: Some(source),
            aspect_ratio: word(self.aspect_ratio),
            resolution: word(self.resolution),
            num_frames: Some(whole("num_frames", self.num_frames)?),
            guidance_scale: Some(self.guidance_scale),
            num_inference_steps: Some(whole("num_inference_steps", self.num_inference_steps)?),
            seed: seed(self.seed),
            timeout_s: timeout(self.timeout_seconds),
            node_id: Some(cx.node.id.clone()),
            workflow_id: workflow(cx),
            ..VideoRequest::default()
        };
        film(cx, request).await
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
    async fn the_first_picture_goes_along() {
        let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n");
        let film = Media::bytes("video/mp4", Bytes::from_static(b"v"));
        let models = Arc::new(ScriptedModels::new([]).with_video(film));
        let image = Value::map([("type", Value::from("image")), ("data", png.clone().into())]);
        let run = case::<ImageToVideo>().set("image", image);
        let given = run.within(with(&models)).value().await.unwrap();
        assert_eq!(given.type_tag(), Some("video"));
        let asked = models.asked();
        let Asked::Video(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!(asked.source, Some(Media::bytes("image/png", png)));
    }

    #[tokio::test]
    async fn without_a_picture_there_is_nothing_to_begin_with() {
        let models = Arc::new(ScriptedModels::new([]));
        let refused = case::<ImageToVideo>().within(with(&models)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`image`: is empty"), "{refused}");
    }
}
