use proptest::prelude::*;

use super::*;
use crate::models::{Media, ToolCall};

fn said(role: Role, words: usize) -> ChatMessage {
    ChatMessage::text(role, "word ".repeat(words))
}

fn calling(ids: &[String]) -> ChatMessage {
    let mut message = said(Role::Assistant, 1);
    message.tool_calls = ids.iter().map(|id| call(id)).collect();
    message
}

fn call(id: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: r#"{"a": 1}"#.into(),
        ..ToolCall::default()
    }
}

#[test]
fn texts_calls_and_images_count() {
    let mut message = calling(&["x".into()]);
    message
        .parts
        .push(Part::Image(Media::bytes("image/png", "")));
    message
        .parts
        .push(Part::Audio(Media::bytes("audio/wav", "")));
    // One word, the name, two words of arguments, one image.
    assert_eq!(count_message(&message, &count_words), 1 + 1 + 2 + 1_000);
}

#[test]
fn tools_count_as_json_with_sorted_keys() {
    let spec = ToolSpec {
        name: "look".into(),
        description: "Looks.".into(),
        parameters: serde_json::from_str(r#"{"type":"object","b":1,"a":2}"#).unwrap(),
        ..ToolSpec::default()
    };
    let want =
        r#"{"description":"Looks.","name":"look","parameters":{"a":2,"b":1,"type":"object"}}"#;
    let length = |text: &str| text.len();
    assert_eq!(count_tools(&[spec], &length), want.len());
}

#[test]
fn the_oldest_goes_first_and_the_system_and_the_newest_stay() {
    let messages = vec![
        said(Role::System, 5),
        said(Role::User, 10),
        said(Role::Assistant, 10),
        said(Role::User, 30),
    ];
    let kept = trim(messages.clone(), 46, &count_words);
    assert_eq!(kept, [&messages[..1], &messages[2..]].concat());
    let kept = trim(messages.clone(), 1, &count_words);
    assert_eq!(kept, [messages[0].clone(), messages[3].clone()]);
    assert_eq!(trim(messages.clone(), 55, &count_words), messages);
}

#[test]
fn ten_thousand_messages_are_counted_once_each() {
    let messages: Vec<_> = (0..10_000).map(|_| said(Role::User, 3)).collect();
    let counted = std::sync::atomic::AtomicUsize::new(0);
    let count = |text: &str| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        count_words(text)
    };
    let kept = trim(messages, 300, &count);
    assert_eq!(kept.len(), 100);
    assert_eq!(counted.into_inner(), 10_000);
}

proptest! {
    #[test]
    fn pairs_stay_together_and_the_window_holds(
        shape in proptest::collection::vec((0u8..3, 0usize..6), 1..40),
        window in 0usize..120,
    ) {
        let mut messages = Vec::new();
        for (i, (kind, n)) in shape.into_iter().enumerate() {
            match kind {
                0 => messages.push(said(Role::User, n)),
                1 => messages.push(said(Role::System, n)),
                _ => {
                    let ids: Vec<String> = (0..n).map(|c| format!("{i}.{c}")).collect();
                    messages.push(calling(&ids));
                    messages.extend(ids.iter().map(|id| ChatMessage::tool(&call(id), "a b")));
                }
            }
        }
        let kept = trim(messages.clone(), window, &count_words);
        let closed = super::super::close_open_calls(kept.clone());
        prop_assert_eq!(&closed, &kept);
        let systems = |list: &[ChatMessage]| list.iter().filter(|m| m.role == Role::System).count();
        prop_assert_eq!(systems(&kept), systems(&messages));
        prop_assert_eq!(kept.last(), messages.last());
        let total: usize = kept.iter().map(|m| count_message(m, &count_words)).sum();
        let must: usize = kept[..start_of_last(&kept)]
            .iter()
            .filter(|m| m.role != Role::System)
            .map(|m| count_message(m, &count_words))
            .sum();
        // Too long only when nothing but what must stay is left.
        prop_assert!(total <= window || must == 0);
        // What is left is what was newest: nothing between kept turns is missing.
        let spoken = |list: &[ChatMessage]| -> Vec<ChatMessage> {
            list.iter().filter(|m| m.role != Role::System).cloned().collect()
        };
        prop_assert!(spoken(&messages).ends_with(&spoken(&kept)));
    }
}
