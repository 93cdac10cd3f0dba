//! `nodetool chat` where no person sits: one message, one answer.

use serde_json::json;

use super::process::{nodetool, nodetool_reading, text};
use crate::wire::server::{TestServer, folder};

const SAID: &str = "This is the built-in demonstration, not a language model. You said: ";

#[test]
fn a_message_is_answered_without_a_server_and_without_a_key() {
    let folder = folder();
    let data = ["--data-dir", text(folder.path())];
    let message = [&["chat", "is", "anybody", "there?"], &data[..]].concat();
    let ended = nodetool_reading(&message, b"");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("{SAID}is anybody there?\n"));
    let ended = nodetool_reading(&[&["chat", "sum up:"], &data[..]].concat(), b"a long text");
    assert_eq!(ended.stdout, format!("{SAID}sum up:\n\na long text\n"));
    let ended = nodetool(&[&["chat", "--models"], &data[..]].concat());
    assert_eq!(ended.stdout, "local/echo\n");
}

#[test]
fn what_cannot_be_asked_is_told_in_a_line() {
    let folder = folder();
    let data = ["--data-dir", text(folder.path())];
    let ended = nodetool_reading(&[&["chat", "-m", "gpt-4o", "x"], &data[..]].concat(), b"");
    assert!(
        ended
            .failed()
            .starts_with("OPENAI_API_KEY is not configured")
    );
    let ended = nodetool_reading(&[&["chat", "-m", "nobodys", "x"], &data[..]].concat(), b"");
    assert!(ended.failed().contains("`nobodys`"), "{ended:?}");
    let ended = nodetool_reading(&[&["chat"], &data[..]].concat(), b" \n");
    assert!(ended.failed().starts_with("nothing to say"), "{ended:?}");
    let picture = folder.path().join("x.png");
    std::fs::write(&picture, "no picture").unwrap();
    let image = ["chat", "--image", text(&picture), "what is it?"];
    let ended = nodetool_reading(&[&image, &data[..]].concat(), b"");
    assert!(ended.failed().contains("is no picture"), "{ended:?}");
}

#[tokio::test]
async fn a_server_is_talked_to_by_its_address() {
    let script = folder();
    let path = script.path().join("script.json");
    let turns = json!([
        { "contains": "steer", "turns": [{ "text": "\u{1b}[31mred\u{7}", "reasoning": "hm" }] },
        { "contains": "break", "turns": [{ "text": "so far", "break_off": { "error": { "message": "gone" } } }] },
    ]);
    std::fs::write(&path, turns.to_string()).unwrap();
    let fake = format!("fake={}", text(&path));
    let server = TestServer::start_with(&["--enable-fake-provider", "--provider-url", &fake]);
    let url = format!("http://{}", server.address());
    let ask = |message: &str| {
        let arguments = [
            "chat",
            "--url",
            &url,
            "-p",
            "fake",
            "-m",
            "fake-model-v1",
            message,
        ];
        nodetool_reading(&arguments, b"")
    };
    let ended = ask("hello");
    assert_eq!(
        ended.stdout, "Hello, this is a fake response!\n",
        "{ended:?}"
    );
    // A model does not get to steer the terminal.
    assert_eq!(ask("steer").stdout, "[31mred\n");
    let broken = ask("break");
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert_eq!(broken.stdout, "so far\n");
    assert_eq!(broken.stderr, "error: gone\n");
}
