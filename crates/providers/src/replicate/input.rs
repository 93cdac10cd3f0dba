//! What Replicate's models take, by their names for it. The first name that the model has is used:
//!
//! | ours | theirs |
//! |---|---|
//! | `prompt` | `prompt`, `text_prompt`, `text`, `caption` |
//! | `negative_prompt` | `negative_prompt` |
//! | `width`, `height` | the same; else the nearest choice of `aspect_ratio` |
//! | `count` | `num_outputs`, `number_of_images`, `num_images`, `n` |
//! | `guidance_scale` | `guidance_scale`, `guidance`, `cfg_scale`, `cfg` |
//! | `num_inference_steps` | `num_inference_steps`, `steps` |
//! | `strength` | `prompt_strength`, `strength` |
//! | `seed` | `seed` |
//! | `safety_check: false` | `disable_safety_checker: true` |
//! | sources of a picture | `image`, `input_image`, `image_prompt`, `init_image`, `img`; lists: `image_input`, `input_images`, `images`, `reference_images` |
//! | source of a film | `image`, `start_image`, `first_frame_image`, `input_image`, `first_frame` |
//! | `aspect_ratio`, `resolution` | the same, when the model has that choice |
//! | `num_frames` | `num_frames`, `frames`, `video_length` |
//! | text to speak | `text`, `prompt`, `input`, `gen_text` |
//! | `voice` | `voice`, `voice_id`, `speaker` |
//! | `speed` | `speed` |
//! | sound to write down | `audio`, `audio_file`, `file`, `input_audio`, `audio_url` |
//! | `language` | `language`; `prompt`: `initial_prompt`, `prompt`; `temperature`: the same |
//!
//! What a model does not have is left out, except what the request is about: without a field for the prompt, the
//! picture or the sound it is refused. Numbers are brought into the range the model names. What is in `extra` comes on
//! top, as it is.

use nodetool_sdk::models::{
    ImageRequest, Media, ModelError, ModelErrorKind, SpeechRequest, TranscribeRequest, VideoRequest,
};
use serde_json::{Value, json};

use super::schema::Schema;
use super::source;
use crate::Account;
use crate::media::fields::Fields;

const PROMPT: &[&str] = &["prompt", "text_prompt", "text", "caption"];
const PICTURE: &[&str] = &["image", "input_image", "image_prompt", "init_image", "img"];
const PICTURES: &[&str] = &["image_input", "input_images", "images", "reference_images"];
const FIRST_FRAME: &[&str] = &[
    "image",
    "start_image",
    "first_frame_image",
    "input_image",
    "first_frame",
];
const GUIDANCE: &[&str] = &["guidance_scale", "guidance", "cfg_scale", "cfg"];
const STEPS: &[&str] = &["num_inference_steps", "steps"];

pub(super) async fn image(
    account: &Account,
    schema: &Schema,
    request: &ImageRequest,
) -> Result<Value, ModelError> {
    let mut input = Input::new(account, schema);
    input.require(PROMPT, &request.prompt, "prompt")?;
    input.text(&["negative_prompt"], request.negative_prompt.as_deref());
    input.size(request.width, request.height);
    input.number(
        &["num_outputs", "number_of_images", "num_images", "n"],
        request.count.map(f64::from),
    );
    input.number(GUIDANCE, request.guidance_scale);
    input.number(STEPS, request.num_inference_steps.map(f64::from));
    input.seed(request.seed);
    if request.safety_check == Some(false) {
        input.set(&["disable_safety_checker"], true);
    }
    if !request.sources.is_empty() {
        input.number(&["prompt_strength", "strength"], request.strength);
        input.pictures(&request.sources).await?;
    }
    Ok(input.fields.with(&request.extra))
}

pub(super) async fn video(
    account: &Account,
    schema: &Schema,
    request: &VideoRequest,
) -> Result<Value, ModelError> {
    let mut input = Input::new(account, schema);
    if !request.prompt.is_empty() || request.source.is_none() {
        input.require(PROMPT, &request.prompt, "prompt")?;
    }
    input.text(&["negative_prompt"], request.negative_prompt.as_deref());
    input.choice("aspect_ratio", request.aspect_ratio.as_deref());
    input.choice("resolution", request.resolution.as_deref());
    input.number(
        &["num_frames", "frames", "video_length"],
        request.num_frames.map(f64::from),
    );
    input.number(GUIDANCE, request.guidance_scale);
    input.number(STEPS, request.num_inference_steps.map(f64::from));
    input.seed(request.seed);
    if let Some(picture) = &request.source {
        let address = source::address(account, picture, "source").await?;
        input.require(FIRST_FRAME, &address, "picture to start from")?;
    }
    Ok(input.fields.with(&request.extra))
}

pub(super) fn speech(
    account: &Account,
    schema: &Schema,
    request: &SpeechRequest,
) -> Result<Value, ModelError> {
    let mut input = Input::new(account, schema);
    input.require(
        &["text", "prompt", "input", "gen_text"],
        &request.text,
        "text to speak",
    )?;
    input.text(&["voice", "voice_id", "speaker"], request.voice.as_deref());
    input.number(&["speed"], request.speed.filter(|speed| *speed != 1.0));
    for format in ["output_format", "audio_format", "format"] {
        if schema
            .choices(format)
            .is_some_and(|choices| choices.contains(&json!("wav")))
        {
            input.set(&[format], "wav");
        }
    }
    Ok(input.fields.into())
}

pub(super) async fn transcribe(
    account: &Account,
    schema: &Schema,
    request: &TranscribeRequest,
) -> Result<Value, ModelError> {
    let mut input = Input::new(account, schema);
    let address = source::address(account, &request.audio, "audio").await?;
    let names = ["audio", "audio_file", "file", "input_audio", "audio_url"];
    input.require(&names, &address, "sound")?;
    input.choice("language", request.language.as_deref());
    input.text(&["initial_prompt", "prompt"], request.prompt.as_deref());
    input.number(&["temperature"], request.temperature);
    Ok(input.fields.into())
}

struct Input<'a> {
    account: &'a Account,
    schema: &'a Schema,
    fields: Fields,
}

impl<'a> Input<'a> {
    fn new(account: &'a Account, schema: &'a Schema) -> Self {
        Input {
            account,
            schema,
            fields: Fields::default(),
        }
    }

    /// Sets the field of the first of these names that the model has.
    fn set(&mut self, names: &[&str], value: impl serde::Serialize) -> bool {
        let name = self.schema.find(names);
        if let Some(name) = name {
            self.fields.set(name, Some(value));
        }
        name.is_some()
    }

    fn require(&mut self, names: &[&str], value: &str, what: &str) -> Result<(), ModelError> {
        match self.set(names, value) {
            true => Ok(()),
            false => Err(self.lacks(what)),
        }
    }

    fn text(&mut self, names: &[&str], value: Option<&str>) {
        if let Some(value) = value.filter(|text| !text.is_empty()) {
            self.set(names, value);
        }
    }

    /// Sets a field, unless the model names its choices and this is none of them.
    fn choice(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value.filter(|text| !text.is_empty()) else {
            return;
        };
        let choices = self.schema.choices(name);
        if choices.is_none_or(|choices| choices.contains(&json!(value))) {
            self.set(&[name], value);
        }
    }

    /// Sets a number, brought into the range that the model names.
    fn number(&mut self, names: &[&str], value: Option<f64>) {
        let (Some(value), Some(name)) = (value, self.schema.find(names)) else {
            return;
        };
        let field = self.schema.field(name);
        let low = field["minimum"].as_f64().unwrap_or(f64::MIN);
        let high = field["maximum"].as_f64().unwrap_or(f64::MAX);
        let value = value.max(low).min(high);
        match value.fract() == 0.0 || field["type"] == "integer" {
            true => self.set(&[name], value.round() as i64),
            false => self.set(&[name], value),
        };
    }

    fn seed(&mut self, seed: Option<i64>) {
        if let Some(seed) = seed.filter(|seed| *seed >= 0) {
            self.set(&["seed"], seed);
        }
    }

    fn size(&mut self, width: Option<u32>, height: Option<u32>) {
        let (Some(width), Some(height)) = (width, height) else {
            return;
        };
        if self.schema.find(&["width"]).is_some() && self.schema.find(&["height"]).is_some() {
            self.number(&["width"], Some(width.into()));
            self.number(&["height"], Some(height.into()));
            return;
        }
        let wanted = (f64::from(width.max(1)) / f64::from(height.max(1))).ln();
        let choices = self.schema.choices("aspect_ratio").unwrap_or_default();
        let ratios = choices.iter().filter_map(|choice| {
            let (wide, high) = choice.as_str()?.split_once(':')?;
            let ratio = wide.parse::<f64>().ok()? / high.parse::<f64>().ok()?;
            Some((choice, (ratio.ln() - wanted).abs()))
        });
        let nearest = ratios
            .filter(|(_, off)| off.is_finite())
            .min_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some((ratio, _)) = nearest {
            self.fields.set("aspect_ratio", Some(ratio));
        }
    }

    /// Sets the pictures a picture is made from.
    async fn pictures(&mut self, sources: &[Media]) -> Result<(), ModelError> {
        let lists = self.schema.fields.as_ref().and(self.schema.find(PICTURES));
        let single = self.schema.find(PICTURE);
        if sources.len() > 1 && lists.is_none() {
            return Err(self.lacks("list of pictures"));
        }
        let mut addresses = Vec::new();
        for (at, media) in sources.iter().enumerate() {
            addresses.push(source::address(self.account, media, &format!("sources[{at}]")).await?);
        }
        match (addresses.as_slice(), single, lists) {
            ([one], Some(name), _) => self.fields.set(name, Some(one)),
            (several, _, Some(name)) => self.fields.set(name, Some(several)),
            _ => return Err(self.lacks("picture to start from")),
        }
        Ok(())
    }

    fn lacks(&self, what: &str) -> ModelError {
        let message = format!(
            "the model takes no {what}; it takes {}",
            self.schema.names()
        );
        self.account.error(ModelErrorKind::Unsupported, message)
    }
}
