//! `nodetool.audio.TextToSpeech`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use nodetool_sdk::models::{Media, SpeechRequest};
use nodetool_sdk::{
    AudioRef, Chunk, Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs, TtsModel, Value,
};

use super::wav::wav;
use crate::models::{Piece, chosen, media, said, workflow};

/// Samples a second.
const RATE: u32 = 24_000;
/// Most bytes of one speech, about an hour and a half.
const MAX_BYTES: usize = 256 << 20;

/// Has a model speak a text.
/// speech, voice, speak, tts, audio, narrate
///
/// The sound leaves in pieces while it is made, and as a whole at the end.
#[derive(Node)]
#[node(
    namespace = "nodetool.audio",
    kind = Generate,
    tool,
    effect = "idempotent",
    basic("model", "text", "voice", "speed")
)]
pub(super) struct TextToSpeech {
    /// The model that speaks, and its voice.
    #[prop(default = default_model())]
    model: TtsModel,
    /// What it is to say.
    #[prop(default = "Hello! This is a text-to-speech demonstration.")]
    text: String,
    /// How fast: 1 is as people speak.
    #[prop(default = 1.0, min = 0.25, max = 4)]
    speed: f64,
}

fn default_model() -> Value {
    let model = crate::models::selector("tts_model", "openai", "tts-1", "TTS 1");
    let voices = ["alloy", "echo", "fable", "onyx", "nova", "shimmer"].map(Value::from);
    let mut model = model.as_map().cloned().unwrap_or_default();
    model.insert("voices".into(), Value::list(voices));
    model.into()
}

/// The whole sound, or a piece of it.
#[derive(Outputs)]
pub(super) enum Speech {
    Audio(AudioRef),
    Chunk(Chunk),
}

impl Generate for TextToSpeech {
    type Output = Speech;

    async fn generate(self, out: &Emitter<'_, Speech>, cx: &NodeCx) -> Result<(), NodeError> {
        let model = chosen(&self.model.0, "model that speaks")?;
        let Some(text) = said(&self.text) else {
            let message = "is empty (expected what is to be said)";
            return Err(NodeError::bad("text", message));
        };
        let request = SpeechRequest {
            provider: model.provider,
            model: model.model,
            text,
            voice: said(self.model.text("selected_voice")),
            speed: Some(self.speed),
            node_id: Some(cx.node.id.clone()),
            workflow_id: workflow(cx),
        };
        let mut speech = cx.services().models.speech(request).await?;
        let mut samples: Vec<u8> = Vec::new();
        // Pieces may end in the middle of a sample.
        let mut told = 0;
        while let Some(piece) = speech.next().await {
            let piece = piece?;
            if samples.len() + piece.len() > MAX_BYTES {
                let message = format!("the speech has more than {MAX_BYTES} bytes");
                return Err(NodeError::bad("text", message));
            }
            samples.extend_from_slice(&piece);
            let whole = samples.len() & !1;
            if whole > told {
                let base64 = STANDARD.encode(&samples[told..whole]);
                told = whole;
                let piece = Piece::audio(&base64, format());
                out.emit(Speech::Chunk(piece.value(cx))).await?;
            }
        }
        if told == 0 {
            return Err(NodeError::new("the model said nothing"));
        }
        let last = Piece::audio("", format()).last();
        out.emit(Speech::Chunk(last.value(cx))).await?;
        let file = Media::bytes("audio/wav", wav(&samples, RATE));
        let audio = media::made(cx, AudioRef::default().0, file).await?;
        out.emit(Speech::Audio(AudioRef(audio))).await
    }
}

/// What the bytes of a piece are.
fn format() -> Map {
    let members: [(&str, Value); 4] = [
        ("sample_rate", RATE.into()),
        ("channels", 1i64.into()),
        ("dtype", "int16".into()),
        ("format", "pcm_s16le".into()),
    ];
    members.into_iter().map(|(k, v)| (k.into(), v)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::testing::{Asked, ScriptedModels, case};

    use super::*;
    use crate::models::testing::with;

    #[tokio::test]
    async fn the_sound_leaves_in_pieces_and_then_as_a_file() {
        let models = Arc::new(ScriptedModels::new([]).with_speech(vec![1, 0, 2, 0]));
        let given = case::<TextToSpeech>()
            .set("text", "Hi")
            .set("speed", 2.0)
            .within(with(&models))
            .run()
            .await
            .unwrap();
        let first = &given[0]["chunk"];
        assert_eq!(
            first.get("content"),
            Some(&STANDARD.encode([1, 0, 2, 0]).into())
        );
        assert_eq!(first.get("content_type"), Some(&"audio".into()));
        let rate = first
            .get("content_metadata")
            .and_then(|m| m.get("sample_rate"));
        assert_eq!(rate, Some(&24_000i64.into()));
        assert_eq!(given[1]["chunk"].get("done"), Some(&true.into()));
        let audio = &given[2]["audio"];
        assert_eq!(audio.type_tag(), Some("audio"));
        let file = audio.get("data").and_then(Value::as_bytes).unwrap();
        assert_eq!((&file[8..12], file.len()), (&b"WAVE"[..], 48));
        let asked = models.asked();
        let Asked::Speech(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!((asked.speed, asked.voice.as_deref()), (Some(2.0), None));
    }

    #[tokio::test]
    async fn nothing_to_say_and_nothing_said_are_errors() {
        let models = Arc::new(ScriptedModels::new([]).with_speech(Vec::new()));
        let run = case::<TextToSpeech>().set("text", " ");
        let refused = run.within(with(&models)).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("`text`: is empty"),
            "{refused}"
        );
        let refused = case::<TextToSpeech>().within(with(&models)).run().await;
        assert_eq!(refused.unwrap_err().to_string(), "the model said nothing");
    }
}
