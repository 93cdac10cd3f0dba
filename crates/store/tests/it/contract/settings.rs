//! What a database has to do for settings.

use nodetool_store::{SettingChange, Store};

pub(super) async fn settings_are_stored_and_forgotten_by_key(store: Store) {
    let change = |key: &str, value: Option<&str>| SettingChange {
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    assert!(store.settings().await.unwrap().is_empty());
    let first = vec![change("A", Some("1")), change("B", Some("2"))];
    store.change_settings(first, 1).await.unwrap();
    let second = vec![change("A", Some("3")), change("B", None), change("C", None)];
    store.change_settings(second, 2).await.unwrap();
    let stored: Vec<_> = store.settings().await.unwrap().into_iter().collect();
    assert_eq!(stored, [("A".to_owned(), "3".to_owned())]);
}
