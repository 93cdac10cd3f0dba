//! Accounts at other sites that users let this server act with: Hugging Face and GitHub (HTTP spec 6.14).
//!
//! A sign-in begins here, goes on at the site and comes back with a code, which is exchanged for tokens. Tokens are
//! sealed before they are stored, and are never told to anybody but the site they are of.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nodetool_sdk::BoxFuture;
use nodetool_store::{
    MAX_OAUTH_ACCOUNTS, OauthCredentialRow, OauthTokens, Store, StoreError, new_id, now_micros,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::changes::{Changes, Happened};
use super::secrets::{AccountTokens, Safe, SecretsError};
use crate::sensitive::Sensitive;

mod error;
mod locks;
mod pending;
mod site;
#[cfg(test)]
mod tests;

pub(crate) use error::{OAuthError, SignInError};

pub(super) use locks::Locks;
pub(super) use pending::{Pendings, TooManyPending};
pub(super) use site::{Granted, SiteError, claims, granted, reason, text};

use site::Site;

/// Where an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OAuthProvider {
    HuggingFace,
    GitHub,
}

impl OAuthProvider {
    /// Its name in rows.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OAuthProvider::HuggingFace => "huggingface",
            OAuthProvider::GitHub => "github",
        }
    }

    /// Its name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            OAuthProvider::HuggingFace => "Hugging Face",
            OAuthProvider::GitHub => "GitHub",
        }
    }

    fn scopes(self) -> &'static str {
        match self {
            OAuthProvider::HuggingFace => "openid read-repos inference-api",
            OAuthProvider::GitHub => "user:email read:user",
        }
    }

    fn callback(self) -> &'static str {
        match self {
            OAuthProvider::HuggingFace => "/api/oauth/hf/callback",
            OAuthProvider::GitHub => "/api/oauth/github/callback",
        }
    }
}

/// Another spelling of the provider in rows that came from elsewhere.
const HUGGING_FACE_OF_OLD: &str = "HuggingFace";
/// A token that ends so soon is fetched anew before it is used.
const MARGIN_MICROS: i64 = 60_000_000;
/// The longest life of a token that is believed.
const LONGEST_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;
/// How long a person may take at a site.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// What this server is to the other sites.
#[derive(Clone, Debug)]
pub(crate) struct OAuthSettings {
    pub(crate) hf_client_id: String,
    pub(crate) github_client_id: String,
    pub(crate) github_client_secret: Option<Sensitive>,
    pub(crate) hf_url: String,
    pub(crate) github_url: String,
    pub(crate) github_api_url: String,
    /// Address clients reach the server at; empty for this machine and the port that is listened on.
    pub(crate) api_url: String,
}

/// What comes back from a site.
#[derive(Clone, Debug, Default)]
pub(crate) struct SignInReturn {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
}

/// A sign-in under way.
#[derive(Debug)]
struct Pending {
    provider: OAuthProvider,
    /// What proves to the site that whoever brings the code began the sign-in.
    verifier: Sensitive,
    /// Where the site was told to send the person, which it has to be told again.
    redirect_uri: String,
}

/// A user's accounts at other sites; clones share it.
#[derive(Clone)]
pub(crate) struct OAuthService(Arc<Shared>);

struct Shared {
    store: Store,
    safe: Safe,
    changes: Changes,
    settings: OAuthSettings,
    site: Site,
    pendings: Pendings<Pending>,
    port: OnceLock<u16>,
    locks: Locks,
}

impl OAuthService {
    /// # Errors
    /// When connections to the sites cannot be encrypted.
    pub(crate) fn new(
        store: Store,
        safe: Safe,
        changes: Changes,
        settings: OAuthSettings,
    ) -> Result<Self, crate::outbound::OutboundError> {
        Ok(OAuthService(Arc::new(Shared {
            site: Site::new(&settings)?,
            store,
            safe,
            changes,
            settings,
            pendings: Pendings::new(LIFETIME),
            port: OnceLock::new(),
            locks: Locks::default(),
        })))
    }

    /// Says on which port the server listens, for the address that sites send people back to.
    pub(crate) fn listens_on(&self, port: u16) {
        // It listens on one port for as long as it lives.
        let _ = self.0.port.set(port);
    }

    fn client_id(&self, provider: OAuthProvider) -> Result<&str, OAuthError> {
        let (id, variable) = match provider {
            OAuthProvider::HuggingFace => (&self.0.settings.hf_client_id, "HF_CLIENT_ID"),
            OAuthProvider::GitHub => (&self.0.settings.github_client_id, "GITHUB_CLIENT_ID"),
        };
        if id.is_empty() {
            return Err(OAuthError::NotConfigured { provider, variable });
        }
        Ok(id)
    }

    /// The address of a path here, as browsers reach it that come back from a site.
    pub(super) fn address(&self, path: &str) -> String {
        let base = self.0.settings.api_url.trim_end_matches('/');
        match base {
            "" => {
                let port = self.0.port.get().copied().unwrap_or(7777);
                format!("http://localhost:{port}{path}")
            }
            base => format!("{base}{path}"),
        }
    }

    /// Begins a sign-in of a user; the address to send their browser to.
    pub(crate) fn start(
        &self,
        user_id: &str,
        provider: OAuthProvider,
    ) -> Result<String, OAuthError> {
        let client_id = self.client_id(provider)?;
        let verifier = random_text()?;
        let state = random_text()?;
        let challenge = challenge(&verifier);
        let redirect_uri = self.address(provider.callback());
        let query = [
            ("client_id", client_id),
            ("redirect_uri", &redirect_uri),
            ("response_type", "code"),
            ("scope", provider.scopes()),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let address = self.0.site.sign_in_url(provider, &query);
        let pending = Pending {
            provider,
            verifier: Sensitive::new(verifier),
            redirect_uri: redirect_uri.clone(),
        };
        let pendings = &self.0.pendings;
        let begun = pendings.begin(&state, user_id, pending, Instant::now());
        begun.map_err(|TooManyPending| OAuthError::TooManyPending)?;
        Ok(address)
    }

    /// Ends a sign-in that comes back from a site, and stores what it gave for the user who began it.
    pub(crate) async fn finish(
        &self,
        provider: OAuthProvider,
        back: SignInReturn,
    ) -> Result<OauthCredentialRow, SignInError> {
        let state = back.state.as_deref().unwrap_or_default();
        // Whatever comes of it, a state is good once.
        let pending = self.0.pendings.take(state, Instant::now());
        if let Some(error) = back.error {
            return Err(SignInError::Refused {
                error,
                description: back.description,
            });
        }
        let code = back.code.filter(|code| !code.is_empty());
        let Some(code) = code.filter(|_| !state.is_empty()) else {
            return Err(SignInError::InvalidRequest);
        };
        let Some((user_id, pending)) = pending.filter(|(_, p)| p.provider == provider) else {
            tracing::info!(target: "audit", event = "oauth.state_refused", oauth.provider = provider.as_str());
            return Err(SignInError::InvalidState);
        };
        let client_id = self
            .client_id(provider)
            .map_err(|e| SignInError::Configuration(e.to_string()))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &pending.redirect_uri),
            ("client_id", client_id),
            ("code_verifier", pending.verifier.expose()),
        ];
        let granted = self.0.site.tokens(provider, &form).await?;
        let (account_id, username) = self.0.site.account(provider, &granted).await?;
        let row = self
            .sealed_row(&user_id, provider, granted)
            .await
            .map_err(SignInError::of_seal)?;
        let row = OauthCredentialRow {
            account_id,
            username,
            ..row
        };
        let row = self.0.store.save_oauth_credential(row).await?;
        tracing::info!(target: "audit", event = "oauth.connected", user.id = %row.user_id, oauth.provider = %row.provider, oauth.account = %row.account_id);
        let happened = if row.created_at == row.updated_at {
            Happened::Created
        } else {
            Happened::Updated
        };
        self.tell(&row, happened);
        Ok(row)
    }

    fn tell(&self, row: &OauthCredentialRow, happened: Happened) {
        let changes = &self.0.changes;
        changes.tell(&row.user_id, happened, "oauth_credential", &row.id, || {
            row.etag()
        });
    }

    /// A new row with sealed tokens, of no account yet.
    async fn sealed_row(
        &self,
        user_id: &str,
        provider: OAuthProvider,
        granted: Granted,
    ) -> Result<OauthCredentialRow, SecretsError> {
        let tokens = self.sealed(user_id, granted).await?;
        Ok(OauthCredentialRow {
            id: new_id(),
            user_id: user_id.to_owned(),
            provider: provider.as_str().to_owned(),
            account_id: String::new(),
            username: None,
            encrypted_access_token: tokens.encrypted_access_token,
            encrypted_refresh_token: tokens.encrypted_refresh_token,
            token_type: tokens.token_type,
            scope: tokens.scope,
            received_at: tokens.received_at,
            expires_at: tokens.expires_at,
            created_at: tokens.received_at,
            updated_at: tokens.received_at,
        })
    }

    async fn sealed(&self, user_id: &str, granted: Granted) -> Result<OauthTokens, SecretsError> {
        sealed(&self.0.safe, user_id, granted).await
    }

    /// A user's accounts at a site, the newest tokens first.
    pub(crate) async fn list(
        &self,
        user_id: &str,
        provider: OAuthProvider,
    ) -> Result<Vec<OauthCredentialRow>, OAuthError> {
        let rows =
            self.0
                .store
                .list_oauth_credentials(user_id, provider.as_str(), MAX_OAUTH_ACCOUNTS);
        Ok(rows.await?)
    }

    async fn row(
        &self,
        user_id: &str,
        provider: &str,
        account_id: &str,
    ) -> Result<OauthCredentialRow, OAuthError> {
        let store = &self.0.store;
        let row = store.get_oauth_credential(user_id, provider, account_id);
        row.await?.ok_or(OAuthError::NoCredential)
    }

    /// Fetches a fresh token of a Hugging Face account.
    pub(crate) async fn refresh(&self, user_id: &str, account_id: &str) -> Result<(), OAuthError> {
        let provider = OAuthProvider::HuggingFace.as_str();
        let row = self.row(user_id, provider, account_id).await?;
        self.refreshed(row, true).await.map(|_| ())
    }

    /// The row with a fresh token; unless forced, somebody else's fresh token will do.
    async fn refreshed(
        &self,
        row: OauthCredentialRow,
        forced: bool,
    ) -> Result<OauthCredentialRow, OAuthError> {
        let _alone = self.0.locks.of(&row.id).await;
        let row = self
            .row(&row.user_id, &row.provider, &row.account_id)
            .await?;
        if !forced && !ends_soon(&row) {
            return Ok(row);
        }
        let sealed = row.encrypted_refresh_token.clone();
        let sealed = sealed.ok_or(OAuthError::NoRefreshToken)?;
        let token = self.0.safe.open(&row.user_id, &sealed).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose()),
            ("client_id", self.client_id(OAuthProvider::HuggingFace)?),
        ];
        let granted = self.0.site.tokens(OAuthProvider::HuggingFace, &form);
        let granted = granted.await.map_err(OAuthError::of_refresh)?;
        let tokens = self.sealed(&row.user_id, granted).await?;
        let stored = self
            .0
            .store
            .replace_oauth_tokens(&row.user_id, &row.id, tokens);
        let row = stored.await?.ok_or(OAuthError::NoCredential)?;
        tracing::info!(target: "audit", event = "oauth.refreshed", user.id = %row.user_id, oauth.provider = %row.provider, oauth.account = %row.account_id);
        self.tell(&row, Happened::Updated);
        Ok(row)
    }

    /// The access token of a row, fetched anew when it has ended and that is possible.
    async fn access_token(&self, row: OauthCredentialRow) -> Result<Sensitive, OAuthError> {
        let old = row.provider == OAuthProvider::GitHub.as_str();
        let row = if !old && ends_soon(&row) && row.encrypted_refresh_token.is_some() {
            self.refreshed(row, false).await?
        } else {
            row
        };
        let sealed = row.encrypted_access_token;
        Ok(self.0.safe.open(&row.user_id, &sealed).await?)
    }

    /// What a site says of one of the user's accounts there.
    pub(crate) async fn profile(
        &self,
        user_id: &str,
        provider: OAuthProvider,
        account_id: &str,
    ) -> Result<Value, OAuthError> {
        let row = self.row(user_id, provider.as_str(), account_id).await?;
        let token = self.access_token(row).await?;
        self.0
            .site
            .profile(provider, &token)
            .await
            .map_err(OAuthError::of_profile)
    }

    async fn newest_token(&self, user_id: &str) -> Result<Option<Sensitive>, OAuthError> {
        for provider in [OAuthProvider::HuggingFace.as_str(), HUGGING_FACE_OF_OLD] {
            let rows = self.0.store.list_oauth_credentials(user_id, provider, 1);
            let Some(row) = rows.await?.pop() else {
                continue;
            };
            let ended = row.expires_at.is_some_and(|at| at <= now_micros());
            if ended && row.encrypted_refresh_token.is_none() {
                return Ok(None);
            }
            return self.access_token(row).await.map(Some);
        }
        Ok(None)
    }
}

impl AccountTokens for OAuthService {
    fn newest<'a>(&'a self, user_id: &'a str) -> BoxFuture<'a, Option<Sensitive>> {
        Box::pin(async move {
            match self.newest_token(user_id).await {
                Ok(token) => token,
                Err(e) => {
                    tracing::warn!(user.id = %user_id, error = %e, "the Hugging Face account of a user gives no token");
                    None
                }
            }
        })
    }
}

/// Tokens as they are stored.
pub(super) async fn sealed(
    safe: &Safe,
    user_id: &str,
    granted: Granted,
) -> Result<OauthTokens, SecretsError> {
    let now = now_micros();
    let seconds = granted.expires_in.map(|s| s.clamp(0, LONGEST_SECONDS));
    let access = safe.seal(user_id, granted.access_token).await?;
    let refresh = match granted.refresh_token {
        Some(token) => Some(safe.seal(user_id, token).await?),
        None => None,
    };
    Ok(OauthTokens {
        encrypted_access_token: access,
        encrypted_refresh_token: refresh,
        token_type: granted.token_type,
        scope: granted.scope,
        received_at: now,
        expires_at: seconds.map(|s| now.saturating_add(s * 1_000_000)),
    })
}

/// Whether the access token of a credential ends before it could be used.
pub(super) fn ends_soon(row: &OauthCredentialRow) -> bool {
    let soon = now_micros().saturating_add(MARGIN_MICROS);
    row.expires_at.is_some_and(|at| at <= soon)
}

/// 256 random bits as text.
pub(super) fn random_text() -> Result<String, OAuthError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| OAuthError::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a site is told of a verifier, so that only who has it can use the code (PKCE, S256).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

impl From<StoreError> for SignInError {
    fn from(e: StoreError) -> Self {
        SignInError::Internal(e.to_string())
    }
}
