//! What is said to Google itself: codes and refresh tokens for tokens, and tokens that are to be good no more.
//!
//! It goes through the one guarded client, because users may say where Google is. Redirects are not followed: each
//! request carries a secret.

use std::sync::Arc;

use nodetool_sdk::services::{Http, HttpRequest};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::client::Client;
use crate::sensitive::Sensitive;
use crate::services::oauth::{Granted, SiteError, claims, granted, reason, text};

/// Seconds of one exchange.
const ANSWER_S: f64 = 30.0;
/// Seconds Google has to hear of a deletion.
const REVOKE_S: f64 = 10.0;
/// Largest answer that is read.
const MAX_BODY: usize = 1 << 20;
/// Longest mail address or account id.
const MAX_ID: usize = 320;
const NAME: &str = "Google";

/// The way to Google.
pub(super) struct Site(Arc<dyn Http>);

impl Site {
    pub(super) fn new(http: Arc<dyn Http>) -> Self {
        Site(http)
    }

    async fn ask(&self, request: HttpRequest) -> Result<(u16, Value), SiteError> {
        let answer = self.0.send_once(request).await;
        let answer = answer.map_err(|e| {
            SiteError::Unreachable(format!("{NAME} cannot be reached: {}", e.message))
        })?;
        if answer.body.len() > MAX_BODY {
            let text = format!("{NAME} answers at too great a length");
            return Err(SiteError::Unreachable(text));
        }
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((answer.status, body))
    }

    /// Exchanges a code or a refresh token.
    pub(super) async fn tokens(
        &self,
        client: &Client,
        form: &[(&str, &str)],
    ) -> Result<Granted, SiteError> {
        let own = [
            ("client_id", client.id.as_str()),
            ("client_secret", client.secret.expose()),
        ];
        let request = post(&client.places.token, form.iter().chain(&own), ANSWER_S);
        let (status, body) = self.ask(request).await?;
        let refused = |text| SiteError::Refused { status, text };
        if !(200..300).contains(&status) {
            return Err(refused(reason(NAME, status, &body)));
        }
        granted(&body).ok_or_else(|| refused(format!("{NAME} answered without an access token")))
    }

    /// Id and mail address of the account that tokens are of: as said beside them, else when asked.
    pub(super) async fn account(
        &self,
        client: &Client,
        granted: &Granted,
    ) -> Result<(String, String), SiteError> {
        let said = granted.id_token.as_deref().and_then(claims);
        if let Some(found) = said.as_ref().and_then(identity) {
            return Ok(found);
        }
        let bearer = format!("Bearer {}", granted.access_token.expose());
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: client.places.account.clone(),
            headers: vec![("authorization".to_owned(), bearer)],
            body: None,
            timeout_s: Some(ANSWER_S),
        };
        let (status, body) = self.ask(request).await?;
        let refused = |text| SiteError::Refused { status, text };
        if !(200..300).contains(&status) {
            return Err(refused(reason(NAME, status, &body)));
        }
        identity(&body)
            .ok_or_else(|| refused(format!("{NAME} does not say which account the token is of")))
    }

    /// Has Google forget a token, and those that came with it.
    pub(super) async fn revoke(&self, client: &Client, token: &Sensitive) -> Result<(), SiteError> {
        let form = [("token", token.expose())];
        let request = post(&client.places.revoke, form.iter(), REVOKE_S);
        let (status, body) = self.ask(request).await?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        let text = reason(NAME, status, &body);
        Err(SiteError::Refused { status, text })
    }
}

fn post<'a>(
    url: &str,
    form: impl Iterator<Item = &'a (&'a str, &'a str)>,
    seconds: f64,
) -> HttpRequest {
    let body = Serializer::new(String::new())
        .extend_pairs(form.copied())
        .finish();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    HttpRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header("accept", "application/json"),
        ],
        body: Some(body.into()),
        timeout_s: Some(seconds),
    }
}

/// Id and mail address, where both are there and of sound form.
fn identity(said: &Value) -> Option<(String, String)> {
    let word = |key: &str| {
        let word = text(&said[key])?;
        let sound = word.len() <= MAX_ID && !word.chars().any(char::is_control);
        sound.then_some(word)
    };
    let email = word("email").filter(|email| email.contains('@'))?;
    Some((word("sub")?, email))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_has_an_id_and_a_mail_address() {
        let of = |said: Value| identity(&said);
        let good = json!({ "sub": "1", "email": "ada@example.org" });
        assert_eq!(of(good), Some(("1".into(), "ada@example.org".into())));
        let long = format!("{}@example.org", "a".repeat(MAX_ID));
        for bad in [
            json!(null),
            json!({ "sub": "1" }),
            json!({ "email": "ada@example.org" }),
            json!({ "sub": 1, "email": "ada@example.org" }),
            json!({ "sub": "1", "email": "ada" }),
            json!({ "sub": "1", "email": "ada@\nexample.org" }),
            json!({ "sub": "1", "email": long }),
        ] {
            assert_eq!(of(bad.clone()), None, "{bad}");
        }
    }
}
