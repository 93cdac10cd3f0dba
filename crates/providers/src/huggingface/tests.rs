use futures_util::StreamExt;

use super::*;
use crate::media::stand_in::{Answer, KEY, StandIn, account, nowhere};
use crate::media::wav;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-";

fn client(server: &StandIn) -> Provider {
    let mut account = server.account("huggingface");
    account.address.push_str("/v1");
    media(&account)
}

fn request() -> ImageRequest {
    ImageRequest {
        model: "black-forest-labs/FLUX.1-schnell".into(),
        prompt: "a cat".into(),
        ..ImageRequest::default()
    }
}

async fn draw(provider: &Provider, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
    provider.draw.as_ref().unwrap().draw(request).await
}

fn sound(temperature: Option<f64>) -> TranscribeRequest {
    TranscribeRequest {
        provider: String::new(),
        model: "openai/whisper-large-v3".into(),
        audio: Media::bytes("", &b"ID3\x04"[..]),
        language: None,
        prompt: None,
        temperature,
        node_id: None,
        workflow_id: None,
    }
}

#[tokio::test]
async fn a_picture_is_drawn_from_a_text() {
    let mut server = StandIn::start(|_| Answer::bytes("image/jpeg", PNG)).await;
    let asked = ImageRequest {
        negative_prompt: Some("a dog".into()),
        width: Some(512),
        height: Some(768),
        guidance_scale: Some(3.5),
        num_inference_steps: Some(4),
        seed: Some(7),
        ..request()
    };
    let pictures = draw(&client(&server), asked).await.unwrap();
    assert_eq!(pictures, [Media::bytes("image/png", PNG)]);
    let sent = server.asked().await;
    assert_eq!(
        sent.line(),
        "POST /hf-inference/models/black-forest-labs/FLUX.1-schnell"
    );
    assert_eq!(sent.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(sent.header("accept"), "image/png");
    assert_eq!(
        sent.json(),
        json!({ "inputs": "a cat", "parameters": { "negative_prompt": "a dog", "width": 512, "height": 768,
            "guidance_scale": 3.5, "num_inference_steps": 4, "seed": 7 } })
    );
}

#[tokio::test]
async fn a_picture_is_drawn_from_a_picture() {
    let mut server = StandIn::start(|_| Answer::bytes("image/png", PNG)).await;
    let source = Media::bytes("image/png", PNG);
    let asked = ImageRequest {
        sources: vec![source.clone()],
        width: Some(512),
        height: Some(512),
        strength: Some(0.8),
        ..request()
    };
    draw(&client(&server), asked.clone()).await.unwrap();
    assert_eq!(
        server.asked().await.json(),
        json!({ "inputs": "iVBORw0KGgot", "parameters": { "prompt": "a cat", "strength": 0.8,
            "target_size": { "width": 512, "height": 512 } } })
    );
    let address = Media {
        source: MediaSource::Url("https://example.com/a.png".into()),
        ..source.clone()
    };
    for (refused, words) in [
        (
            ImageRequest {
                sources: vec![address],
                ..request()
            },
            "sources[0] is an address; huggingface takes bytes only",
        ),
        (
            ImageRequest {
                sources: vec![source.clone(), source],
                ..request()
            },
            "the provider `huggingface` does not do pictures from several pictures",
        ),
        (
            ImageRequest {
                count: Some(2),
                ..request()
            },
            "the provider `huggingface` does not do several pictures at once",
        ),
    ] {
        let e = draw(&client(&server), refused).await.unwrap_err();
        assert_eq!(
            (e.kind, e.message.as_str()),
            (ModelErrorKind::Unsupported, words)
        );
    }
}

#[tokio::test]
async fn vectors_come_in_the_order_of_the_texts() {
    let mut server = StandIn::start(|asked| match asked.path.contains("tokens") {
        true => Answer::json(json!([[[0.1, 0.2]], [[0.3, 0.4]]])),
        false => Answer::json(json!([[0.5, -1.0], [0.25, 2]])),
    })
    .await;
    let asked = EmbedRequest {
        model: "BAAI/bge-m3".into(),
        texts: vec!["a".into(), "b".into()],
        ..EmbedRequest::default()
    };
    let embed = client(&server).embed.unwrap();
    assert_eq!(
        embed.embed(asked.clone()).await.unwrap().vectors,
        [[0.5, -1.0], [0.25, 2.0]]
    );
    let sent = server.asked().await;
    assert_eq!(
        sent.line(),
        "POST /hf-inference/models/BAAI/bge-m3/pipeline/feature-extraction"
    );
    assert_eq!(sent.json(), json!({ "inputs": ["a", "b"] }));
    let e = embed
        .embed(EmbedRequest {
            model: "me/tokens".into(),
            ..asked.clone()
        })
        .await
        .unwrap_err();
    assert_eq!(
        e.message,
        "`me/tokens` gives a vector for each token, not one for each text"
    );
    let e = embed
        .embed(EmbedRequest {
            dimensions: Some(3),
            ..asked
        })
        .await
        .unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Unsupported);
}

#[tokio::test]
async fn speech_is_written_down() {
    let mut server = StandIn::start(|_| Answer::json(json!({ "text": " Hello there." }))).await;
    let transcribe = client(&server).transcribe.unwrap();
    assert_eq!(
        transcribe.transcribe(sound(None)).await.unwrap().text,
        "Hello there."
    );
    let sent = server.asked().await;
    assert_eq!(
        sent.line(),
        "POST /hf-inference/models/openai/whisper-large-v3"
    );
    assert_eq!(
        (sent.header("content-type"), &sent.body[..]),
        ("audio/mpeg", &b"ID3\x04"[..])
    );
    transcribe.transcribe(sound(Some(0.5))).await.unwrap();
    let expected = json!({ "inputs": "SUQzBA==", "parameters": { "generation_parameters": { "temperature": 0.5 } } });
    assert_eq!(server.asked().await.json(), expected);
}

#[tokio::test]
async fn speech_is_read_from_wav_and_other_forms_are_refused_by_name() {
    let spoken = SpeechRequest {
        model: "me/tts".into(),
        text: "hello".into(),
        ..SpeechRequest::default()
    };
    let file = wav::encode(24_000, 1, 16, 1, &[1, 0, 2, 0]);
    let mut server = StandIn::start(move |_| Answer::bytes("audio/wav", file.clone())).await;
    let speech = client(&server)
        .speak
        .unwrap()
        .speak(spoken.clone())
        .await
        .unwrap();
    let pieces: Vec<_> = speech.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), [1, 0, 2, 0]);
    assert_eq!(server.asked().await.json(), json!({ "inputs": "hello" }));
    let server = StandIn::start(|_| Answer::bytes("audio/flac", &b"fLaC\0"[..])).await;
    let speak = client(&server).speak.unwrap();
    let e = speak.speak(spoken.clone()).await.err().unwrap();
    assert!(
        e.message
            .contains("speech as audio/flac; only audio/wav can be read"),
        "{e}"
    );
    let e = speak
        .speak(SpeechRequest {
            speed: Some(2.0),
            ..spoken
        })
        .await
        .err()
        .unwrap();
    assert_eq!(e.kind, ModelErrorKind::Unsupported);
}

#[tokio::test]
async fn refusals_keep_their_kind_and_words_without_the_key() {
    let told = |words: &str| Answer::json(json!({ "error": words }));
    for (answer, kind, words) in [
        (
            told(&format!("Invalid token {KEY}")).status(401),
            ModelErrorKind::Unauthorized,
            "Invalid token …",
        ),
        (
            told("Model me/none does not exist").status(404),
            ModelErrorKind::UnknownModel,
            "Model me/none does not exist",
        ),
        (
            told("slow").status(429),
            ModelErrorKind::RateLimited { retry_after: None },
            "slow",
        ),
        (
            told("Model is currently loading").status(503),
            ModelErrorKind::Server,
            "Model is currently loading",
        ),
        (
            Answer::json(json!({ "a": 1 })),
            ModelErrorKind::Protocol,
            "huggingface answered with something unexpected: application/json instead of a picture",
        ),
    ] {
        let server = StandIn::start(move |_| answer.clone()).await;
        let e = draw(&client(&server), request()).await.unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (kind, words));
    }
    let server = StandIn::start(|_| Answer::bytes("image/png", PNG).breaks_off()).await;
    let e = draw(&client(&server), request()).await.unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Connection);
    let e = draw(&media(&account("huggingface", &nowhere().await)), request())
        .await
        .unwrap_err();
    assert!(
        e.message.starts_with("huggingface cannot be reached: "),
        "{e}"
    );
    let e = draw(
        &client(&server),
        ImageRequest {
            model: "a/../b".into(),
            ..request()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::UnknownModel);
}

#[tokio::test]
async fn well_known_models_are_listed() {
    let server = StandIn::start(|_| Answer::json(json!({}))).await;
    let models = client(&server).list.unwrap().models().await.unwrap();
    let small = models
        .iter()
        .find(|model| model.id == "sentence-transformers/all-MiniLM-L6-v2")
        .unwrap();
    assert_eq!(small.dimensions, 384);
}
