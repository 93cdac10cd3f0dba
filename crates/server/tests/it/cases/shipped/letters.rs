//! Workflows over mail.

use super::stage::Stage;

const DIGEST: &str = "From: Digest <digest@news.example>\r\nTo: ada@example.com\r\nSubject: Your weekly digest\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe ten most read articles of this week, and a recipe. If you no longer want this, unsubscribe at the end of this page.\r\n";

#[tokio::test]
async fn a_message_is_read_sorted_and_labelled() {
    let Some(played) = Stage::of("categorize-mails").letter(DIGEST).play().await else {
        return;
    };
    let played = played.completed();
    // The template keeps a hundred characters of the text.
    let want = "subject: Your weekly digest\nsender: Digest <digest@news.example>\ncontent: The ten most read articles of this week, and a recipe. If you no longer want this, unsubscribe";
    let prompts = played.asked.prompts();
    assert_eq!(prompts.len(), 1);
    assert!(prompts[0].starts_with(want), "{}", prompts[0]);
    assert!(!prompts[0].contains("end of this page"), "{}", prompts[0]);
    assert_eq!(played.mailbox.labels(), [["newsletter"]]);
    let heard = played.mailbox.heard();
    let position = |start: &str| heard.iter().position(|h| h.starts_with(start));
    // Looking changes nothing; labelling happens in the mailbox of all.
    assert!(
        position("EXAMINE <INBOX>") < position("SELECT <[Gmail]/All Mail>"),
        "{heard:?}"
    );
    let search = &heard[position("UID SEARCH CHARSET UTF-8 X-GM-RAW <after:").unwrap()];
    assert!(search.ends_with('>'), "{search}");
    assert!(
        position("UID STORE 1 +X-GM-LABELS <newsletter>").is_some(),
        "{heard:?}"
    );
    let reasoning = played.pieces("preview_reasoning");
    assert!(
        reasoning.starts_with("A digest that goes to many"),
        "{reasoning}"
    );
}

const STANDUP: &str = "From: Bo <bo@work.example>\r\nTo: ada@example.com\r\nSubject: Standup notes\r\n\r\nWe ship on Friday.\r\n";

#[tokio::test]
async fn each_of_several_messages_gets_its_label_where_the_labelling_node_takes_them_in_pairs() {
    // As it was shipped the node takes the latest message for every label, which fits one message only.
    let stage = Stage::of("categorize-mails")
        .zipping("6633542c-e07a-4847-845d-49c5d079647e")
        .letter(DIGEST)
        .letter(STANDUP);
    let Some(played) = stage.play().await else {
        return;
    };
    let played = played.completed();
    // The newest message comes first.
    let prompts = played.asked.prompts();
    assert_eq!(prompts.len(), 2);
    assert!(
        prompts[0].starts_with("subject: Standup notes\nsender: Bo <bo@work.example>\n"),
        "{}",
        prompts[0]
    );
    assert_eq!(played.mailbox.labels(), [["newsletter"], ["work"]]);
}

#[tokio::test]
async fn an_empty_mailbox_asks_no_model() {
    let Some(played) = Stage::of("categorize-mails").play().await else {
        return;
    };
    let played = played.completed();
    assert!(played.asked.chats.is_empty());
    assert!(
        played
            .mailbox
            .heard()
            .iter()
            .any(|h| h.starts_with("UID SEARCH"))
    );
}
