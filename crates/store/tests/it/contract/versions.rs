//! What a database has to do for versions of workflows.

use std::sync::Arc;

use nodetool_store::{
    AutosaveRules, Autosaved, IfMatch, NewVersion, Store, StoreError, WorkflowRow, new_id,
};

use crate::samples::workflow;

fn version(workflow_id: &str, at: i64) -> NewVersion {
    NewVersion {
        id: new_id(),
        workflow_id: workflow_id.to_owned(),
        user_id: "u".to_owned(),
        created_at: at,
        name: String::new(),
        unnamed: "Version",
        description: String::new(),
        save_type: "manual",
        autosave_metadata: "{}".to_owned(),
        graph: None,
    }
}

fn autosave(at: i64) -> NewVersion {
    NewVersion {
        save_type: "autosave",
        unnamed: "Autosave",
        graph: Some(Arc::from("{\"a\":1}")),
        ..version("w1", at)
    }
}

const ALWAYS: AutosaveRules = AutosaveRules {
    min_interval: 0,
    keep: 100,
    keep_for: i64::MAX,
};

async fn numbers(store: &Store, workflow_id: &str) -> Vec<i64> {
    let (rows, next) = store
        .list_versions(workflow_id, i64::MAX, 1000)
        .await
        .unwrap();
    assert_eq!(next, None);
    rows.into_iter().map(|row| row.version).collect()
}

pub(super) async fn versions_are_numbered_within_their_workflow(store: Store) {
    for id in ["w1", "w2"] {
        store.insert_workflow(workflow(id, 1)).await.unwrap();
    }
    for (id, number) in [("w1", 1), ("w1", 2), ("w2", 1), ("w1", 3)] {
        let saved = store.insert_version(version(id, 9)).await.unwrap();
        assert_eq!(
            (saved.version, saved.name.as_str()),
            (number, format!("Version {number}").as_str())
        );
        assert_eq!(
            store.get_version(id, number).await.unwrap(),
            Some(saved.clone())
        );
        assert_eq!(
            (saved.user_id.as_str(), saved.created_at, &*saved.graph),
            ("u", 9, "{}")
        );
    }
    let named = NewVersion {
        name: "mine".to_owned(),
        description: "d".to_owned(),
        ..version("w2", 1)
    };
    let named = store.insert_version(named).await.unwrap();
    assert_eq!(
        (named.name.as_str(), named.description.as_str()),
        ("mine", "d")
    );
    assert_eq!(store.get_version("w2", 3).await.unwrap(), None);
}

pub(super) async fn a_version_without_a_graph_takes_the_one_of_the_moment(store: Store) {
    let row = WorkflowRow {
        graph: Arc::from("{\"one\":1}"),
        ..workflow("w1", 1)
    };
    store.insert_workflow(row.clone()).await.unwrap();
    store.insert_version(version("w1", 1)).await.unwrap();
    let second = WorkflowRow {
        graph: Arc::from("{\"two\":2}"),
        ..row
    };
    store
        .save_workflow(second, IfMatch::Anything)
        .await
        .unwrap();
    store.insert_version(version("w1", 2)).await.unwrap();
    let graph = async |number| {
        store
            .get_version("w1", number)
            .await
            .unwrap()
            .unwrap()
            .graph
    };
    assert_eq!(
        (&*graph(1).await, &*graph(2).await),
        ("{\"one\":1}", "{\"two\":2}")
    );
}

pub(super) async fn a_version_of_nobodys_workflow_is_refused(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let foreign = NewVersion {
        user_id: "other".to_owned(),
        ..version("w1", 1)
    };
    for new in [foreign.clone(), version("w2", 1)] {
        let refused = store.insert_version(new.clone()).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound { .. })),
            "{refused:?}"
        );
        let refused = store.insert_autosave(new, ALWAYS).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(store.count_versions().await.unwrap(), 0);
}

pub(super) async fn versions_are_listed_newest_first_and_each_once(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    for at in 0..5 {
        store.insert_version(version("w1", at)).await.unwrap();
    }
    let (mut below, mut seen, mut pages) = (i64::MAX, Vec::new(), 0);
    loop {
        let (rows, next) = store.list_versions("w1", below, 2).await.unwrap();
        seen.extend(rows.iter().map(|row| row.version));
        pages += 1;
        // What comes while somebody pages is ahead of the first page.
        store.insert_version(version("w1", 9)).await.unwrap();
        match next {
            Some(next) => below = next,
            None => break,
        }
    }
    assert_eq!((seen, pages), (vec![5, 4, 3, 2, 1], 3));
}

pub(super) async fn a_version_is_deleted_by_owner_and_workflow(store: Store) {
    for id in ["w1", "w2"] {
        store.insert_workflow(workflow(id, 1)).await.unwrap();
    }
    let id = store.insert_version(version("w1", 1)).await.unwrap().id;
    for (user, workflow, id) in [
        ("other", "w1", id.as_str()),
        ("u", "w2", id.as_str()),
        ("u", "w1", "x"),
    ] {
        let refused = store.delete_version(user, workflow, id).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::NotFound {
                    kind: "version",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    store.delete_version("u", "w1", &id).await.unwrap();
    assert_eq!(store.count_versions().await.unwrap(), 0);
}

pub(super) async fn deleting_a_workflow_deletes_its_versions(store: Store) {
    for id in ["w1", "w2"] {
        store.insert_workflow(workflow(id, 1)).await.unwrap();
        store.insert_version(version(id, 1)).await.unwrap();
        store.insert_version(version(id, 1)).await.unwrap();
    }
    let refused = store
        .delete_workflow("other", "w1", IfMatch::Anything)
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
    assert_eq!(numbers(&store, "w1").await, [2, 1]);
    store
        .delete_workflow("u", "w1", IfMatch::Anything)
        .await
        .unwrap();
    assert_eq!(numbers(&store, "w1").await, [0_i64; 0]);
    assert_eq!(numbers(&store, "w2").await, [2, 1]);
}

pub(super) async fn an_autosave_soon_after_another_is_skipped(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let rules = AutosaveRules {
        min_interval: 10,
        ..ALWAYS
    };
    let save = async |at| store.insert_autosave(autosave(at), rules).await.unwrap();
    let Autosaved::Saved(first) = save(100).await else {
        panic!("the first is saved")
    };
    assert_eq!(
        (first.name.as_str(), first.save_type.as_str(), &*first.graph),
        ("Autosave 1", "autosave", "{\"a\":1}")
    );
    assert_eq!(save(109).await, Autosaved::TooSoon);
    assert!(matches!(save(110).await, Autosaved::Saved(_)));
    assert!(
        matches!(save(50).await, Autosaved::Saved(_)),
        "the clock was put back"
    );
    store.insert_version(version("w1", 200)).await.unwrap();
    assert!(
        matches!(save(201).await, Autosaved::Saved(_)),
        "a version saved by hand is no autosave"
    );
}

pub(super) async fn an_empty_autosave_deletes_nothing(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    for at in 0..3 {
        store.insert_autosave(autosave(at), ALWAYS).await.unwrap();
    }
    let empty = NewVersion {
        graph: None,
        ..autosave(10)
    };
    let rules = AutosaveRules {
        keep: 1,
        keep_for: 0,
        ..ALWAYS
    };
    let outcome = store.insert_autosave(empty, rules).await.unwrap();
    assert_eq!(outcome, Autosaved::Empty);
    assert_eq!(numbers(&store, "w1").await, [3, 2, 1]);
}

pub(super) async fn autosaves_stay_within_their_number(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let rules = AutosaveRules { keep: 3, ..ALWAYS };
    for at in 0..5 {
        store.insert_autosave(autosave(at), rules).await.unwrap();
    }
    assert_eq!(numbers(&store, "w1").await, [5, 4, 3]);
    let one = AutosaveRules { keep: 1, ..ALWAYS };
    store.insert_autosave(autosave(9), one).await.unwrap();
    assert_eq!(numbers(&store, "w1").await, [6]);
}

pub(super) async fn versions_saved_by_hand_are_not_counted(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let rules = AutosaveRules { keep: 1, ..ALWAYS };
    for at in 0..2 {
        store.insert_version(version("w1", at)).await.unwrap();
        store.insert_autosave(autosave(at), rules).await.unwrap();
    }
    assert_eq!(numbers(&store, "w1").await, [4, 3, 1]);
}

pub(super) async fn old_autosaves_beyond_those_kept_go_with_any_save(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    for at in [10, 20, 30, 40] {
        store.insert_autosave(autosave(at), ALWAYS).await.unwrap();
    }
    let rules = AutosaveRules {
        keep: 1,
        keep_for: 75,
        ..ALWAYS
    };
    let checkpoint = NewVersion {
        save_type: "checkpoint",
        ..autosave(100)
    };
    store.insert_autosave(checkpoint, rules).await.unwrap();
    // Of 1 to 3, which are beyond the newest, only 1 and 2 are older than the 75 before 100.
    assert_eq!(numbers(&store, "w1").await, [5, 4, 3]);
}
