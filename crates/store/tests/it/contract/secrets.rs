//! What a database has to do for secrets.

use nodetool_store::{PutSecret, ReplacedSecret, SecretRow, SettingChange, Store, StoreError};

fn secret(user: &str, key: &str, value: &str, at: i64) -> PutSecret {
    PutSecret {
        user_id: user.to_owned(),
        key: key.to_owned(),
        encrypted_value: value.to_owned(),
        description: Some("what for".to_owned()),
        created_at: at,
        updated_at: at,
    }
}

async fn put(store: &Store, secret: PutSecret, fingerprint: &str) -> Result<SecretRow, StoreError> {
    let mut rows = store.put_secrets(vec![secret], fingerprint).await?;
    Ok(rows.remove(0))
}

async fn value(store: &Store, user: &str, key: &str) -> Option<String> {
    let row = store.get_secret(user, key).await.unwrap();
    row.map(|row| row.encrypted_value)
}

pub(super) async fn a_secret_reads_back_and_is_its_users_alone(store: Store) {
    let stored = put(&store, secret("u", "B", "x", 5), "f").await.unwrap();
    put(&store, secret("u", "A", "y", 6), "f").await.unwrap();
    put(&store, secret("other", "A", "z", 7), "f")
        .await
        .unwrap();
    let expected = SecretRow {
        id: stored.id.clone(),
        user_id: "u".to_owned(),
        key: "B".to_owned(),
        encrypted_value: "x".to_owned(),
        description: Some("what for".to_owned()),
        created_at: 5,
        updated_at: 5,
    };
    assert_eq!(stored, expected);
    assert_eq!(store.get_secret("u", "B").await.unwrap(), Some(expected));
    assert_eq!(value(&store, "other", "B").await, None);
    let keys = store.secrets("u").await.unwrap().into_iter().map(|r| r.key);
    assert_eq!(keys.collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(store.all_secrets().await.unwrap().len(), 3);
    for bad in ["", "a\0b"] {
        let refused = put(&store, secret("u", bad, "x", 1), "f").await;
        assert!(
            matches!(refused, Err(StoreError::InvalidInput { .. })),
            "{refused:?}"
        );
    }
}

pub(super) async fn a_secret_that_is_stored_again_keeps_its_id_and_description(store: Store) {
    let first = put(&store, secret("u", "A", "x", 5), "f").await.unwrap();
    let again = PutSecret {
        description: None,
        ..secret("u", "A", "y", 9)
    };
    let second = put(&store, again, "f").await.unwrap();
    let expected = SecretRow {
        encrypted_value: "y".to_owned(),
        updated_at: 9,
        ..first
    };
    assert_eq!(second, expected);
}

pub(super) async fn secrets_of_two_keys_never_mix(store: Store) {
    assert_eq!(store.secrets_fingerprint().await.unwrap(), None);
    put(&store, secret("u", "A", "x", 5), "f").await.unwrap();
    let refused = put(&store, secret("other", "B", "y", 6), "g").await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { expected, found, .. }) if expected == "g" && found == "f"),
        "{refused:?}"
    );
    assert_eq!(value(&store, "other", "B").await, None);
    let refused = put(&store, secret("u", "A", "y", 6), "g").await;
    assert!(
        matches!(refused, Err(StoreError::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(value(&store, "u", "A").await.as_deref(), Some("x"));
}

pub(super) async fn the_key_is_forgotten_with_the_last_secret(store: Store) {
    put(&store, secret("u", "A", "x", 5), "f").await.unwrap();
    put(&store, secret("u", "B", "x", 5), "f").await.unwrap();
    assert!(!store.delete_secret("other", "A").await.unwrap());
    assert!(store.delete_secret("u", "A").await.unwrap());
    assert!(!store.delete_secret("u", "A").await.unwrap());
    let fingerprint = store.secrets_fingerprint().await.unwrap();
    assert_eq!(fingerprint.as_deref(), Some("f"));
    assert!(store.delete_secret("u", "B").await.unwrap());
    assert_eq!(store.secrets_fingerprint().await.unwrap(), None);
    put(&store, secret("u", "A", "y", 6), "g").await.unwrap();
}

pub(super) async fn settings_and_secrets_are_stored_together_or_not_at_all(store: Store) {
    let change = |value: &str| {
        vec![SettingChange {
            key: "S".to_owned(),
            value: Some(value.to_owned()),
        }]
    };
    let secrets = vec![secret("u", "A", "x", 5)];
    let stored = store.change_settings_and_secrets(change("1"), secrets, "f", 5);
    assert_eq!(stored.await.unwrap().len(), 1);
    let secrets = vec![secret("u", "A", "y", 6)];
    let refused = store.change_settings_and_secrets(change("2"), secrets, "g", 6);
    assert!(matches!(refused.await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.settings().await.unwrap()["S"], "1");
    assert_eq!(value(&store, "u", "A").await.as_deref(), Some("x"));
}

pub(super) async fn all_secrets_get_another_key_or_none(store: Store) {
    for (user, key) in [("u", "A"), ("u", "B"), ("other", "A")] {
        put(&store, secret(user, key, "old", 5), "f").await.unwrap();
    }
    let all = || async {
        let rows = store.all_secrets().await.unwrap().into_iter();
        let replaced = rows.map(|row| ReplacedSecret {
            id: row.id,
            before: row.encrypted_value,
            after: "new".to_owned(),
        });
        replaced.collect::<Vec<_>>()
    };
    let mut some = all().await;
    some.pop();
    let mut stale = all().await;
    stale[2].before = "older".to_owned();
    for refused in [some, stale] {
        let refused = store.replace_secrets(refused, Vec::new(), "g", 9).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict { .. })),
            "{refused:?}"
        );
        assert_eq!(value(&store, "u", "A").await.as_deref(), Some("old"));
        let fingerprint = store.secrets_fingerprint().await.unwrap();
        assert_eq!(fingerprint.as_deref(), Some("f"));
    }
    store
        .replace_secrets(all().await, Vec::new(), "g", 9)
        .await
        .unwrap();
    for row in store.all_secrets().await.unwrap() {
        assert_eq!((row.encrypted_value.as_str(), row.updated_at), ("new", 5));
    }
    let fingerprint = store.secrets_fingerprint().await.unwrap();
    assert_eq!(fingerprint.as_deref(), Some("g"));
}
