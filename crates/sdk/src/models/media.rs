//! Calls of models that are no conversation: vectors, images, videos, speech.

use std::sync::Arc;

use nodetool_protocol::Map;

use super::{Media, Usage};

/// Texts to turn into vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedRequest {
    /// Id of the provider; empty when it is to be found out from the model.
    pub provider: String,
    /// Id of the model.
    pub model: String,
    /// The texts.
    pub texts: Vec<String>,
    /// Length of the vectors, for models that can be asked for one.
    pub dimensions: Option<u32>,
    /// Which node asks, for the cost table.
    pub node_id: Option<Arc<str>>,
    /// In which workflow, for the cost table.
    pub workflow_id: Option<Arc<str>>,
}

/// Vectors, one for each text, in order, all of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// The vectors.
    pub vectors: Vec<Vec<f32>>,
    /// What it took.
    pub usage: Option<Usage>,
}

/// A picture to draw, or to redraw when there are `sources`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageRequest {
    /// Id of the provider; empty when it is to be found out from the model.
    pub provider: String,
    /// Id of the model.
    pub model: String,
    /// What to draw.
    pub prompt: String,
    /// What not to draw.
    pub negative_prompt: Option<String>,
    /// Pictures to start from.
    pub sources: Vec<Media>,
    /// Pixels; what the provider prefers when absent.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// How many; 1 when absent.
    pub count: Option<u32>,
    /// How closely the prompt is followed.
    pub guidance_scale: Option<f64>,
    /// Steps of a diffusion model.
    pub num_inference_steps: Option<u32>,
    /// How far to go from the source: 0 to 1.
    pub strength: Option<f64>,
    /// For pictures that can be repeated.
    pub seed: Option<i64>,
    /// Whether the provider looks for what it should not draw.
    pub safety_check: Option<bool>,
    /// Seconds to wait; the provider's own time when absent.
    pub timeout_s: Option<f64>,
    /// What else the provider's model takes, by its own names.
    pub extra: Map,
    /// Which node asks, for the cost table.
    pub node_id: Option<Arc<str>>,
    /// In which workflow, for the cost table.
    pub workflow_id: Option<Arc<str>>,
}

/// A video to make, from an image when there is a `source`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VideoRequest {
    /// Id of the provider; empty when it is to be found out from the model.
    pub provider: String,
    /// Id of the model.
    pub model: String,
    /// What to show.
    pub prompt: String,
    /// What not to show.
    pub negative_prompt: Option<String>,
    /// The first picture.
    pub source: Option<Media>,
    /// Such as `16:9`.
    pub aspect_ratio: Option<String>,
    /// Such as `720p`.
    pub resolution: Option<String>,
    /// Pictures.
    pub num_frames: Option<u32>,
    /// How closely the prompt is followed.
    pub guidance_scale: Option<f64>,
    /// Steps of a diffusion model.
    pub num_inference_steps: Option<u32>,
    /// For videos that can be repeated.
    pub seed: Option<i64>,
    /// Seconds to wait; the provider's own time when absent.
    pub timeout_s: Option<f64>,
    /// What else the provider's model takes, by its own names.
    pub extra: Map,
    /// Which node asks, for the cost table.
    pub node_id: Option<Arc<str>>,
    /// In which workflow, for the cost table.
    pub workflow_id: Option<Arc<str>>,
}

/// A text to speak.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpeechRequest {
    /// Id of the provider; empty when it is to be found out from the model.
    pub provider: String,
    /// Id of the model.
    pub model: String,
    /// The text.
    pub text: String,
    /// The voice; what the provider prefers when absent.
    pub voice: Option<String>,
    /// 0.25 to 4; 1 when absent.
    pub speed: Option<f64>,
    /// Which node asks, for the cost table.
    pub node_id: Option<Arc<str>>,
    /// In which workflow, for the cost table.
    pub workflow_id: Option<Arc<str>>,
}

/// A sound to write down.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscribeRequest {
    /// Id of the provider; empty when it is to be found out from the model.
    pub provider: String,
    /// Id of the model.
    pub model: String,
    /// The sound.
    pub audio: Media,
    /// ISO 639-1 code; found out when absent.
    pub language: Option<String>,
    /// Words to expect.
    pub prompt: Option<String>,
    /// 0 to 1.
    pub temperature: Option<f64>,
    /// Which node asks, for the cost table.
    pub node_id: Option<Arc<str>>,
    /// In which workflow, for the cost table.
    pub workflow_id: Option<Arc<str>>,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The words.
    pub text: String,
    /// The language, where the provider says so.
    pub language: Option<String>,
    /// Seconds of sound, where the provider says so.
    pub duration: Option<f64>,
    /// What it took.
    pub usage: Option<Usage>,
}
