//! What a database has to do for assets.

use nodetool_store::{AssetFilter, AssetPatch, AssetRow, MAX_ASSET_DEPTH, Page, Store, StoreError};

fn asset(id: &str, parent: &str) -> AssetRow {
    AssetRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        parent_id: parent.to_owned(),
        file_id: format!("{id}.png"),
        name: format!("asset {id}"),
        content_type: "image/png".to_owned(),
        created_at: 1,
        updated_at: 1,
        ..AssetRow::default()
    }
}

fn folder(id: &str, parent: &str) -> AssetRow {
    AssetRow {
        content_type: AssetRow::FOLDER.to_owned(),
        name: id.to_uppercase(),
        file_id: String::new(),
        ..asset(id, parent)
    }
}

fn own() -> AssetFilter {
    AssetFilter {
        user_id: "u".to_owned(),
        ..AssetFilter::default()
    }
}

async fn insert(store: &Store, rows: impl IntoIterator<Item = AssetRow>) {
    for row in rows {
        store.insert_asset(row).await.unwrap();
    }
}

fn ids(page: Page<AssetRow>) -> Vec<String> {
    page.rows.into_iter().map(|row| row.id).collect()
}

#[track_caller]
fn refused_parent<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(
        matches!(
            outcome,
            Err(StoreError::InvalidInput {
                field: "parent_id",
                ..
            })
        ),
        "{outcome:?}"
    );
}

pub(super) async fn an_asset_reads_back_column_by_column(store: Store) {
    let row = AssetRow {
        workflow_id: Some("w".to_owned()),
        size: Some(5_000_000_000),
        metadata: Some(r#"{"a":1}"#.to_owned()),
        duration: Some(1.5),
        node_id: Some("n".to_owned()),
        job_id: Some("j".to_owned()),
        ..asset("a1", "u")
    };
    insert(&store, [row.clone()]).await;
    assert_eq!(store.get_asset("u", "a1").await.unwrap(), Some(row.clone()));
    let listed = store.list_assets(own(), 10, "").await.unwrap().rows;
    assert_eq!(listed[0].etag(), row.etag());
    assert!(matches!(
        store.insert_asset(row).await,
        Err(StoreError::AlreadyExists { kind: "asset", .. })
    ));
    assert_eq!(store.count_assets().await.unwrap(), 1);
    insert(&store, [asset("a2", "u")]).await;
    let (count, bytes) = store.asset_totals().await.unwrap();
    assert!(count == 2 && bytes >= 5_000_000_000, "{count} {bytes}");
}

pub(super) async fn an_asset_is_only_its_owners(store: Store) {
    insert(&store, [asset("a1", "u")]).await;
    assert_eq!(store.get_asset("other", "a1").await.unwrap(), None);
    assert!(store.find_asset("a1").await.unwrap().is_some());
    let patch = AssetPatch {
        name: Some("mine".to_owned()),
        ..AssetPatch::default()
    };
    for outcome in [
        store.update_asset("other", "a1", patch).await.map(drop),
        store.delete_asset("other", "a1").await.map(drop),
        store.delete_asset("u", "a2").await.map(drop),
    ] {
        assert!(
            matches!(outcome, Err(StoreError::NotFound { .. })),
            "{outcome:?}"
        );
    }
    let walked = store.walk_assets("other", vec!["a1".to_owned()]).await;
    assert!(walked.unwrap().is_empty());
    let gone = vec!["a1".to_owned(), "a2".to_owned()];
    assert_eq!(store.missing_assets(gone).await.unwrap(), ["a2"]);
}

pub(super) async fn filters_restrict_the_list_of_assets(store: Store) {
    let sound = AssetRow {
        content_type: "audio/wav".to_owned(),
        workflow_id: Some("w".to_owned()),
        node_id: Some("n".to_owned()),
        job_id: Some("j".to_owned()),
        ..asset("a3", "u")
    };
    let foreign = AssetRow {
        user_id: "v".to_owned(),
        ..asset("a4", "v")
    };
    insert(
        &store,
        [folder("a1", "u"), asset("a2", "a1"), sound, foreign],
    )
    .await;
    let some = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (own(), vec!["a1", "a2", "a3"]),
        (
            AssetFilter {
                parent_id: some("a1"),
                ..own()
            },
            vec!["a2"],
        ),
        (
            AssetFilter {
                content_type: some("audio"),
                ..own()
            },
            vec!["a3"],
        ),
        (
            AssetFilter {
                content_type: some("%"),
                ..own()
            },
            vec![],
        ),
        (
            AssetFilter {
                workflow_id: some("w"),
                node_id: some("n"),
                job_id: some("j"),
                ..own()
            },
            vec!["a3"],
        ),
        (
            AssetFilter {
                node_id: some("x"),
                ..own()
            },
            vec![],
        ),
    ] {
        let page = store.list_assets(filter.clone(), 10, "").await.unwrap();
        assert_eq!(ids(page), expected, "{filter:?}");
    }
}

pub(super) async fn assets_come_in_pages_by_id(store: Store) {
    insert(&store, (0..7).map(|n| asset(&format!("a{n}"), "u"))).await;
    let mut cursor = String::new();
    let mut seen = Vec::new();
    loop {
        let page = store.list_assets(own(), 3, &cursor).await.unwrap();
        assert!(page.rows.len() <= 3);
        cursor.clone_from(&page.next);
        seen.extend(ids(page));
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
    assert!(matches!(
        store.list_assets(own(), 3, "x").await,
        Err(StoreError::BadCursor { list: "assets" })
    ));
}

pub(super) async fn a_search_ignores_the_case_of_ascii_and_knows_no_wildcards(store: Store) {
    let named = |id: &str, name: &str| AssetRow {
        name: name.to_owned(),
        ..asset(id, "u")
    };
    insert(
        &store,
        [
            named("a1", "My Cat.png"),
            named("a2", "100%_cat"),
            named("a3", "dog"),
        ],
    )
    .await;
    for (text, expected) in [
        ("CAT", vec!["a1", "a2"]),
        ("%_", vec!["a2"]),
        ("o_", vec![]),
        ("\\", vec![]),
    ] {
        let filter = AssetFilter {
            name_contains: Some(text.to_owned()),
            ..own()
        };
        let page = store.list_assets(filter, 10, "").await.unwrap();
        assert_eq!(ids(page), expected, "{text}");
    }
}

pub(super) async fn a_parent_has_to_be_a_folder_of_the_owner(store: Store) {
    let foreign = AssetRow {
        user_id: "v".to_owned(),
        ..folder("f2", "v")
    };
    insert(&store, [folder("f1", "u"), asset("a1", "f1"), foreign]).await;
    for parent in ["f2", "a1", "nowhere", "v"] {
        refused_parent(store.insert_asset(asset("a2", parent)).await);
        let patch = AssetPatch {
            parent_id: Some(parent.to_owned()),
            ..AssetPatch::default()
        };
        refused_parent(store.update_asset("u", "a1", patch).await);
    }
    assert_eq!(store.count_assets().await.unwrap(), 3);
}

pub(super) async fn a_folder_cannot_be_moved_into_itself(store: Store) {
    insert(
        &store,
        [folder("f1", "u"), folder("f2", "f1"), folder("f3", "f2")],
    )
    .await;
    let to = |parent: &str| AssetPatch {
        parent_id: Some(parent.to_owned()),
        ..AssetPatch::default()
    };
    for parent in ["f1", "f2", "f3"] {
        refused_parent(store.update_asset("u", "f1", to(parent)).await);
    }
    let moved = store.update_asset("u", "f3", to("u")).await.unwrap();
    assert_eq!(moved.parent_id, "u");
    store.update_asset("u", "f1", to("f3")).await.unwrap();
}

pub(super) async fn folders_have_at_most_64_levels(store: Store) {
    let mut parent = "u".to_owned();
    for level in 0..MAX_ASSET_DEPTH {
        let id = format!("f{level:02}");
        insert(&store, [folder(&id, &parent)]).await;
        parent = id;
    }
    refused_parent(store.insert_asset(folder("deeper", &parent)).await);
    insert(&store, [folder("g1", "u"), folder("g2", "g1")]).await;
    let to = |parent: &str| AssetPatch {
        parent_id: Some(parent.to_owned()),
        ..AssetPatch::default()
    };
    refused_parent(store.update_asset("u", "g1", to("f62")).await);
    store.update_asset("u", "g1", to("f61")).await.unwrap();
    let walked = store
        .walk_assets("u", vec!["f00".to_owned()])
        .await
        .unwrap();
    assert_eq!(walked.len(), MAX_ASSET_DEPTH + 2);
    let deleted = store.delete_asset("u", "f00").await.unwrap();
    assert_eq!(deleted.len(), MAX_ASSET_DEPTH + 2);
    assert_eq!(store.count_assets().await.unwrap(), 0);
}

pub(super) async fn a_folder_is_deleted_after_what_is_in_it(store: Store) {
    insert(
        &store,
        [
            folder("f1", "u"),
            asset("a1", "f1"),
            folder("f2", "f1"),
            asset("a2", "f2"),
            asset("a3", "u"),
        ],
    )
    .await;
    let deleted = store.delete_asset("u", "f1").await.unwrap();
    let order: Vec<&str> = deleted.iter().map(|gone| gone.id.as_str()).collect();
    assert_eq!(order, ["a1", "a2", "f2", "f1"]);
    assert_eq!(deleted[0].file_id, "a1.png");
    assert_eq!(ids(store.list_assets(own(), 10, "").await.unwrap()), ["a3"]);
}

pub(super) async fn a_walk_gives_each_asset_once_with_its_folders(store: Store) {
    insert(
        &store,
        [
            folder("f1", "u"),
            folder("f2", "f1"),
            asset("a1", "f2"),
            asset("a2", "u"),
        ],
    )
    .await;
    let wanted = ["a1", "f1", "a2", "gone"].map(str::to_owned).to_vec();
    let walked = store.walk_assets("u", wanted).await.unwrap();
    let walked: Vec<(&str, String)> = walked
        .iter()
        .map(|placed| (placed.row.id.as_str(), placed.folders.join("/")))
        .collect();
    let expected = [("a1", "F1/F2"), ("f1", ""), ("f2", "F1"), ("a2", "")];
    assert_eq!(walked, expected.map(|(id, path)| (id, path.to_owned())));
    let folders = ["f2", "u", "gone"].map(str::to_owned).to_vec();
    let paths = store.asset_folder_paths("u", folders).await.unwrap();
    assert_eq!(paths, [vec!["F1", "F2"], vec![], vec![]]);
}

pub(super) async fn a_patch_changes_only_what_it_sets(store: Store) {
    let row = AssetRow {
        duration: Some(2.0),
        size: Some(3),
        ..asset("a1", "u")
    };
    insert(&store, [row.clone()]).await;
    let patch = AssetPatch {
        name: Some("new".to_owned()),
        duration: Some(None),
        updated_at: 9,
        ..AssetPatch::default()
    };
    let changed = store.update_asset("u", "a1", patch).await.unwrap();
    let expected = AssetRow {
        name: "new".to_owned(),
        duration: None,
        updated_at: 9,
        ..row
    };
    assert_eq!(changed, expected);
    assert_eq!(store.get_asset("u", "a1").await.unwrap(), Some(expected));
}

pub(super) async fn an_asset_row_is_put_as_it_is_given_and_stays_its_owners(store: Store) {
    let row = AssetRow {
        id: "a".into(),
        user_id: "u".into(),
        parent_id: "u".into(),
        name: "one".into(),
        content_type: "text/plain".into(),
        created_at: 5,
        updated_at: 9,
        ..AssetRow::default()
    };
    assert!(store.put_asset(row.clone()).await.unwrap());
    let changed = AssetRow {
        name: "two".into(),
        size: Some(3),
        created_at: 1,
        updated_at: 2,
        job_id: Some("j".into()),
        ..row.clone()
    };
    assert!(!store.put_asset(changed.clone()).await.unwrap());
    assert_eq!(store.find_asset("a").await.unwrap(), Some(changed.clone()));
    let foreign = AssetRow {
        user_id: "v".into(),
        parent_id: "v".into(),
        ..row.clone()
    };
    let taken = store.put_asset(foreign).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })));
    let folder = AssetRow {
        content_type: AssetRow::FOLDER.into(),
        ..row.clone()
    };
    let turned = store.put_asset(folder).await;
    assert!(matches!(
        turned,
        Err(StoreError::InvalidInput {
            field: "content_type",
            ..
        })
    ));
    refused_parent(
        store
            .put_asset(AssetRow {
                parent_id: "a".into(),
                ..row
            })
            .await,
    );
    assert_eq!(store.find_asset("a").await.unwrap(), Some(changed));
}

pub(super) async fn the_bytes_of_a_user_are_added_up(store: Store) {
    assert_eq!(store.asset_bytes("u").await.unwrap(), 0);
    let sized = |id: &str, user: &str, size| AssetRow {
        id: id.into(),
        user_id: user.into(),
        parent_id: user.into(),
        content_type: "text/plain".into(),
        size,
        ..AssetRow::default()
    };
    insert(
        &store,
        [
            sized("a", "u", Some(3)),
            sized("b", "u", Some(4)),
            sized("c", "u", None),
            sized("d", "v", Some(100)),
        ],
    )
    .await;
    assert_eq!(store.asset_bytes("u").await.unwrap(), 7);
    store.delete_asset("u", "a").await.unwrap();
    assert_eq!(store.asset_bytes("u").await.unwrap(), 4);
}
