//! Workflows whose agents search: with tools, and with nodes they control.

use nodetool_protocol::Value;
use nodetool_sdk::models::{ChatRequest, Role};

use super::stage::Stage;
use super::studio::drawn;

const JSON: &str = "application/json";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[tokio::test]
async fn an_agent_words_a_search_and_the_search_node_finds_pages() {
    let found = r#"{"organic_results":[{"position":1,"title":"Agent toolkits","link":"https://e.org/kits","snippet":"Libraries for agents."}]}"#;
    let stage = Stage::of("agent-google-search").page(
        "serpapi.com/search.json?engine=google&",
        JSON,
        found,
    );
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    assert_eq!(played.asked.prompts(), ["search for agent libs"]);
    let words = "open source libraries for AI agents";
    assert_eq!(played.network.searched("google", "q"), [words]);
    assert_eq!(played.network.searched("google", "api_key"), ["k3y"]);
    assert_eq!(
        json(&played.pieces("a5dc6d30")),
        Value::map([("search", words.into())])
    );
    let results = played.result("d6a1dc18");
    let results = results.get("results").and_then(Value::as_list).unwrap();
    assert_eq!(results[0].get("link"), Some(&"https://e.org/kits".into()));
}

#[tokio::test]
async fn claude_searches_with_the_node_it_controls_and_its_brief_is_saved() {
    let found = r#"{"organic_results":[{"position":1,"title":"Private by default","link":"https://e.org/p","snippet":"A review."}]}"#;
    let page = "serpapi.com/search.json?engine=duckduckgo&";
    let stage = Stage::of("search-duckduckgo").page(page, JSON, found);
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let asked = &played.asked;
    assert_eq!(asked.chats.len(), 2);
    assert_eq!(
        (&*asked.chats[0].provider, asked.tools(0).len()),
        ("anthropic", 1)
    );
    assert_eq!(asked.tools(0), asked.tools(1));
    let query = "best privacy tools 2026";
    assert_eq!(played.network.searched("duckduckgo", "q"), [query]);
    let answers = asked.answers(1);
    assert_eq!(answers.len(), 1);
    let answer = json(&answers[0].1);
    let results = answer.get("results").and_then(Value::as_list).unwrap();
    assert_eq!(results[0].get("title"), Some(&"Private by default".into()));
    // Without a folder the node gives the text it would write.
    let saved = played.result("save-analysis");
    let text = saved.get("output").and_then(Value::as_str).unwrap();
    let brief = "One source stands out: Private by default. Missing: independent audits.";
    assert_eq!(json(text), brief.into());
}

#[tokio::test]
async fn a_learning_path_is_researched_with_tools_and_then_written() {
    let stage = Stage::of("learning-path-generator")
        .tool("google_search", |_| {
            Ok("1. https://docs.docker.com/get-started/".into())
        })
        .tool("browser", |_| Ok("Docker's own introduction".into()));
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let calls = played.tools.calls();
    let names: Vec<&str> = calls.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["google_search"]);
    assert_eq!(
        calls[0].1.get("query"),
        Some(&"docker getting started".into())
    );
    let last = played.asked.chats.len() - 1;
    let tools = played.asked.tools(last);
    for name in ["google_search", "browser", "finish_step"] {
        assert!(tools.contains(&name), "{tools:?}");
    }
    let answers = played.asked.answers(last);
    assert!(
        answers
            .iter()
            .any(|(_, text)| text.contains("docs.docker.com/get-started"))
    );
    let path = played.output("learning_path_markdown");
    let path = path[0].as_str().unwrap();
    for part in [
        "# Learning path: Getting Started with Docker",
        "### Several services",
    ] {
        assert!(path.contains(part), "{path}");
    }
}

/// Addresses of the pictures a conversation has seen made, in order.
fn drawn_at(chat: &ChatRequest) -> Vec<String> {
    let tools = chat.messages.iter().filter(|m| m.role == Role::Tool);
    let answers = tools.filter(|m| {
        let name = m.name.as_deref().unwrap_or_default();
        name.starts_with("hero_") || name.starts_with("scene_")
    });
    let address = |answer: Value| {
        let picture = answer.get("output")?.clone();
        picture.get("uri")?.as_str().map(str::to_owned)
    };
    answers
        .filter_map(|m| address(json(&m.plain_text())))
        .collect()
}

/// The page, once all pictures are there.
fn page(chat: &ChatRequest) -> Option<String> {
    let pictures = drawn_at(chat);
    (pictures.len() == 5).then(|| {
        let images = pictures.iter().map(|uri| format!("<img src=\"{uri}\">"));
        format!(
            "<!DOCTYPE html><html><body>{}</body></html>",
            images.collect::<String>()
        )
    })
}

#[tokio::test]
async fn a_travel_guide_is_researched_illustrated_and_saved_as_a_page() {
    let stage = Stage::of("travel-planner-inspiration")
        .page("serpapi.com/search.json?engine=google_flights&", JSON, r#"{"best_flights":[{"price":812,"flights":[{"airline":"Aeria","flight_number":"AE 1","departure_airport":{"id":"SFO","time":"2026-05-01 10:00"},"arrival_airport":{"id":"BER","time":"2026-05-02 09:00"}}]}]}"#)
        .page("serpapi.com/search.json?engine=google_hotels&", JSON, r#"{"properties":[{"name":"Spreehof","rate_per_night":{"lowest":"$140"},"overall_rating":4.4}]}"#)
        .page("serpapi.com/search.json?engine=google_events&", JSON, r#"{"events_results":[{"title":"May festival","date":{"when":"1 May"}}]}"#)
        .page("serpapi.com/search.json?engine=google_images&", JSON, r#"{"images_results":[{"original":"https://e.org/berlin.jpg"}]}"#)
        .page("serpapi.com/search.json?engine=google&", JSON, r#"{"organic_results":[{"title":"Hidden yards","link":"https://e.org/yards"}]}"#)
        .writing(page);
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    let asked = &played.asked;
    assert_eq!(
        asked.tools(0),
        [
            "google_flights",
            "google_hotels",
            "local_events",
            "web_search",
            "destination_photos",
            "hero_image_16_9",
            "scene_1_4_3",
            "scene_2_4_3",
            "scene_3_4_3",
            "scene_4_4_3",
        ]
    );
    for (engine, field, want) in [
        ("google_flights", "departure_id", "SFO"),
        ("google_flights", "return_date", "2026-05-06"),
        ("google_flights", "adults", "2"),
        ("google_hotels", "q", "Hotels in Berlin Mitte"),
        ("google_events", "q", "Events in Berlin"),
        ("google", "q", "hidden gems in Berlin"),
        ("google_images", "q", "Berlin skyline"),
    ] {
        assert_eq!(
            played.network.searched(engine, field),
            [want],
            "{engine} {field}"
        );
    }
    let answers = asked.answers(1);
    let of = |name: &str| {
        let found = answers.iter().find(|(n, _)| *n == name);
        &found.unwrap_or_else(|| panic!("{name} in {answers:?}")).1
    };
    assert!(of("google_flights").contains("Aeria AE 1: SFO"));
    assert!(of("google_hotels").contains("$140"));
    assert!(of("destination_photos").contains("https://e.org/berlin.jpg"));
    assert_eq!(asked.chats.len(), 3);
    let pictures: Vec<(&str, Option<&str>)> = asked
        .images
        .iter()
        .map(|i| {
            (
                &*i.model,
                i.extra.get("aspect_ratio").and_then(Value::as_str),
            )
        })
        .collect();
    let model = "fal-ai/nano-banana-2";
    let mut want = vec![(model, Some("4:3")); 5];
    want[0] = (model, Some("16:9"));
    assert_eq!(pictures, want);
    // Each picture has an address of its own, and behind it is what was drawn.
    let addresses = drawn_at(&asked.chats[2]);
    assert_eq!(addresses.len(), 5);
    let assets = played.house.assets();
    for (address, image) in addresses.iter().zip(&asked.images) {
        let reference = Value::map([("type", "image".into()), ("uri", address.as_str().into())]);
        assert_eq!(
            assets.read(&reference).await.unwrap(),
            drawn(&image.prompt),
            "{address}"
        );
    }
    let saved = played.result("save-html");
    let saved = saved.get("output").unwrap();
    let stored = assets.read(saved).await.unwrap();
    assert_eq!(stored, page(&asked.chats[2]).unwrap());
}

#[tokio::test]
async fn a_search_that_fails_is_told_to_the_model_and_is_the_error_of_the_run() {
    // The network has no pages: whatever is asked for is not found.
    let Some(played) = Stage::of("search-duckduckgo").play().await else {
        return;
    };
    let answers = played.asked.answers(1);
    for said in [&answers[0].1, &played.ran.error] {
        assert!(said.contains("status 404"), "{said}");
        assert!(!said.contains("k3y"), "{said}");
    }
    // A controlled node that fails fails the job, whatever its controller makes of it.
    assert_eq!(played.ran.status, "failed");
}
