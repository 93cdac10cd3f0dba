//! Google accounts: connected over the real protocol, and used by the steps of Google Sheets (orchestrator spec 3.10).

mod fake;

use hyper::Method;
use serde_json::{Value, json};
use url::Url;

use super::super::access::{ANN, BOB, with_accounts_and};
use super::super::client::{Client, Reply};
use super::super::local::with_headers;
use super::super::orchestrator_faults::as_user;
use super::super::server::TestServer;
use fake::{APP, FakeGoogle, SECRET};

const BASE: &str = "/api/auth/google";
const REACHES: [&str; 2] = ["--allow-host", "127.0.0.1"];

/// Somebody at a server.
struct Person<'a> {
    client: &'a Client,
    /// `None` for the owner of a server that asks for none.
    token: Option<&'static str>,
}

impl Person<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        if let Some(token) = self.token {
            return as_user(self.client, token, method, path, body).await;
        }
        let headers: &[_] = match body {
            Some(_) => &[("content-type", "application/json")],
            None => &[],
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = with_headers(method, path, headers, body);
        self.client.send(request).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Stores the app of the test, and where Google is.
    async fn set_up(&self, google: &FakeGoogle) {
        for (key, value) in [
            ("GOOGLE_CLIENT_ID", APP),
            ("GOOGLE_CLIENT_SECRET", SECRET),
            ("GOOGLE_API_BASE_URL", &google.url()),
        ] {
            let path = format!("/api/settings/secrets/{key}");
            let body = json!({ "value": value });
            self.ask(Method::PUT, &path, Some(&body)).await.ok();
        }
    }

    async fn begin(&self, body: Value) -> (String, String) {
        let begun = self.post(&format!("{BASE}/initiate/"), &body).await.ok();
        let keys: Vec<_> = begun.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["authorization_url", "state"]);
        let text = |key: &str| begun[key].as_str().unwrap().to_owned();
        (text("authorization_url"), text("state"))
    }

    /// Agrees at Google; the path that the browser comes back to.
    async fn sign_in(&self, google: &FakeGoogle) -> String {
        let (url, _) = self.begin(json!({})).await;
        path_of(&google.agree(&url).await)
    }

    /// Connects an account; what the server says of it.
    async fn connect(&self, google: &FakeGoogle) -> Value {
        let back = self.sign_in(google).await;
        finish(self.client, &back).await.ok()
    }

    async fn accounts(&self) -> Value {
        self.get(&format!("{BASE}/accounts/")).await.ok()
    }

    /// Reads a row of the sheet with an account.
    async fn read(&self, account: &str) -> Value {
        let form = json!({ "google_account": account, "spreadsheet": "s1", "sheet": "A",
            "row_number": 2, "header_row": 1 });
        let path = "/api/nodes/google-sheets-get-row/execute/";
        self.post(path, &json!({ "form_data": form })).await.ok()
    }

    /// Whose sheet it is that an account reads.
    async fn owner_of_sheet(&self, account: &str) -> String {
        let ran = self.read(account).await;
        let owner = &ran["output"]["data"]["google_sheets"]["data"]["owner"];
        owner.as_str().unwrap_or_else(|| panic!("{ran}")).to_owned()
    }

    /// Why an account reads nothing.
    async fn refusal(&self, account: &str) -> String {
        let ran = self.read(account).await;
        assert_eq!(ran["success"], false, "{ran}");
        ran["error"].as_str().unwrap().to_owned()
    }
}

fn path_of(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Comes back from Google as a program does, with nothing but what the address says.
async fn finish(client: &Client, back: &str) -> Reply {
    let headers = [("accept", "application/json")];
    let request = with_headers(Method::GET, back, &headers, "");
    client.send(request).await
}

/// Why a sign-in connects nothing.
async fn refused(client: &Client, back: &str) -> String {
    let refused = finish(client, back).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let reason = &refused.json()["details"]["reason"];
    reason.as_str().unwrap().to_owned()
}

fn id(account: &Value) -> &str {
    account["id"].as_str().unwrap()
}

fn desktop() -> TestServer {
    let mut arguments = vec!["--secrets-master-key", "m"];
    arguments.extend(REACHES);
    TestServer::start_with(&arguments)
}

#[tokio::test]
async fn an_account_is_connected_and_reads_a_sheet_and_its_tokens_stay_here() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    owner.set_up(&google).await;
    let ask = json!({ "scopes": ["sheets", "drive_readonly", "gmail_send"] });
    let (begun, state) = owner.begin(ask).await;
    let url = Url::parse(&begun).unwrap();
    let given = |name: &str| {
        let mut pairs = url.query_pairs().filter(|(key, _)| key == name);
        pairs.next().unwrap_or_default().1.into_owned()
    };
    let port = server.address().port();
    assert_eq!(
        given("redirect_uri"),
        format!("http://localhost:{port}{BASE}/callback/")
    );
    assert_eq!((given("state"), state.len()), (state.clone(), 43));
    assert_eq!(given("code_challenge_method"), "S256");
    let at_google = "https://www.googleapis.com/auth";
    assert_eq!(
        given("scope"),
        format!(
            "openid email {at_google}/spreadsheets {at_google}/drive.readonly {at_google}/gmail.send"
        )
    );
    assert!(!begun.contains(SECRET));
    assert_ne!(owner.begin(json!({})).await.1, state);

    let back = google.agree(&begun).await;
    let account = finish(&client, &path_of(&back)).await.ok();
    let mut keys: Vec<_> = account.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["created_at", "email", "id", "scopes"]);
    assert_eq!(account["email"], "ada@example.org");
    assert_eq!(
        account["scopes"],
        json!(["sheets", "drive_readonly", "gmail_send"])
    );
    assert_eq!(owner.accounts().await, json!([account]));
    let path = format!("{BASE}/accounts/{}/", id(&account));
    assert_eq!(owner.get(&path).await.ok(), account);
    let choice = json!({ "value": account["id"], "label": "ada@example.org", "id": account["id"],
        "name": "ada@example.org" });
    let choices = owner.get(&format!("{BASE}/accounts/choices/")).await.ok();
    assert_eq!(choices, json!([choice]));

    let path = "/api/nodes/google-sheets-get-row/form/update/";
    let body = json!({ "field_values": { "google_account": account["id"] } });
    let form = owner.post(path, &body).await.ok();
    let fields = form["form"]["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|f| f["name"] == name).unwrap();
    let offered = field("google_account")["widget"]["choices"].to_string();
    assert!(offered.contains("ada@example.org"), "{offered}");
    assert_eq!(field("spreadsheet")["value"], "s1");
    let owner_of_sheet = owner.owner_of_sheet(id(&account)).await;
    assert_eq!(owner_of_sheet, "ada@example.org");
    assert_eq!(google.refreshed(), 0, "the first token still lasts");

    // Once more: the same account, with new tokens.
    let again = owner.connect(&google).await;
    assert_eq!(again["id"], account["id"]);
    assert_eq!(again["created_at"], account["created_at"]);
    assert_eq!(again["scopes"], json!(["sheets", "drive_readonly"]));
    google.sign_in_as("bot@example.org");
    google.name_nobody();
    let second = owner.connect(&google).await;
    assert_eq!(second["email"], "bot@example.org");
    assert_eq!(owner.accounts().await, json!([again, second]));
    assert_eq!(owner.owner_of_sheet(id(&second)).await, "bot@example.org");

    let given = google.given();
    assert_eq!(given.len(), 6, "{given:?}");
    let log = server.log();
    let told = [owner.accounts().await, choices, form].map(|v| v.to_string());
    let folder = server.kill().await;
    let stored: Vec<u8> = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|file| std::fs::read(file.unwrap().path()).ok())
        .flatten()
        .collect();
    let has = |text: &str| stored.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(has("ada@example.org"), "the database was read");
    for secret in given.iter().map(String::as_str).chain([SECRET]) {
        assert!(!log.contains(secret), "in the log");
        assert!(told.iter().all(|told| !told.contains(secret)), "told");
        assert!(!has(secret), "stored as it came");
    }
}

#[tokio::test]
async fn a_browser_gets_pages_that_show_texts_as_texts() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    owner.set_up(&google).await;
    let page = async |path: &str, status: u16| {
        let headers = [("accept", "text/html,application/json;q=0.5")];
        let reply = client
            .send(with_headers(Method::GET, path, &headers, ""))
            .await;
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
        assert_eq!(reply.header("cache-control"), "no-store");
        String::from_utf8(reply.body.to_vec()).unwrap()
    };
    let callback = format!("{BASE}/callback/");
    let told = page(
        &format!("{callback}?error=%3Cscript%3E&error_description=%3Cimg%3E"),
        400,
    )
    .await;
    assert!(told.contains("&lt;script&gt;"), "{told}");
    assert!(told.contains("&lt;img&gt;"), "{told}");
    let long = format!("{callback}?error={}", "%3C".repeat(1300));
    assert!(page(&long, 400).await.len() < 20_000);
    let back = owner.sign_in(&google).await;
    let told = page(&back, 200).await;
    assert!(
        told.contains("<b>ada@example.org</b> is connected"),
        "{told}"
    );
    assert!(page(&back, 400).await.contains("invalid_state"));
}

#[tokio::test]
async fn a_sign_in_that_goes_wrong_leaves_nothing_behind() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    owner.set_up(&google).await;
    let callback = format!("{BASE}/callback/");
    for (query, reason) in [
        ("", "invalid_request"),
        ("?code=x", "invalid_request"),
        ("?state=x", "invalid_request"),
        ("?code=&state=", "invalid_request"),
        ("?code=x&state=x", "invalid_state"),
        ("?error=access_denied&state=x", "access_denied"),
    ] {
        let told = refused(&client, &format!("{callback}{query}")).await;
        assert_eq!(told, reason, "{query}");
    }
    let back = owner.sign_in(&google).await;
    let denied = format!("{back}&error=access_denied");
    assert_eq!(refused(&client, &denied).await, "access_denied");
    assert_eq!(
        refused(&client, &back).await,
        "invalid_state",
        "it was used"
    );

    let (_, state) = owner.begin(json!({})).await;
    let stolen = format!("{callback}?code=stolen&state={state}");
    assert_eq!(refused(&client, &stolen).await, "token_exchange_failed");
    google.tick("openid email");
    let back = owner.sign_in(&google).await;
    assert_eq!(refused(&client, &back).await, "no_scopes");
    google.tick("openid email https://www.googleapis.com/auth/spreadsheets");
    google.give_no_refresh_tokens();
    let back = owner.sign_in(&google).await;
    assert_eq!(refused(&client, &back).await, "no_refresh_token");
    assert_eq!(owner.accounts().await, json!([]));

    let back = owner.sign_in(&google).await;
    drop(google);
    let refused = finish(&client, &back).await;
    let told = refused.json();
    assert_eq!(
        (refused.status, &told["code"]),
        (400, &json!("INVALID_REQUEST"))
    );
    assert_eq!(owner.accounts().await, json!([]));
}

#[tokio::test]
async fn a_token_that_has_ended_is_asked_for_once_however_many_want_it() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    owner.set_up(&google).await;
    google.live_for(0);
    let account = owner.connect(&google).await;
    google.live_for(3600);
    let all = (0..4).map(|_| owner.owner_of_sheet(id(&account)));
    for found in futures_util::future::join_all(all).await {
        assert_eq!(found, "ada@example.org");
    }
    assert_eq!(google.refreshed(), 1);
    // One that Google takes no longer is replaced before its time.
    google.forget_access();
    assert_eq!(owner.owner_of_sheet(id(&account)).await, "ada@example.org");
    assert_eq!(google.refreshed(), 2);
    owner.owner_of_sheet(id(&account)).await;
    assert_eq!(google.refreshed(), 2, "the new one is kept");
}

#[tokio::test]
async fn an_account_that_google_takes_back_is_named_and_can_be_connected_again() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    owner.set_up(&google).await;
    let account = owner.connect(&google).await;
    google.revoke_all();
    let said = owner.refusal(id(&account)).await;
    assert!(said.contains("`ada@example.org`"), "{said}");
    assert!(said.contains("expired or revoked"), "{said}");
    assert!(said.contains("Connect the account again"), "{said}");
    for token in google.given() {
        assert!(!said.contains(&token), "{said}");
    }
    let again = owner.connect(&google).await;
    assert_eq!(again["id"], account["id"]);
    assert_eq!(owner.owner_of_sheet(id(&account)).await, "ada@example.org");
}

#[tokio::test]
async fn an_account_that_is_deleted_is_gone_here_and_at_google() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    owner.set_up(&google).await;
    let account = owner.connect(&google).await;
    let path = format!("{BASE}/accounts/{}/", id(&account));
    assert_eq!(google.grants(), 1);
    let gone = owner.ask(Method::DELETE, &path, None).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(google.grants(), 0, "its tokens are good no more");
    assert_eq!(owner.accounts().await, json!([]));
    for method in [Method::GET, Method::DELETE] {
        let refused = owner.ask(method, &path, None).await;
        assert_eq!(refused.status, 404);
        assert_eq!(refused.json()["error"], "Google account not found");
    }
    let said = owner.refusal(id(&account)).await;
    assert!(said.contains("google_account"), "{said}");

    let account = owner.connect(&google).await;
    drop(google);
    let path = format!("{BASE}/accounts/{}/", id(&account));
    let gone = owner.ask(Method::DELETE, &path, None).await;
    assert_eq!(gone.status, 204, "whatever Google says: {gone:?}");
    assert_eq!(owner.accounts().await, json!([]));
}

#[tokio::test]
async fn accounts_and_sign_ins_are_of_each_user_alone() {
    let google = FakeGoogle::start().await;
    let server = with_accounts_and(&REACHES);
    let client = server.client();
    let [ann, bob] = [ANN, BOB].map(|who| Person {
        client: &client,
        token: Some(who.1),
    });
    for who in [&ann, &bob] {
        who.set_up(&google).await;
    }
    // Somebody else, and somebody nobody knows, bring what is Ann's.
    for token in [BOB.1, "junk"] {
        let back = ann.sign_in(&google).await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer), ("accept", "application/json")];
        let stolen = client
            .send(with_headers(Method::GET, &back, &headers, ""))
            .await;
        assert_eq!(stolen.status, 400, "{stolen:?}");
        assert_eq!(stolen.json()["details"]["reason"], "foreign_state");
        assert_eq!(
            refused(&client, &back).await,
            "invalid_state",
            "it was used"
        );
    }
    // A browser has no token; with one, it has to be Ann's.
    let of_ann = ann.connect(&google).await;
    let back = ann.sign_in(&google).await;
    let bearer = format!("Bearer {}", ANN.1);
    let headers = [("authorization", &*bearer), ("accept", "application/json")];
    let again = client
        .send(with_headers(Method::GET, &back, &headers, ""))
        .await;
    assert_eq!(again.ok()["id"], of_ann["id"]);
    assert_eq!(bob.accounts().await, json!([]));
    let of_bob = bob.connect(&google).await;
    assert_ne!(of_bob["id"], of_ann["id"], "the same account at Google");
    assert_eq!(ann.accounts().await, json!([of_ann]));
    assert_eq!(bob.accounts().await, json!([of_bob]));

    let path = format!("{BASE}/accounts/{}/", id(&of_ann));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(bob.ask(method, &path, None).await.status, 404);
    }
    let said = bob.refusal(id(&of_ann)).await;
    assert!(said.contains("google_account"), "{said}");
    let form = "/api/nodes/google-sheets-get-row/form/update/";
    let form = bob.post(form, &json!({ "field_values": {} })).await.ok();
    assert!(!form.to_string().contains(id(&of_ann)), "{form}");
    assert_eq!(ann.owner_of_sheet(id(&of_ann)).await, "ada@example.org");
    for path in ["accounts/", "accounts/choices/", "initiate/"] {
        let reply = client.get(&format!("{BASE}/{path}")).await;
        assert_eq!(reply.status, 401, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_set_up_or_not_known_says_what_is_missing() {
    let google = FakeGoogle::start().await;
    let server = desktop();
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    let initiate = format!("{BASE}/initiate/");
    let missing = owner.post(&initiate, &json!({})).await;
    assert_eq!(missing.status, 503, "{missing:?}");
    let said = missing.json()["error"].to_string();
    assert!(said.contains("GOOGLE_CLIENT_ID is missing"), "{said}");
    owner.set_up(&google).await;
    for (body, field) in [
        (json!({ "scopes": ["sheets", "calendar"] }), "scopes"),
        (json!({ "scopes": [1] }), "scopes"),
        (json!({ "scopes": {} }), "scopes"),
        (json!({ "scopes": vec!["sheets"; 21] }), "scopes"),
        (json!({ "redirect_uri": 1 }), "redirect_uri"),
        (
            json!({ "redirect_uri": "javascript:alert(1)" }),
            "redirect_uri",
        ),
    ] {
        let refused = owner.post(&initiate, &body).await;
        assert_eq!(refused.status, 400, "{body}");
        let errors = refused.json()["errors"].clone();
        assert!(errors[field].is_array(), "{body}: {errors}");
    }
    let by_address = format!("{initiate}?scopes=drive,gmail_readonly&scopes=sheets_readonly");
    let begun = owner.get(&by_address).await.ok();
    let back = google
        .agree(begun["authorization_url"].as_str().unwrap())
        .await;
    let account = finish(&client, &path_of(&back)).await.ok();
    assert_eq!(
        account["scopes"],
        json!(["sheets_readonly", "drive", "gmail_readonly"])
    );
    // A page of another site gets the code, and brings it here.
    let elsewhere = "https://app.example.org/connected?x=1";
    let (url, state) = owner.begin(json!({ "redirect_uri": elsewhere })).await;
    let back = google.agree(&url).await;
    assert!(back.as_str().starts_with(elsewhere), "{back}");
    let query = back.query().unwrap().replace("x=1&", "");
    assert!(query.contains(&state));
    let again = finish(&client, &format!("{BASE}/callback/?{query}")).await;
    assert_eq!(again.ok()["id"], account["id"]);
}

#[tokio::test]
async fn the_app_of_the_environment_is_shown_to_google_alone() {
    let google = FakeGoogle::start().await;
    let environment = [
        ("SECRETS_MASTER_KEY", "m"),
        ("GOOGLE_CLIENT_ID", "app-of-the-operator"),
        ("GOOGLE_CLIENT_SECRET", "secret-of-the-operator"),
    ];
    let server = TestServer::start_in(&environment, &REACHES);
    let client = server.client();
    let owner = Person {
        client: &client,
        token: None,
    };
    let path = "/api/settings/secrets/GOOGLE_API_BASE_URL";
    let body = json!({ "value": google.url() });
    owner.ask(Method::PUT, path, Some(&body)).await.ok();
    let (url, _) = owner.begin(json!({})).await;
    let url = Url::parse(&url).unwrap();
    assert_eq!(url.host_str(), Some("accounts.google.com"));
    let mut pairs = url.query_pairs();
    assert!(pairs.any(|(key, value)| key == "client_id" && value == "app-of-the-operator"));
    // An id of one's own with the secret of the operator: they are no pair.
    let path = "/api/settings/secrets/GOOGLE_CLIENT_ID";
    let body = json!({ "value": APP });
    owner.ask(Method::PUT, path, Some(&body)).await.ok();
    let refused = owner.post(&format!("{BASE}/initiate/"), &json!({})).await;
    let said = refused.json()["error"].to_string();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(said.contains("GOOGLE_CLIENT_SECRET is missing"), "{said}");
}
