//! The two questions a Supabase project is asked: which keys it signs with, and whose a token is. Answers are bounded in
//! size and time, no redirect is followed, and nothing of an answer is believed but what is asked for.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use super::Failure;
use super::jwt::is_id;
use crate::outbound::tls;
use crate::sensitive::Sensitive;

/// Time for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MOST_BYTES: usize = 256 << 10;
/// Questions at the same time.
const MOST_AT_ONCE: usize = 32;
/// Longest text of a refusal that is passed on.
const LONGEST: usize = 200;

/// Why there is no client for a project.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SupabaseError {
    #[error("supabase_url: {0}")]
    Address(&'static str),
    #[error("cannot set up the connection to Supabase: {0}")]
    Client(String),
}

/// A project, as it is reached.
pub(super) struct Upstream {
    client: Client,
    key: Sensitive,
    /// `<project>/auth/v1`, by which its tokens name it, too.
    pub(super) issuer: String,
    at_once: Semaphore,
}

/// Whose a token is, or why it is nobody's.
pub(super) enum Answer {
    User(String),
    Refused(Option<String>),
}

impl Upstream {
    pub(super) fn new(address: &str, key: Sensitive) -> Result<Self, SupabaseError> {
        let address = address.trim().trim_end_matches('/');
        let url = Url::parse(address).map_err(|_| {
            SupabaseError::Address("it is not an address, such as https://PROJECT.supabase.co")
        })?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(SupabaseError::Address(
                "an address that begins with https:// is expected",
            ));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(SupabaseError::Address(
                "an address without user, query or fragment is expected",
            ));
        }
        let client = Client::builder()
            .tls_backend_preconfigured(
                tls::config().map_err(|e| SupabaseError::Client(e.to_string()))?,
            )
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .pool_max_idle_per_host(4)
            .user_agent(concat!("NodeTool/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| SupabaseError::Client(e.to_string()))?;
        Ok(Upstream {
            client,
            key,
            issuer: format!("{address}/auth/v1"),
            at_once: Semaphore::new(MOST_AT_ONCE),
        })
    }

    /// The document with the project's keys.
    pub(super) async fn keys(&self) -> Result<Vec<u8>, Failure> {
        let url = format!("{}/.well-known/jwks.json", self.issuer);
        match self.ask(self.client.get(url)).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, _) => Err(Failure::Status(status.as_u16())),
        }
    }

    /// Asks whose a token is.
    pub(super) async fn user(&self, token: &str) -> Result<Answer, Failure> {
        let url = format!("{}/user", self.issuer);
        let request = self.client.get(url).bearer_auth(token);
        let (status, body) = self.ask(request).await?;
        match status {
            StatusCode::OK => {
                #[derive(Deserialize)]
                struct User {
                    id: String,
                }
                let user: User = serde_json::from_slice(&body).map_err(|_| Failure::Odd)?;
                if !is_id(&user.id) {
                    return Err(Failure::Odd);
                }
                Ok(Answer::User(user.id))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(Failure::Status(status.as_u16()))
            }
            status if status.is_client_error() => Ok(Answer::Refused(reason(&body))),
            status => Err(Failure::Status(status.as_u16())),
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Failure> {
        let exchange = async {
            let _turn = self.at_once.acquire().await.map_err(|_| Failure::Busy)?;
            let request = request.header("apikey", self.key.expose());
            // Errors name addresses; only their kind is told.
            let mut response = request.send().await.map_err(|e| Failure::of(&e))?;
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| Failure::of(&e))? {
                if chunk.len() > MOST_BYTES - body.len() {
                    return Err(Failure::Odd);
                }
                body.extend_from_slice(&chunk);
            }
            Ok((response.status(), body))
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        answer.unwrap_or(Err(Failure::Busy))
    }
}

/// What a refusal says, as one short line.
fn reason(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = ["msg", "message", "error_description", "error"]
        .iter()
        .find_map(|key| body.get(key)?.as_str())?;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(plain).take(4 * LONGEST).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(LONGEST).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_short_line() {
        for (body, told) in [
            (
                r#"{"code":401,"msg":"invalid JWT:\n  token\u0007 is expired"}"#,
                Some("invalid JWT: token is expired"),
            ),
            (
                r#"{"message":"Invalid API key","hint":"x"}"#,
                Some("Invalid API key"),
            ),
            (r#"{"error":"e","error_description":"d"}"#, Some("d")),
            (r#"{"msg":1,"error":" "}"#, None),
            ("<html>", None),
            ("[]", None),
        ] {
            assert_eq!(reason(body.as_bytes()).as_deref(), told, "{body}");
        }
        let long = serde_json::json!({ "msg": "é".repeat(5000) }).to_string();
        let told = reason(long.as_bytes()).unwrap();
        assert_eq!(told.chars().count(), LONGEST);
    }

    #[test]
    fn an_address_is_one_of_a_server() {
        for bad in [
            "",
            "project",
            "ftp://p.example",
            "https://",
            "https://u:p@p.example",
            "https://p.example/?x",
            "https://p.example/#x",
            "unix:/x",
        ] {
            assert!(Upstream::new(bad, Sensitive::new("k")).is_err(), "{bad}");
        }
        let upstream = Upstream::new(" https://p.example/ ", Sensitive::new("k")).unwrap();
        assert_eq!(upstream.issuer, "https://p.example/auth/v1");
    }
}
