//! What a database has to do for OAuth credentials.

use nodetool_store::{OauthCredentialRow, OauthTokens, Store, new_id};

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
