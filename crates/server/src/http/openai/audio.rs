//! `POST /v1/audio/speech` and `/v1/audio/transcriptions`.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use nodetool_protocol::Value;
use nodetool_sdk::models::{Media, SpeechRequest, TranscribeRequest, Usage};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::json;
use super::OpenAiState;
use super::asked::{Fields, JsonObject, unknown_word};
use super::begin::broken_off;
use super::errors::{OpenAiError, OpenAiRefusal};
use super::form::{Form, missing};
use crate::services::Caller;

/// Longest text that is spoken, in characters.
const MAX_TEXT: usize = 65_536;
/// What speech is: 16 bit mono at this rate.
const RATE: u32 = 24_000;
/// Formats of others, which would have to be encoded here.
const ENCODED: [&str; 4] = ["mp3", "opus", "aac", "flac"];
/// Forms of a transcript with times, which providers do not give.
const TIMED: [&str; 3] = ["srt", "vtt", "diarized_json"];

/// A text to speak.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct SpeechAsked {
    model: Option<String>,
    #[schema(min_length = 1)]
    input: String,
    /// A name, or an object with an `id`.
    voice: Option<AskedVoice>,
    /// `wav` or `pcm`: 16 bit little-endian mono at 24 kHz. `wav` when absent.
    response_format: Option<String>,
    #[schema(minimum = 0.25, maximum = 4)]
    speed: Option<f64>,
}

/// A voice by name, or as an object.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
enum AskedVoice {
    Name(String),
    #[schema(value_type = Object)]
    Object(()),
}

/// A form with a sound to write down.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of the body for the API description")]
pub(super) struct TranscriptionAsked {
    /// The sound.
    #[schema(format = Binary, value_type = String)]
    file: (),
    model: Option<String>,
    language: Option<String>,
    prompt: Option<String>,
    /// `json`, `text` or `verbose_json`.
    response_format: Option<String>,
}

/// What was said.
#[derive(Serialize, ToSchema)]
pub(super) struct TranscriptionMade {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// Seconds of sound, where the provider says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<TranscriptionUsage>,
}

#[derive(Serialize, ToSchema)]
struct TranscriptionUsage {
    /// `tokens`.
    #[serde(rename = "type")]
    kind: &'static str,
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
}

impl From<Usage> for TranscriptionUsage {
    fn from(usage: Usage) -> Self {
        TranscriptionUsage {
            kind: "tokens",
            input_tokens: usage.input,
            output_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
        }
    }
}

/// Speaks a text; the sound comes as it is made.
#[utoipa::path(post, path = "/v1/audio/speech", tag = "openai", request_body = SpeechAsked,
    responses((status = 200, content((Vec<u8> = "audio/wav"), (Vec<u8> = "audio/pcm"))), (status = 400, body = OpenAiRefusal),
        (status = 404, body = OpenAiRefusal), (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn create_speech(
    State(state): State<OpenAiState>,
    caller: Caller,
    body: JsonObject,
) -> Result<Response, OpenAiError> {
    let fields = body.fields();
    let wav = match fields.text("response_format")? {
        None | Some("wav") => true,
        Some("pcm") => false,
        Some(format) if ENCODED.contains(&format) => {
            let message =
                format!("Speech cannot be given as '{format}' here: ask for 'wav' or 'pcm'.");
            return Err(OpenAiError::unsupported("response_format", message));
        }
        Some(other) => return Err(unknown_word("response_format", other, &["wav", "pcm"])),
    };
    fields.word("stream_format", &["audio"])?;
    fields.refuse(
        "instructions",
        "no provider-independent way of speaking exists",
    )?;
    let text = fields.need_text("input")?;
    let length = text.chars().count();
    if length == 0 || length > MAX_TEXT {
        let message =
            format!("Invalid 'input': expected 1 to {MAX_TEXT} characters, but got {length}.");
        return Err(OpenAiError::value("input", message));
    }
    let asked = fields.text("model")?.unwrap_or_default();
    let voice = voice(&fields)?;
    let speed = fields.number("speed", 0.25, 4.0)?;
    let (provider, model, _) = state.meant(&caller, asked).await?;
    let request = SpeechRequest {
        provider,
        model,
        text: text.to_owned(),
        voice,
        speed,
        ..SpeechRequest::default()
    };
    let mut speech = state.models.of(&caller).speech(request).await?;
    // What fails before the first sound still has a status.
    let first = speech.next().await.unwrap_or_else(|| Err(broken_off()))?;
    let head = wav.then(|| Ok(wav_head()));
    let pieces = stream::iter(head)
        .chain(stream::iter([Ok(first)]))
        .chain(speech);
    let mut response = Body::from_stream(pieces).into_response();
    let kind = if wav { "audio/wav" } else { "audio/pcm" };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn voice(fields: &Fields<'_>) -> Result<Option<String>, OpenAiError> {
    let voice = match fields.get("voice") {
        Some(Value::Map(_)) => Some(fields.need_object("voice")?.need_text("id")?),
        _ => fields.text("voice")?,
    };
    Ok(voice.map(|voice| voice.chars().take(200).collect()))
}

/// The head of a WAV file of unknown length, which is what there is before the end is known.
fn wav_head() -> Bytes {
    let mut head = Vec::with_capacity(44);
    let unknown = u32::MAX.to_le_bytes();
    head.extend_from_slice(b"RIFF");
    head.extend_from_slice(&unknown);
    head.extend_from_slice(b"WAVEfmt ");
    head.extend_from_slice(&16_u32.to_le_bytes());
    // PCM, one channel.
    head.extend_from_slice(&1_u16.to_le_bytes());
    head.extend_from_slice(&1_u16.to_le_bytes());
    head.extend_from_slice(&RATE.to_le_bytes());
    head.extend_from_slice(&(RATE * 2).to_le_bytes());
    head.extend_from_slice(&2_u16.to_le_bytes());
    head.extend_from_slice(&16_u16.to_le_bytes());
    head.extend_from_slice(b"data");
    head.extend_from_slice(&unknown);
    head.into()
}

/// Writes down what is said.
#[utoipa::path(post, path = "/v1/audio/transcriptions", tag = "openai", request_body(content = TranscriptionAsked, content_type = "multipart/form-data"),
    responses((status = 200, content((TranscriptionMade = "application/json"), (String = "text/plain"))), (status = 400, body = OpenAiRefusal),
        (status = 404, body = OpenAiRefusal), (status = 502, body = OpenAiRefusal), (status = 504, body = OpenAiRefusal)))]
pub(super) async fn create_transcription(
    State(state): State<OpenAiState>,
    caller: Caller,
    mut form: Form,
) -> Result<Response, OpenAiError> {
    let format = form.text("response_format").unwrap_or("json").to_owned();
    if TIMED.contains(&format.as_str()) {
        let message = format!(
            "A transcript cannot be given as '{format}' here, since providers tell no times: ask for 'json', 'text' or 'verbose_json'."
        );
        return Err(OpenAiError::unsupported("response_format", message));
    }
    form.word("response_format", &["json", "text", "verbose_json"])?;
    form.refuse("stream", "a transcript comes in one piece")?;
    if form.texts("timestamp_granularities").contains(&"word") {
        let message = "Times of words are not given here.";
        return Err(OpenAiError::unsupported("timestamp_granularities", message));
    }
    let temperature = form.number("temperature", 0.0, 1.0)?;
    let files = std::mem::take(&mut form.files);
    let file = files.into_iter().find(|file| file.part == "file");
    let file = file.ok_or_else(|| missing("file"))?;
    if file.bytes.is_empty() {
        let message = "Invalid 'file': there is nothing in it.";
        return Err(OpenAiError::bad("file", "empty_file", message));
    }
    let asked = form.text("model").unwrap_or_default();
    let (provider, model, _) = state.meant(&caller, asked).await?;
    let mut audio = Media::bytes(file.mime, file.bytes);
    audio.name = Some(file.name);
    let request = TranscribeRequest {
        provider,
        model,
        audio,
        language: form.text("language").map(str::to_owned),
        prompt: form.text("prompt").map(str::to_owned),
        temperature,
        node_id: None,
        workflow_id: None,
    };
    let heard = state.models.of(&caller).transcribe(request).await?;
    if format == "text" {
        return Ok((
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            format!("{}\n", heard.text),
        )
            .into_response());
    }
    let verbose = format == "verbose_json";
    Ok(json(&TranscriptionMade {
        text: heard.text,
        task: verbose.then_some("transcribe"),
        language: heard.language.filter(|_| verbose),
        duration: heard.duration.filter(|_| verbose),
        usage: heard.usage.map(TranscriptionUsage::from),
    }))
}
