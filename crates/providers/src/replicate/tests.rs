use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use nodetool_sdk::models::{MediaSource, ModelErrorKind};
use serde_json::json;

use super::*;
use crate::media::stand_in::{AT_ONCE, Answer, Asked, KEY, StandIn, account, nowhere};
use crate::media::wav;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-";
const ID: &str = "gm3qorzdhgbfurvjtvhg6dckhu";

fn version() -> String {
    "5c7d5dc6".repeat(8)
}

fn client(server: &StandIn) -> Provider {
    with_pace(&server.account("replicate"), AT_ONCE)
}

fn prediction(status: &str, output: Value, error: Value) -> Answer {
    let url = format!("https://api.replicate.com/v1/predictions/{ID}");
    Answer::json(json!({
        "id": ID, "model": "a/b", "version": version(), "input": {}, "logs": "", "output": output, "error": error,
        "status": status, "created_at": "2026-01-01T00:00:00Z", "metrics": {},
        "urls": { "get": url, "cancel": format!("{url}/cancel") },
    }))
}

/// A model with these fields.
fn model(fields: Value) -> Answer {
    Answer::json(json!({
        "owner": "a", "name": "b", "description": "", "latest_version": {
            "id": version(),
            "openapi_schema": { "components": { "schemas": {
                "Input": { "type": "object", "properties": fields },
                "aspect_ratio": { "type": "string", "enum": ["1:1", "16:9", "9:16", "custom"] },
                "output_format": { "enum": ["mp3", "wav"] },
            } } },
        },
    }))
}

/// A server of one model, each of whose predictions is looked at twice.
async fn making(fields: Value, output: impl Fn(&str) -> Value + Send + Sync + 'static) -> StandIn {
    let looks = AtomicU32::new(0);
    StandIn::start(move |asked| {
        let host = format!("http://{}", asked.header("host"));
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/out.png") => Answer::bytes("image/png", PNG),
            ("GET", "/out.mp4") => Answer::bytes("video/mp4", &b"\0\0\0\x20ftypisom"[..]),
            ("GET", "/out.wav") => {
                Answer::bytes("audio/wav", wav::encode(24_000, 1, 16, 1, &[1, 0, 2, 0]))
            }
            ("GET", path) if path.starts_with("/models/") => model(fields.clone()),
            ("GET", _) => match looks.fetch_add(1, Ordering::Relaxed) {
                0 => prediction("processing", Value::Null, Value::Null),
                _ => prediction("succeeded", output(&host), Value::Null),
            },
            ("POST", "/files") => Answer::json(
                json!({ "id": "f", "urls": { "get": "https://api.replicate.com/v1/files/f" } }),
            ),
            _ => prediction("starting", Value::Null, Value::Null).status(201),
        }
    })
    .await
}

fn request() -> ImageRequest {
    ImageRequest {
        model: "a/b".into(),
        prompt: "a cat".into(),
        ..ImageRequest::default()
    }
}

async fn draw(provider: &Provider, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
    provider.draw.as_ref().unwrap().draw(request).await
}

/// The input of the prediction.
fn input(server: &mut StandIn) -> Value {
    let sent = server.all_asked();
    let made = sent
        .iter()
        .find(|asked| asked.path.ends_with("/predictions"))
        .unwrap();
    made.json()["input"].clone()
}

#[tokio::test]
async fn a_picture_is_a_prediction_with_the_fields_the_model_has() {
    let fields = json!({
        "prompt": { "type": "string" }, "width": { "type": "integer", "minimum": 256, "maximum": 1024 },
        "height": { "type": "integer" }, "num_outputs": { "type": "integer", "maximum": 4 },
        "guidance": { "type": "number", "maximum": 5 }, "num_inference_steps": { "type": "integer", "maximum": 4 },
        "seed": { "type": "integer" }, "disable_safety_checker": { "type": "boolean" },
    });
    let mut server = making(fields, |host| {
        json!([format!("{host}/out.png"), format!("{host}/out.png")])
    })
    .await;
    let asked = ImageRequest {
        negative_prompt: Some("a dog".into()),
        width: Some(2048),
        height: Some(768),
        count: Some(2),
        guidance_scale: Some(7.5),
        num_inference_steps: Some(30),
        seed: Some(7),
        safety_check: Some(false),
        extra: [("go_fast".into(), nodetool_sdk::Value::Bool(true))]
            .into_iter()
            .collect(),
        ..request()
    };
    let pictures = draw(&client(&server), asked).await.unwrap();
    assert_eq!(pictures.len(), 2);
    assert_eq!(pictures[0].source, MediaSource::Bytes(PNG.into()));
    let sent = server.all_asked();
    let lines: Vec<String> = sent.iter().map(Asked::line).collect();
    let look = format!("GET /predictions/{ID}");
    let expected = [
        "GET /models/a/b",
        "POST /models/a/b/predictions",
        &look,
        &look,
        "GET /out.png",
        "GET /out.png",
    ];
    assert_eq!(lines, expected);
    assert_eq!(sent[1].header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(sent[1].header("prefer"), "wait=5");
    assert_eq!(sent[4].header("authorization"), "");
    assert_eq!(
        sent[1].json(),
        json!({ "input": { "prompt": "a cat", "width": 1024, "height": 768, "num_outputs": 2, "guidance": 5,
            "num_inference_steps": 4, "seed": 7, "disable_safety_checker": true, "go_fast": true } })
    );
}

#[tokio::test]
async fn a_size_becomes_the_nearest_ratio_the_model_has() {
    let fields = json!({ "prompt": {}, "aspect_ratio": { "allOf": [{ "$ref": "#/components/schemas/aspect_ratio" }] } });
    let mut server = making(fields, |host| json!(format!("{host}/out.png"))).await;
    let asked = ImageRequest {
        width: Some(1280),
        height: Some(768),
        ..request()
    };
    draw(&client(&server), asked).await.unwrap();
    assert_eq!(
        input(&mut server),
        json!({ "prompt": "a cat", "aspect_ratio": "16:9" })
    );
}

#[tokio::test]
async fn what_a_model_says_of_itself_is_asked_once() {
    let mut server = making(json!({ "prompt": {} }), |host| {
        json!(format!("{host}/out.png"))
    })
    .await;
    let provider = client(&server);
    for _ in 0..2 {
        draw(&provider, request()).await.unwrap();
    }
    let sent = server.all_asked();
    assert_eq!(
        sent.iter()
            .filter(|asked| asked.path == "/models/a/b")
            .count(),
        1
    );
}

#[tokio::test]
async fn versions_are_asked_for_as_such() {
    let done = || {
        prediction(
            "succeeded",
            json!("data:image/png;base64,iVBORw0KGgo="),
            Value::Null,
        )
    };
    let mut server = StandIn::start(move |asked| match asked.method.as_str() {
        "GET" => Answer::json(json!({ "id": version(), "openapi_schema": {} })),
        _ => done(),
    })
    .await;
    let ids = [version(), format!("a/b:{}", version())];
    for id in ids {
        draw(
            &client(&server),
            ImageRequest {
                model: id,
                ..request()
            },
        )
        .await
        .unwrap();
    }
    let sent = server.all_asked();
    let lines: Vec<String> = sent.iter().map(Asked::line).collect();
    let about = format!("GET /models/a/b/versions/{}", version());
    assert_eq!(lines, ["POST /predictions", &about, "POST /predictions"]);
    for at in [0, 2] {
        assert_eq!(
            sent[at].json(),
            json!({ "version": version(), "input": { "prompt": "a cat" } })
        );
    }
}

#[tokio::test]
async fn a_model_that_runs_by_version_only_is_run_by_its_newest() {
    let mut server = StandIn::start(|asked| match asked.line().as_str() {
        "GET /models/a/b" => model(json!({ "prompt": {} })),
        "POST /predictions" => prediction(
            "succeeded",
            json!(["data:image/png;base64,iVBORw0KGgo="]),
            Value::Null,
        ),
        _ => Answer::json(
            json!({ "detail": "The requested resource could not be found.", "status": 404 }),
        )
        .status(404),
    })
    .await;
    draw(&client(&server), request()).await.unwrap();
    let sent = server.all_asked();
    assert_eq!(sent[1].line(), "POST /models/a/b/predictions");
    assert_eq!(
        sent[2].json(),
        json!({ "version": version(), "input": { "prompt": "a cat" } })
    );
}

#[tokio::test]
async fn small_sources_go_inside_the_request_and_large_ones_as_files() {
    let fields = json!({ "prompt": {}, "input_image": {}, "prompt_strength": {} });
    let mut server = making(fields.clone(), |host| json!(format!("{host}/out.png"))).await;
    let small = Media::bytes("image/png", PNG);
    let asked = ImageRequest {
        sources: vec![small.clone()],
        strength: Some(0.8),
        ..request()
    };
    draw(&client(&server), asked).await.unwrap();
    let uri = "data:image/png;base64,iVBORw0KGgot";
    assert_eq!(
        input(&mut server),
        json!({ "prompt": "a cat", "input_image": uri, "prompt_strength": 0.8 })
    );

    let mut server = making(fields, |host| json!(format!("{host}/out.png"))).await;
    let large = Media::bytes("image/png", [PNG, &[0; 300 << 10]].concat());
    let asked = ImageRequest {
        sources: vec![large],
        ..request()
    };
    draw(&client(&server), asked).await.unwrap();
    let sent = server.all_asked();
    assert_eq!(sent[1].line(), "POST /files");
    assert!(
        sent[1]
            .header("content-type")
            .starts_with("multipart/form-data; boundary=")
    );
    let body = String::from_utf8_lossy(&sent[1].body);
    assert!(
        body.contains("name=\"content\"; filename=\"source\""),
        "{}",
        &body[..200]
    );
    assert!(sent[1].body.len() > 300 << 10);
    let file = "https://api.replicate.com/v1/files/f";
    assert_eq!(
        sent[2].json()["input"],
        json!({ "prompt": "a cat", "input_image": file })
    );

    let fields = json!({ "prompt": {}, "image_input": { "type": "array" } });
    let mut server = making(fields, |host| json!(format!("{host}/out.png"))).await;
    let address = Media {
        source: MediaSource::Url("https://example.com/b.png".into()),
        ..small.clone()
    };
    draw(
        &client(&server),
        ImageRequest {
            sources: vec![small, address],
            ..request()
        },
    )
    .await
    .unwrap();
    assert_eq!(
        input(&mut server)["image_input"],
        json!([uri, "https://example.com/b.png"])
    );
}

#[tokio::test]
async fn a_model_without_what_the_request_is_about_is_refused() {
    let server = making(json!({ "prompt": {}, "size": {} }), |_| Value::Null).await;
    let png = Media::bytes("image/png", PNG);
    for (sources, words) in [
        (
            vec![png.clone()],
            "the model takes no picture to start from; it takes prompt, size",
        ),
        (
            vec![png.clone(), png],
            "the model takes no list of pictures; it takes prompt, size",
        ),
    ] {
        let e = draw(
            &client(&server),
            ImageRequest {
                sources,
                ..request()
            },
        )
        .await
        .unwrap_err();
        assert_eq!(
            (e.kind, e.message.as_str()),
            (ModelErrorKind::Unsupported, words)
        );
    }
}

#[tokio::test]
async fn a_film_is_made_from_a_picture() {
    let fields = json!({ "prompt": {}, "start_image": {}, "aspect_ratio": { "enum": ["16:9"] },
        "resolution": { "enum": ["480p", "720p"] }, "num_frames": { "type": "integer", "maximum": 100 } });
    let mut server = making(fields, |host| json!(format!("{host}/out.mp4"))).await;
    let asked = VideoRequest {
        model: "a/b".into(),
        prompt: "it moves".into(),
        source: Some(Media::bytes("image/png", PNG)),
        aspect_ratio: Some("4:3".into()),
        resolution: Some("720p".into()),
        num_frames: Some(120),
        ..VideoRequest::default()
    };
    let film = client(&server).film.unwrap().film(asked).await.unwrap();
    assert_eq!(film.mime, "video/mp4");
    assert_eq!(
        input(&mut server),
        json!({ "prompt": "it moves", "start_image": "data:image/png;base64,iVBORw0KGgot", "resolution": "720p",
            "num_frames": 100 })
    );
}

#[tokio::test]
async fn speech_is_asked_for_as_wav_where_the_model_can() {
    let fields = json!({ "text": {}, "voice": {}, "speed": {}, "output_format": { "allOf": [
        { "$ref": "#/components/schemas/output_format" }] } });
    let mut server = making(
        fields,
        |host| json!({ "audio_out": format!("{host}/out.wav") }),
    )
    .await;
    let asked = SpeechRequest {
        model: "a/b".into(),
        text: "hello".into(),
        voice: Some("af_heart".into()),
        speed: Some(1.0),
        ..SpeechRequest::default()
    };
    let speech = client(&server).speak.unwrap().speak(asked).await.unwrap();
    let pieces: Vec<_> = speech.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), [1, 0, 2, 0]);
    assert_eq!(
        input(&mut server),
        json!({ "text": "hello", "voice": "af_heart", "output_format": "wav" })
    );
}

#[tokio::test]
async fn speech_is_written_down_whatever_form_the_words_have() {
    for output in [
        json!("Hello there."),
        json!(["Hello", " there."]),
        json!({ "transcription": " Hello there. ", "detected_language": "english" }),
        json!({ "segments": [{ "text": "Hello" }, { "text": " there." }], "language": "en" }),
    ] {
        let said = output.clone();
        let mut server = making(json!({ "audio_file": {}, "language": {} }), move |_| {
            said.clone()
        })
        .await;
        let asked = TranscribeRequest {
            provider: String::new(),
            model: "a/b".into(),
            audio: Media::bytes("audio/mpeg", &b"ID3\x04"[..]),
            language: Some("en".into()),
            prompt: Some("names".into()),
            temperature: None,
            node_id: None,
            workflow_id: None,
        };
        let transcript = client(&server)
            .transcribe
            .unwrap()
            .transcribe(asked)
            .await
            .unwrap();
        assert_eq!(transcript.text, "Hello there.", "{output}");
        let expected = json!({ "audio_file": "data:audio/mpeg;base64,SUQzBA==", "language": "en" });
        assert_eq!(input(&mut server), expected);
    }
}

#[tokio::test]
async fn a_prediction_that_ends_without_a_result_says_why() {
    for (status, output, error, kind, words) in [
        (
            "failed",
            Value::Null,
            json!("CUDA out of memory"),
            ModelErrorKind::BadRequest,
            "the prediction failed: CUDA out of memory",
        ),
        (
            "failed",
            Value::Null,
            json!("NSFW content detected."),
            ModelErrorKind::Refused,
            "the prediction failed: NSFW content detected.",
        ),
        (
            "canceled",
            Value::Null,
            Value::Null,
            ModelErrorKind::Refused,
            "the prediction was cancelled at Replicate",
        ),
        (
            "succeeded",
            Value::Null,
            Value::Null,
            ModelErrorKind::Protocol,
            "replicate answered with something unexpected: an output without a file",
        ),
    ] {
        let mut server = StandIn::start(move |asked| match asked.path.as_str() {
            "/models/a/b" => model(json!({ "prompt": {} })),
            path if path.ends_with("/predictions") => {
                prediction("starting", Value::Null, Value::Null)
            }
            _ => prediction(status, output.clone(), error.clone()),
        })
        .await;
        let e = draw(&client(&server), request()).await.unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (kind, words));
        let is_cancelled = server
            .all_asked()
            .iter()
            .any(|asked| asked.path.ends_with("/cancel"));
        assert!(!is_cancelled, "what has ended is not cancelled");
    }
}

#[tokio::test]
async fn refusals_keep_their_kind_and_words_without_the_key() {
    let told = |status: u16, detail: &str| {
        Answer::json(json!({ "title": "No", "detail": detail, "status": status })).status(status)
    };
    for (answer, kind, words) in [
        (
            told(401, &format!("bad token {KEY}")),
            ModelErrorKind::Unauthorized,
            "bad token …",
        ),
        (
            told(402, "no credit"),
            ModelErrorKind::Forbidden,
            "no credit",
        ),
        (
            told(404, "not there"),
            ModelErrorKind::UnknownModel,
            "not there",
        ),
        (
            told(429, "slow"),
            ModelErrorKind::RateLimited { retry_after: None },
            "slow",
        ),
        (
            told(422, "- input: prompt is required"),
            ModelErrorKind::BadRequest,
            "- input: prompt is required",
        ),
        (told(500, "oh"), ModelErrorKind::Server, "oh"),
    ] {
        let server = StandIn::start(move |_| answer.clone()).await;
        let e = draw(&client(&server), request()).await.unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (kind, words));
    }
    let e = draw(
        &with_pace(&account("replicate", &nowhere().await), AT_ONCE),
        request(),
    )
    .await
    .unwrap_err();
    assert!(
        e.message.starts_with("replicate cannot be reached: "),
        "{e}"
    );
}

#[tokio::test]
async fn ids_that_are_no_model_are_refused_before_anything_is_sent() {
    let mut server = StandIn::start(|_| Answer::json(json!({}))).await;
    for id in [
        "",
        "flux",
        "a/b/c",
        "a/../b",
        "a/b:latest",
        "a/b?x",
        "/b",
        "a/..",
    ] {
        let e = draw(
            &client(&server),
            ImageRequest {
                model: id.into(),
                ..request()
            },
        )
        .await
        .unwrap_err();
        assert_eq!(e.kind, ModelErrorKind::UnknownModel, "{id}");
    }
    assert_eq!(server.all_asked().len(), 0);
}

#[tokio::test]
async fn a_prediction_that_nobody_waits_for_is_cancelled() {
    let mut server = StandIn::start(|asked| match asked.path.as_str() {
        "/models/a/b" => model(json!({ "prompt": {} })),
        _ => prediction("processing", Value::Null, Value::Null),
    })
    .await;
    let provider = client(&server);
    let mut work = provider.draw.as_ref().unwrap().draw(request());
    let look = format!("GET /predictions/{ID}");
    loop {
        tokio::select! {
            made = &mut work => panic!("{made:?}"),
            asked = server.asked() => if asked.line() == look { break },
        }
    }
    drop(work);
    let cancel = format!("POST /predictions/{ID}/cancel");
    loop {
        let asked = server.asked().await;
        if asked.line() == cancel {
            assert_eq!(asked.header("authorization"), format!("Bearer {KEY}"));
            return;
        }
    }
}

#[tokio::test]
async fn well_known_models_are_listed() {
    let provider = client(&making(json!({}), |_| json!({})).await);
    let models = provider.list.unwrap().models().await.unwrap();
    let account = account("replicate", "http://127.0.0.1");
    for model in &models {
        assert!(Name::parse(&account, &model.id).is_ok(), "{}", model.id);
    }
    assert!(
        models
            .iter()
            .any(|model| model.tasks.contains(&"image_to_video".to_owned()))
    );
}
