//! Hugging Face and GitHub as far as OAuth goes: one server with the paths of both. It checks client, secret, redirect
//! address and PKCE, takes each code once, and gives a new refresh token for the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::{Url, form_urlencoded};

use super::super::client::Client;
use super::super::server::{pace, within};

pub(super) const CLIENT: &str = "client-1";
pub(super) const SECRET: &str = "client-secret-1";

pub(in super::super) type Pairs = BTreeMap<String, String>;

#[derive(Default)]
struct Site {
    count: u32,
    codes: BTreeMap<String, Pairs>,
    access: BTreeSet<String>,
    refresh: BTreeSet<String>,
    given: Vec<String>,
    lifetime: u32,
    fails_with: u16,
    no_refresh: bool,
}

impl Site {
    fn make(&mut self, kind: &str) -> String {
        self.count += 1;
        let token = format!("{kind}-token-of-the-site-{}", self.count);
        self.given.push(token.clone());
        token
    }
}

type Shared = Arc<Mutex<Site>>;

/// A site at work until it is dropped.
pub(super) struct FakeSite {
    address: SocketAddr,
    site: Shared,
    task: JoinSet<()>,
}

impl FakeSite {
    pub(super) async fn start() -> Self {
        let site = Shared::default();
        site.lock().unwrap().lifetime = 3600;
        let routes = Router::new()
            .route("/oauth/authorize", get(authorize))
            .route("/login/oauth/authorize", get(authorize))
            .route("/oauth/token", post(hf_token))
            .route("/login/oauth/access_token", post(github_token))
            .route("/api/whoami-v2", get(whoami))
            .route("/user", get(user))
            .with_state(site.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        FakeSite {
            address,
            site,
            task,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap()
    }

    /// What a person does who agrees: where the site sends them.
    pub(super) async fn sign_in(&self, auth_url: &str) -> String {
        let url = Url::parse(auth_url).expect("an address");
        let own = format!("{}/", self.url());
        assert!(auth_url.starts_with(&own), "{auth_url}");
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let agreed = Client::new(self.address).get(&path).await;
        assert_eq!(agreed.status, 302, "{agreed:?}");
        agreed.header("location").to_owned()
    }

    /// Every token that was given.
    pub(super) fn given(&self) -> Vec<String> {
        self.site().given.clone()
    }

    /// Seconds that tokens live from now on.
    pub(super) fn live_for(&self, seconds: u32) {
        self.site().lifetime = seconds;
    }

    pub(super) fn give_no_refresh_tokens(&self) {
        self.site().no_refresh = true;
    }

    /// Profiles are answered with this status; 0 goes back to the truth.
    pub(super) fn fail_with(&self, status: u16) {
        self.site().fails_with = status;
    }

    pub(super) fn revoke_all(&self) {
        let mut site = self.site();
        site.access.clear();
        site.refresh.clear();
    }

    /// Is away from now on.
    pub(super) async fn stop(mut self) {
        self.task.shutdown().await;
        within("the end of the site", async {
            while tokio::net::TcpStream::connect(self.address).await.is_ok() {
                pace().await;
            }
        })
        .await;
    }
}

pub(in super::super) fn pairs(text: &str) -> Pairs {
    form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

pub(in super::super) fn tell(document: &Value) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, document.to_string()).into_response()
}

fn refuse(status: u16, text: &str) -> Response {
    let told = json!({ "error": "invalid_request", "error_description": text });
    (StatusCode::from_u16(status).unwrap(), tell(&told)).into_response()
}

async fn authorize(State(site): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(&query.unwrap_or_default());
    let fits = |key: &str, value: &str| asked.get(key).is_some_and(|v| v == value);
    if !fits("client_id", CLIENT)
        || !fits("response_type", "code")
        || !fits("code_challenge_method", "S256")
        || asked.get("code_challenge").is_none_or(|c| c.len() != 43)
        || asked.get("state").is_none_or(|s| s.len() < 22)
    {
        return refuse(400, "not a request for a code");
    }
    let mut site = site.lock().unwrap();
    site.count += 1;
    let code = format!("code-{}", site.count);
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked["state"]);
    site.codes.insert(code, asked);
    (StatusCode::FOUND, [(header::LOCATION, String::from(back))]).into_response()
}

/// The scope of a code, if everything fits that has to.
fn redeem(site: &mut Site, form: &Pairs) -> Result<String, &'static str> {
    let given = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
    if given("client_id") != CLIENT {
        return Err("no such client");
    }
    // It is gone, whatever comes of it.
    let asked = site.codes.remove(given("code")).ok_or("no such code")?;
    if given("redirect_uri") != asked["redirect_uri"] {
        return Err("another redirect address");
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(given("code_verifier")));
    if challenge != asked["code_challenge"] {
        return Err("another verifier");
    }
    Ok(asked["scope"].clone())
}

fn grant(site: &mut Site, scope: &str) -> Value {
    let access = site.make("access");
    site.access.insert(access.clone());
    let mut granted = json!({
        "access_token": access, "token_type": "bearer", "scope": scope, "expires_in": site.lifetime,
    });
    if !site.no_refresh {
        let refresh = site.make("refresh");
        site.refresh.insert(refresh.clone());
        granted["refresh_token"] = refresh.into();
    }
    granted
}

pub(in super::super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind == "application/x-www-form-urlencoded")
}

async fn hf_token(State(site): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let form = pairs(&body);
    let mut site = site.lock().unwrap();
    if !is_form(&headers) || form.contains_key("client_secret") {
        return refuse(400, "not a form");
    }
    let scope = match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => redeem(&mut site, &form),
        Some("refresh_token") => {
            let known = site.refresh.remove(&form["refresh_token"]);
            let known = known && form.get("client_id").is_some_and(|c| c == CLIENT);
            known
                .then(|| "openid".to_owned())
                .ok_or("no such refresh token")
        }
        _ => Err("no such grant"),
    };
    match scope {
        Ok(scope) => tell(&grant(&mut site, &scope)),
        Err(why) => refuse(400, why),
    }
}

async fn github_token(State(site): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let form = pairs(&body);
    let mut site = site.lock().unwrap();
    let accept = headers.get(header::ACCEPT);
    if !is_form(&headers) || accept.is_none_or(|accept| accept != "application/json") {
        return refuse(400, "not a form");
    }
    if form.get("client_secret").is_none_or(|s| s != SECRET) {
        return refuse(200, "no such secret");
    }
    match redeem(&mut site, &form) {
        Ok(scope) => {
            let access = site.make("access");
            site.access.insert(access.clone());
            let granted = json!({ "access_token": access, "token_type": "bearer", "scope": scope });
            tell(&granted)
        }
        // It says so with a status of success.
        Err(why) => refuse(200, why),
    }
}

/// Refuses who shows no token that was given.
fn judge(site: &Site, headers: &HeaderMap) -> Result<(), Box<Response>> {
    if site.fails_with != 0 {
        return Err(Box::new(refuse(site.fails_with, "not now")));
    }
    let token = headers.get(header::AUTHORIZATION);
    let token = token.and_then(|t| t.to_str().ok()?.strip_prefix("Bearer "));
    if headers.contains_key(header::USER_AGENT) && token.is_some_and(|t| site.access.contains(t)) {
        return Ok(());
    }
    Err(Box::new(refuse(401, "no such token")))
}

async fn whoami(State(site): State<Shared>, headers: HeaderMap) -> Response {
    if let Err(refused) = judge(&site.lock().unwrap(), &headers) {
        return *refused;
    }
    tell(&json!({
        "type": "user", "id": "hf-account-1", "name": "ada", "fullname": "Ada", "email": "ada@example.org",
        "orgs": [{ "name": "engines" }], "auth": { "type": "oauth" },
    }))
}

async fn user(State(site): State<Shared>, headers: HeaderMap) -> Response {
    if let Err(refused) = judge(&site.lock().unwrap(), &headers) {
        return *refused;
    }
    tell(&json!({
        "login": "octoada", "id": 42, "node_id": "U_42", "avatar_url": "https://example.org/a.png", "bio": null,
        "public_repos": 7, "followers": 1, "created_at": "2020-01-01T00:00:00Z", "two_factor_authentication": true,
    }))
}
