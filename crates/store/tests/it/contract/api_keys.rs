//! What a database has to do for API keys.

use nodetool_store::{ApiKeyRow, MAX_API_KEYS, Store, StoreError};

fn key(id: &str, at: i64) -> ApiKeyRow {
    ApiKeyRow {
        id: id.to_owned(),
        user_id: "u".to_owned(),
        name: format!("key {id}"),
        hash: format!("hash {id}"),
        prefix: "ntk_abcd".to_owned(),
        created_at: at,
        expires_at: Some(at + 5),
        last_used_at: None,
    }
}

pub(super) async fn a_key_is_found_by_its_hash_and_belongs_to_its_user(store: Store) {
    for row in [key("a", 1), key("b", 2)] {
        assert!(store.insert_api_key(row).await.unwrap());
    }
    let foreign = ApiKeyRow {
        user_id: "v".to_owned(),
        expires_at: None,
        ..key("f", 3)
    };
    assert!(store.insert_api_key(foreign.clone()).await.unwrap());
    let found = store.find_api_key("hash f").await.unwrap();
    assert_eq!(found, Some(foreign.clone()));
    assert_eq!(store.find_api_key("hash").await.unwrap(), None);
    assert_eq!(
        store.list_api_keys("u").await.unwrap(),
        [key("b", 2), key("a", 1)]
    );
    let refused = store.delete_api_key("u", "f").await;
    assert!(matches!(
        refused,
        Err(StoreError::NotFound {
            kind: "API key",
            ..
        })
    ));
    store.delete_api_key("u", "a").await.unwrap();
    assert!(store.delete_api_key("u", "a").await.is_err());
    assert_eq!(store.find_api_key("hash a").await.unwrap(), None);
    assert_eq!(store.list_api_keys("v").await.unwrap(), [foreign]);
}

pub(super) async fn a_hash_is_given_once(store: Store) {
    store.insert_api_key(key("a", 1)).await.unwrap();
    let again = ApiKeyRow {
        id: "b".to_owned(),
        user_id: "v".to_owned(),
        ..key("a", 1)
    };
    let refused = store.insert_api_key(again).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists { .. })));
    assert_eq!(store.list_api_keys("v").await.unwrap(), []);
}

pub(super) async fn a_user_has_a_bounded_number_of_keys(store: Store) {
    for i in 0..MAX_API_KEYS {
        let row = key(&format!("k{i}"), 1);
        assert!(store.insert_api_key(row).await.unwrap());
    }
    assert!(!store.insert_api_key(key("more", 2)).await.unwrap());
    assert_eq!(store.list_api_keys("u").await.unwrap().len(), MAX_API_KEYS);
    store.delete_api_key("u", "k0").await.unwrap();
    assert!(store.insert_api_key(key("more", 2)).await.unwrap());
}

pub(super) async fn the_last_use_of_a_key_is_noted_now_and_then(store: Store) {
    store.insert_api_key(key("a", 1)).await.unwrap();
    for (used_at, unless_since, noted) in [(10, 0, 10), (15, 9, 10), (15, 10, 15), (20, 14, 15)] {
        let touched = store.touch_api_key("a", used_at, unless_since).unwrap();
        touched.await.unwrap();
        let row = store.find_api_key("hash a").await.unwrap().unwrap();
        assert_eq!(row.last_used_at, Some(noted), "{used_at} {unless_since}");
    }
    let nobody = store.touch_api_key("none", 1, 0).unwrap();
    assert_eq!(nobody.await.unwrap(), 0);
}
