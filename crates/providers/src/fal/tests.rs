use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use nodetool_sdk::Map;
use nodetool_sdk::models::{MediaSource, ModelErrorKind};
use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::media::stand_in::{AT_ONCE, Answer, Asked, KEY, StandIn, account, nowhere};
use crate::media::wav;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-";
const ID: &str = "764cabcf-b745-4b3e-ae38-1200304cf45b";

fn client(server: &StandIn) -> Provider {
    with_pace(&server.account("fal_ai"), Route::Direct, AT_ONCE)
}

fn queued(asked: &Asked) -> Answer {
    let id = asked.path.trim_start_matches('/');
    // The router has a part of its own before the model's id.
    let id = id
        .strip_prefix("fal-ai/")
        .filter(|rest| rest.starts_with("fal-ai/"))
        .unwrap_or(id);
    let app = id.split('/').take(2).collect::<Vec<_>>().join("/");
    let job = format!("https://queue.fal.run/{app}/requests/{ID}");
    Answer::json(json!({
        "status": "IN_QUEUE", "request_id": ID, "response_url": job, "status_url": format!("{job}/status"),
        "cancel_url": format!("{job}/cancel"), "queue_position": 0,
    }))
}

/// A server where each job is looked at three times, and what it makes.
async fn making(output: impl Fn(&str) -> Value + Send + Sync + 'static) -> StandIn {
    let looks = AtomicU32::new(0);
    StandIn::start(move |asked| {
        let host = format!("http://{}", asked.header("host"));
        let path = asked.path.split('?').next().unwrap_or_default();
        match (
            asked.method.as_str(),
            path.rsplit('/').next().unwrap_or_default(),
        ) {
            ("GET", "a.png") => Answer::bytes("image/png", PNG),
            ("GET", "a.mp4") => Answer::bytes("video/mp4", &b"\0\0\0\x20ftypisom"[..]),
            ("GET", "a.mp3") => Answer::bytes("audio/mpeg", &b"ID3\x04"[..]),
            ("GET", "a.wav") => {
                Answer::bytes("audio/wav", wav::encode(24_000, 1, 16, 1, &[1, 0, 2, 0]))
            }
            ("GET", "status") => match looks.fetch_add(1, Ordering::Relaxed) {
                0 => Answer::json(json!({ "status": "IN_QUEUE", "queue_position": 1 })).status(202),
                1 => Answer::json(json!({ "status": "IN_PROGRESS", "logs": null })).status(202),
                _ => {
                    Answer::json(json!({ "status": "COMPLETED", "request_id": ID, "metrics": {} }))
                }
            },
            ("GET", _) => Answer::json(output(&host)),
            _ => queued(asked),
        }
    })
    .await
}

fn request(model: &str) -> ImageRequest {
    ImageRequest {
        model: model.into(),
        prompt: "a cat".into(),
        ..ImageRequest::default()
    }
}

async fn draw(provider: &Provider, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
    provider.draw.as_ref().unwrap().draw(request).await
}

#[tokio::test]
async fn a_picture_goes_through_the_queue() {
    let mut server = making(|host| {
        json!({ "images": [{ "url": format!("{host}/a.png"), "width": 512, "height": 512, "content_type": "image/jpeg" },
            { "url": "data:image/jpeg;base64,/9j/" }], "seed": 1, "has_nsfw_concepts": [false, false], "prompt": "a cat" })
    })
    .await;
    let asked = ImageRequest {
        negative_prompt: Some("a dog".into()),
        width: Some(512),
        height: Some(768),
        count: Some(2),
        guidance_scale: Some(7.5),
        num_inference_steps: Some(30),
        strength: Some(0.8),
        seed: Some(-1),
        safety_check: Some(true),
        extra: Map::from_iter([("output_format".into(), nodetool_sdk::Value::str("png"))]),
        ..request("fal-ai/flux/schnell")
    };
    let pictures = draw(&client(&server), asked).await.unwrap();
    assert_eq!(pictures[0].mime, "image/png");
    assert_eq!(pictures[0].source, MediaSource::Bytes(PNG.into()));
    assert_eq!(pictures[1].mime, "image/jpeg");
    let sent = server.all_asked();
    let lines: Vec<String> = sent.iter().map(Asked::line).collect();
    let status = format!("GET /fal-ai/flux/requests/{ID}/status");
    let result = format!("GET /fal-ai/flux/requests/{ID}");
    assert_eq!(
        lines,
        [
            "POST /fal-ai/flux/schnell",
            &status,
            &status,
            &status,
            &result,
            "GET /a.png"
        ]
    );
    assert_eq!(sent[0].header("authorization"), format!("Key {KEY}"));
    assert_eq!(sent[5].header("authorization"), "");
    assert_eq!(
        sent[0].json(),
        json!({ "prompt": "a cat", "negative_prompt": "a dog", "image_size": { "width": 512, "height": 768 },
            "num_images": 2, "guidance_scale": 7.5, "num_inference_steps": 12, "enable_safety_checker": true,
            "output_format": "png" })
    );
}

#[tokio::test]
async fn sources_are_data_uris_or_addresses_under_the_field_of_the_model() {
    let png = Media::bytes("", PNG);
    let address = Media {
        source: MediaSource::Url("https://example.com/b.png".into()),
        ..png.clone()
    };
    let uri = "data:image/png;base64,iVBORw0KGgot";
    for (model, sources, path, input) in [
        (
            "fal-ai/flux/dev",
            vec![png.clone()],
            "/fal-ai/flux/dev/image-to-image",
            json!({ "image_url": uri }),
        ),
        (
            "fal-ai/flux-pro/kontext",
            vec![address.clone()],
            "/fal-ai/flux-pro/kontext",
            json!({ "image_url": "https://example.com/b.png" }),
        ),
        (
            "fal-ai/nano-banana",
            vec![png.clone()],
            "/fal-ai/nano-banana/edit",
            json!({ "image_urls": [uri] }),
        ),
        (
            "fal-ai/any",
            vec![png.clone(), address.clone()],
            "/fal-ai/any",
            json!({ "image_urls": [uri, "https://example.com/b.png"] }),
        ),
    ] {
        let mut server =
            making(|host| json!({ "image": { "url": format!("{host}/a.png") } })).await;
        let asked = ImageRequest {
            sources,
            strength: Some(0.5),
            ..request(model)
        };
        draw(&client(&server), asked).await.unwrap();
        let sent = server.asked().await;
        assert_eq!(sent.path, path);
        let mut expected = json!({ "prompt": "a cat", "strength": 0.5 });
        expected
            .as_object_mut()
            .unwrap()
            .extend(input.as_object().unwrap().clone());
        assert_eq!(sent.json(), expected);
    }
}

#[tokio::test]
async fn a_hugging_face_key_goes_through_their_router() {
    let mut server = making(|host| json!({ "images": [{ "url": format!("{host}/a.png") }] })).await;
    let mut account = server.account("huggingface_fal_ai");
    account.address.push_str("/fal-ai");
    let provider = with_pace(&account, Route::HuggingFace, AT_ONCE);
    draw(&provider, request("fal-ai/flux/schnell"))
        .await
        .unwrap();
    let sent = server.all_asked();
    assert_eq!(
        sent[0].line(),
        "POST /fal-ai/fal-ai/flux/schnell?_subdomain=queue"
    );
    assert_eq!(sent[0].header("authorization"), format!("Bearer {KEY}"));
    let status = format!("GET /fal-ai/fal-ai/flux/requests/{ID}/status?_subdomain=queue");
    assert_eq!(sent[1].line(), status);
}

#[tokio::test]
async fn a_film_is_made_from_a_picture() {
    let mut server = making(|host| json!({ "video": { "url": format!("{host}/a.mp4") } })).await;
    let asked = VideoRequest {
        model: "fal-ai/wan/v2.2-a14b/text-to-video".into(),
        prompt: "it moves".into(),
        source: Some(Media::bytes("image/png", PNG)),
        aspect_ratio: Some("16:9".into()),
        resolution: Some("720p".into()),
        num_frames: Some(81),
        ..VideoRequest::default()
    };
    let film = client(&server).film.unwrap().film(asked).await.unwrap();
    assert_eq!(film.mime, "video/mp4");
    let sent = server.asked().await;
    assert_eq!(sent.path, "/fal-ai/wan/v2.2-a14b/image-to-video");
    assert_eq!(
        sent.json(),
        json!({ "prompt": "it moves", "aspect_ratio": "16:9", "resolution": "720p", "num_frames": 81,
            "image_url": "data:image/png;base64,iVBORw0KGgot" })
    );
}

#[tokio::test]
async fn speech_comes_as_samples_and_mp3_is_refused_by_name() {
    let mut server = making(|host| json!({ "audio": { "url": format!("{host}/a.wav") } })).await;
    let asked = SpeechRequest {
        model: "fal-ai/kokoro/american-english".into(),
        text: "hello".into(),
        voice: Some("af_heart".into()),
        speed: Some(1.5),
        ..SpeechRequest::default()
    };
    let speech = client(&server)
        .speak
        .unwrap()
        .speak(asked.clone())
        .await
        .unwrap();
    let pieces: Vec<_> = speech.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), [1, 0, 2, 0]);
    let sent = server.asked().await;
    assert_eq!(
        sent.json(),
        json!({ "prompt": "hello", "voice": "af_heart", "speed": 1.5 })
    );
    let mut server = making(|host| json!({ "audio": { "url": format!("{host}/a.mp3") } })).await;
    let plain = SpeechRequest {
        model: "fal-ai/orpheus-tts".into(),
        voice: None,
        speed: Some(1.0),
        ..asked
    };
    let spoken = client(&server).speak.unwrap().speak(plain).await;
    let e = spoken.err().unwrap();
    assert!(
        e.message
            .contains("speech as audio/mpeg; only audio/wav can be read"),
        "{e}"
    );
    assert_eq!(server.asked().await.json(), json!({ "text": "hello" }));
}

#[tokio::test]
async fn speech_is_written_down() {
    let mut server =
        making(|_| json!({ "text": " Hello there. ", "chunks": [], "inferred_languages": ["en"] }))
            .await;
    let asked = TranscribeRequest {
        provider: String::new(),
        model: "openai/whisper-large-v3".into(),
        audio: Media::bytes("audio/mpeg", &b"ID3\x04"[..]),
        language: Some("en".into()),
        prompt: None,
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
    assert_eq!(
        (transcript.text.as_str(), transcript.language.as_deref()),
        ("Hello there.", Some("en"))
    );
    let sent = server.asked().await;
    assert_eq!(sent.path, "/fal-ai/whisper");
    let expected = json!({ "audio_url": "data:audio/mpeg;base64,SUQzBA==", "task": "transcribe", "language": "en" });
    assert_eq!(sent.json(), expected);
}

#[tokio::test]
async fn refusals_keep_their_kind_and_words_without_the_key() {
    let told = |detail: Value| Answer::json(json!({ "detail": detail }));
    for (answer, kind, words) in [
        (told(json!(format!("no user for key {KEY}"))).status(401), ModelErrorKind::Unauthorized, "no user for key …"),
        (told(json!("Application 'none' not found")).status(404), ModelErrorKind::UnknownModel, "Application 'none' not found"),
        (told(json!("slow")).status(429), ModelErrorKind::RateLimited { retry_after: None }, "slow"),
        (told(json!("oh")).status(500), ModelErrorKind::Server, "oh"),
        (
            told(json!([{ "loc": ["body", "prompt"], "msg": "field required", "type": "value_error.missing" }])).status(422),
            ModelErrorKind::BadRequest,
            "prompt: field required",
        ),
        (Answer::json(json!({})), ModelErrorKind::Protocol, "fal_ai answered with something unexpected: a job without a plain `request_id`"),
    ] {
        let server = StandIn::start(move |_| answer.clone()).await;
        let e = draw(&client(&server), request("fal-ai/none")).await.unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (kind, words));
    }
    let e = draw(
        &with_pace(&account("fal_ai", &nowhere().await), Route::Direct, AT_ONCE),
        request("fal-ai/a"),
    )
    .await;
    let e = e.unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Connection);
    assert!(e.message.starts_with("fal_ai cannot be reached: "), "{e}");
}

#[tokio::test]
async fn ids_that_are_no_path_are_refused_before_anything_is_sent() {
    let mut server = StandIn::start(queued).await;
    for id in [
        "",
        "flux",
        "fal-ai/../secrets",
        "fal-ai/flux?x=1",
        "fal-ai//flux",
        "https://example.com/a",
        "fal-ai/#",
    ] {
        let e = draw(&client(&server), request(id)).await.unwrap_err();
        assert_eq!(e.kind, ModelErrorKind::UnknownModel, "{id}");
        assert_eq!(e.param.as_deref(), Some("model"));
    }
    assert_eq!(server.all_asked().len(), 0);
}

#[tokio::test]
async fn a_job_that_fails_says_why() {
    let failing = |status: Value, result: Answer| {
        StandIn::start(move |asked| match asked.path.split('/').next_back() {
            Some("status") => Answer::json(status.clone()),
            Some(ID) => result.clone(),
            _ => queued(asked),
        })
    };
    let completed = json!({ "status": "COMPLETED" });
    let detail = json!({ "detail": [{ "loc": ["body", "prompt"], "msg": "The content was flagged by a content checker.",
        "type": "content_policy_violation" }] });
    for (status, result, kind, words) in [
        (
            json!({ "status": "COMPLETED", "error": format!("worker died of {KEY}") }),
            Answer::json(json!({})),
            ModelErrorKind::BadRequest,
            "the job failed: worker died of …",
        ),
        (
            completed.clone(),
            Answer::json(detail).status(422),
            ModelErrorKind::Refused,
            "prompt: The content was flagged by a content checker.",
        ),
        (
            completed.clone(),
            Answer::json(json!({ "images": [], "has_nsfw_concepts": [true] })),
            ModelErrorKind::Refused,
            "fal withheld the picture: its safety checker was set off",
        ),
        (
            completed.clone(),
            Answer::json(json!({ "text": "" })),
            ModelErrorKind::Protocol,
            "fal_ai answered with something unexpected: a result without a picture; it has [text]",
        ),
        (
            json!({ "status": "DANCING" }),
            Answer::json(json!({})),
            ModelErrorKind::Protocol,
            "fal_ai answered with something unexpected: the status \"DANCING\"",
        ),
    ] {
        let server = failing(status, result).await;
        let e = draw(&client(&server), request("fal-ai/flux/dev"))
            .await
            .unwrap_err();
        assert_eq!((e.kind, e.message.as_str()), (kind, words));
    }
}

#[tokio::test]
async fn looks_that_fail_for_a_while_do_not_lose_a_job() {
    let looks = AtomicU32::new(0);
    let server = StandIn::start(move |asked| match asked.path.split('/').next_back() {
        Some("status") => match looks.fetch_add(1, Ordering::Relaxed) {
            0..3 => Answer::json(json!({ "detail": "busy" })).status(503),
            _ => Answer::json(json!({ "status": "COMPLETED" })),
        },
        Some(ID) => {
            Answer::json(json!({ "images": [{ "url": "data:image/png;base64,iVBORw0KGgo=" }] }))
        }
        _ => queued(asked),
    })
    .await;
    assert_eq!(
        draw(&client(&server), request("fal-ai/flux/dev"))
            .await
            .unwrap()
            .len(),
        1
    );
    let mut server = StandIn::start(|asked| match asked.path.ends_with("/status") {
        true => Answer::json(json!({ "detail": "busy" })).status(503),
        false => queued(asked),
    })
    .await;
    let e = draw(&client(&server), request("fal-ai/flux/dev"))
        .await
        .unwrap_err();
    assert_eq!(
        (e.kind, e.message.as_str()),
        (ModelErrorKind::Server, "busy")
    );
    cancelled(&mut server).await;
}

/// Waits until the job is cancelled.
async fn cancelled(server: &mut StandIn) {
    let line = format!("PUT /fal-ai/flux/requests/{ID}/cancel");
    loop {
        let asked = server.asked().await;
        if asked.line() == line {
            assert_eq!(asked.header("authorization"), format!("Key {KEY}"));
            return;
        }
    }
}

fn endless(asked: &Asked) -> Answer {
    match asked.path.ends_with("/status") {
        true => Answer::json(json!({ "status": "IN_PROGRESS" })).status(202),
        false => queued(asked),
    }
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_is_cancelled() {
    let mut server = StandIn::start(endless).await;
    let provider = client(&server);
    let mut work = provider
        .draw
        .as_ref()
        .unwrap()
        .draw(request("fal-ai/flux/dev"));
    loop {
        tokio::select! {
            made = &mut work => panic!("{made:?}"),
            asked = server.asked() => if asked.path.ends_with("/status") { break },
        }
    }
    drop(work);
    drop(provider);
    cancelled(&mut server).await;
}

#[tokio::test]
async fn a_job_whose_ticket_has_not_come_yet_is_cancelled_as_well() {
    let gate = Arc::new(Notify::new());
    let held = gate.clone();
    let mut server = StandIn::start(move |asked| match asked.method.as_str() {
        "POST" => queued(asked).after(&held),
        _ => endless(asked),
    })
    .await;
    let provider = client(&server);
    let mut work = provider
        .draw
        .as_ref()
        .unwrap()
        .draw(request("fal-ai/flux/dev"));
    tokio::select! {
        made = &mut work => panic!("{made:?}"),
        asked = server.asked() => assert_eq!(asked.line(), "POST /fal-ai/flux/dev"),
    }
    drop(work);
    gate.notify_one();
    cancelled(&mut server).await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_cancelled() {
    let mut server = StandIn::start(endless).await;
    let asked = ImageRequest {
        timeout_s: Some(1e-6),
        ..request("fal-ai/flux/dev")
    };
    let e = draw(&client(&server), asked).await.unwrap_err();
    assert_eq!(
        (e.kind, e.message.as_str()),
        (ModelErrorKind::TimedOut, "fal_ai did not answer in time")
    );
    cancelled(&mut server).await;
    let asked = ImageRequest {
        timeout_s: Some(-1.0),
        ..request("fal-ai/flux/dev")
    };
    let e = draw(&client(&server), asked).await.unwrap_err();
    assert_eq!(e.message, "timeout_s is -1, not a number of seconds");
}

#[tokio::test]
async fn the_paths_of_a_job_are_used_at_the_own_address_only() {
    let mut server = StandIn::start(|asked| match asked.path.split('/').next_back() {
        Some("status") => Answer::json(json!({ "status": "COMPLETED" })),
        Some("job-1") => Answer::json(json!({ "images": [{ "url": "data:image/png;base64,iVBORw0KGgo=" }] })),
        _ => Answer::json(json!({ "request_id": "job-1", "response_url": "https://evil.example/../x?requests/job-1" })),
    })
    .await;
    draw(&client(&server), request("fal-ai/flux/dev"))
        .await
        .unwrap();
    let lines: Vec<String> = server.all_asked().iter().map(Asked::line).collect();
    let expected = [
        "POST /fal-ai/flux/dev",
        "GET /fal-ai/flux/requests/job-1/status",
        "GET /fal-ai/flux/requests/job-1",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn well_known_models_are_listed_once() {
    let provider = client(&making(|_| json!({})).await);
    let models = provider.list.unwrap().models().await.unwrap();
    let mut ids: Vec<_> = models.iter().map(|model| model.id.as_str()).collect();
    assert!(ids.contains(&"fal-ai/flux/schnell"));
    let kokoro = models
        .iter()
        .find(|model| model.id.contains("kokoro"))
        .unwrap();
    assert!(kokoro.voices.contains(&"af_heart".to_owned()));
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
