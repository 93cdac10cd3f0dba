use nodetool_sdk::services::Services;

use super::*;

fn row(role: &str, content: Value, calls: Value) -> MessageRow {
    MessageRow {
        role: role.into(),
        content: serde_json::to_string(&content).ok(),
        tool_calls: serde_json::to_string(&calls).ok(),
        ..MessageRow::default()
    }
}

#[test]
fn parts_are_told_in_order_and_unknown_ones_are_left_out() {
    let image = Value::map([("uri", Value::from("/api/storage/a.png"))]);
    let content = Value::list([
        Value::map([("type", "text".into()), ("text", Value::from("see"))]),
        Value::map([("type", "image_url".into()), ("image", image)]),
        Value::map([("type", Value::from("hologram"))]),
    ]);
    let said = spoken(&row("user", content, Value::Null)).unwrap();
    assert_eq!(said.parts.len(), 2);
    assert_eq!(said.plain_text(), "see");
    assert!(spoken(&row("agent_execution", "x".into(), Value::Null)).is_none());
}

#[tokio::test]
async fn calls_survive_the_store_with_arguments_that_are_none_as_they_were_written() {
    let assets = Services::none().assets;
    for arguments in [r#"{"a":[1,2]}"#, "{}", "{broken"] {
        let mut message = ChatMessage::text(Role::Assistant, "so");
        message.tool_calls.push(ToolCall {
            id: "c1".into(),
            name: "look".into(),
            arguments: arguments.into(),
            signature: Some("s".into()),
            ..ToolCall::default()
        });
        let stored = to_row(&message, &*assets).await.unwrap();
        assert_eq!(spoken(&stored).unwrap(), message);
    }
}

#[tokio::test]
async fn reasoning_is_kept_where_a_provider_wants_it_back() {
    let assets = Services::none().assets;
    let thought = |signature: Option<&str>| Part::Thought {
        text: "hm".into(),
        signature: signature.map(str::to_owned),
    };
    let text = || Part::Text("yes".into());
    let plain = kept(&[thought(None), text()], &*assets).await.unwrap();
    assert_eq!(plain, "yes".into());
    let parts = kept(&[thought(Some("sig")), text()], &*assets)
        .await
        .unwrap();
    assert_eq!(parts.as_list().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_note_in_its_place() {
    let assets = Services::none().assets;
    let at = |address: &str| {
        let source = MediaSource::Url(address.into());
        let (mime, name) = (String::new(), None);
        Part::Image(Media { mime, name, source })
    };
    let mut messages = [ChatMessage {
        parts: vec![
            at("asset://gone"),
            at("data:image/gif;base64,R0lGODlh"),
            at("https://x.test/a.png"),
        ],
        ..ChatMessage::text(Role::User, "")
    }];
    fetch(&mut messages, &*assets).await;
    let [gone, here, far] = &messages[0].parts[..] else {
        panic!("three parts");
    };
    assert!(matches!(gone, Part::Text(note) if note.starts_with("[image left out")));
    let gif = Media::bytes("image/gif", &b"GIF89a"[..]);
    assert_eq!(*here, Part::Image(gif));
    assert_eq!(*far, at("https://x.test/a.png"));
}
