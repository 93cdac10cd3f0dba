//! Pictures.

use nodetool_providers::{Account, Provider, find};
use nodetool_sdk::models::{ImageRequest, Media, ModelError, ModelErrorKind};
use nodetool_sdk::protocol::Map;
use serde_json::{Value, json};

use super::stub::{Reply, Stub, impatient, ok, typed};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";
const PNG_64: &str = "iVBORw0KGgpyZXN0";

async fn draw(provider: &Provider, request: ImageRequest) -> Result<Vec<Media>, ModelError> {
    provider.draw.as_ref().unwrap().draw(request).await
}

fn cat(model: &str) -> ImageRequest {
    ImageRequest {
        model: model.into(),
        prompt: "a cat".into(),
        width: Some(512),
        height: Some(512),
        ..ImageRequest::default()
    }
}

fn drawn() -> Reply {
    Reply::With(ok(json!({"created": 1, "data": [{"b64_json": PNG_64}]})))
}

#[tokio::test]
async fn models_are_asked_in_sizes_they_have() {
    let asked = [
        (
            "gpt-image-1",
            json!({"model": "gpt-image-1", "prompt": "a cat", "n": 1, "size": "1024x1024"}),
        ),
        (
            "dall-e-2",
            json!({"model": "dall-e-2", "prompt": "a cat", "n": 1, "size": "512x512", "response_format": "b64_json"}),
        ),
    ];
    for (model, expected) in asked {
        let stub = Stub::answering([drawn()]).await;
        let got = draw(&stub.provider("openai"), cat(model)).await.unwrap();
        assert_eq!(got, [Media::bytes("image/png", PNG)]);
        let asked = stub.asked_once();
        assert_eq!(asked.path, "/v1/images/generations");
        assert_eq!(asked.json(), expected);
    }
}

#[tokio::test]
async fn several_pictures_of_a_model_that_draws_one_are_several_calls() {
    let stub = Stub::answering([drawn(), drawn()]).await;
    let request = ImageRequest {
        count: Some(2),
        ..cat("dall-e-3")
    };
    assert_eq!(
        draw(&stub.provider("openai"), request).await.unwrap().len(),
        2
    );
    assert!(stub.asked().iter().all(|asked| asked.json()["n"] == 1));
    let request = ImageRequest {
        count: Some(11),
        ..cat("dall-e-3")
    };
    let e = draw(&stub.provider("openai"), request).await.unwrap_err();
    assert_eq!(
        (e.kind, e.message.as_str()),
        (
            ModelErrorKind::BadRequest,
            "`count` is 11; expected 1 to 10"
        )
    );
}

#[tokio::test]
async fn diffusion_models_get_their_own_words() {
    let stub = Stub::answering([drawn()]).await;
    let request = ImageRequest {
        negative_prompt: Some("dogs".into()),
        guidance_scale: Some(3.5),
        num_inference_steps: Some(4),
        seed: Some(7),
        extra: Map::from([
            ("disable_safety_checker".into(), true.into()),
            ("model".into(), "other".into()),
        ]),
        ..cat("flux")
    };
    draw(&stub.provider("together"), request).await.unwrap();
    let expected = json!({"model": "flux", "prompt": "a cat", "n": 1, "width": 512, "height": 512,
        "negative_prompt": "dogs", "guidance_scale": 3.5, "steps": 4, "seed": 7, "disable_safety_checker": true});
    assert_eq!(stub.asked_once().json(), expected);
}

#[tokio::test]
async fn pictures_are_redrawn_from_a_form() {
    let stub = Stub::answering([drawn(), drawn()]).await;
    let source = || Media::bytes("image/png", &b"one"[..]);
    let request = |sources: Vec<Media>| ImageRequest {
        sources,
        negative_prompt: Some("dogs".into()),
        extra: Map::from([("quality".into(), "high".into())]),
        ..cat("gpt-image-1")
    };
    let provider = stub.provider("openai");
    draw(&provider, request(vec![source()])).await.unwrap();
    draw(&provider, request(vec![source(), source()]))
        .await
        .unwrap();
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = [
        field("model", "gpt-image-1"),
        field("prompt", "a cat\n\nDo not show: dogs"),
        field("n", "1"),
        field("size", "1024x1024"),
        field("quality", "high"),
    ];
    let asked = stub.asked();
    assert_eq!(asked[0].path, "/v1/images/edits");
    let (one, two) = (asked[0].form(), asked[1].form());
    assert_eq!(one[..5], fields);
    assert_eq!(one[5..], [field("image", "image0.png|image/png|one")]);
    assert_eq!(
        two[5..],
        [
            field("image[]", "image0.png|image/png|one"),
            field("image[]", "image1.png|image/png|one"),
        ]
    );
    let e = draw(
        &provider,
        request(vec![Media::bytes("text/plain", &b"x"[..])]),
    )
    .await
    .unwrap_err();
    assert_eq!(
        e.message,
        "source 0 is no picture: its type is `text/plain`"
    );
}

#[tokio::test]
async fn pictures_at_an_address_of_the_server_are_fetched_without_the_key() {
    // The picture is where the provider itself is, so one server has to answer both.
    let stub = Stub::answering([]).await;
    let url = format!("{}/files/a.png?signature=x", stub.address);
    stub.then([
        Reply::With(ok(json!({"created": 1, "data": [{"url": url}]}))),
        Reply::With(typed("image/png", PNG)),
    ]);
    let got = draw(&stub.custom(), cat("m")).await.unwrap();
    assert_eq!(got, [Media::bytes("image/png", PNG)]);
    let asked = stub.asked();
    assert_eq!(asked[1].path, "/v1/files/a.png");
    assert!(asked[1].headers.get("authorization").is_none());
    // What is neither public nor of the server's own network is not asked.
    for url in [
        "http://169.254.169.254/latest",
        "file:///etc/hosts",
        "ftp://x.test/a",
        "x",
    ] {
        let stub = Stub::with(ok(json!({"created": 1, "data": [{"url": url}]}))).await;
        let e = draw(&stub.custom(), cat("m")).await.unwrap_err();
        assert_eq!(e.kind, ModelErrorKind::Protocol, "{url}: {e}");
    }
}

#[tokio::test]
async fn answers_without_pictures_are_refused() {
    let cases: [Value; 5] = [
        json!({"data": []}),
        json!({}),
        json!({"data": [{}]}),
        json!({"data": [{"b64_json": "***"}]}),
        json!({"data": [{"b64_json": "aGVsbG8="}]}),
    ];
    for body in cases {
        let stub = Stub::with(ok(body.clone())).await;
        let e = draw(&stub.provider("openai"), cat("gpt-image-1"))
            .await
            .unwrap_err();
        assert_eq!(e.kind, ModelErrorKind::Protocol, "{body}");
    }
}

#[tokio::test]
async fn a_picture_that_never_comes_is_given_up() {
    let stub = Stub::answering([Reply::Never, Reply::Never]).await;
    let make = find("openai").unwrap().make;
    let impatient = make(&Account {
        patience: impatient(),
        ..stub.account("openai")
    });
    let e = draw(&impatient, cat("gpt-image-1")).await.unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::TimedOut);
    let request = ImageRequest {
        timeout_s: Some(0.04),
        ..cat("gpt-image-1")
    };
    let e = draw(&stub.provider("openai"), request).await.unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::TimedOut);
}
