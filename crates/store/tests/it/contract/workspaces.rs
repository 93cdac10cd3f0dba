//! What a database has to do for workspaces.

use nodetool_store::IfMatch;
use nodetool_store::{Store, StoreError, WorkflowRow, WorkspaceRow, WorkspaceUpdate};

use crate::samples::workflow;

fn workspace(id: &str, is_default: bool, at: i64) -> WorkspaceRow {
    WorkspaceRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        name: format!("workspace {id}"),
        path: format!("/{id}"),
        is_default,
        created_at: at,
        updated_at: at,
    }
}

async fn default_id(store: &Store) -> Option<String> {
    let row = store.get_default_workspace("u").await.unwrap();
    row.map(|row| row.id)
}

pub(super) async fn a_user_has_one_default_workspace(store: Store) {
    assert_eq!(default_id(&store).await, None);
    let mut foreign = workspace("f", true, 1);
    foreign.user_id = "v".to_owned();
    store.insert_workspace(foreign).await.unwrap();
    store
        .insert_workspace(workspace("a", true, 1))
        .await
        .unwrap();
    store
        .insert_workspace(workspace("b", true, 2))
        .await
        .unwrap();
    assert_eq!(default_id(&store).await.as_deref(), Some("b"));
    let update = |is_default| WorkspaceUpdate {
        is_default: Some(is_default),
        updated_at: 3,
        ..WorkspaceUpdate::default()
    };
    store
        .update_workspace("u", "a", update(true))
        .await
        .unwrap();
    assert_eq!(default_id(&store).await.as_deref(), Some("a"));
    let missing = store.update_workspace("u", "f", update(true)).await;
    assert!(matches!(
        missing,
        Err(StoreError::NotFound {
            kind: "workspace",
            ..
        })
    ));
    assert_eq!(
        default_id(&store).await.as_deref(),
        Some("a"),
        "a refused change leaves no trace"
    );
    store
        .update_workspace("u", "a", update(false))
        .await
        .unwrap();
    assert_eq!(default_id(&store).await, None);
    assert!(store.get_default_workspace("v").await.unwrap().is_some());
}

pub(super) async fn an_update_changes_only_what_it_names(store: Store) {
    store
        .insert_workspace(workspace("a", true, 1))
        .await
        .unwrap();
    store
        .insert_workspace(workspace("b", false, 2))
        .await
        .unwrap();
    let update = WorkspaceUpdate {
        name: Some("other".to_owned()),
        updated_at: 9,
        ..WorkspaceUpdate::default()
    };
    let row = store.update_workspace("u", "a", update).await.unwrap();
    assert_eq!(
        (row.name.as_str(), row.path.as_str(), row.is_default),
        ("other", "/a", true)
    );
    assert_eq!((row.created_at, row.updated_at), (1, 9));
    let first = store.list_workspaces("u", 1, "").await.unwrap();
    assert_eq!(first.rows, [row]);
    let rest = store.list_workspaces("u", 1, &first.next).await.unwrap();
    assert_eq!(rest.rows, [workspace("b", false, 2)]);
    assert_ne!(first.rows[0].etag(), workspace("a", true, 1).etag());
}

pub(super) async fn a_workspace_in_use_is_kept(store: Store) {
    store
        .insert_workspace(workspace("a", false, 1))
        .await
        .unwrap();
    let linked = |id: &str, user: &str| WorkflowRow {
        user_id: user.to_owned(),
        workspace_id: Some("a".to_owned()),
        ..workflow(id, 1)
    };
    store.insert_workflow(linked("foreign", "v")).await.unwrap();
    store.insert_workflow(linked("own", "u")).await.unwrap();
    assert!(!store.delete_workspace("u", "a").await.unwrap());
    assert!(store.get_workspace("u", "a").await.unwrap().is_some());
    store
        .delete_workflow("u", "own", IfMatch::Anything)
        .await
        .unwrap();
    assert!(
        store.delete_workspace("u", "a").await.unwrap(),
        "another user's link does not count"
    );
    let gone = store.delete_workspace("u", "a").await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}
