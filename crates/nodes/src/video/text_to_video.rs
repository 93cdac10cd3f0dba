//! `nodetool.video.TextToVideo`.

use nodetool_sdk::models::VideoRequest;
use nodetool_sdk::{Node, NodeCx, NodeError, Process, VideoModel, VideoRef};

use super::{AspectRatio, Resolution, film, word};
use crate::models::{chosen, said, seed, selector, timeout, whole, workflow};

/// Has a model make a video of what a text says.
/// video, generate, film, clip, text to video, animation
#[derive(Node)]
#[node(
    namespace = "nodetool.video",
    tool,
    uncached,
    effect = "idempotent",
    basic("model", "prompt", "aspect_ratio", "resolution", "seed")
)]
pub(super) struct TextToVideo {
    /// The model that films.
    #[prop(default = selector("video_model", "gemini", "veo-3.1-generate-preview", "Veo 3.1 Preview"))]
    model: VideoModel,
    /// What the video is to show.
    #[prop(default = "A cat playing with a ball of yarn")]
    prompt: String,
    /// What it is not to show.
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

impl Process for TextToVideo {
    type Output = VideoRef;

    async fn process(self, cx: &NodeCx) -> Result<VideoRef, NodeError> {
        let model = chosen(&self.model.0, "model that makes videos")?;
        let Some(prompt) = said(&self.prompt) else {
            let message = "is empty (expected what the video is to show)";
            return Err(NodeError::bad("prompt", message));
        };
        let request = VideoRequest {
            provider: model.provider,
            model: model.model,
            prompt,
            negative_prompt: said(&self.negative_prompt),
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
    use nodetool_sdk::models::Media;
    use nodetool_sdk::testing::{Asked, ScriptedModels, case};

    use super::*;
    use crate::models::testing::with;

    #[tokio::test]
    async fn the_video_carries_its_bytes() {
        let mp4 = Bytes::from_static(b"....ftypisom");
        let film = Media::bytes("video/mp4", mp4.clone());
        let models = Arc::new(ScriptedModels::new([]).with_video(film));
        let given = case::<TextToVideo>()
            .set("prompt", "Rain")
            .set("aspect_ratio", "9:16")
            .within(with(&models))
            .value()
            .await
            .unwrap();
        assert_eq!(given.type_tag(), Some("video"));
        assert_eq!(given.get("data"), Some(&mp4.into()));
        let asked = models.asked();
        let Asked::Video(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!(asked.aspect_ratio.as_deref(), Some("9:16"));
        assert_eq!(asked.resolution.as_deref(), Some("720p"));
        assert_eq!((asked.num_frames, asked.seed), (Some(60), None));
    }

    #[tokio::test]
    async fn nothing_to_show_is_refused() {
        let models = Arc::new(ScriptedModels::new([]));
        let run = case::<TextToVideo>().set("prompt", "");
        let refused = run.within(with(&models)).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("`prompt`: is empty"),
            "{refused}"
        );
    }
}
