//! Google as far as accounts and one spreadsheet go. It checks app, redirect address and PKCE, takes each code once, and
//! keeps a refresh token good until it is revoked, with all access tokens that came for it.

use std::collections::BTreeMap;
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
use url::Url;

use super::super::super::client::Client;
use super::super::super::oauth::{Pairs, is_form, pairs, tell};

pub(super) const APP: &str = "app-of-the-test";
pub(super) const SECRET: &str = "secret-of-the-app";
const SCOPES: &str = "https://www.googleapis.com/auth/";

/// What a person has agreed to.
#[derive(Clone)]
struct Grant {
    email: &'static str,
    scope: String,
}

#[derive(Default)]
struct Site {
    count: u32,
    codes: BTreeMap<String, Pairs>,
    /// By refresh token.
    grants: BTreeMap<String, Grant>,
    /// Access tokens that are good, with their refresh tokens.
    access: BTreeMap<String, String>,
    given: Vec<String>,
    /// How often a new access token was asked for.
    refreshed: usize,
    email: &'static str,
    lifetime: u32,
    ticked: Option<&'static str>,
    no_refresh: bool,
    no_email: bool,
}

impl Site {
    fn make(&mut self, kind: &str) -> String {
        self.count += 1;
        let token = format!("{kind}-token-of-google-{}", self.count);
        self.given.push(token.clone());
        token
    }

    fn access(&mut self, refresh: &str) -> Value {
        let access = self.make("access");
        self.access.insert(access.clone(), refresh.to_owned());
        json!({ "access_token": access, "token_type": "Bearer", "expires_in": self.lifetime,
            "scope": self.grants[refresh].scope })
    }
}

type Shared = Arc<Mutex<Site>>;

/// Google at work until it is dropped.
pub(super) struct FakeGoogle {
    address: SocketAddr,
    site: Shared,
    _serving: JoinSet<()>,
}

impl FakeGoogle {
    pub(super) async fn start() -> Self {
        let site = Shared::default();
        {
            let mut site = site.lock().unwrap();
            (site.lifetime, site.email) = (3600, "ada@example.org");
        }
        let routes = Router::new()
            .route("/o/oauth2/v2/auth", get(authorize))
            .route("/token", post(token))
            .route("/v1/userinfo", get(account))
            .route("/revoke", post(revoke))
            .route("/drive/v3/files", get(files))
            .route("/v4/spreadsheets/s1", get(sheets))
            .route("/v4/spreadsheets/s1/values:batchGet", get(values))
            .with_state(site.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        FakeGoogle {
            address,
            site,
            _serving: serving,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap()
    }

    /// What a person does who agrees: where Google sends them, with code and state.
    pub(super) async fn agree(&self, authorization_url: &str) -> Url {
        let own = format!("{}/", self.url());
        assert!(authorization_url.starts_with(&own), "{authorization_url}");
        let url = Url::parse(authorization_url).expect("an address");
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let agreed = Client::new(self.address).get(&path).await;
        assert_eq!(agreed.status, 302, "{agreed:?}");
        Url::parse(agreed.header("location")).expect("an address to come back to")
    }

    /// Whose account is chosen from now on.
    pub(super) fn sign_in_as(&self, email: &'static str) {
        self.site().email = email;
    }

    /// Every token that was given.
    pub(super) fn given(&self) -> Vec<String> {
        self.site().given.clone()
    }

    /// How often a new access token was asked for.
    pub(super) fn refreshed(&self) -> usize {
        self.site().refreshed
    }

    /// How many grants are good.
    pub(super) fn grants(&self) -> usize {
        self.site().grants.len()
    }

    /// Seconds that tokens live from now on.
    pub(super) fn live_for(&self, seconds: u32) {
        self.site().lifetime = seconds;
    }

    /// Only these permissions are given, whatever is asked for.
    pub(super) fn tick(&self, scope: &'static str) {
        self.site().ticked = Some(scope);
    }

    pub(super) fn give_no_refresh_tokens(&self) {
        self.site().no_refresh = true;
    }

    /// Tokens say no mail address; it has to be asked for.
    pub(super) fn name_nobody(&self) {
        self.site().no_email = true;
    }

    /// Access tokens are good no more, before their time.
    pub(super) fn forget_access(&self) {
        self.site().access.clear();
    }

    /// The person takes everything back.
    pub(super) fn revoke_all(&self) {
        let mut site = self.site();
        site.grants.clear();
        site.access.clear();
    }
}

fn refuse(status: u16, error: &str, text: &str) -> Response {
    let told = json!({ "error": error, "error_description": text });
    (StatusCode::from_u16(status).unwrap(), tell(&told)).into_response()
}

async fn authorize(State(site): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(&query.unwrap_or_default());
    let fits = |key: &str, value: &str| asked.get(key).is_some_and(|v| v == value);
    if !fits("client_id", APP)
        || !fits("response_type", "code")
        || !fits("access_type", "offline")
        || !fits("prompt", "consent")
        || !fits("code_challenge_method", "S256")
        || asked.get("code_challenge").is_none_or(|c| c.len() != 43)
        || asked.get("state").is_none_or(|s| s.len() != 43)
        || !asked["scope"].starts_with(&format!("openid email {SCOPES}"))
    {
        return refuse(400, "invalid_request", "not a request for a code");
    }
    let mut site = site.lock().unwrap();
    site.count += 1;
    let code = format!("code-{}", site.count);
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    back.query_pairs_mut()
        .append_pair("state", &asked["state"])
        .append_pair("code", &code);
    site.codes.insert(code, asked);
    (StatusCode::FOUND, [(header::LOCATION, String::from(back))]).into_response()
}

/// The scope of a code, if everything fits that has to.
fn redeem(site: &mut Site, form: &Pairs) -> Result<String, &'static str> {
    let given = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
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

async fn token(State(site): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let form = pairs(&body);
    let mut site = site.lock().unwrap();
    let fits = |key: &str, value: &str| form.get(key).is_some_and(|v| v == value);
    if !is_form(&headers) || !fits("client_id", APP) || !fits("client_secret", SECRET) {
        return refuse(401, "invalid_client", "no such app");
    }
    if fits("grant_type", "refresh_token") {
        let refresh = form["refresh_token"].clone();
        site.refreshed += 1;
        if !site.grants.contains_key(&refresh) {
            return refuse(400, "invalid_grant", "Token has been expired or revoked.");
        }
        return tell(&site.access(&refresh));
    }
    let scope = match redeem(&mut site, &form) {
        Ok(scope) => scope,
        Err(why) => return refuse(400, "invalid_grant", why),
    };
    let scope = site.ticked.map_or(scope, str::to_owned);
    let email = site.email;
    let refresh = site.make("refresh");
    let grant = Grant { email, scope };
    site.grants.insert(refresh.clone(), grant);
    let mut granted = site.access(&refresh);
    if !site.no_refresh {
        granted["refresh_token"] = refresh.into();
    }
    let mut claims =
        json!({ "iss": "https://accounts.google.com", "aud": APP, "sub": id_of(email) });
    if !site.no_email {
        claims["email"] = email.into();
    }
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    granted["id_token"] = format!("e30.{claims}.signature").into();
    tell(&granted)
}

fn id_of(email: &str) -> String {
    format!("id-of-{}", email.split('@').next().unwrap())
}

/// Whose token a request shows.
fn holder(site: &Site, headers: &HeaderMap) -> Result<&'static str, Box<Response>> {
    let token = headers.get(header::AUTHORIZATION);
    let token = token.and_then(|t| t.to_str().ok()?.strip_prefix("Bearer "));
    let refresh = token.and_then(|token| site.access.get(token));
    let grant = refresh.and_then(|refresh| site.grants.get(refresh));
    grant.map(|grant| grant.email).ok_or_else(|| {
        let told =
            json!({ "error": { "message": "Request had invalid authentication credentials." } });
        Box::new((StatusCode::UNAUTHORIZED, tell(&told)).into_response())
    })
}

async fn account(State(site): State<Shared>, headers: HeaderMap) -> Response {
    match holder(&site.lock().unwrap(), &headers) {
        Ok(email) => tell(&json!({ "sub": id_of(email), "email": email, "email_verified": true })),
        Err(refused) => *refused,
    }
}

async fn revoke(State(site): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let form = pairs(&body);
    let mut site = site.lock().unwrap();
    if !is_form(&headers) || site.grants.remove(&form["token"]).is_none() {
        return refuse(400, "invalid_token", "no such token");
    }
    tell(&json!({}))
}

async fn files(State(site): State<Shared>, headers: HeaderMap) -> Response {
    match holder(&site.lock().unwrap(), &headers) {
        Ok(email) => {
            let name = format!("Sheet of {email}");
            tell(&json!({ "files": [{ "id": "s1", "name": name }] }))
        }
        Err(refused) => *refused,
    }
}

async fn sheets(State(site): State<Shared>, headers: HeaderMap) -> Response {
    match holder(&site.lock().unwrap(), &headers) {
        Ok(_) => tell(&json!({ "sheets": [{ "properties": { "title": "A" } }] })),
        Err(refused) => *refused,
    }
}

async fn values(State(site): State<Shared>, headers: HeaderMap) -> Response {
    match holder(&site.lock().unwrap(), &headers) {
        Ok(email) => tell(&json!({ "valueRanges":
            [{ "values": [["owner", "city"]] }, { "values": [[email, "Bern"]] }] })),
        Err(refused) => *refused,
    }
}
