//! What is said to the sites themselves: codes and refresh tokens for tokens, tokens for profiles.
//!
//! The addresses are the operator's, so that the guard for addresses of users has no say here; time and size are
//! bounded, and redirects are not followed, because each request carries a secret.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, RequestBuilder, header, redirect::Policy};
use serde_json::Value;
use url::form_urlencoded;

use super::{OAuthProvider, OAuthSettings};
use crate::outbound::{OutboundError, tls};
use crate::sensitive::Sensitive;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const MAX_BODY: usize = 1 << 20;
/// Longest token, id, name or scope that is believed.
const MAX_TEXT: usize = 16 << 10;
/// Characters of a site's reason that are passed on.
const MAX_REASON: usize = 300;
const USER_AGENT: &str = concat!("NodeTool/", env!("CARGO_PKG_VERSION"));

/// Why a site gave nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::services) enum SiteError {
    #[error("{0}")]
    Unreachable(String),
    #[error("GitHub sign-in is not set up on this server: set GITHUB_CLIENT_SECRET")]
    NoSecret,
    #[error("{text}")]
    Refused { status: u16, text: String },
}

/// Tokens as a site gives them.
#[derive(Debug)]
pub(in crate::services) struct Granted {
    pub(in crate::services) access_token: Sensitive,
    pub(in crate::services) refresh_token: Option<Sensitive>,
    pub(in crate::services) token_type: String,
    pub(in crate::services) scope: Option<String>,
    /// Seconds.
    pub(in crate::services) expires_in: Option<i64>,
    /// Who signed in, as the site says beside the tokens.
    pub(in crate::services) id_token: Option<String>,
}

/// Both sites.
pub(super) struct Site {
    client: Client,
    hf_url: String,
    github_url: String,
    github_api_url: String,
    github_secret: Option<Sensitive>,
}

impl Site {
    pub(super) fn new(settings: &OAuthSettings) -> Result<Self, OutboundError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config()?)
            .redirect(Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(|e| OutboundError::Setup(e.to_string()))?;
        let base = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Site {
            client,
            hf_url: base(&settings.hf_url),
            github_url: base(&settings.github_url),
            github_api_url: base(&settings.github_api_url),
            github_secret: settings.github_client_secret.clone(),
        })
    }

    /// Where people sign in.
    pub(super) fn sign_in_url(&self, provider: OAuthProvider, query: &[(&str, &str)]) -> String {
        let place = match provider {
            OAuthProvider::HuggingFace => format!("{}/oauth/authorize", self.hf_url),
            OAuthProvider::GitHub => format!("{}/login/oauth/authorize", self.github_url),
        };
        format!("{place}?{}", encoded(query))
    }

    /// Exchanges a code or a refresh token.
    pub(super) async fn tokens(
        &self,
        provider: OAuthProvider,
        form: &[(&str, &str)],
    ) -> Result<Granted, SiteError> {
        let mut form = form.to_vec();
        let place = match provider {
            OAuthProvider::HuggingFace => format!("{}/oauth/token", self.hf_url),
            OAuthProvider::GitHub => {
                let secret = self.github_secret.as_ref().ok_or(SiteError::NoSecret)?;
                form.push(("client_secret", secret.expose()));
                format!("{}/login/oauth/access_token", self.github_url)
            }
        };
        let request = self
            .client
            .post(place)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encoded(&form));
        let (status, body) = ask(provider, request).await?;
        let refused = |text| SiteError::Refused { status, text };
        // GitHub refuses with status 200.
        if !(200..300).contains(&status) || body.get("error").is_some() {
            return Err(refused(reason(provider.title(), status, &body)));
        }
        granted(&body).ok_or_else(|| {
            refused(format!(
                "{} answered without an access token",
                provider.title()
            ))
        })
    }

    /// Id and name of the account a token is of. The id is the site's own, never made of the token.
    pub(super) async fn account(
        &self,
        provider: OAuthProvider,
        granted: &Granted,
    ) -> Result<(String, Option<String>), SiteError> {
        let claims = granted.id_token.as_deref().and_then(claims);
        let subject = claims.and_then(|claims| text(&claims["sub"]));
        let profile = match (
            self.profile(provider, &granted.access_token).await,
            &subject,
        ) {
            (Err(SiteError::Refused { .. }), Some(subject)) => {
                return Ok((subject.clone(), None));
            }
            (profile, _) => profile?,
        };
        let (id, name) = match provider {
            OAuthProvider::HuggingFace => ("id", "name"),
            OAuthProvider::GitHub => ("id", "login"),
        };
        let id = match &profile[id] {
            Value::Number(id) => Some(id.to_string()),
            id => text(id),
        };
        let id = id.or(subject);
        let id = id.ok_or_else(|| SiteError::Refused {
            status: 200,
            text: format!("{} does not say whose the token is", provider.title()),
        })?;
        Ok((id, text(&profile[name])))
    }

    /// What the site says of the account a token is of.
    pub(super) async fn profile(
        &self,
        provider: OAuthProvider,
        token: &Sensitive,
    ) -> Result<Value, SiteError> {
        let request = match provider {
            OAuthProvider::HuggingFace => self.client.get(format!("{}/api/whoami-v2", self.hf_url)),
            OAuthProvider::GitHub => self
                .client
                .get(format!("{}/user", self.github_api_url))
                .header("x-github-api-version", "2022-11-28"),
        };
        let (status, body) = ask(provider, request.bearer_auth(token.expose())).await?;
        if (200..300).contains(&status) && body.is_object() {
            return Ok(body);
        }
        let text = reason(provider.title(), status, &body);
        Err(SiteError::Refused { status, text })
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// Status and JSON of an answer; null when it is no JSON.
async fn ask(provider: OAuthProvider, request: RequestBuilder) -> Result<(u16, Value), SiteError> {
    let failed = |e: reqwest::Error| {
        let how = if e.is_timeout() {
            "does not answer in time"
        } else {
            "cannot be reached"
        };
        tracing::warn!(error = %e.without_url(), "{} {how}", provider.title());
        SiteError::Unreachable(format!("{} {how}", provider.title()))
    };
    let request = request.header(header::ACCEPT, "application/json");
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BODY {
            let text = format!("{} answers at too great a length", provider.title());
            return Err(SiteError::Unreachable(text));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Why a site refused, in its own words if it has any.
pub(in crate::services) fn reason(site: &str, status: u16, body: &Value) -> String {
    let words = ["error_description", "message", "error"];
    let words = words.iter().find_map(|key| text(&body[*key]));
    match words {
        Some(words) => words.chars().take(MAX_REASON).collect(),
        None => format!("{site} answered with status {status}"),
    }
}

/// A text that is not too long, and none that the database could not keep.
pub(in crate::services) fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let fits = !text.is_empty() && text.len() <= MAX_TEXT && !text.contains('\0');
    fits.then(|| text.to_owned())
}

/// The tokens in an answer; nothing when there is no access token.
pub(in crate::services) fn granted(body: &Value) -> Option<Granted> {
    // A token goes into a header.
    let token = |key: &str| text(&body[key]).filter(|t| t.bytes().all(|b| b.is_ascii_graphic()));
    let seconds = &body["expires_in"];
    Some(Granted {
        access_token: Sensitive::new(token("access_token")?),
        refresh_token: token("refresh_token").map(Sensitive::new),
        token_type: text(&body["token_type"]).unwrap_or_else(|| "Bearer".to_owned()),
        scope: text(&body["scope"]),
        expires_in: seconds
            .as_i64()
            .or_else(|| seconds.as_str().and_then(|s| s.parse().ok())),
        id_token: text(&body["id_token"]),
    })
}

/// What an identity token says. It came straight from the site, over an encrypted connection, so that its signature
/// would prove nothing more.
pub(in crate::services) fn claims(token: &str) -> Option<Value> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_identity_token_names_its_subject_and_nonsense_names_none() {
        let subject = |token: &str| claims(token).and_then(|claims| text(&claims["sub"]));
        let said = URL_SAFE_NO_PAD.encode(r#"{"sub":"abc"}"#);
        assert_eq!(subject(&format!("h.{said}.s")).as_deref(), Some("abc"));
        let odd = URL_SAFE_NO_PAD.encode(r#"{"sub":7}"#);
        for bad in ["", "a", "a.b.c", "a.!.c", &format!("h.{odd}.s")] {
            assert_eq!(subject(bad), None, "{bad}");
        }
    }

    #[test]
    fn tokens_that_fit_no_header_are_none() {
        let of = |token: &str| granted(&json!({ "access_token": token }));
        assert!(of("hf_oauth_x").is_some());
        for bad in ["", "a b", "a\r\nb", "ä", &"x".repeat(MAX_TEXT + 1)] {
            assert!(of(bad).is_none(), "{bad}");
        }
        let full = json!({ "access_token": "a", "expires_in": "28800", "scope": "", "token_type": "bearer" });
        let full = granted(&full).unwrap();
        assert_eq!((full.expires_in, full.scope), (Some(28800), None));
        assert!(!format!("{:?}", full.access_token).contains('a'));
    }
}
