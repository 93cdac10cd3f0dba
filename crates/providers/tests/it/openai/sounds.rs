//! Speech and speech recognition.

use axum::body::Body;
use futures_util::StreamExt;
use nodetool_providers::Provider;
use nodetool_sdk::models::{
    Media, MediaSource, ModelError, ModelErrorKind, SpeechRequest, SpeechStream, TranscribeRequest,
    Transcript, Usage,
};
use serde_json::json;

use super::stub::{Stub, broken_off, in_pieces, ok, status, typed};

async fn speak(provider: &Provider) -> Result<SpeechStream, ModelError> {
    let request = SpeechRequest {
        model: "gpt-4o-mini-tts".into(),
        text: "Hello".into(),
        voice: Some("nova".into()),
        speed: Some(1.5),
        ..SpeechRequest::default()
    };
    provider.speak.as_ref().unwrap().speak(request).await
}

#[tokio::test]
async fn speech_comes_in_whole_samples() {
    let sound: Vec<u8> = (0..101).collect();
    let stub = Stub::with(in_pieces("audio/pcm", &sound)).await;
    let pieces: Vec<_> = speak(&stub.provider("openai"))
        .await
        .unwrap()
        .collect()
        .await;
    let pieces: Vec<_> = pieces.into_iter().map(Result::unwrap).collect();
    assert!(
        pieces
            .iter()
            .all(|piece| !piece.is_empty() && piece.len() % 2 == 0)
    );
    // Half a sample is none.
    assert_eq!(pieces.concat(), &sound[..100]);
    let asked = stub.asked_once();
    assert_eq!(asked.path, "/v1/audio/speech");
    let expected = json!({"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "nova", "speed": 1.5, "response_format": "pcm"});
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn speech_that_is_none_or_breaks_off_is_an_error() {
    let stub = Stub::with(typed("text/html", Body::from("<html>"))).await;
    let e = speak(&stub.provider("openai")).await.err().unwrap();
    assert_eq!(e.kind, ModelErrorKind::Protocol);
    let stub = Stub::with(status(
        400,
        json!({"error": {"message": "no such voice", "param": "voice"}}),
    ))
    .await;
    let e = speak(&stub.provider("openai")).await.err().unwrap();
    assert_eq!(
        (e.kind, e.param.as_deref()),
        (ModelErrorKind::BadRequest, Some("voice"))
    );
    let stub = Stub::with(broken_off("audio/pcm", "1234")).await;
    let pieces: Vec<_> = speak(&stub.provider("openai"))
        .await
        .unwrap()
        .collect()
        .await;
    let last = pieces.last().unwrap().as_ref().unwrap_err();
    assert_eq!(last.kind, ModelErrorKind::Connection);
}

fn request(model: &str, audio: Media) -> TranscribeRequest {
    TranscribeRequest {
        provider: String::new(),
        model: model.into(),
        audio,
        language: Some("en".into()),
        prompt: Some("NodeTool".into()),
        temperature: Some(0.0),
        node_id: None,
        workflow_id: None,
    }
}

async fn transcribe(
    provider: &Provider,
    request: TranscribeRequest,
) -> Result<Transcript, ModelError> {
    provider
        .transcribe
        .as_ref()
        .unwrap()
        .transcribe(request)
        .await
}

#[tokio::test]
async fn a_sound_is_sent_as_a_form_with_a_name_that_says_what_it_is() {
    let stub = Stub::with(ok(json!({"task": "transcribe", "language": "english", "duration": 2.5, "text": "Hello.", "segments": []}))).await;
    let audio = Media::bytes("", &b"RIFF\x10\0\0\0WAVEfmt "[..]);
    let got = transcribe(&stub.provider("openai"), request("whisper-1", audio))
        .await
        .unwrap();
    let expected = Transcript {
        text: "Hello.".into(),
        language: Some("english".into()),
        duration: Some(2.5),
        usage: None,
    };
    assert_eq!(got, expected);
    let asked = stub.asked_once();
    assert_eq!(asked.path, "/v1/audio/transcriptions");
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        asked.form(),
        [
            field("model", "whisper-1"),
            field("file", "audio.wav|audio/wav|RIFF\x10\0\0\0WAVEfmt "),
            field("language", "en"),
            field("prompt", "NodeTool"),
            field("temperature", "0"),
            field("response_format", "verbose_json"),
        ]
    );
}

#[tokio::test]
async fn newer_models_give_the_short_form_with_tokens() {
    let stub = Stub::with(ok(
        json!({"text": "Hi", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}}),
    ))
    .await;
    let audio = Media::bytes("audio/mpeg", &b"ID3"[..]);
    let got = transcribe(
        &stub.provider("openai"),
        request("gpt-4o-transcribe", audio),
    )
    .await
    .unwrap();
    assert_eq!(
        got.usage,
        Some(Usage {
            input: 14,
            output: 3,
            ..Usage::default()
        })
    );
    let form = stub.asked_once().form();
    assert_eq!(form.last().unwrap().1, "json");
    assert_eq!(form[1].1, "audio.mp3|audio/mpeg|ID3");
}

#[tokio::test]
async fn what_is_no_sound_is_not_sent() {
    let stub = Stub::answering([]).await;
    let elsewhere = Media {
        mime: "audio/wav".into(),
        name: None,
        source: MediaSource::Url("https://example.com/a.wav".into()),
    };
    for audio in [Media::bytes("image/png", &b"x"[..]), elsewhere] {
        let e = transcribe(&stub.provider("openai"), request("whisper-1", audio))
            .await
            .unwrap_err();
        assert_eq!(
            (e.kind, e.param.as_deref()),
            (ModelErrorKind::Unsupported, Some("file"))
        );
    }
    assert!(stub.asked().is_empty());
}
