//! The token that serves as `HF_TOKEN`.

use axum::Router;
use axum::routing::post;
use nodetool_store::{OauthCredentialRow, Store, new_id, now_micros};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{OAuthService, OAuthSettings};
use crate::sensitive::Sensitive;
use crate::services::Changes;
use crate::services::secrets::AccountTokens;
use crate::services::{KeyPlaces, Safe};

/// A site that gives one fresh token for the refresh token `good`.
async fn site(tasks: &mut JoinSet<()>) -> String {
    let refresh = |body: String| async move {
        let good = body.contains("refresh_token=good") && body.contains("client_id=client");
        let told = match good {
            true => json!({ "access_token": "fresh", "expires_in": 3600, "refresh_token": "next" }),
            false => json!({ "error": "invalid_grant" }),
        };
        told.to_string()
    };
    let routes = Router::new().route("/oauth/token", post(refresh));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

fn service(store: &Store, hf_url: String) -> OAuthService {
    let settings = OAuthSettings {
        hf_client_id: "client".into(),
        github_client_id: String::new(),
        github_client_secret: None,
        hf_url,
        github_url: String::new(),
        github_api_url: String::new(),
        api_url: String::new(),
    };
    let places = KeyPlaces {
        given: Some(Sensitive::new("master")),
        ..KeyPlaces::default()
    };
    let safe = Safe::new(store.clone(), places);
    OAuthService::new(store.clone(), safe, Changes::default(), settings).unwrap()
}

/// Stores an account whose tokens came and end so many seconds from now.
async fn account(
    service: &OAuthService,
    (user, provider): (&str, &str),
    tokens: (&str, Option<&str>),
    (came, ends): (i64, Option<i64>),
) {
    let seal = async |token: &str| {
        let sealed = service.0.safe.seal(user, Sensitive::new(token)).await;
        sealed.unwrap()
    };
    let at = |seconds: i64| now_micros() + seconds * 1_000_000;
    let row = OauthCredentialRow {
        id: new_id(),
        user_id: user.into(),
        provider: provider.into(),
        account_id: tokens.0.into(),
        encrypted_access_token: seal(tokens.0).await,
        encrypted_refresh_token: match tokens.1 {
            Some(token) => Some(seal(token).await),
            None => None,
        },
        received_at: at(came),
        expires_at: ends.map(at),
        ..OauthCredentialRow::default()
    };
    service.0.store.save_oauth_credential(row).await.unwrap();
}

async fn hf_token(service: &OAuthService, user_id: &str) -> Option<String> {
    let token = service.newest(user_id).await;
    token.map(|token| token.expose().to_owned())
}

#[tokio::test]
async fn the_newest_account_of_a_user_serves() {
    let store = Store::open_in_memory().unwrap();
    let service = service(&store, String::new());
    assert_eq!(hf_token(&service, "u").await, None);
    account(&service, ("u", "HuggingFace"), ("oldest", None), (9, None)).await;
    assert_eq!(hf_token(&service, "u").await.as_deref(), Some("oldest"));
    account(&service, ("u", "huggingface"), ("older", None), (-9, None)).await;
    account(
        &service,
        ("u", "huggingface"),
        ("newer", None),
        (-5, Some(600)),
    )
    .await;
    account(&service, ("v", "huggingface"), ("foreign", None), (0, None)).await;
    account(&service, ("u", "github"), ("other", None), (0, None)).await;
    assert_eq!(hf_token(&service, "u").await.as_deref(), Some("newer"));
    assert_eq!(hf_token(&service, "v").await.as_deref(), Some("foreign"));
    assert_eq!(hf_token(&service, "w").await, None);
}

#[tokio::test]
async fn a_token_that_has_ended_is_fetched_anew_or_does_not_serve() {
    let mut tasks = JoinSet::new();
    let store = Store::open_in_memory().unwrap();
    let service = service(&store, site(&mut tasks).await);
    let ended = (-20, Some(-10));
    account(&service, ("u", "huggingface"), ("ended", None), ended).await;
    assert_eq!(hf_token(&service, "u").await, None);
    account(
        &service,
        ("v", "huggingface"),
        ("ended", Some("bad")),
        ended,
    )
    .await;
    assert_eq!(hf_token(&service, "v").await, None);
    account(
        &service,
        ("w", "huggingface"),
        ("ended", Some("good")),
        ended,
    )
    .await;
    // Both want it at once; the refresh token is good once.
    let (one, two) = tokio::join!(hf_token(&service, "w"), hf_token(&service, "w"));
    assert_eq!(
        (one.as_deref(), two.as_deref()),
        (Some("fresh"), Some("fresh"))
    );
    assert_eq!(hf_token(&service, "w").await.as_deref(), Some("fresh"));
}
