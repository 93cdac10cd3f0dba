//! Turns that make media (socket spec 8.6).

use serde_json::{Value, json};

use super::super::client::{Mode, open};
use super::{is_last, of, plain, said, stored};

fn wish(thread: &str, text: &str, media: Value) -> Value {
    let mut data = said(thread, text);
    data["media_generation"] = media;
    data
}

#[tokio::test]
async fn pictures_and_speech_are_stored_as_assets() {
    let server = plain();
    let client = server.client();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    for (media, part, kind, count) in [
        (
            json!({ "mode": "image", "provider": "fake", "model": "fake-image-model", "variations": 2 }),
            "image_url",
            "image/png",
            2,
        ),
        (
            json!({ "mode": "audio", "provider": "fake", "model": "fake-tts", "audio_format": "pcm" }),
            "audio",
            "audio/wav",
            1,
        ),
    ] {
        let messages = socket.chat(wish("t", "a cat", media.clone())).await;
        let begin = &messages[0];
        assert_eq!(
            (
                &begin["content"],
                &begin["content_metadata"]["media_generation"]
            ),
            (&json!(""), &media)
        );
        let made = stored(&messages)[0];
        assert_eq!(made["media_generation"], media);
        let parts = made["content"].as_array().unwrap();
        assert_eq!(parts.len(), count);
        let field = part.trim_end_matches("_url");
        for made in parts {
            assert_eq!(made["type"], part);
            let id = made[field]["asset_id"].as_str().unwrap();
            let asset = client.get(&format!("/api/assets/{id}")).await.ok();
            assert_eq!(asset["content_type"], kind);
        }
        assert!(is_last(messages.last().unwrap()));
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_told() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let fake =
        |mode: &str| json!({ "mode": mode, "provider": "fake", "model": "fake-image-model" });
    for (text, media, expected) in [
        ("", fake("image"), "Please enter a prompt"),
        (
            "x",
            fake("image_edit"),
            "A source image is required — drop or attach an image first",
        ),
        (
            "x",
            fake("smell"),
            "Media generation mode \"smell\" is not yet supported",
        ),
        (
            "x",
            fake("video"),
            "Generation failed: the provider `fake` does not do videos",
        ),
    ] {
        let messages = socket.chat(wish("t", text, media)).await;
        let errors = of(&messages, "error");
        assert_eq!(errors.len(), 1, "{messages:?}");
        assert_eq!(errors[0]["message"], expected);
        assert!(is_last(messages.last().unwrap()));
    }
}
