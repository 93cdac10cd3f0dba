//! Speech and its recognition, both by language models.

use bytes::Bytes;
use futures_util::stream;
use nodetool_sdk::models::{
    MediaSource, ModelError, SpeechRequest, SpeechStream, TranscribeRequest, Transcript,
};
use serde::Serialize;

use super::Gemini;
use super::answer::{blocked, file, finish, usage};
use super::content::{Content, Part};
use super::image::{inline, withheld};
use crate::inline::mime_of;

/// Voices of the speaking models.
pub(super) const VOICES: &[&str] = &[
    "Zephyr",
    "Puck",
    "Charon",
    "Kore",
    "Fenrir",
    "Leda",
    "Orus",
    "Aoede",
    "Callirrhoe",
    "Autonoe",
    "Enceladus",
    "Iapetus",
    "Umbriel",
    "Algieba",
    "Despina",
    "Erinome",
    "Algenib",
    "Rasalgethi",
    "Laomedeia",
    "Achernar",
    "Alnilam",
    "Schedar",
    "Gacrux",
    "Pulcherrima",
    "Achird",
    "Zubenelgenubi",
    "Vindemiatrix",
    "Sadachbia",
    "Sadaltager",
    "Sulafat",
];
/// The voice when nobody says which.
const VOICE: &str = "Kore";
/// What speech has to come at.
const RATE: u32 = 24_000;
/// Bytes of a piece of speech: a second.
const PIECE: usize = 48_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    contents: [Content; 1],
    generation_config: Config,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_modalities: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speech_config: Option<SpeechConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpeechConfig {
    voice_config: VoiceConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VoiceConfig {
    prebuilt_voice_config: Voice,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Voice {
    voice_name: String,
}

impl Gemini {
    /// The API speaks a text as a whole; it comes in pieces of a second from here.
    pub(super) async fn speech(&self, request: SpeechRequest) -> Result<SpeechStream, ModelError> {
        let account = &self.account;
        if request.speed.is_some_and(|speed| speed != 1.0) {
            let what = "a `speed` other than 1; say in the text how fast to speak";
            return Err(account.cannot("speed", what));
        }
        let voice = request.voice.filter(|voice| !voice.is_empty());
        let body = Body {
            contents: [Content::user(vec![Part::text(&request.text)])],
            generation_config: Config {
                temperature: None,
                response_modalities: Some(["AUDIO"]),
                speech_config: Some(SpeechConfig {
                    voice_config: VoiceConfig {
                        prebuilt_voice_config: Voice {
                            voice_name: voice.unwrap_or_else(|| VOICE.to_owned()),
                        },
                    },
                }),
            },
        };
        let patience = account.patience.whole;
        let answer = self
            .call(&request.model, "generateContent", &body, patience)
            .await?;
        let mut pieces = Vec::new();
        for data in inline(account, &answer)? {
            let sound = file(account, data)?;
            if !is_speech(&sound.mime) {
                let what = format_args!("speech as `{}`", sound.mime);
                return Err(account.nonsense(what));
            }
            if let MediaSource::Bytes(bytes) = sound.source {
                pieces.push(bytes);
            }
        }
        if pieces.is_empty() {
            return Err(withheld(account, &answer));
        }
        let pieces = pieces.into_iter().flat_map(cut).map(Ok);
        Ok(Box::pin(stream::iter(pieces.collect::<Vec<_>>())))
    }

    /// Has a language model that listens write down what it hears.
    pub(super) async fn transcript(
        &self,
        request: TranscribeRequest,
    ) -> Result<Transcript, ModelError> {
        let account = &self.account;
        if mime_of(&request.audio).is_empty() {
            let message = "a sound of an unknown type; name its MIME type, such as audio/wav";
            return Err(account.wrong("file", message));
        }
        let mut task = String::from(
            "Write down word for word what is said in this recording, and nothing else: no \
             headings, no times, no names of speakers, no remarks.",
        );
        if let Some(language) = request.language.as_deref().filter(|l| !l.is_empty()) {
            task.push_str(&format!(" The language is `{language}`."));
        }
        if let Some(words) = request.prompt.as_deref().filter(|p| !p.is_empty()) {
            task.push_str(&format!(" Words to expect: {words}"));
        }
        let body = Body {
            contents: [Content::user(vec![
                Part::text(task),
                Part::media(&request.audio),
            ])],
            generation_config: Config {
                temperature: Some(request.temperature.unwrap_or(0.0)),
                response_modalities: None,
                speech_config: None,
            },
        };
        let patience = account.patience.whole;
        let answer = self
            .call(&request.model, "generateContent", &body, patience)
            .await?;
        if let Some(refusal) = blocked(account, &answer) {
            return Err(refusal);
        }
        let candidate = &answer["candidates"][0];
        let Some(reason) = candidate["finishReason"].as_str() else {
            return Err(account.nonsense("a transcript without `finishReason`"));
        };
        finish(account, reason)?;
        let parts = candidate["content"]["parts"].as_array();
        let said = parts.into_iter().flatten();
        let said = said.filter(|part| part["thought"].as_bool() != Some(true));
        let text: String = said.filter_map(|part| part["text"].as_str()).collect();
        if reason != "STOP" && text.is_empty() {
            return Err(withheld(account, &answer));
        }
        Ok(Transcript {
            text: text.trim().to_owned(),
            language: None,
            duration: None,
            usage: usage(&answer),
        })
    }
}

/// Whether a type is that of 16 bit PCM at the rate that speech has here.
fn is_speech(mime: &str) -> bool {
    let mut words = mime.split(';').map(str::trim);
    let kind = words.next().unwrap_or_default().to_ascii_lowercase();
    let rate = words.find_map(|word| word.strip_prefix("rate="));
    matches!(kind.as_str(), "audio/l16" | "audio/pcm")
        && rate.is_none_or(|rate| rate.parse() == Ok(RATE))
}

fn cut(speech: Bytes) -> Vec<Bytes> {
    let starts = (0..speech.len()).step_by(PIECE);
    starts
        .map(|at| speech.slice(at..speech.len().min(at + PIECE)))
        .collect()
}
