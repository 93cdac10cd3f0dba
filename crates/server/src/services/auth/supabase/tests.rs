use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::jwt::tests::Signer;
use super::*;

/// What a project says, and how often it was asked.
#[derive(Default)]
struct Project {
    keys: Mutex<Vec<Value>>,
    /// 0 for a project that is well.
    status: AtomicU16,
    fetches: AtomicUsize,
    asked: AtomicUsize,
}

/// A project on an address of its own, and a clock that is put forward by hand.
struct World {
    project: Arc<Project>,
    supabase: Supabase,
    address: SocketAddr,
    ahead: Arc<AtomicU64>,
    serving: JoinSet<()>,
}

async fn keys(State(project): State<Arc<Project>>) -> (StatusCode, String) {
    project.fetches.fetch_add(1, Ordering::Relaxed);
    let status = StatusCode::from_u16(project.status.load(Ordering::Relaxed));
    let keys = project.keys.lock().unwrap().clone();
    (
        status.unwrap_or(StatusCode::OK),
        json!({ "keys": keys }).to_string(),
    )
}

/// Tokens of this project are `user:ID`; anything else is refused in its words.
async fn user(State(project): State<Arc<Project>>, headers: HeaderMap) -> (StatusCode, String) {
    project.asked.fetch_add(1, Ordering::Relaxed);
    if let Ok(status) = StatusCode::from_u16(project.status.load(Ordering::Relaxed)) {
        return (status, "down".into());
    }
    if headers.get("apikey").is_none_or(|k| k != "anon") {
        return (
            StatusCode::UNAUTHORIZED,
            json!({ "message": "No API key" }).to_string(),
        );
    }
    let bearer = headers["authorization"].to_str().unwrap();
    match bearer.strip_prefix("Bearer user:") {
        Some(id) => (StatusCode::OK, json!({ "id": id, "aud": "x" }).to_string()),
        None if bearer.ends_with('!') => (StatusCode::FORBIDDEN, String::new()),
        None if bearer.ends_with("eyJ9") => (StatusCode::OK, "<html>".into()),
        None => {
            let body = json!({ "code": 403, "msg": "invalid JWT:\nsignature is invalid" });
            (StatusCode::FORBIDDEN, body.to_string())
        }
    }
}

impl World {
    async fn new() -> Self {
        Self::remembering(60, 2000).await
    }

    async fn remembering(ttl: u64, most: usize) -> Self {
        let project = Arc::new(Project::default());
        let routes = Router::new()
            .route("/auth/v1/.well-known/jwks.json", get(keys))
            .route("/auth/v1/user", get(user))
            .with_state(project.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let ahead = Arc::new(AtomicU64::new(0));
        let (begin, seconds) = (now(), ahead.clone());
        let clock: Clock = Arc::new(move || {
            let ahead = seconds.load(Ordering::Relaxed);
            Moment {
                instant: begin.instant + Duration::from_secs(ahead),
                unix: begin.unix + Duration::from_secs(ahead).as_secs_f64(),
            }
        });
        let ttl = Duration::from_secs(ttl);
        let supabase = Supabase::with_clock(
            &format!("http://{address}/"),
            Sensitive::new("anon"),
            Remember { ttl, most },
            clock,
        );
        World {
            project,
            supabase: supabase.unwrap(),
            address,
            ahead,
            serving,
        }
    }

    async fn verify(&self, token: &str) -> Result<String, Refused> {
        self.supabase.verify(token, &Digest::of(token)).await
    }

    async fn detail(&self, token: &str) -> String {
        let refused = self.verify(token).await.unwrap_err();
        assert!(!refused.unavailable, "{refused:?}");
        refused.detail
    }

    fn pass(&self, seconds: u64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    fn signs_with(&self, signers: &[&Signer]) {
        *self.project.keys.lock().unwrap() = signers.iter().map(|s| s.jwk()).collect();
    }

    /// Claims of a token that holds for so many seconds more.
    fn claims(&self, user: &str, seconds: f64) -> Value {
        let now = (self.supabase.0.clock)().unix;
        let issuer = format!("http://{}/auth/v1", self.address);
        json!({ "iss": issuer, "sub": user, "aud": "authenticated", "exp": now + seconds })
    }

    /// How often keys were fetched, and how often the project was asked for a user.
    fn counts(&self) -> (usize, usize) {
        let count = |n: &AtomicUsize| n.load(Ordering::Relaxed);
        (count(&self.project.fetches), count(&self.project.asked))
    }
}

#[tokio::test]
async fn a_signed_token_is_checked_without_asking() {
    let world = World::new().await;
    let (signer, stranger) = (Signer::new("k"), Signer::new("k"));
    world.signs_with(&[&signer]);
    let token = signer.sign(&world.claims("ann", 3600.0));
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    let forged = stranger.sign(&world.claims("ann", 3600.0));
    assert_eq!(world.detail(&forged).await, INVALID);
    let old = signer.sign(&world.claims("ann", -31.0));
    assert_eq!(world.detail(&old).await, INVALID);
    assert_eq!(world.counts(), (1, 0));
}

#[tokio::test]
async fn the_project_is_asked_about_other_tokens_and_its_answer_holds_for_a_while() {
    let world = World::new().await;
    assert_eq!(world.verify("user:bob").await.unwrap(), "bob");
    assert_eq!(world.verify("user:bob").await.unwrap(), "bob");
    assert_eq!(world.counts(), (0, 1));
    world.pass(59);
    assert_eq!(world.verify("user:bob").await.unwrap(), "bob");
    assert_eq!(world.counts(), (0, 1));
    world.pass(1);
    assert_eq!(world.verify("user:bob").await.unwrap(), "bob");
    assert_eq!(world.counts(), (0, 2));
    assert_eq!(
        world.detail("nobody").await,
        "invalid JWT: signature is invalid"
    );
    assert_eq!(world.detail("nobody!").await, INVALID);
    assert_eq!(world.detail("no body").await, INVALID);
    assert_eq!(world.counts(), (0, 4));
    world.detail("nobody").await;
    assert_eq!(world.counts(), (0, 4), "a refusal is remembered");
    world.pass(5);
    world.detail("nobody").await;
    assert_eq!(world.counts(), (0, 5), "but not for long");
}

#[tokio::test]
async fn nothing_holds_longer_than_its_token() {
    let world = World::new().await;
    let signer = Signer::new("k");
    world.signs_with(&[&signer]);
    let token = signer.sign(&world.claims("ann", 20.0));
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    world.pass(20 + 31);
    assert_eq!(world.detail(&token).await, INVALID);
    // Signed in a way that only the project can check, which has the last word each time.
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let token = signer.sign_under(&header, &world.claims("ann", 0.0));
    world.detail(&token).await;
    world.pass(6);
    world.detail(&token).await;
    assert_eq!(world.counts().1, 2);
}

#[tokio::test]
async fn many_requests_with_one_token_ask_once() {
    let world = World::new().await;
    let asking = (0..50).map(|_| world.verify("user:eve"));
    for outcome in futures_util::future::join_all(asking).await {
        assert_eq!(outcome.unwrap(), "eve");
    }
    assert_eq!(world.counts(), (0, 1));
    let signer = Signer::new("k");
    world.signs_with(&[&signer]);
    let tokens: Vec<String> = (0..20)
        .map(|i| signer.sign(&world.claims(&format!("u{i}"), 60.0)))
        .collect();
    let asking = tokens.iter().map(|token| world.verify(token));
    for outcome in futures_util::future::join_all(asking).await {
        outcome.unwrap();
    }
    assert_eq!(world.counts(), (1, 1));
    assert!(lock(&world.supabase.0.flights).is_empty());
}

#[tokio::test]
async fn a_request_that_goes_away_leaves_nothing_behind() {
    let world = World::new().await;
    {
        let mut asking = std::pin::pin!(world.verify("user:eve"));
        assert!(futures_util::poll!(asking.as_mut()).is_pending());
        assert_eq!(lock(&world.supabase.0.flights).len(), 1);
    }
    assert!(lock(&world.supabase.0.flights).is_empty());
    assert_eq!(world.verify("user:eve").await.unwrap(), "eve");
}

#[tokio::test]
async fn new_keys_are_fetched_when_a_token_names_one() {
    let world = World::new().await;
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    world.signs_with(&[&old]);
    let token = old.sign(&world.claims("ann", 36000.0));
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    world.signs_with(&[&old, &new]);
    world.pass(5);
    let token = new.sign(&world.claims("bob", 36000.0));
    assert_eq!(world.verify(&token).await.unwrap(), "bob");
    assert_eq!(world.counts(), (2, 0));
    // Made-up names of keys do not make it fetch again and again; the project itself says no.
    for i in 0..5 {
        let made_up = Signer::new(&format!("made up {i}"));
        let token = made_up.sign(&world.claims("bob", 36000.0));
        assert_eq!(
            world.detail(&token).await,
            "invalid JWT: signature is invalid"
        );
    }
    assert_eq!(world.counts(), (2, 5));
}

#[tokio::test]
async fn keys_that_are_a_little_old_still_count_while_others_are_fetched() {
    let world = World::remembering(0, 2000).await;
    let signer = Signer::new("k");
    world.signs_with(&[&signer]);
    let token = signer.sign(&world.claims("ann", 360_000.0));
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    assert_eq!(world.counts(), (1, 0));
    world.pass(11 * 60);
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    while world.counts().0 < 2 {
        tokio::task::yield_now().await;
    }
    // A key that the project has withdrawn does not count for ever, not even while the project is down.
    world.project.status.store(503, Ordering::Relaxed);
    world.pass(59 * 60);
    assert_eq!(world.verify(&token).await.unwrap(), "ann");
    world.pass(60);
    let refused = world.verify(&token).await.unwrap_err();
    assert!(refused.unavailable, "{refused:?}");
}

#[tokio::test]
async fn a_project_that_is_down_refuses_nobody_for_good() {
    let mut world = World::new().await;
    assert_eq!(world.verify("user:bob").await.unwrap(), "bob");
    for status in [500, 502, 429, 302] {
        world.project.status.store(status, Ordering::Relaxed);
        let refused = world.verify("user:eve").await.unwrap_err();
        assert!(refused.unavailable, "{status}: {refused:?}");
    }
    world.project.status.store(0, Ordering::Relaxed);
    assert!(world.verify("eyJ9").await.unwrap_err().unavailable);
    assert_eq!(world.verify("user:eve").await.unwrap(), "eve");
    world.serving.shutdown().await;
    let refused = world.verify("user:ann").await.unwrap_err();
    assert!(refused.unavailable && refused.detail == UNREACHABLE);
    assert_eq!(world.verify("user:bob").await.unwrap(), "bob");
}

#[tokio::test]
async fn a_bounded_number_of_tokens_is_remembered() {
    let world = World::remembering(60, 2).await;
    for token in ["user:a", "user:b", "user:a", "user:c", "user:a"] {
        world.verify(token).await.unwrap();
    }
    assert_eq!(world.counts(), (0, 3));
    world.verify("user:b").await.unwrap();
    assert_eq!(world.counts(), (0, 4));
}
