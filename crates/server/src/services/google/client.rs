//! What this server is to Google: the id and the secret of an app, and where Google is.
//!
//! All of it comes from one hand. A user who has stored an app of their own may say where Google is for it; the app of
//! the server's environment is shown to Google alone, so that nobody can have its secret sent to an address of theirs.

use nodetool_orchestrator::GOOGLE_API_BASE_URL;
use url::{Host, Url};

use super::{GoogleError, GoogleService};
use crate::sensitive::Sensitive;
use crate::services::secrets::{OF_APP, SecretsError};

/// Secrets with the id and the secret of the app.
const CLIENT_ID: &str = OF_APP[0];
const CLIENT_SECRET: &str = OF_APP[1];
/// Longest address to come back to.
const MAX_ADDRESS: usize = 2 << 10;

/// An app that Google knows.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: Sensitive,
    pub(super) places: Places,
}

/// Where Google's routes are.
pub(super) struct Places {
    authorize: Url,
    pub(super) token: String,
    pub(super) account: String,
    pub(super) revoke: String,
}

impl Places {
    fn of_google() -> Result<Self, GoogleError> {
        Ok(Places {
            authorize: address("https://accounts.google.com/o/oauth2/v2/auth")?,
            token: "https://oauth2.googleapis.com/token".to_owned(),
            account: "https://openidconnect.googleapis.com/v1/userinfo".to_owned(),
            revoke: "https://oauth2.googleapis.com/revoke".to_owned(),
        })
    }

    /// Those of another server that has all of them.
    fn at(base: &str) -> Result<Self, GoogleError> {
        let base = base.trim().trim_end_matches('/');
        Ok(Places {
            authorize: address(&format!("{base}/o/oauth2/v2/auth"))?,
            token: format!("{base}/token"),
            account: format!("{base}/v1/userinfo"),
            revoke: format!("{base}/revoke"),
        })
    }

    /// Where people sign in.
    pub(super) fn sign_in_url(&self, query: &[(&str, &str)]) -> String {
        let mut url = self.authorize.clone();
        url.query_pairs_mut().clear().extend_pairs(query);
        url.into()
    }
}

fn address(text: &str) -> Result<Url, GoogleError> {
    let wrong = || {
        GoogleError::Address(
            "expected an http or https URL without query, fragment and password".to_owned(),
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain || !nobody {
        return Err(wrong());
    }
    Ok(url)
}

/// What is wrong with an address that Google is to send people back to. Google itself takes those only that are
/// registered for the app.
pub(super) fn return_address(text: &str) -> Result<(), String> {
    let wrong =
        || "Expected an https URL without a fragment, or an http URL of this machine.".to_owned();
    if text.len() > MAX_ADDRESS {
        return Err(format!("Longer than {MAX_ADDRESS} bytes."));
    }
    // It is sent as it is written, so it has to mean the same to every reader.
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.contains(odd) || !text.contains("://") {
        return Err(wrong());
    }
    let url = Url::parse(text).map_err(|_| wrong())?;
    let own_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(wrong()),
    };
    let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" if bare => Ok(()),
        "http" if bare && own_machine => Ok(()),
        _ => Err(wrong()),
    }
}

impl GoogleService {
    /// What a user has stored, which is no empty text.
    async fn stored(&self, user_id: &str, key: &str) -> Result<Option<Sensitive>, SecretsError> {
        let Some(row) = self.0.store.get_secret(user_id, key).await? else {
            return Ok(None);
        };
        let value = self.0.safe.open(user_id, &row.encrypted_value).await?;
        let text = value.expose().trim();
        Ok((!text.is_empty()).then(|| Sensitive::new(text)))
    }

    fn given(&self, key: &'static str) -> Result<&str, GoogleError> {
        let value = self.0.environment.get(key).map(|v| v.expose().trim());
        value
            .filter(|value| !value.is_empty())
            .ok_or(GoogleError::NotConfigured(key))
    }

    /// The app a user's accounts are connected through.
    pub(super) async fn client(&self, user_id: &str) -> Result<Client, GoogleError> {
        let Some(id) = self.stored(user_id, CLIENT_ID).await? else {
            return Ok(Client {
                id: self.given(CLIENT_ID)?.to_owned(),
                secret: Sensitive::new(self.given(CLIENT_SECRET)?),
                places: Places::of_google()?,
            });
        };
        let secret = self.stored(user_id, CLIENT_SECRET).await?;
        let base = self.stored(user_id, GOOGLE_API_BASE_URL).await?;
        Ok(Client {
            id: id.expose().to_owned(),
            secret: secret.ok_or(GoogleError::NotConfigured(CLIENT_SECRET))?,
            places: match base {
                Some(base) => Places::at(base.expose())?,
                None => Places::of_google()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_over_https_or_to_their_own_machine() {
        for good in [
            "https://nodetool.example.org/connected?x=1",
            "http://localhost:3000/connected",
            "http://127.0.0.1:3000/",
            "http://[::1]/",
        ] {
            assert_eq!(return_address(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/callback",
            "http://nodetool.example.org/",
            "http://localhost.example.org/",
            "https://a:b@nodetool.example.org/",
            "https://nodetool.example.org/#x",
            "javascript:alert(1)",
            "custom://x",
            "https:evil",
            " https://a.example/",
            "https://a.example/\r\nX: y",
            "http://localhost\\@evil/",
            &format!("https://a.example/{}", "x".repeat(MAX_ADDRESS)),
        ] {
            assert!(return_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_server_is_a_bare_address() {
        let places = Places::at(" http://127.0.0.1:1/base/ ").ok().unwrap();
        assert_eq!(places.token, "http://127.0.0.1:1/base/token");
        for bad in ["", "ftp://a", "http://a/?x=", "http://a/#", "http://u:p@a"] {
            assert!(Places::at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn googles_routes_are_googles_or_below_another_address() {
        let own = Places::of_google().unwrap();
        let url = own.sign_in_url(&[("scope", "openid email"), ("state", "a&b")]);
        let expected =
            "https://accounts.google.com/o/oauth2/v2/auth?scope=openid+email&state=a%26b";
        assert_eq!(url, expected);
        let other = Places::at(" http://127.0.0.1:9/x/ ").unwrap();
        assert_eq!(other.token, "http://127.0.0.1:9/x/token");
        for bad in ["", "x", "ftp://a.example", "javascript:alert(1)"] {
            assert!(Places::at(bad).is_err(), "{bad}");
        }
    }
}
