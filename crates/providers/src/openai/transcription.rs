//! Speech to text.

use nodetool_sdk::models::{MediaSource, ModelError, TranscribeRequest, Transcript, Usage};
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use super::{Client, contents};

impl Client {
    pub(super) async fn transcript(
        &self,
        request: TranscribeRequest,
    ) -> Result<Transcript, ModelError> {
        let MediaSource::Bytes(bytes) = &request.audio.source else {
            return Err(self.unsupported("file", "sounds at an address: send the contents"));
        };
        let mime = contents::mime(&request.audio);
        let Some(ending) = contents::sound_ending(&mime) else {
            return Err(self.unsupported("file", format_args!("sounds of the type `{mime}`")));
        };
        let length = bytes.len() as u64;
        // Providers tell what a sound is by the ending of its name.
        let file = Part::stream_with_length(Body::from(bytes.clone()), length)
            .file_name(format!("audio.{ending}"))
            .mime_str(&mime)
            .map_err(|_| self.unsupported("file", format_args!("sounds of the type `{mime}`")))?;
        let mut form = Form::new()
            .text("model", self.model(&request.model)?)
            .part("file", file);
        let texts = [("language", request.language), ("prompt", request.prompt)];
        for (field, text) in texts {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                form = form.text(field, text);
            }
        }
        if let Some(temperature) = request.temperature {
            form = form.text("temperature", temperature.to_string());
        }
        // Only Whisper knows the long form, with the language and the duration.
        let format = match request.model.to_ascii_lowercase().contains("whisper") {
            true => "verbose_json",
            false => "json",
        };
        let form = form.text("response_format", format);
        let post = self.request(reqwest::Method::POST, "/audio/transcriptions")?;
        let patience = self.account.patience.first_byte;
        let answer = self.account.json(post.multipart(form), patience).await?;
        let Some(text) = answer["text"].as_str() else {
            return Err(self.account.nonsense("a transcript without a text"));
        };
        Ok(Transcript {
            text: text.to_owned(),
            language: answer["language"].as_str().map(str::to_owned),
            duration: answer["duration"]
                .as_f64()
                .or_else(|| answer["usage"]["seconds"].as_f64()),
            usage: usage(&answer["usage"]),
        })
    }
}

fn usage(told: &Value) -> Option<Usage> {
    let input = told["input_tokens"].as_u64();
    let input = input.or_else(|| told["prompt_tokens"].as_u64())?;
    let output = told["output_tokens"].as_u64();
    let output = output.or_else(|| told["completion_tokens"].as_u64());
    Some(Usage {
        input,
        output: output.unwrap_or(0),
        ..Usage::default()
    })
}
