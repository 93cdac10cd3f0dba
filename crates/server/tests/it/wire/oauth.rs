//! Accounts at other sites (HTTP spec 6.14, conformance row 92). The sites are servers in this process that check what
//! real ones check.

mod fake;

use serde_json::{Value, json};
use url::Url;

use super::client::{Client, Reply};
use super::server::TestServer;
use fake::{CLIENT, FakeSite, SECRET};
pub(super) use fake::{Pairs, is_form, pairs, tell};

const HF: &str = "/api/oauth/hf";
const GITHUB: &str = "/api/oauth/github";
const KEY: (&str, &str) = ("SECRETS_MASTER_KEY", "spec-master-key");

/// A server that knows the fakes of both sites.
fn server(site: &FakeSite, more: &[&str]) -> TestServer {
    let url = site.url();
    let mut arguments = vec![
        "--hf-oauth-url",
        &url,
        "--github-oauth-url",
        &url,
        "--github-api-url",
        &url,
    ];
    arguments.extend(more);
    let environment = [
        KEY,
        ("HF_CLIENT_ID", CLIENT),
        ("GITHUB_CLIENT_ID", CLIENT),
        ("GITHUB_CLIENT_SECRET", SECRET),
    ];
    TestServer::start_in(&environment, &arguments)
}

async fn auth_url(client: &Client, base: &str) -> String {
    let started = client.get(&format!("{base}/start")).await.ok();
    let keys: Vec<_> = started.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["auth_url"]);
    started["auth_url"].as_str().unwrap().to_owned()
}

/// Goes where a browser goes: to the site, which sends it back. The path it comes back to.
async fn sign_in(client: &Client, site: &FakeSite, base: &str) -> String {
    let back = site.sign_in(&auth_url(client, base).await).await;
    let back = Url::parse(&back).expect("an address to come back to");
    format!("{}?{}", back.path(), back.query().unwrap_or_default())
}

async fn connect(client: &Client, site: &FakeSite, base: &str) {
    let back = sign_in(client, site, base).await;
    let page = page(&client.get(&back).await);
    assert!(page.contains("Account connected"), "{page}");
}

async fn tokens(client: &Client, base: &str) -> Vec<Value> {
    let listed = client.get(&format!("{base}/tokens")).await.ok();
    assert_eq!(listed.as_object().unwrap().len(), 1);
    listed["tokens"].as_array().unwrap().clone()
}

/// The text of a callback's answer, which is a page whatever happened.
#[track_caller]
fn page(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    let policy = reply.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    assert_eq!(reply.header("cache-control"), "no-store");
    let page = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(!page.contains("<script"), "{page}");
    page
}

#[tokio::test]
async fn case_92_what_comes_back_from_a_site_is_shown_as_text() {
    let server = TestServer::start();
    let client = server.client();
    for base in [HF, GITHUB] {
        let path = format!("{base}/callback?error=%3Cscript%3E");
        let told = page(&client.get(&path).await);
        assert!(told.contains("&lt;script&gt;"), "{told}");
        let path = format!(
            "{base}/callback?error=x&error_description=%22%3E%3Cimg%20src=x%3E%27%26&state=%FF"
        );
        let told = page(&client.get(&path).await);
        assert!(
            told.contains("&quot;&gt;&lt;img src=x&gt;&#39;&amp;"),
            "{told}"
        );
        let long = "%3C".repeat(3000);
        let told = page(&client.get(&format!("{base}/callback?error={long}")).await);
        assert!(told.len() < 20_000);
    }
}

#[tokio::test]
async fn a_hugging_face_account_is_connected_and_its_tokens_stay_here() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    let begun = auth_url(&client, HF).await;
    let url = Url::parse(&begun).unwrap();
    let given = |name: &str| {
        let mut pairs = url.query_pairs().filter(|(key, _)| key == name);
        pairs.next().unwrap_or_default().1.into_owned()
    };
    let port = server.address().port();
    assert_eq!(
        given("redirect_uri"),
        format!("http://localhost:{port}/api/oauth/hf/callback")
    );
    assert_eq!(given("scope"), "openid read-repos inference-api");
    assert_eq!(given("code_challenge_method"), "S256");
    assert_eq!(given("state").len(), 43);
    assert_ne!(auth_url(&client, HF).await, begun);

    connect(&client, &site, HF).await;
    let listed = tokens(&client, HF).await;
    let account = &listed[0];
    let id = account["id"].as_str().unwrap().to_owned();
    assert_eq!(account["provider"], "huggingface");
    assert_eq!(account["account_id"], "hf-account-1");
    assert_eq!(account["username"], "ada");
    assert_eq!(account["token_type"], "bearer");
    assert_eq!(account["scope"], "openid read-repos inference-api");
    let time = |key: &str| account[key].as_str().unwrap().to_owned();
    assert!(time("expires_at") > time("received_at"));
    assert_eq!(time("created_at"), time("updated_at"));
    let mut keys: Vec<_> = account.as_object().unwrap().keys().collect();
    keys.sort();
    let expected = [
        "account_id",
        "created_at",
        "expires_at",
        "id",
        "provider",
        "received_at",
        "scope",
        "token_type",
        "updated_at",
        "username",
    ];
    assert_eq!(keys, expected);

    connect(&client, &site, HF).await;
    let again = tokens(&client, HF).await;
    assert_eq!(again.len(), 1, "the same account");
    assert_eq!(again[0]["id"], id.as_str());
    assert_eq!(tokens(&client, GITHUB).await, Vec::<Value>::new());

    let given = site.given();
    assert!(given.len() >= 4, "{given:?}");
    let log = server.log();
    let listed = json!(again).to_string();
    let folder = server.kill().await;
    let stored: Vec<u8> = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|file| std::fs::read(file.unwrap().path()).ok())
        .flatten()
        .collect();
    for token in given {
        assert!(!log.contains(&token) && !listed.contains(&token));
        let found = stored.windows(token.len()).any(|w| w == token.as_bytes());
        assert!(!found, "a token is stored as it came");
    }
}

#[tokio::test]
async fn a_sign_in_is_good_once_and_for_its_own_site() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    let back = sign_in(&client, &site, HF).await;
    assert!(page(&client.get(&back).await).contains("Account connected"));
    assert!(page(&client.get(&back).await).contains("invalid_state"));

    let back = sign_in(&client, &site, HF).await;
    let elsewhere = back.replace("/hf/", "/github/");
    assert!(page(&client.get(&elsewhere).await).contains("invalid_state"));
    assert!(
        page(&client.get(&back).await).contains("invalid_state"),
        "it was used"
    );

    let back = sign_in(&client, &site, HF).await;
    let refused = format!("{back}&error=access_denied&error_description=No");
    let told = page(&client.get(&refused).await);
    assert!(
        told.contains("access_denied") && told.contains("No"),
        "{told}"
    );
    assert!(
        page(&client.get(&back).await).contains("invalid_state"),
        "it was used"
    );

    for (query, kind) in [
        ("", "invalid_request"),
        ("?code=x", "invalid_request"),
        ("?state=x", "invalid_request"),
        ("?code=&state=", "invalid_request"),
        ("?code=x&state=x", "invalid_state"),
    ] {
        let told = page(&client.get(&format!("{HF}/callback{query}")).await);
        assert!(told.contains(kind), "{query}: {told}");
    }
    assert_eq!(tokens(&client, HF).await.len(), 1);
}

#[tokio::test]
async fn a_code_that_the_site_does_not_take_connects_nothing() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    for base in [HF, GITHUB] {
        let back = sign_in(&client, &site, base).await;
        let (head, state) = back.split_once("&state=").unwrap();
        let other = head.split_once("code=").unwrap().0;
        let told = page(
            &client
                .get(&format!("{other}code=stolen&state={state}"))
                .await,
        );
        assert!(told.contains("token_exchange_failed"), "{told}");
        assert!(told.contains("no such code"), "{told}");
        assert_eq!(tokens(&client, base).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_site_that_is_away_is_told_and_nothing_is_stored() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    connect(&client, &site, HF).await;
    let back = sign_in(&client, &site, HF).await;
    site.stop().await;
    let told = page(&client.get(&back).await);
    assert!(told.contains("network_error"), "{told}");
    let refresh = format!("{HF}/refresh?account_id=hf-account-1");
    let refused = client.post(&refresh, &json!({})).await;
    assert_eq!(refused.status, 500);
    assert_eq!(refused.json()["detail"]["error"], "network_error");
    let whoami = format!("{HF}/whoami?account_id=hf-account-1");
    assert_eq!(
        client.get(&whoami).await.json()["detail"]["error"],
        "network_error"
    );
}

#[tokio::test]
async fn the_address_to_come_back_to_is_the_configured_one_and_never_the_hosts() {
    let site = FakeSite::start().await;
    let server = server(&site, &["--api-url", "https://nodetool.example.org/"]);
    let request = super::client::request(hyper::Method::GET, &format!("{GITHUB}/start"))
        .header("x-forwarded-host", "evil.example")
        .body(http_body_util::Full::default())
        .unwrap();
    let started = server.client().send(request).await.ok();
    let url = Url::parse(started["auth_url"].as_str().unwrap()).unwrap();
    let redirect = url.query_pairs().find(|(key, _)| key == "redirect_uri");
    assert_eq!(
        redirect.unwrap().1,
        "https://nodetool.example.org/api/oauth/github/callback"
    );
    assert!(url.path().ends_with("/login/oauth/authorize"));
    let scope = url.query_pairs().find(|(key, _)| key == "scope");
    assert_eq!(scope.unwrap().1, "user:email read:user");
}

#[tokio::test]
async fn a_token_is_fetched_anew_on_demand() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    let refresh = |account: &str| format!("{HF}/refresh?account_id={account}");
    let missing = client.post(&format!("{HF}/refresh"), &json!({})).await;
    assert_eq!(
        missing.places(),
        [("missing".to_owned(), json!(["query", "account_id"]))]
    );
    let unknown = client.post(&refresh("nobody"), &json!({})).await;
    unknown.detail(404);
    connect(&client, &site, HF).await;
    let before = tokens(&client, HF).await;
    for _ in 0..2 {
        let told = client.post(&refresh("hf-account-1"), &json!({})).await.ok();
        assert_eq!(told["success"], true);
    }
    let after = tokens(&client, HF).await;
    assert!(after[0]["received_at"].as_str() > before[0]["received_at"].as_str());
    assert_eq!(after[0]["created_at"], before[0]["created_at"]);
    site.revoke_all();
    let refused = client.post(&refresh("hf-account-1"), &json!({})).await;
    assert_eq!(refused.status, 400);
    let expected = json!({ "detail": { "error": "refresh_failed", "error_description": "no such refresh token" } });
    assert_eq!(refused.json(), expected);
}

#[tokio::test]
async fn an_account_without_a_refresh_token_is_told() {
    let site = FakeSite::start().await;
    site.give_no_refresh_tokens();
    let server = server(&site, &[]);
    let client = server.client();
    connect(&client, &site, HF).await;
    let path = format!("{HF}/refresh?account_id=hf-account-1");
    let told = client.post(&path, &json!({})).await.detail(400);
    assert!(told.contains("refresh token"), "{told}");
}

#[tokio::test]
async fn a_site_is_asked_whose_account_it_is() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    let path = format!("{HF}/whoami?account_id=hf-account-1");
    client.get(&path).await.detail(404);
    connect(&client, &site, HF).await;
    let told = client.get(&path).await.ok();
    let expected = json!({
        "id": "hf-account-1", "name": "ada", "email": "ada@example.org", "type": "user", "orgs": [{ "name": "engines" }],
    });
    assert_eq!(told, expected);
    for (status, passed_on) in [(403, 403), (429, 429), (500, 500), (418, 502), (302, 502)] {
        site.fail_with(status);
        let refused = client.get(&path).await;
        assert_eq!(refused.status, passed_on, "{status}");
        assert_eq!(refused.json()["detail"]["error"], "api_error");
    }
    site.fail_with(0);
    site.revoke_all();
    let refused = client.get(&path).await;
    assert_eq!(refused.status, 401);
    let expected =
        json!({ "detail": { "error": "unauthorized", "error_description": "no such token" } });
    assert_eq!(refused.json(), expected);
}

#[tokio::test]
async fn a_token_that_has_ended_is_fetched_anew_before_it_is_used() {
    let site = FakeSite::start().await;
    site.live_for(0);
    let server = server(&site, &[]);
    let client = server.client();
    connect(&client, &site, HF).await;
    let given = site.given().len();
    let path = format!("{HF}/whoami?account_id=hf-account-1");
    client.get(&path).await.ok();
    assert_eq!(
        site.given().len(),
        given + 2,
        "an access and a refresh token"
    );
    site.live_for(3600);
    client.get(&path).await.ok();
    client.get(&path).await.ok();
    assert_eq!(site.given().len(), given + 4, "once, for it lives now");
}

#[tokio::test]
async fn a_github_account_is_connected_and_described() {
    let site = FakeSite::start().await;
    let server = server(&site, &[]);
    let client = server.client();
    connect(&client, &site, GITHUB).await;
    let listed = tokens(&client, GITHUB).await;
    assert_eq!(listed[0]["provider"], "github");
    assert_eq!(listed[0]["account_id"], "42");
    assert_eq!(listed[0]["username"], "octoada");
    assert_eq!(listed[0]["expires_at"], Value::Null);
    let path = format!("{GITHUB}/user?account_id=42");
    let told = client.get(&path).await.ok();
    assert_eq!(
        (&told["login"], &told["id"]),
        (&json!("octoada"), &json!(42))
    );
    assert_eq!(told["public_repos"], 7);
    assert_eq!(told["bio"], Value::Null);
    assert_eq!(told.as_object().unwrap().len(), 16);
    let missing = client.get(&format!("{GITHUB}/user")).await;
    assert_eq!(
        missing.places(),
        [("missing".to_owned(), json!(["query", "account_id"]))]
    );
    site.revoke_all();
    assert_eq!(client.get(&path).await.status, 401);
}

#[tokio::test]
async fn what_is_not_set_up_says_what_is_missing() {
    let server = TestServer::start();
    let client = server.client();
    for (base, name) in [(HF, "HF_CLIENT_ID"), (GITHUB, "GITHUB_CLIENT_ID")] {
        let told = client.get(&format!("{base}/start")).await.detail(500);
        assert!(told.contains(name), "{told}");
    }
    let site = FakeSite::start().await;
    let url = site.url();
    let arguments = ["--github-oauth-url", &url, "--github-api-url", &url];
    let server = TestServer::start_in(&[KEY, ("GITHUB_CLIENT_ID", CLIENT)], &arguments);
    let client = server.client();
    let back = sign_in(&client, &site, GITHUB).await;
    let told = page(&client.get(&back).await);
    assert!(told.contains("configuration_error"), "{told}");
    assert!(told.contains("GITHUB_CLIENT_SECRET"), "{told}");
}

#[tokio::test]
async fn the_old_way_to_sign_in_is_gone() {
    let server = TestServer::start();
    for path in ["/api/auth/oauth/login", "/api/auth/oauth/callback"] {
        server.client().post(path, &json!({})).await.detail(410);
    }
}
