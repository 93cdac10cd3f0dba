//! Listening to a turn again, and from several sockets (socket spec 7.5).

use serde_json::{Value, json};

use super::super::client::{MODES, Mode, open};
use super::{is_last, plain, said, scripted, text};

/// A model that waits in the middle until its turn is stopped.
fn hanging() -> Value {
    json!([{ "contains": "wait", "turns": [{ "text": "one two three four", "hang": true }] }])
}

#[tokio::test]
async fn a_turn_goes_on_without_its_socket_and_is_heard_without_a_gap() {
    let server = scripted(&hanging(), &[]);
    for mode in MODES {
        let thread = format!("t{mode:?}");
        let mut first = open(&server, "/ws", mode).await;
        first.command("chat_message", said(&thread, "wait")).await;
        let begun = first.until("chunk").await;
        let seen = begun["chat_seq"].as_u64().unwrap();
        drop(first);
        let mut second = open(&server, "/ws", mode).await;
        second.command("list_chat_turns", json!({})).await;
        let active = second.next().await;
        assert_eq!(
            (&active["type"], &active["thread_id"], &active["status"]),
            (
                &json!("chat_turn_active"),
                &json!(thread),
                &json!("running")
            )
        );
        let listed = second.next().await;
        assert_eq!(
            listed,
            json!({ "message": "Chat turns listed", "count": 1 })
        );
        let mut third = open(&server, "/ws", mode).await;
        for socket in [&mut second, &mut third] {
            let data = json!({ "thread_id": thread, "last_seq": seen });
            socket.command("resume_chat", data).await;
            let ack = socket.next().await;
            assert_eq!(ack["message"], "Chat resumed", "{ack}");
            let resumed = socket.next().await;
            assert_eq!(
                (&resumed["type"], &resumed["status"], &resumed["last_seq"]),
                (&json!("chat_resumed"), &json!("running"), &json!(seen))
            );
            assert_eq!(resumed["replay_incomplete"], false);
        }
        second.command("stop", json!({ "thread_id": thread })).await;
        for socket in [&mut second, &mut third] {
            let rest = socket.turn(&thread).await;
            let numbers: Vec<_> = rest
                .iter()
                .map(|m| m["chat_seq"].as_u64().unwrap())
                .collect();
            let expected: Vec<_> = (seen + 1..=seen + rest.len() as u64).collect();
            assert_eq!(numbers, expected, "no gap and no duplicate");
            assert!(rest.iter().any(|m| m["type"] == "message"));
            assert_eq!(rest.last().unwrap()["type"], "generation_stopped");
        }
        third.check_quiet().await;
    }
}

#[tokio::test]
async fn a_turn_that_has_ended_is_replayed_and_those_who_know_nothing_get_what_follows_the_last_message()
 {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let whole = socket.chat(said("t", "hi")).await;
    let mut again = open(&server, "/ws", Mode::Text).await;
    for _ in 0..2 {
        let data = json!({ "thread_id": "t", "last_seq": 2 });
        let ack = again.ask("resume_chat", data).await;
        assert_eq!(
            (&ack["message"], &ack["replay_count"]),
            (&json!("Chat resumed"), &json!(4))
        );
        let resumed = again.next().await;
        assert_eq!(
            (&resumed["status"], &resumed["replay_count"]),
            (&json!("finished"), &json!(4))
        );
        let mut rest = Vec::new();
        while !rest.last().is_some_and(is_last) {
            rest.push(again.next().await);
        }
        assert_eq!(rest, whole[2..], "unchanged and in order");
    }
    again
        .command("resume_chat", json!({ "thread_id": "t", "last_seq": -1 }))
        .await;
    again.next().await;
    let resumed = again.next().await;
    assert_eq!(
        (&resumed["replay_count"], &resumed["replay_incomplete"]),
        (&json!(1), &json!(true))
    );
    assert!(is_last(&again.next().await));
    // What comes later is heard by everybody.
    let messages = socket.chat(said("t", "and?")).await;
    assert_eq!(text(&again.turn("t").await), text(&messages));
}

#[tokio::test]
async fn a_thread_without_a_turn_has_nothing_to_resume() {
    let server = plain();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let data = json!({ "thread_id": "nope", "last_seq": 7.0 });
        let ack = socket.ask("resume_chat", data).await;
        assert_eq!(
            ack,
            json!({ "message": "No chat turn to resume", "thread_id": "nope", "replay_count": 0 })
        );
        let resumed = socket.next().await;
        assert_eq!(
            resumed,
            json!({
                "type": "chat_resumed", "thread_id": "nope", "status": "unknown", "last_seq": 7,
                "replay_count": 0, "replay_incomplete": false,
            })
        );
        let told = socket.ask("resume_chat", json!({})).await;
        assert_eq!(told["error"], "thread_id is required");
    }
}

#[tokio::test]
async fn messages_that_are_gone_are_said_to_be() {
    let server = scripted(&json!([]), &["--chat-replay-buffer-events", "2"]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    socket.command("chat_message", said("t", "hi")).await;
    socket.until_such(is_last).await;
    let data = json!({ "thread_id": "t", "last_seq": 1 });
    let mut again = open(&server, "/ws", Mode::Text).await;
    again.ask("resume_chat", data).await;
    let resumed = again.next().await;
    assert_eq!(
        (&resumed["replay_count"], &resumed["replay_incomplete"]),
        (&json!(2), &json!(true))
    );
}

#[tokio::test]
async fn the_permission_mode_is_one_of_three() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let ask = |mode: &str| json!({ "thread_id": "t", "permission_mode": mode });
    let told = socket.ask("set_permission_mode", ask("plan")).await;
    assert_eq!(
        told,
        json!({ "message": "Permission mode set to plan", "thread_id": "t" })
    );
    let told = socket.ask("set_permission_mode", ask("god")).await;
    assert_eq!(told["error"], "invalid_command");
}
