//! Vectors, pictures, videos, speech.

use nodetool_sdk::models::{
    EmbedRequest, ImageRequest, Media, ModelErrorKind, SpeechRequest, TranscribeRequest, Usage,
    VideoRequest,
};

use super::*;
use crate::stub::SECRET;

fn drawing(model: &str) -> ImageRequest {
    ImageRequest {
        model: model.into(),
        prompt: "A cat".into(),
        width: Some(1600),
        height: Some(900),
        ..ImageRequest::default()
    }
}

fn filming() -> VideoRequest {
    VideoRequest {
        model: "veo-3.1-generate-preview".into(),
        prompt: "A cat".into(),
        ..VideoRequest::default()
    }
}

#[tokio::test]
async fn texts_become_vectors_a_hundred_at_a_time() {
    let vectors = |from: usize, to: usize| {
        let vectors: Vec<Value> = (from..to).map(|n| json!({"values": [n, 0.5]})).collect();
        Reply::json(&json!({"embeddings": vectors}))
    };
    let stub = Stub::new([vectors(0, 100), vectors(100, 101)]).await;
    let request = EmbedRequest {
        model: "gemini-embedding-001".into(),
        texts: (0..101).map(|n| format!("text {n}")).collect(),
        dimensions: Some(2),
        ..EmbedRequest::default()
    };
    let provider = provider(&account(&stub));
    let made = provider.embed.unwrap().embed(request).await.unwrap();
    let expected: Vec<Vec<f32>> = (0..101u8).map(|n| vec![f32::from(n), 0.5]).collect();
    assert_eq!(made.vectors, expected);
    let seen = &stub.seen()[1];
    assert_eq!(
        seen.line,
        "POST /v1beta/models/gemini-embedding-001:batchEmbedContents"
    );
    let expected = json!({"requests": [{
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "text 100"}]},
        "outputDimensionality": 2
    }]});
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn vectors_that_do_not_fit_the_texts_are_an_error() {
    for embeddings in [
        json!([{"values": [1]}]),
        json!([{"values": [1]}, {"values": [1, 2]}]),
    ] {
        let stub = Stub::new([Reply::json(&json!({"embeddings": embeddings}))]).await;
        let request = EmbedRequest {
            model: "m".into(),
            texts: vec!["a".into(), "b".into()],
            ..EmbedRequest::default()
        };
        let embed = provider(&account(&stub)).embed.unwrap();
        let refusal = embed.embed(request).await.unwrap_err();
        assert_eq!(refusal.kind, ModelErrorKind::Protocol);
    }
}

#[tokio::test]
async fn language_models_draw_from_words_and_pictures() {
    let drawn = json!([
        {"text": "Here."},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    ]);
    let reply = Reply::json(&last(drawn, "STOP"));
    let stub = Stub::new([reply.clone(), reply]).await;
    let mut request = drawing("gemini-2.5-flash-image");
    request.negative_prompt = Some("dogs".into());
    request.sources = vec![Media::bytes("image/webp", "w")];
    request.count = Some(2);
    request.seed = Some(-1);
    let draw = provider(&account(&stub)).draw.unwrap();
    let pictures = draw.draw(request).await.unwrap();
    assert_eq!(pictures, vec![Media::bytes("image/png", "hi"); 2]);
    let seen = stub.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[0].line,
        "POST /v1beta/models/gemini-2.5-flash-image:generateContent"
    );
    let expected = json!({
        "contents": [{"role": "user", "parts": [
            {"text": "A cat\n\nLeave out: dogs"},
            {"inlineData": {"mimeType": "image/webp", "data": "dw=="}}
        ]}],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "16:9"}
        }
    });
    assert_eq!(seen[0].body, expected);
}

#[tokio::test]
async fn imagen_draws_several_at_once() {
    let picture = json!({"mimeType": "image/png", "bytesBase64Encoded": "aGk="});
    let body = json!({"predictions": [picture, {"raiFilteredReason": "no"}]});
    let stub = Stub::new([Reply::json(&body)]).await;
    let mut request = drawing("imagen-4.0-generate-001");
    request.count = Some(2);
    request
        .extra
        .insert("imageSize".into(), nodetool_sdk::Value::str("2K"));
    let draw = provider(&account(&stub)).draw.unwrap();
    let pictures = draw.draw(request).await.unwrap();
    assert_eq!(pictures, [Media::bytes("image/png", "hi")]);
    let seen = &stub.seen()[0];
    assert_eq!(
        seen.line,
        "POST /v1beta/models/imagen-4.0-generate-001:predict"
    );
    let expected = json!({
        "instances": [{"prompt": "A cat"}],
        "parameters": {"sampleCount": 2, "aspectRatio": "16:9", "imageSize": "2K"}
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn pictures_that_are_withheld_are_refusals() {
    let filtered = json!({"predictions": [{"raiFilteredReason": "Not a child."}]});
    let words = last(json!([{"text": "I cannot draw that."}]), "IMAGE_SAFETY");
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    for (model, body, expected) in [
        (
            "imagen-4.0-generate-001",
            filtered,
            "gemini withheld the picture: Not a child.",
        ),
        (
            "gemini-2.5-flash-image",
            words,
            "gemini made nothing (IMAGE_SAFETY) and said: I cannot draw that.",
        ),
        (
            "gemini-2.5-flash-image",
            blocked,
            "gemini refused the prompt (SAFETY)",
        ),
    ] {
        let stub = Stub::new([Reply::json(&body)]).await;
        let draw = provider(&account(&stub)).draw.unwrap();
        let refusal = draw.draw(drawing(model)).await.unwrap_err();
        assert_eq!(refusal.kind, ModelErrorKind::Refused);
        assert_eq!(refusal.message, expected);
    }
    let stub = Stub::new([]).await;
    let draw = provider(&account(&stub)).draw.unwrap();
    let mut many = drawing("imagen-4.0-generate-001");
    many.count = Some(5);
    assert_eq!(
        draw.draw(many).await.unwrap_err().param.as_deref(),
        Some("n")
    );
    let mut from = drawing("imagen-4.0-generate-001");
    from.sources = vec![Media::bytes("image/png", "x")];
    assert_eq!(
        draw.draw(from).await.unwrap_err().kind,
        ModelErrorKind::Unsupported
    );
}

const OPERATION: &str = "models/veo-3.1-generate-preview/operations/abc123";

fn begun() -> Reply {
    Reply::json(&json!({"name": OPERATION}))
}

fn filmed(uri: &str) -> Reply {
    Reply::json(&json!({"name": OPERATION, "done": true, "response": {
        "generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}
    }}))
}

#[tokio::test]
async fn videos_are_begun_looked_at_and_fetched() {
    let stub = Stub::new([begun(), begun(), Reply::json(&json!({})).status(503)]).await;
    stub.reply(filmed(&format!(
        "{}/v1beta/files/f1:download?alt=media",
        stub.address
    )));
    stub.reply(
        Reply::bytes("text/plain", "")
            .status(302)
            .header("location", "/final?x=1"),
    );
    stub.reply(Reply::bytes("video/mp4", "film"));
    let request = VideoRequest {
        negative_prompt: Some("dogs".into()),
        source: Some(Media::bytes("image/png", "p")),
        aspect_ratio: Some("16:9".into()),
        resolution: Some("720p".into()),
        num_frames: Some(130),
        seed: Some(5),
        guidance_scale: Some(7.5),
        ..filming()
    };
    let film = provider(&account(&stub)).film.unwrap();
    let video = film.film(request).await.unwrap();
    assert_eq!(video, Media::bytes("video/mp4", "film"));
    let seen = stub.seen();
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    let look = format!("GET /v1beta/{OPERATION}");
    let expected = [
        "POST /v1beta/models/veo-3.1-generate-preview:predictLongRunning",
        &look,
        &look,
        &look,
        "GET /v1beta/files/f1:download?alt=media",
        "GET /final?x=1",
    ];
    assert_eq!(lines, expected);
    assert!(
        seen.iter()
            .all(|seen| seen.headers["x-goog-api-key"] == SECRET)
    );
    let expected = json!({
        "instances": [{"prompt": "A cat", "image": {"bytesBase64Encoded": "cA==", "mimeType": "image/png"}}],
        "parameters": {
            "aspectRatio": "16:9", "resolution": "720p", "durationSeconds": 6, "negativePrompt": "dogs", "seed": 5
        }
    });
    assert_eq!(seen[0].body, expected);
}

#[tokio::test]
async fn the_key_does_not_follow_a_video_to_another_server() {
    let elsewhere = Stub::new([]).await;
    let stub = Stub::new([begun()]).await;
    stub.reply(filmed(&format!("{}/film", elsewhere.address)));
    let film = provider(&account(&stub)).film.unwrap();
    let refusal = film.film(filming()).await.unwrap_err();
    assert_eq!(refusal.kind, ModelErrorKind::Protocol);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn videos_that_are_not_made_are_errors() {
    let done = |mut with: Value| {
        with["done"] = json!(true);
        Reply::json(&with)
    };
    let error = json!({"error": {"code": 3, "message": "The prompt is empty."}});
    let filtered = json!({"response": {"generateVideoResponse": {
        "raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["People."]
    }}});
    for (reply, kind, message) in [
        (
            done(error),
            ModelErrorKind::BadRequest,
            "The prompt is empty.",
        ),
        (
            done(filtered),
            ModelErrorKind::Refused,
            "gemini withheld the video: People.",
        ),
        (
            Reply::json(&json!({"error": {"message": "gone"}})).status(404),
            ModelErrorKind::UnknownModel,
            "gone",
        ),
    ] {
        let stub = Stub::new([begun(), reply]).await;
        let film = provider(&account(&stub)).film.unwrap();
        let refusal = film.film(filming()).await.unwrap_err();
        assert_eq!(refusal.kind, kind);
        assert_eq!(refusal.message, message);
    }
    let stub = Stub::new([Reply::json(&json!({"name": "operations/../../files"}))]).await;
    let film = provider(&account(&stub)).film.unwrap();
    let refusal = film.film(filming()).await.unwrap_err();
    assert_eq!(refusal.kind, ModelErrorKind::Protocol);
}

#[tokio::test]
async fn a_video_that_takes_too_long_is_given_up() {
    let stub = Stub::new([begun().waiting()]).await;
    let film = provider(&account(&stub)).film.unwrap();
    let request = VideoRequest {
        timeout_s: Some(0.02),
        ..filming()
    };
    let refusal = film.film(request).await.unwrap_err();
    assert_eq!(refusal.kind, ModelErrorKind::TimedOut);
}

fn speaking() -> SpeechRequest {
    SpeechRequest {
        model: "gemini-2.5-flash-preview-tts".into(),
        text: "Hello".into(),
        ..SpeechRequest::default()
    }
}

fn spoken(mime: &str, bytes: &[u8]) -> Reply {
    let data = json!([{"inlineData": {"mimeType": mime, "data": crate::inline::base64(bytes)}}]);
    Reply::json(&last(data, "STOP"))
}

#[tokio::test]
async fn speech_is_pcm_in_pieces_of_a_second() {
    let sound: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    let stub = Stub::new([spoken("audio/L16;codec=pcm;rate=24000", &sound)]).await;
    let speak = provider(&account(&stub)).speak.unwrap();
    let stream = speak.speak(speaking()).await.unwrap();
    let pieces: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
    let lengths: Vec<usize> = pieces.iter().map(bytes::Bytes::len).collect();
    assert_eq!(lengths, [48_000, 48_000, 4000]);
    assert_eq!(pieces.concat(), sound);
    let seen = &stub.seen()[0];
    assert_eq!(
        seen.line,
        "POST /v1beta/models/gemini-2.5-flash-preview-tts:generateContent"
    );
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
        }
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn speech_of_another_kind_is_an_error() {
    for (reply, kind) in [
        (
            spoken("audio/L16;rate=16000", b"ab"),
            ModelErrorKind::Protocol,
        ),
        (spoken("audio/mpeg", b"ab"), ModelErrorKind::Protocol),
        (
            Reply::json(&last(json!([]), "SAFETY")),
            ModelErrorKind::Refused,
        ),
        (
            Reply::json(&last(json!([]), "OTHER")),
            ModelErrorKind::Server,
        ),
    ] {
        let stub = Stub::new([reply]).await;
        let speak = provider(&account(&stub)).speak.unwrap();
        let refusal = speak.speak(speaking()).await.err().unwrap();
        assert_eq!(refusal.kind, kind, "{}", refusal.message);
    }
    let stub = Stub::new([]).await;
    let speak = provider(&account(&stub)).speak.unwrap();
    let fast = SpeechRequest {
        speed: Some(2.0),
        ..speaking()
    };
    let refusal = speak.speak(fast).await.err().unwrap();
    assert_eq!(refusal.kind, ModelErrorKind::Unsupported);
    assert_eq!(refusal.param.as_deref(), Some("speed"));
}

#[tokio::test]
async fn what_is_said_is_written_down() {
    let said = json!([{"text": "Hm.", "thought": true}, {"text": " Hello "}, {"text": "there.\n"}]);
    let stub = Stub::new([Reply::json(&last(said, "STOP"))]).await;
    let request = TranscribeRequest {
        provider: String::new(),
        model: MODEL.into(),
        audio: Media::bytes("audio/wav", "hi"),
        language: Some("en".into()),
        prompt: Some("NodeTool".into()),
        temperature: None,
        node_id: None,
        workflow_id: None,
    };
    let transcribe = provider(&account(&stub)).transcribe.unwrap();
    let transcript = transcribe.transcribe(request.clone()).await.unwrap();
    assert_eq!(transcript.text, "Hello there.");
    let usage = Usage {
        input: 50,
        output: 27,
        cached: 30,
        reasoning: 20,
        cost: None,
    };
    assert_eq!(transcript.usage, Some(usage));
    let sent = &stub.seen()[0].body;
    let parts = &sent["contents"][0]["parts"];
    let task = parts[0]["text"].as_str().unwrap();
    assert!(task.contains("`en`") && task.contains("NodeTool"), "{task}");
    assert_eq!(
        parts[1],
        json!({"inlineData": {"mimeType": "audio/wav", "data": "aGk="}})
    );
    assert_eq!(sent["generationConfig"], json!({"temperature": 0.0}));

    let stub = Stub::new([]).await;
    let transcribe = provider(&account(&stub)).transcribe.unwrap();
    let unknown = TranscribeRequest {
        audio: Media::bytes("", "hi"),
        ..request
    };
    let refusal = transcribe.transcribe(unknown).await.unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("file"));
}
