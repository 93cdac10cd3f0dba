//! A provider for tests of clients: the same answers every time, or those of a script (socket spec 10.7).
//!
//! A script is a JSON list of rules. The first rule whose `model` is the model's id and whose `contains` is part of the
//! last thing the user said (both may be left out) gives the turns; which turn it is follows from how many times the
//! model has spoken since. Nothing is remembered between calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatEvent, ChatRequest, ChatStream, EmbedRequest, Embeddings, FinishReason, ImageRequest,
    Media, ModelError, ModelErrorKind, Role, SpeechRequest, SpeechStream, TranscribeRequest,
    Transcript, Usage,
};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Account, Chat, Definition, Draw, Embed, List, ListedModel, ModelKind, Provider, Speak,
    Transcribe,
};

/// Its id.
pub const FAKE: &str = "fake";

const TEXT: &str = "Hello, this is a fake response!";
const TRANSCRIPT: &str = "This is a fake transcription.";
/// Characters of a piece.
const PIECE: usize = 10;
const DIMENSIONS: usize = 1536;
const SIDE: u32 = 512;
/// Bytes of a second of speech.
const SECOND: usize = 48_000;

pub(crate) const DEFINITION: Definition = Definition {
    id: FAKE,
    name: "Fake",
    key: None,
    needs_key: false,
    address: "",
    address_setting: None,
    path: "",
    other_address: None,
    context_setting: None,
    make: |account| {
        let fake = Arc::new(Fake {
            account: account.clone(),
        });
        Provider {
            chat: Some(fake.clone()),
            embed: Some(fake.clone()),
            draw: Some(fake.clone()),
            speak: Some(fake.clone()),
            transcribe: Some(fake.clone()),
            list: Some(fake),
            film: None,
        }
    },
};

/// One turn of a script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptedTurn {
    /// What the model says, in pieces of ten characters.
    pub text: String,
    /// What it thinks first.
    pub reasoning: String,
    /// Tools it calls: `{"name": …, "arguments": {…} or a text}`, with an `id` if it matters.
    pub tool_calls: Vec<Value>,
    /// `{"status": 429, "message": …}`: the provider refuses instead.
    pub refuse: Option<Value>,
    /// `{"error": {"type": …, "message": …}}` in the middle, after the text.
    pub break_off: Option<Value>,
    /// Nothing comes after the text until the caller gives up.
    pub hang: bool,
    /// Milliseconds before each piece.
    pub pause_ms: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rule {
    model: Option<String>,
    contains: Option<String>,
    turns: Vec<ScriptedTurn>,
}

/// What the models of the provider say.
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<Rule>);

impl Script {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text)
            .map(Script)
            .map_err(|e| e.to_string())
    }

    /// The turn of a request; the fixed answer where no rule has one.
    pub fn turn(&self, request: &ChatRequest) -> ScriptedTurn {
        let messages = &request.messages;
        let last = messages.iter().rposition(|m| m.role == Role::User);
        let said = last.map(|at| messages[at].plain_text()).unwrap_or_default();
        let after = &messages[last.map_or(0, |at| at + 1)..];
        let spoken = after.iter().filter(|m| m.role == Role::Assistant).count();
        let rule = self.0.iter().find(|rule| {
            rule.model
                .as_ref()
                .is_none_or(|model| *model == request.model)
                && rule
                    .contains
                    .as_ref()
                    .is_none_or(|text| said.contains(text))
        });
        let turn = rule.and_then(|rule| rule.turns.get(spoken).cloned());
        turn.unwrap_or_else(|| ScriptedTurn {
            text: TEXT.to_owned(),
            ..ScriptedTurn::default()
        })
    }
}

struct Fake {
    account: Account,
}

impl Fake {
    /// The script is the file that the address names.
    async fn script(&self) -> Result<Script, ModelError> {
        let path = self.account.address.clone();
        if path.is_empty() {
            return Ok(Script::default());
        }
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let text = match read {
            Ok(Ok(text)) => text,
            Ok(Err(e)) => return Err(self.bad_script(e)),
            Err(e) => return Err(self.bad_script(e)),
        };
        Script::parse(&text).map_err(|e| self.bad_script(e))
    }

    fn bad_script(&self, e: impl std::fmt::Display) -> ModelError {
        let message = format!("the script of the fake provider cannot be read: {e}");
        self.account.error(ModelErrorKind::Internal, message)
    }

    async fn answer(&self, request: ChatRequest) -> Result<ChatStream, ModelError> {
        if !request.model.starts_with(FAKE) {
            let message = format!("`fake` has no model `{}`", request.model);
            return Err(self.account.error(ModelErrorKind::UnknownModel, message));
        }
        let turn = self.script().await?.turn(&request);
        if let Some(refusal) = &turn.refuse {
            let status = refusal["status"]
                .as_u64()
                .and_then(|s| u16::try_from(s).ok());
            let status = status.and_then(|s| StatusCode::from_u16(s).ok());
            let body = json!({ "error": refusal }).to_string();
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Err(self.account.refused(status, None, body.as_bytes()));
        }
        Ok(play(self.account.clone(), turn, &request))
    }
}

/// Whitespace-separated words, which stand for tokens.
pub(crate) fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces = characters.chunks(PIECE);
    pieces.map(|piece| piece.iter().collect()).collect()
}

fn play(account: Account, turn: ScriptedTurn, request: &ChatRequest) -> ChatStream {
    let mut events: Vec<Result<ChatEvent, ModelError>> = Vec::new();
    events.extend(
        pieces(&turn.reasoning)
            .into_iter()
            .map(|p| Ok(ChatEvent::Reasoning(p))),
    );
    events.extend(
        pieces(&turn.text)
            .into_iter()
            .map(|p| Ok(ChatEvent::Text(p))),
    );
    for (index, call) in (0..).zip(&turn.tool_calls) {
        let id = call["id"].as_str().map(str::to_owned);
        events.push(Ok(ChatEvent::ToolCall {
            index,
            id: id.unwrap_or_else(|| format!("call_{}", uuid::Uuid::new_v4().simple())),
            name: call["name"].as_str().unwrap_or_default().to_owned(),
            signature: None,
        }));
        let arguments = match &call["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => "{}".to_owned(),
            other => other.to_string(),
        };
        events.extend(
            pieces(&arguments)
                .into_iter()
                .map(|text| Ok(ChatEvent::ToolArguments { index, text })),
        );
    }
    let read = request
        .messages
        .iter()
        .map(|m| words(&m.plain_text()))
        .sum();
    let usage = Usage {
        input: read,
        output: words(&turn.text) + words(&turn.reasoning),
        reasoning: words(&turn.reasoning),
        ..Usage::default()
    };
    match &turn.break_off {
        Some(told) => events.push(Err(account.told(told))),
        None => {
            let reason = match turn.tool_calls.is_empty() {
                true => FinishReason::Stop,
                false => FinishReason::ToolCalls,
            };
            events.extend([Ok(ChatEvent::Usage(usage)), Ok(ChatEvent::Finish(reason))]);
        }
    }
    if turn.hang {
        events.retain(|event| matches!(event, Ok(ChatEvent::Text(_) | ChatEvent::Reasoning(_))));
    }
    let played = stream::iter(events);
    let hangs = turn.hang;
    let end = stream::once(std::future::pending()).take(usize::from(hangs));
    if turn.pause_ms == 0 {
        return Box::pin(played.chain(end));
    }
    let pause = Duration::from_millis(turn.pause_ms);
    let paced = played.then(move |event| async move {
        tokio::time::sleep(pause).await;
        event
    });
    Box::pin(paced.chain(end))
}

impl Chat for Fake {
    fn chat(&self, request: ChatRequest) -> BoxFuture<'_, Result<ChatStream, ModelError>> {
        self.answer(request).boxed()
    }
}

impl Embed for Fake {
    /// The same vector for the same text, of length 1.
    fn embed(&self, request: EmbedRequest) -> BoxFuture<'_, Result<Embeddings, ModelError>> {
        let dimensions = request
            .dimensions
            .map_or(DIMENSIONS, |d| d.clamp(1, 8192) as usize);
        let vectors = request.texts.iter().map(|text| {
            let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
            let mut vector: Vec<f32> = (0..dimensions)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (state >> 40) as f32 / (1 << 23) as f32 - 1.0
                })
                .collect();
            let length = vector
                .iter()
                .map(|x| x * x)
                .sum::<f32>()
                .sqrt()
                .max(f32::EPSILON);
            vector.iter_mut().for_each(|x| *x /= length);
            vector
        });
        let embeddings = Embeddings {
            vectors: vectors.collect(),
            usage: Some(Usage {
                input: request.texts.iter().map(|text| words(text)).sum(),
                ..Usage::default()
            }),
        };
        std::future::ready(Ok(embeddings)).boxed()
    }
}

impl Draw for Fake {
    fn draw(&self, request: ImageRequest) -> BoxFuture<'_, Result<Vec<Media>, ModelError>> {
        let drawn = grey().map_err(|e| self.account.nonsense(e)).map(|picture| {
            let picture = Media::bytes("image/png", picture);
            vec![picture; request.count.unwrap_or(1).clamp(1, 8) as usize]
        });
        std::future::ready(drawn).boxed()
    }
}

fn grey() -> Result<Vec<u8>, png::EncodingError> {
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&vec![128; (SIDE * SIDE * 3) as usize])?;
    writer.finish()?;
    Ok(picture)
}

impl Speak for Fake {
    /// A second of silence in two pieces.
    fn speak(&self, _: SpeechRequest) -> BoxFuture<'_, Result<SpeechStream, ModelError>> {
        let half = || Ok(Bytes::from(vec![0; SECOND / 2]));
        let speech: SpeechStream = Box::pin(stream::iter([half(), half()]));
        std::future::ready(Ok(speech)).boxed()
    }
}

impl Transcribe for Fake {
    fn transcribe(&self, _: TranscribeRequest) -> BoxFuture<'_, Result<Transcript, ModelError>> {
        let transcript = Transcript {
            text: TRANSCRIPT.to_owned(),
            ..Transcript::default()
        };
        std::future::ready(Ok(transcript)).boxed()
    }
}

impl List for Fake {
    fn models(&self) -> BoxFuture<'_, Result<Vec<ListedModel>, ModelError>> {
        let language = ["fake-model-v1", "fake-model-v2", "fake-fast-model"];
        let mut models: Vec<_> = language
            .iter()
            .map(|id| ListedModel::new(*id, ModelKind::Language))
            .collect();
        models.push(ListedModel {
            tasks: vec!["text_to_image".into(), "image_to_image".into()],
            ..ListedModel::new("fake-image-model", ModelKind::Image)
        });
        models.push(ListedModel {
            voices: vec!["fake-voice".into()],
            ..ListedModel::new("fake-tts", ModelKind::Tts)
        });
        models.push(ListedModel::new("fake-asr", ModelKind::Asr));
        models.push(ListedModel {
            dimensions: DIMENSIONS as u32,
            ..ListedModel::new("fake-embedding", ModelKind::Embedding)
        });
        std::future::ready(Ok(models)).boxed()
    }
}
