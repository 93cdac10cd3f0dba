//! What a database has to do for OAuth credentials.

use nodetool_store::{MAX_OAUTH_ACCOUNTS, OauthCredentialRow, OauthTokens, Store, new_id};

fn credential(user: &str, account: &str, received_at: i64) -> OauthCredentialRow {
    OauthCredentialRow {
        id: new_id(),
        user_id: user.into(),
        provider: "huggingface".into(),
        account_id: account.into(),
        username: Some("ada".into()),
        encrypted_access_token: "sealed access".into(),
        encrypted_refresh_token: Some("sealed refresh".into()),
        token_type: "Bearer".into(),
        scope: Some("openid".into()),
        received_at,
        expires_at: Some(received_at + 10),
        created_at: received_at,
        updated_at: received_at,
    }
}

pub(super) async fn a_credential_reads_back_column_by_column(store: Store) {
    let row = credential("u", "a", 5);
    assert_eq!(store.save_oauth_credential(row.clone()).await.unwrap(), row);
    let read = store.get_oauth_credential("u", "huggingface", "a");
    assert_eq!(read.await.unwrap(), Some(row));
    for (user, provider, account) in [
        ("v", "huggingface", "a"),
        ("u", "github", "a"),
        ("u", "huggingface", "b"),
    ] {
        let read = store.get_oauth_credential(user, provider, account);
        assert_eq!(read.await.unwrap(), None, "{user} {provider} {account}");
    }
}

pub(super) async fn an_account_has_one_row_for_each_user(store: Store) {
    let first = credential("u", "a", 5);
    let again = OauthCredentialRow {
        username: None,
        encrypted_access_token: "other".into(),
        encrypted_refresh_token: None,
        scope: None,
        expires_at: None,
        ..credential("u", "a", 9)
    };
    let foreign = credential("v", "a", 7);
    for row in [&first, &foreign] {
        store.save_oauth_credential(row.clone()).await.unwrap();
    }
    let saved = store.save_oauth_credential(again.clone()).await.unwrap();
    let expected = OauthCredentialRow {
        id: first.id.clone(),
        created_at: first.created_at,
        ..again
    };
    assert_eq!(saved, expected);
    assert_ne!(saved.etag(), first.etag());
    let read = store.get_oauth_credential("v", "huggingface", "a");
    assert_eq!(read.await.unwrap(), Some(foreign));
}

pub(super) async fn the_newest_credentials_come_first(store: Store) {
    for (account, received_at) in [("a", 5), ("b", 9), ("c", 7)] {
        let row = credential("u", account, received_at);
        store.save_oauth_credential(row).await.unwrap();
    }
    let foreign = credential("v", "d", 11);
    store.save_oauth_credential(foreign).await.unwrap();
    for (limit, expected) in [(10, &["b", "c", "a"][..]), (1, &["b"]), (0, &[])] {
        let rows = store.list_oauth_credentials("u", "huggingface", limit);
        let rows = rows.await.unwrap();
        let accounts: Vec<_> = rows.iter().map(|r| r.account_id.as_str()).collect();
        assert_eq!(accounts, expected);
    }
}

pub(super) async fn fresh_tokens_keep_what_they_do_not_bring(store: Store) {
    let row = credential("u", "a", 5);
    store.save_oauth_credential(row.clone()).await.unwrap();
    let tokens = OauthTokens {
        encrypted_access_token: "fresh".into(),
        token_type: "bearer".into(),
        received_at: 20,
        ..OauthTokens::default()
    };
    let foreign = store.replace_oauth_tokens("v", &row.id, tokens.clone());
    assert_eq!(foreign.await.unwrap(), None);
    let fresh = store.replace_oauth_tokens("u", &row.id, tokens);
    let expected = OauthCredentialRow {
        encrypted_access_token: "fresh".into(),
        token_type: "bearer".into(),
        received_at: 20,
        expires_at: None,
        updated_at: 20,
        ..row.clone()
    };
    assert_eq!(fresh.await.unwrap(), Some(expected));
}

pub(super) async fn tokens_are_replaced_only_where_they_are_still_those_that_were_read(
    store: Store,
) {
    let row = credential("u", "a", 5);
    store.save_oauth_credential(row.clone()).await.unwrap();
    let tokens = |access: &str| OauthTokens {
        encrypted_access_token: access.into(),
        token_type: "Bearer".into(),
        received_at: 20,
        ..OauthTokens::default()
    };
    let foreign = OauthCredentialRow {
        user_id: "v".into(),
        ..row.clone()
    };
    let refused = store.replace_oauth_tokens_of(&foreign, tokens("x"));
    assert_eq!(refused.await.unwrap(), None);
    let first = store.replace_oauth_tokens_of(&row, tokens("first"));
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.encrypted_access_token, "first");
    assert_eq!(first.encrypted_refresh_token, row.encrypted_refresh_token);
    assert_eq!((first.received_at, first.updated_at), (20, 20));
    let late = store.replace_oauth_tokens_of(&row, tokens("late"));
    assert_eq!(late.await.unwrap(), None);
    let read = store.oauth_credential("u", "huggingface", &row.id);
    assert_eq!(read.await.unwrap(), Some(first));
}

pub(super) async fn a_credential_is_read_and_deleted_by_its_id_for_its_user_alone(store: Store) {
    let row = credential("u", "a", 5);
    store.save_oauth_credential(row.clone()).await.unwrap();
    for (user, provider, id) in [
        ("v", "huggingface", row.id.as_str()),
        ("u", "google", &row.id),
        ("u", "huggingface", "none"),
    ] {
        let read = store.oauth_credential(user, provider, id);
        assert_eq!(read.await.unwrap(), None);
        let gone = store.delete_oauth_credential(user, provider, id);
        assert_eq!(gone.await.unwrap(), None);
    }
    let gone = store.delete_oauth_credential("u", "huggingface", &row.id);
    assert_eq!(gone.await.unwrap(), Some(row.clone()));
    let read = store.oauth_credential("u", "huggingface", &row.id);
    assert_eq!(read.await.unwrap(), None);
}

pub(super) async fn a_user_has_so_many_accounts_at_a_site_and_no_more(store: Store) {
    for at in 0..MAX_OAUTH_ACCOUNTS {
        let added = store.add_oauth_credential(credential("u", &at.to_string(), 5));
        assert!(added.await.unwrap().is_some());
    }
    let more = store.add_oauth_credential(credential("u", "more", 6));
    assert_eq!(more.await.unwrap(), None);
    let again = store.add_oauth_credential(credential("u", "7", 6));
    assert_eq!(again.await.unwrap().unwrap().received_at, 6);
    let other = store.add_oauth_credential(credential("v", "more", 6));
    assert!(other.await.unwrap().is_some());
}
