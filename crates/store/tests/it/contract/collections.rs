//! What a database has to do for collections and their documents.

use nodetool_store::{
    CollectionPatch, CollectionRange, CollectionRow, NewCollectionDocument, PutDocuments, Store,
    StoreError,
};

fn collection(user: &str, name: &str) -> CollectionRow {
    CollectionRow {
        id: format!("id of {user} {name}"),
        user_id: user.to_owned(),
        name: name.to_owned(),
        metadata: r#"{"a":"b"}"#.to_owned(),
        embedding_provider: String::new(),
        embedding_model: "m".to_owned(),
        created_at: 5,
        updated_at: 5,
        ..CollectionRow::default()
    }
}

fn document(id: &str, vector: &[f32]) -> NewCollectionDocument {
    NewCollectionDocument {
        id: id.to_owned(),
        text: format!("text of {id}"),
        metadata: format!(r#"{{"id":"{id}"}}"#),
        vector: vector.to_vec(),
    }
}

fn put(ids: &[&str]) -> PutDocuments {
    PutDocuments {
        documents: ids.iter().map(|id| document(id, &[1.0, 2.0])).collect(),
        embedding_model: "m".to_owned(),
        at: 7,
        ..PutDocuments::default()
    }
}

async fn with_collection(store: &Store) -> CollectionRow {
    let row = collection("u", "c");
    store.insert_collection(row.clone()).await.unwrap();
    row
}

async fn ids(store: &Store, row: &CollectionRow) -> Vec<String> {
    let range = CollectionRange {
        limit: 100,
        ..CollectionRange::default()
    };
    let found = store.collection_documents(&row.id, range).await.unwrap();
    found.into_iter().map(|d| d.id).collect()
}

async fn current(store: &Store) -> CollectionRow {
    store.get_collection("u", "c").await.unwrap().unwrap()
}

pub(super) async fn a_collection_reads_back_and_is_its_users_alone(store: Store) {
    let row = with_collection(&store).await;
    store.insert_collection(collection("u", "b")).await.unwrap();
    assert_eq!(current(&store).await, row);
    assert_eq!(store.get_collection("other", "c").await.unwrap(), None);
    let names = store.collections("u").await.unwrap().into_iter();
    assert_eq!(names.map(|c| c.name).collect::<Vec<_>>(), ["b", "c"]);
    assert!(store.collections("other").await.unwrap().is_empty());
    for bad in ["", "a\0b", &"x".repeat(200)] {
        let refused = store.insert_collection(collection("u", bad)).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::InvalidInput {
                    field: "id" | "name",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}

pub(super) async fn a_name_is_given_once_to_each_user(store: Store) {
    with_collection(&store).await;
    store
        .insert_collection(collection("other", "c"))
        .await
        .unwrap();
    let again = CollectionRow {
        id: "another".to_owned(),
        ..collection("u", "c")
    };
    let refused = store.insert_collection(again).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })));
    store.insert_collection(collection("u", "d")).await.unwrap();
    let rename = CollectionPatch {
        name: Some("d".to_owned()),
        ..CollectionPatch::default()
    };
    let refused = store.update_collection("u", "c", rename, 9).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })));
}

pub(super) async fn an_update_changes_what_it_names_and_the_revision(store: Store) {
    let row = with_collection(&store).await;
    let patch = CollectionPatch {
        name: Some("new".to_owned()),
        ..CollectionPatch::default()
    };
    let changed = store.update_collection("u", "c", patch.clone(), 9).await;
    let expected = CollectionRow {
        name: "new".to_owned(),
        revision: 1,
        updated_at: 9,
        ..row
    };
    assert_eq!(changed.unwrap(), expected);
    let gone = store.update_collection("u", "c", patch.clone(), 9).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
    let foreign = store.update_collection("other", "new", patch, 9).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })));
}

pub(super) async fn the_model_changes_only_while_there_are_no_documents(store: Store) {
    with_collection(&store).await;
    let to = |model: &str| CollectionPatch {
        embedding: Some(("p".to_owned(), model.to_owned())),
        ..CollectionPatch::default()
    };
    store.update_collection("u", "c", to("n"), 9).await.unwrap();
    let refused = store.put_collection_documents("u", "c", put(&["a"])).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { expected, found, .. }) if expected == "m" && found == "p/n"),
        "{refused:?}"
    );
    let fitting = PutDocuments {
        embedding_provider: "p".to_owned(),
        embedding_model: "n".to_owned(),
        ..put(&["a"])
    };
    let stored = store.put_collection_documents("u", "c", fitting).await;
    assert_eq!(stored.unwrap(), 1);
    let refused = store.update_collection("u", "c", to("o"), 9).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })));
    store.update_collection("u", "c", to("n"), 9).await.unwrap();
    assert_eq!(current(&store).await.dimensions, 2);
}

pub(super) async fn documents_come_in_the_order_they_were_put_and_are_replaced_in_place(
    store: Store,
) {
    let row = with_collection(&store).await;
    for put in [put(&["z", "a"]), put(&["m"])] {
        store.put_collection_documents("u", "c", put).await.unwrap();
    }
    let mut again = put(&["a", "b"]);
    again.documents[0].text = "another".to_owned();
    let count = store.put_collection_documents("u", "c", again).await;
    assert_eq!(count.unwrap(), 4);
    assert_eq!(ids(&store, &row).await, ["z", "a", "m", "b"]);
    let now = current(&store).await;
    assert_eq!((now.documents, now.dimensions, now.revision), (4, 2, 3));
    let some = CollectionRange {
        ids: vec!["b".to_owned(), "none".to_owned(), "a".to_owned()],
        limit: 10,
        offset: 0,
    };
    let found = store.collection_documents(&row.id, some).await.unwrap();
    let texts: Vec<&str> = found.iter().map(|d| d.text.as_str()).collect();
    assert_eq!(texts, ["text of b", "another"]);
    let page = CollectionRange {
        limit: 2,
        offset: 1,
        ..CollectionRange::default()
    };
    let found = store.collection_documents(&row.id, page).await.unwrap();
    let found: Vec<&str> = found.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(found, ["a", "m"]);
}

pub(super) async fn documents_of_a_source_replace_those_before(store: Store) {
    let row = with_collection(&store).await;
    let of = |source: &str, ids: &[&str]| PutDocuments {
        source: Some(source.to_owned()),
        ..put(ids)
    };
    for put in [
        of("one", &["1a", "1b"]),
        of("two", &["2a"]),
        put(&["loose"]),
        of("one", &["1a"]),
    ] {
        store.put_collection_documents("u", "c", put).await.unwrap();
    }
    assert_eq!(ids(&store, &row).await, ["2a", "loose", "1a"]);
}

pub(super) async fn a_put_is_kept_whole_or_not_at_all(store: Store) {
    let row = with_collection(&store).await;
    let mut mixed = put(&["a", "b"]);
    mixed.documents[1].vector = vec![1.0];
    let refused = store.put_collection_documents("u", "c", mixed).await;
    let Err(StoreError::InvalidInput { field, reason }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*field, "vector");
    assert!(reason.contains("b has 1 numbers, expected 2"), "{reason}");
    for bad in [vec![], vec![f32::NAN, 1.0]] {
        let mut put = put(&["a", "b"]);
        put.documents[1].vector = bad;
        let refused = store.put_collection_documents("u", "c", put).await;
        assert!(matches!(
            refused,
            Err(StoreError::InvalidInput {
                field: "vector",
                ..
            })
        ));
    }
    assert!(ids(&store, &row).await.is_empty());
    assert_eq!(current(&store).await, row);
    for (user, name) in [("u", "none"), ("other", "c")] {
        let refused = store
            .put_collection_documents(user, name, put(&["a"]))
            .await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    }
}

pub(super) async fn vectors_read_back_bit_by_bit(store: Store) {
    let row = with_collection(&store).await;
    let vectors = [[f32::MIN_POSITIVE, -0.0], [f32::MAX, 1.0 / 3.0]];
    let documents = vectors.iter().zip(["a", "b"]);
    let put = PutDocuments {
        documents: documents.map(|(v, id)| document(id, v)).collect(),
        ..put(&[])
    };
    store.put_collection_documents("u", "c", put).await.unwrap();
    let read = store.collection_vectors(&row.id, 2).await.unwrap();
    assert_eq!(read.ids, ["a", "b"]);
    assert_eq!(read.metadata, [r#"{"id":"a"}"#, r#"{"id":"b"}"#]);
    let bits = |flat: &[f32]| flat.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read.flat), bits(vectors.as_flattened()));
    let wrong = store.collection_vectors(&row.id, 3).await;
    assert!(matches!(
        wrong,
        Err(StoreError::Corrupt {
            column: "vector",
            ..
        })
    ));
}

pub(super) async fn texts_are_visited_in_order(store: Store) {
    let row = with_collection(&store).await;
    store
        .put_collection_documents("u", "c", put(&["b", "a"]))
        .await
        .unwrap();
    let seen = store
        .fold_collection_texts(&row.id, Vec::new(), |seen, id, text| {
            seen.push(format!("{id}: {text}"));
        })
        .await;
    assert_eq!(seen.unwrap(), ["b: text of b", "a: text of a"]);
}

pub(super) async fn deleting_a_collection_deletes_its_documents(store: Store) {
    let row = with_collection(&store).await;
    let other = collection("other", "c");
    store.insert_collection(other.clone()).await.unwrap();
    for user in ["u", "other"] {
        let stored = store.put_collection_documents(user, "c", put(&["a"])).await;
        assert_eq!(stored.unwrap(), 1);
    }
    assert!(!store.delete_collection("u", "none").await.unwrap());
    assert!(store.delete_collection("u", "c").await.unwrap());
    assert!(!store.delete_collection("u", "c").await.unwrap());
    assert!(ids(&store, &row).await.is_empty());
    assert_eq!(ids(&store, &other).await, ["a"]);
}
