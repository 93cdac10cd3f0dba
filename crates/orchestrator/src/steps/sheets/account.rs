//! Who a user is towards Google: the accounts the user has connected, those in the user's secrets, and the tokens they
//! get.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use nodetool_sdk::accounts::ConnectedAccount;
use nodetool_sdk::services::{HttpRequest, Services};
use nodetool_sdk::{NodeError, Value};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use url::form_urlencoded::Serializer;

/// Secret with the key file of a service account.
pub(in super::super) const SERVICE_ACCOUNT: &str = "GOOGLE_SERVICE_ACCOUNT_JSON";
/// Secret with a token that was given for a person's account.
pub(in super::super) const OAUTH: &str = "GOOGLE_OAUTH_TOKEN";
/// Secret with the address of another server that speaks the API.
pub(in super::super) const BASE_URL: &str = "GOOGLE_API_BASE_URL";
/// The word for Google among the sites that accounts are connected at.
const SITE: &str = "google";
/// Where tokens are given unless the account says otherwise.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// What tokens are good for: reading and writing sheets, listing files.
const SCOPE: &str = "https://www.googleapis.com/auth/spreadsheets \
    https://www.googleapis.com/auth/drive.metadata.readonly";
/// Seconds a token is asked for.
const LIFE_S: i64 = 3600;
/// Seconds before its end from which a token is not used any more.
const SPARE_S: i64 = 60;
/// Most accounts of one secret.
const MAX_ACCOUNTS: usize = 50;
/// Seconds a token may take to come.
const TIMEOUT_S: f64 = 30.0;

/// The server the API is at, where it is not Google's own; without a slash at its end.
pub(super) async fn base_url(services: &Services) -> Result<Option<String>, NodeError> {
    let url = services.secrets.get(BASE_URL).await?;
    let url = url.map(|url| url.trim().trim_end_matches('/').to_owned());
    Ok(url.filter(|url| !url.is_empty()))
}

/// An account of a user.
#[derive(Clone)]
pub(super) struct Account {
    /// What it is chosen by: its mail address, or a name.
    pub(super) id: String,
    /// What people read.
    pub(super) label: String,
    proof: Proof,
}

/// How it gets its tokens. No `Debug`: all of it is secret.
#[derive(Clone)]
enum Proof {
    /// The server keeps its tokens and gets new ones.
    Connected,
    Key {
        private_key: String,
        key_id: Option<String>,
        token_uri: String,
    },
    Access(String),
    Refresh {
        form: Vec<(&'static str, String)>,
        token_uri: String,
    },
}

/// A token and when it ends, in seconds of the epoch.
pub(super) struct AccessToken {
    pub(super) text: String,
    until: Option<i64>,
}

impl AccessToken {
    /// Whether it may still be used.
    pub(super) fn is_fresh(&self) -> bool {
        self.until
            .is_none_or(|until| Utc::now().timestamp() < until - SPARE_S)
    }
}

/// The accounts of a user: those that are connected, then those in the secrets.
pub(super) async fn accounts(services: &Services) -> Result<Vec<Account>, NodeError> {
    let mut all = connected(services).await?;
    all.extend(in_secrets(services).await?);
    Ok(all)
}

/// The account that is chosen by this. A connected one needs nothing of the secrets, whatever is wrong with them.
pub(super) async fn account(services: &Services, id: &str) -> Result<Account, NodeError> {
    let mut all = connected(services).await?;
    if !all.iter().any(|account| account.id == id) {
        all.extend(in_secrets(services).await?);
    }
    let known: Vec<String> = all.iter().map(|a| format!("`{}`", a.id)).collect();
    all.into_iter().find(|a| a.id == id).ok_or_else(|| {
        let why = match known.is_empty() {
            true => {
                "no account is set up; connect one, or put GOOGLE_SERVICE_ACCOUNT_JSON or GOOGLE_OAUTH_TOKEN among the secrets".to_owned()
            }
            false => format!("expected one of {}", known.join(", ")),
        };
        NodeError::bad("google_account", format!("found `{id}`, {why}"))
    })
}

/// The accounts a user has connected.
async fn connected(services: &Services) -> Result<Vec<Account>, NodeError> {
    let all = services.secrets.accounts(SITE).await?.into_iter();
    let account = |account: ConnectedAccount| Account {
        id: account.id,
        label: account.label,
        proof: Proof::Connected,
    };
    Ok(all.map(account).collect())
}

/// The accounts in the secrets of a user.
async fn in_secrets(services: &Services) -> Result<Vec<Account>, NodeError> {
    let base = base_url(services).await?;
    let token_uri = base.map_or_else(|| TOKEN_URI.to_owned(), |base| format!("{base}/token"));
    let mut accounts = Vec::new();
    if let Some(text) = services.secrets.get(SERVICE_ACCOUNT).await? {
        let wrong = "expected the JSON key file of a service account, or an array of them";
        let value: Value = serde_json::from_str(&text)
            .map_err(|_| NodeError::new(format!("Secret {SERVICE_ACCOUNT} is no JSON: {wrong}")))?;
        for key in each(&value) {
            let account = service_account(key, &token_uri).ok_or_else(|| {
                NodeError::new(format!(
                    "Secret {SERVICE_ACCOUNT} has no `client_email` or `private_key`: {wrong}"
                ))
            })?;
            accounts.push(account);
        }
    }
    if let Some(text) = services.secrets.get(OAUTH).await? {
        let text = text.trim();
        match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Map(_) | Value::List(_))) => {
                for token in each(&value) {
                    let account = oauth_account(token, &token_uri).ok_or_else(|| {
                        NodeError::new(format!(
                            "Secret {OAUTH} has neither an `access_token` nor `refresh_token`, `client_id` and `client_secret`"
                        ))
                    })?;
                    accounts.push(account);
                }
            }
            _ if text.is_empty() => {}
            _ => accounts.push(Account {
                id: "oauth".to_owned(),
                label: "Google account".to_owned(),
                proof: Proof::Access(text.to_owned()),
            }),
        }
    }
    Ok(accounts)
}

fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::List(items) => items.iter().take(MAX_ACCOUNTS).collect(),
        other => vec![other],
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    let text = value.get(key)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn service_account(key: &Value, token_uri: &str) -> Option<Account> {
    let email = text(key, "client_email")?;
    Some(Account {
        label: format!("{email} (service account)"),
        id: email,
        proof: Proof::Key {
            private_key: text(key, "private_key")?,
            key_id: text(key, "private_key_id"),
            token_uri: text(key, "token_uri").unwrap_or_else(|| token_uri.to_owned()),
        },
    })
}

fn oauth_account(token: &Value, token_uri: &str) -> Option<Account> {
    let id = text(token, "email").or_else(|| text(token, "name"));
    let refresh = || {
        Some(Proof::Refresh {
            form: vec![
                ("grant_type", "refresh_token".to_owned()),
                ("refresh_token", text(token, "refresh_token")?),
                ("client_id", text(token, "client_id")?),
                ("client_secret", text(token, "client_secret")?),
            ],
            token_uri: text(token, "token_uri").unwrap_or_else(|| token_uri.to_owned()),
        })
    };
    // A refresh token lasts, an access token does not: the lasting one is used where there is one.
    let proof = refresh().or_else(|| text(token, "access_token").map(Proof::Access))?;
    Some(Account {
        label: id.clone().unwrap_or_else(|| "Google account".to_owned()),
        id: id.unwrap_or_else(|| "oauth".to_owned()),
        proof,
    })
}

impl Account {
    /// A token for the API; another one than what the API takes no longer.
    pub(super) async fn token(
        &self,
        services: &Services,
        refused: Option<&str>,
    ) -> Result<AccessToken, NodeError> {
        let (form, uri) = match &self.proof {
            Proof::Connected => {
                let token = services.secrets.account_token(SITE, &self.id, refused);
                let token = token.await?.ok_or_else(|| {
                    let why = format!("the account `{}` is not connected any more", self.label);
                    NodeError::bad("google_account", why)
                })?;
                let (text, until) = (token.text, token.until);
                return Ok(AccessToken { text, until });
            }
            Proof::Access(token) => {
                let text = token.clone();
                return Ok(AccessToken { text, until: None });
            }
            Proof::Key {
                private_key,
                key_id,
                token_uri,
            } => {
                let signed = assertion(&self.id, private_key, key_id.as_deref(), token_uri)?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
                (
                    vec![("grant_type", grant), ("assertion", signed)],
                    token_uri,
                )
            }
            Proof::Refresh { form, token_uri } => (form.clone(), token_uri),
        };
        self.ask(services, form, uri).await
    }

    async fn ask(
        &self,
        services: &Services,
        form: Vec<(&'static str, String)>,
        uri: &str,
    ) -> Result<AccessToken, NodeError> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let content_type = "application/x-www-form-urlencoded";
        let request = HttpRequest {
            method: "POST".into(),
            url: uri.to_owned(),
            headers: vec![("content-type".into(), content_type.into())],
            body: Some(body.into()),
            timeout_s: Some(TIMEOUT_S),
        };
        let failed =
            |why: &str| NodeError::new(format!("Google gives no token for `{}`: {why}", self.id));
        let answer = services.http.send_once(request).await;
        let answer = answer.map_err(|e| failed(&e.message))?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status != 200 {
            let word = |key| text(&value, key);
            let why = word("error_description").or_else(|| word("error"));
            let why: String = why.unwrap_or_default().chars().take(300).collect();
            return Err(failed(&format!("status {} {why}", answer.status)));
        }
        let token =
            text(&value, "access_token").ok_or_else(|| failed("there is none in the answer"))?;
        let life = value
            .get("expires_in")
            .and_then(Value::as_i64)
            .unwrap_or(LIFE_S);
        Ok(AccessToken {
            text: token,
            until: Some(Utc::now().timestamp().saturating_add(life)),
        })
    }
}

/// A statement of a service account, signed with its key, that a token is given for.
fn assertion(
    email: &str,
    private_key: &str,
    key_id: Option<&str>,
    audience: &str,
) -> Result<String, NodeError> {
    let wrong = |why: &str| NodeError::new(format!("The private key of `{email}` {why}"));
    let body: String = private_key
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD
        .decode(body)
        .map_err(|_| wrong("is not in PEM form"))?;
    let key = RsaKeyPair::from_pkcs8(&der)
        .or_else(|_| RsaKeyPair::from_der(&der))
        .map_err(|_| wrong("is no RSA key"))?;
    let now = Utc::now().timestamp();
    let mut header = vec![("alg", Value::from("RS256")), ("typ", "JWT".into())];
    header.extend(key_id.map(|id| ("kid", Value::from(id))));
    let claims = [
        ("iss", Value::from(email)),
        ("scope", SCOPE.into()),
        ("aud", audience.into()),
        ("iat", now.into()),
        ("exp", (now + LIFE_S).into()),
    ];
    let part =
        |value: Value| URL_SAFE_NO_PAD.encode(serde_json::to_vec(&value).unwrap_or_default());
    let said = format!("{}.{}", part(Value::map(header)), part(Value::map(claims)));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        said.as_bytes(),
        &mut signature,
    )
    .map_err(|_| wrong("cannot sign"))?;
    Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::super::fake::{Google, private_key};
    use super::*;

    #[test]
    fn a_service_account_signs_what_google_can_check() {
        let pem = private_key();
        let jwt = assertion("bot@a.example", &pem, Some("k1"), "https://t.example").unwrap();
        let (said, signature) = jwt.rsplit_once('.').unwrap();
        let part = |text: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
        };
        let (header, claims) = said.split_once('.').unwrap();
        assert_eq!(part(header).get("kid"), Some(&"k1".into()));
        let claims = part(claims);
        assert_eq!(claims.get("iss"), Some(&"bot@a.example".into()));
        assert_eq!(claims.get("aud"), Some(&"https://t.example".into()));
        let time = |key| claims.get(key).unwrap().as_i64().unwrap();
        assert_eq!(time("exp") - time("iat"), 3600);
        let der = STANDARD.decode(
            pem.lines()
                .filter(|l| !l.starts_with('-'))
                .collect::<String>(),
        );
        let key = RsaKeyPair::from_pkcs8(&der.unwrap()).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref())
            .verify(said.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_showing_it() {
        for key in ["", "hush!", "aHVzaA=="] {
            let said = assertion("bot@a.example", key, None, "x")
                .unwrap_err()
                .to_string();
            assert!(
                said.contains("bot@a.example") && !said.contains("hu"),
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn accounts_are_those_in_the_secrets() {
        let ids = |google: Google| async move {
            let all = accounts(&google.services()).await;
            all.map(|all| all.into_iter().map(|a| a.id).collect::<Vec<_>>())
        };
        let none: [&str; 0] = [];
        assert_eq!(ids(Google::default()).await.unwrap(), none);
        let both = Google::default()
            .secret(
                SERVICE_ACCOUNT,
                r#"{"client_email": "bot@a.example", "private_key": "x"}"#,
            )
            .secret(OAUTH, "ya29.token");
        assert_eq!(ids(both.clone()).await.unwrap(), ["bot@a.example", "oauth"]);
        let all = ids(both.connected(&["t"])).await.unwrap();
        assert_eq!(all, ["c1", "bot@a.example", "oauth"]);
        let several = Google::default().secret(
            OAUTH,
            r#"[{"email": "a@a.example", "access_token": "t"}, {"name": "b", "access_token": "t"}]"#,
        );
        assert_eq!(ids(several).await.unwrap(), ["a@a.example", "b"]);
        for (key, text) in [
            (SERVICE_ACCOUNT, "hush"),
            (SERVICE_ACCOUNT, "{}"),
            (OAUTH, "{}"),
        ] {
            let said = ids(Google::default().secret(key, text))
                .await
                .unwrap_err()
                .to_string();
            assert!(said.contains(key) && !said.contains("hush"), "{said}");
        }
    }

    #[tokio::test]
    async fn tokens_come_for_keys_and_for_refresh_tokens() {
        let key =
            serde_json::json!({"client_email": "bot@a.example", "private_key": private_key()});
        let refresh = r#"{"refresh_token": "r", "client_id": "i", "client_secret": "s"}"#;
        let google = Google::default()
            .secret(SERVICE_ACCOUNT, &key.to_string())
            .secret(OAUTH, refresh);
        let services = google.services();
        for account in accounts(&services).await.unwrap() {
            let token = account.token(&services, None).await.unwrap();
            assert!(token.is_fresh());
            assert_eq!(token.text, Google::TOKEN);
        }
        let asked = google.bodies("/token");
        assert!(
            asked[0].contains("grant-type%3Ajwt-bearer&assertion="),
            "{}",
            asked[0]
        );
        assert!(asked[1].contains("refresh_token=r&client_id=i&client_secret=s"));

        let refused = Google::default().secret(OAUTH, &refresh.replace("\"r\"", "\"revoked\""));
        let services = refused.services();
        let account = accounts(&services).await.unwrap().remove(0);
        let said = account
            .token(&services, None)
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            said.contains("`oauth`") && said.contains("invalid_grant"),
            "{said}"
        );
        assert!(
            !AccessToken {
                text: String::new(),
                until: Some(0)
            }
            .is_fresh()
        );
    }
}
