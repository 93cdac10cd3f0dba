//! `nodetool.text.AutomaticSpeechRecognition`.

use nodetool_sdk::models::TranscribeRequest;
use nodetool_sdk::{AsrModel, AudioRef, Node, NodeCx, NodeError, Outputs, Process};

use crate::models::media::{self, Kind};
use crate::models::{chosen, selector};

/// Writes down what is said in a sound.
/// speech, transcribe, recognition, asr, audio, voice, whisper
#[derive(Node)]
#[node(
    namespace = "nodetool.text",
    tool,
    uncached,
    effect = "idempotent",
    basic("model", "audio")
)]
pub(super) struct AutomaticSpeechRecognition {
    /// The model that listens.
    #[prop(default = selector("asr_model", "fal_ai", "openai/whisper-large-v3", ""))]
    model: AsrModel,
    /// The sound.
    audio: AudioRef,
}

/// What was said.
#[derive(Outputs)]
pub(super) struct Heard {
    text: String,
}

impl Process for AutomaticSpeechRecognition {
    type Output = Heard;

    async fn process(self, cx: &NodeCx) -> Result<Heard, NodeError> {
        let model = chosen(&self.model.0, "speech recognition model")?;
        let audio = media::required(cx, "audio", &self.audio.0, Kind::Audio).await?;
        let request = TranscribeRequest {
            provider: model.provider,
            model: model.model,
            audio,
            language: None,
            prompt: None,
            temperature: None,
            node_id: Some(cx.node.id.clone()),
            workflow_id: crate::models::workflow(cx),
        };
        let transcript = cx.services().models.transcribe(request).await?;
        Ok(Heard {
            text: transcript.text,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use nodetool_sdk::Value;
    use nodetool_sdk::models::{Media, Transcript};
    use nodetool_sdk::testing::{Asked, ScriptedModels, case};

    use super::*;
    use crate::models::testing::with;

    #[tokio::test]
    async fn a_sound_becomes_its_words() {
        let transcript = Transcript {
            text: "Good day.".into(),
            ..Transcript::default()
        };
        let models = Arc::new(ScriptedModels::new([]).with_transcript(transcript));
        let sound = Bytes::from_static(b"RIFF....WAVEfmt ");
        let audio = Value::map([
            ("type", Value::from("audio")),
            ("data", sound.clone().into()),
        ]);
        let given = case::<AutomaticSpeechRecognition>()
            .set("audio", audio)
            .within(with(&models))
            .run()
            .await
            .unwrap();
        assert_eq!(given[0]["text"], "Good day.".into());
        let asked = models.asked();
        let Asked::Transcribe(asked) = &asked[0] else {
            panic!("{asked:?}")
        };
        assert_eq!(asked.model, "openai/whisper-large-v3");
        assert_eq!(asked.audio, Media::bytes("audio/wav", sound));
    }

    #[tokio::test]
    async fn silence_is_refused() {
        let models = Arc::new(ScriptedModels::new([]));
        let run = case::<AutomaticSpeechRecognition>().within(with(&models));
        let refused = run.run().await.unwrap_err().to_string();
        assert!(refused.contains("`audio`: is empty"), "{refused}");
    }
}
