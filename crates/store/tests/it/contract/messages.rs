//! What a database has to do for threads and messages.

use nodetool_store::{MessageRow, Store, StoreError, ThreadRow};

fn thread(id: &str, user: &str, at: i64) -> ThreadRow {
    ThreadRow {
        id: id.to_owned(),
        user_id: user.to_owned(),
        title: Some(format!("thread {id}")),
        created_at: at,
        updated_at: at,
    }
}

fn message(id: &str, thread: &str, at: i64) -> MessageRow {
    MessageRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        thread_id: thread.to_owned(),
        created_at: at,
        role: "user".to_owned(),
        ..MessageRow::default()
    }
}

async fn ids(store: &Store, thread: &str, newest_first: bool, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = store
            .list_messages("u", thread, newest_first, limit, &cursor)
            .await
            .unwrap();
        pages.push(page.rows.into_iter().map(|row| row.id).collect());
        cursor = page.next;
        if cursor.is_empty() {
            return pages;
        }
    }
}

pub(super) async fn a_thread_is_listed_renamed_and_deleted_by_its_owner_only(store: Store) {
    for (id, user, at) in [("b", "u", 1), ("a", "u", 2), ("c", "v", 3)] {
        store.insert_thread(thread(id, user, at)).await.unwrap();
    }
    for (newest_first, expected) in [(false, ["b", "a"]), (true, ["a", "b"])] {
        let page = store.list_threads("u", newest_first, 10, "").await.unwrap();
        let ids: Vec<&str> = page.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!((ids, page.next.as_str()), (expected.to_vec(), ""));
    }
    assert_eq!(store.get_thread("u", "c").await.unwrap(), None);
    let foreign = store.rename_thread("u", "c", "mine", 9).await;
    assert!(matches!(
        foreign,
        Err(StoreError::NotFound { kind: "thread", .. })
    ));
    assert!(store.delete_thread("u", "c").await.is_err());
    let before = store.get_thread("v", "c").await.unwrap().unwrap();
    let after = store.rename_thread("v", "c", "other", 9).await.unwrap();
    assert_eq!(
        (after.title.as_deref(), after.created_at, after.updated_at),
        (Some("other"), 3, 9)
    );
    assert_ne!(after.etag(), before.etag());
    assert_eq!(store.get_thread("v", "c").await.unwrap(), Some(after));
    let taken = store.insert_thread(thread("c", "u", 1)).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })));
}

pub(super) async fn a_message_reads_back_column_by_column(store: Store) {
    store.insert_thread(thread("t", "u", 1)).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let row = MessageRow {
        name: text("n"),
        content: text(r#"["c"]"#),
        tool_call_id: text("tc"),
        tool_calls: text("[1]"),
        workflow_id: text("w"),
        graph: text("{}"),
        tools: text("[2]"),
        collections: text("[3]"),
        input_files: text("[4]"),
        output_files: text("[5]"),
        provider: text("p"),
        model: text("m"),
        cost: Some(0.5),
        agent_mode: Some(true),
        help_mode: Some(false),
        agent_execution_id: text("e"),
        execution_event_type: text("x"),
        workflow_target: text("workflow"),
        ..message("m1", "t", 5)
    };
    store.insert_message(row.clone(), None).await.unwrap();
    assert_eq!(store.get_message("u", "m1").await.unwrap(), Some(row));
    assert_eq!(store.get_message("v", "m1").await.unwrap(), None);
}

pub(super) async fn messages_come_in_the_order_of_their_times_whatever_their_ids(store: Store) {
    store.insert_thread(thread("t", "u", 1)).await.unwrap();
    for (id, at) in [("z", 1), ("y", 2), ("b", 3), ("a", 3), ("x", 4)] {
        store
            .insert_message(message(id, "t", at), None)
            .await
            .unwrap();
    }
    assert_eq!(
        ids(&store, "t", false, 2).await,
        [vec!["z", "y"], vec!["a", "b"], vec!["x"]]
    );
    assert_eq!(
        ids(&store, "t", true, 2).await,
        [vec!["x", "b"], vec!["a", "y"], vec!["z"]]
    );
    assert_eq!(ids(&store, "t", false, 5).await.len(), 1);
}

pub(super) async fn a_message_enters_only_a_thread_of_its_owner(store: Store) {
    store.insert_thread(thread("t", "v", 1)).await.unwrap();
    for id in ["t", "nowhere"] {
        let refused = store.insert_message(message("m", id, 1), None).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound { kind: "thread", .. })),
            "{refused:?}"
        );
    }
    assert_eq!(store.get_message("u", "m").await.unwrap(), None);
}

pub(super) async fn a_message_and_the_thread_it_begins_are_stored_together_or_not_at_all(
    store: Store,
) {
    let begun = store
        .insert_message(message("m", "t", 1), Some(thread("t", "u", 1)))
        .await;
    begun.unwrap();
    assert!(store.get_thread("u", "t").await.unwrap().is_some());
    let again = store
        .insert_message(message("m", "t2", 1), Some(thread("t2", "u", 1)))
        .await;
    assert!(matches!(
        again,
        Err(StoreError::AlreadyExists {
            kind: "message",
            ..
        })
    ));
    assert_eq!(store.get_thread("u", "t2").await.unwrap(), None);
}

pub(super) async fn a_deleted_thread_takes_its_messages_along(store: Store) {
    for id in ["t", "kept"] {
        store.insert_thread(thread(id, "u", 1)).await.unwrap();
        for at in 0..150 {
            let row = message(&format!("{id}{at}"), id, at);
            store.insert_message(row, None).await.unwrap();
        }
    }
    store.delete_thread("u", "t").await.unwrap();
    assert_eq!(ids(&store, "t", false, 10).await, [Vec::<String>::new()]);
    assert_eq!(ids(&store, "kept", false, 1000).await[0].len(), 150);
    assert!(store.delete_thread("u", "t").await.is_err());
}

pub(super) async fn messages_are_stored_together_or_not_at_all(store: Store) {
    store.insert_thread(thread("t", "u", 1)).await.unwrap();
    let taken = vec![message("a", "t", 1), message("a", "t", 2)];
    let refused = store.insert_messages(taken).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })));
    let elsewhere = vec![message("a", "t", 1), message("b", "nowhere", 2)];
    let refused = store.insert_messages(elsewhere).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    assert_eq!(ids(&store, "t", false, 10).await, [Vec::<String>::new()]);
    let named = MessageRow {
        workflow_message_input_name: Some("said".into()),
        workflow_messages_input_name: Some("all".into()),
        ..message("b", "t", 2)
    };
    let both = vec![message("a", "t", 1), named.clone()];
    store.insert_messages(both).await.unwrap();
    assert_eq!(ids(&store, "t", false, 10).await, [["a", "b"]]);
    assert_eq!(store.get_message("u", "b").await.unwrap(), Some(named));
}

pub(super) async fn the_newest_messages_are_read_without_those_of_agents_at_work(store: Store) {
    store.insert_thread(thread("t", "u", 1)).await.unwrap();
    for (at, id) in (1..).zip(["a", "b", "c", "d", "e"]) {
        let role = if id == "d" { "agent_execution" } else { "user" };
        let row = MessageRow {
            role: role.to_owned(),
            ..message(id, "t", at)
        };
        store.insert_message(row, None).await.unwrap();
    }
    let recent = async |user: &str, most| {
        let rows = store.recent_messages(user, "t", most).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(recent("u", 2).await, ["c", "e"]);
    assert_eq!(recent("u", 9).await, ["a", "b", "c", "e"]);
    assert!(recent("v", 9).await.is_empty());
}
