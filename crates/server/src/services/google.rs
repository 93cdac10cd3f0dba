//! Google accounts that users connect for their steps (orchestrator spec 3.10): the sign-in, and what is kept of it.
//!
//! A sign-in begins here, goes on at Google and comes back with a code, which is exchanged for tokens. Tokens are sealed
//! before they are stored, in the same table as those of other sites, and are told to nobody but Google and the steps of
//! their user. It must not know HTTP routes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nodetool_sdk::services::Http;
use nodetool_store::{MAX_OAUTH_ACCOUNTS, OauthCredentialRow, Store, new_id};

use super::changes::{Changes, Happened};
use super::oauth::{
    Locks, OAuthService, Pendings, SignInError, SignInReturn, challenge, random_text, sealed,
};
use super::secrets::Safe;
use crate::sensitive::Sensitive;

mod client;
mod error;
mod scopes;
mod site;
mod tokens;

pub(crate) use error::GoogleError;
pub(crate) use scopes::{KEYS as SCOPE_KEYS, MAX_ASKED as MAX_SCOPES};

use site::Site;

/// The word for Google in rows, and for steps.
pub(super) const GOOGLE: &str = "google";
/// Where Google sends people back to.
const CALLBACK: &str = "/api/auth/google/callback/";
/// How long a person may take at Google.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What the service is made of.
pub(crate) struct GoogleParts {
    pub(crate) store: Store,
    pub(crate) safe: Safe,
    pub(crate) changes: Changes,
    /// Values from the environment of the server, by registered key.
    pub(crate) environment: BTreeMap<String, Sensitive>,
    /// Knows the address browsers come back to.
    pub(crate) oauth: OAuthService,
    /// The one guarded client.
    pub(crate) http: Arc<dyn Http>,
}

/// The Google accounts of users; clones share it.
#[derive(Clone)]
pub(crate) struct GoogleService(Arc<Inner>);

struct Inner {
    store: Store,
    safe: Safe,
    changes: Changes,
    environment: BTreeMap<String, Sensitive>,
    oauth: OAuthService,
    site: Site,
    pendings: Pendings<Pending>,
    locks: Locks,
}

/// A sign-in under way.
struct Pending {
    /// What proves to Google that whoever brings the code began the sign-in.
    verifier: Sensitive,
    /// Where Google was told to send the person, which it has to be told again.
    redirect_uri: String,
    /// What was asked for.
    scope: String,
}

/// What a sign-in is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct GoogleSignIn {
    /// Keys of [`SCOPE_KEYS`]; none for those that the steps need.
    pub(crate) scopes: Vec<String>,
    /// Where Google is to send the person back to; this server's own route when absent.
    pub(crate) redirect_uri: Option<String>,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub(crate) struct GoogleStart {
    /// Where the browser has to go.
    pub(crate) authorization_url: String,
    /// What comes back with the code.
    pub(crate) state: String,
}

/// A connected account, without its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoogleAccount {
    pub(crate) id: String,
    pub(crate) email: String,
    /// Keys of what its user permits.
    pub(crate) scopes: Vec<&'static str>,
    /// Microseconds UTC.
    pub(crate) created_at: i64,
}

impl From<OauthCredentialRow> for GoogleAccount {
    fn from(row: OauthCredentialRow) -> Self {
        GoogleAccount {
            id: row.id,
            email: row.username.unwrap_or(row.account_id),
            scopes: scopes::keys_of(row.scope.as_deref().unwrap_or_default()),
            created_at: row.created_at,
        }
    }
}

impl GoogleService {
    pub(crate) fn new(parts: GoogleParts) -> Self {
        let GoogleParts {
            store,
            safe,
            changes,
            environment,
            oauth,
            http,
        } = parts;
        GoogleService(Arc::new(Inner {
            store,
            safe,
            changes,
            environment,
            oauth,
            site: Site::new(http),
            pendings: Pendings::new(LIFETIME),
            locks: Locks::default(),
        }))
    }

    /// Begins a sign-in of a user.
    pub(crate) async fn start(
        &self,
        user_id: &str,
        ask: GoogleSignIn,
    ) -> Result<GoogleStart, GoogleError> {
        let scope = scopes::asked(&ask.scopes).map_err(|why| GoogleError::Field("scopes", why))?;
        let redirect_uri = match ask.redirect_uri {
            Some(given) => {
                client::return_address(&given)
                    .map_err(|why| GoogleError::Field("redirect_uri", why))?;
                given
            }
            None => self.0.oauth.address(CALLBACK),
        };
        let client = self.client(user_id).await?;
        let (verifier, state) = (random_text()?, random_text()?);
        let authorization_url = client.places.sign_in_url(&[
            ("client_id", client.id.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("response_type", "code"),
            ("scope", scope.as_str()),
            ("state", state.as_str()),
            ("code_challenge", challenge(&verifier).as_str()),
            ("code_challenge_method", "S256"),
            // Without both, a second sign-in brings no refresh token.
            ("access_type", "offline"),
            ("prompt", "consent"),
        ]);
        let pending = Pending {
            verifier: Sensitive::new(verifier),
            redirect_uri,
            scope,
        };
        let pendings = &self.0.pendings;
        pendings.begin(&state, user_id, pending, Instant::now())?;
        Ok(GoogleStart {
            authorization_url,
            state,
        })
    }

    /// Ends a sign-in that comes back from Google, and stores what it gave for the user who began it. Whoever is known
    /// to ask has to be that user.
    pub(crate) async fn finish(
        &self,
        back: SignInReturn,
        by: Option<&str>,
    ) -> Result<GoogleAccount, SignInError> {
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
        let Some((user_id, pending)) = pending else {
            tracing::info!(target: "audit", event = "oauth.state_refused", oauth.provider = GOOGLE);
            return Err(SignInError::InvalidState);
        };
        if by.is_some_and(|by| by != user_id) {
            tracing::info!(target: "audit", event = "oauth.state_refused", user.id = %user_id, oauth.provider = GOOGLE);
            return Err(SignInError::ForeignState);
        }
        let client = self.client(&user_id).await;
        let client = client.map_err(|e| SignInError::Configuration(e.to_string()))?;
        let granted = self
            .0
            .site
            .tokens(
                &client,
                &[
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", &pending.redirect_uri),
                    ("code_verifier", pending.verifier.expose()),
                ],
            )
            .await?;
        let refused = |error: &str, text: &str| SignInError::Refused {
            error: error.to_owned(),
            description: Some(text.to_owned()),
        };
        if granted.refresh_token.is_none() {
            let text = "Google gave no refresh token, so the account could be used for an hour only. Remove this app \
                from the Google account and connect it again.";
            return Err(refused("no_refresh_token", text));
        }
        let scope = granted.scope.clone().unwrap_or(pending.scope);
        if scopes::keys_of(&scope).is_empty() {
            let text = "None of the permissions that were asked for was given.";
            return Err(refused("no_scopes", text));
        }
        let (account_id, email) = self.0.site.account(&client, &granted).await?;
        let tokens = sealed(&self.0.safe, &user_id, granted).await;
        let tokens = tokens.map_err(SignInError::of_seal)?;
        let row = OauthCredentialRow {
            id: new_id(),
            user_id,
            provider: GOOGLE.to_owned(),
            account_id,
            username: Some(email),
            encrypted_access_token: tokens.encrypted_access_token,
            encrypted_refresh_token: tokens.encrypted_refresh_token,
            token_type: tokens.token_type,
            scope: Some(scope),
            received_at: tokens.received_at,
            expires_at: tokens.expires_at,
            created_at: tokens.received_at,
            updated_at: tokens.received_at,
        };
        let stored = self.0.store.add_oauth_credential(row).await?;
        let row = stored.ok_or(SignInError::TooManyAccounts(MAX_OAUTH_ACCOUNTS))?;
        tracing::info!(target: "audit", event = "oauth.connected", user.id = %row.user_id, oauth.provider = GOOGLE, oauth.account = %row.account_id);
        let happened = if row.created_at == row.updated_at {
            Happened::Created
        } else {
            Happened::Updated
        };
        self.tell(&row, happened);
        Ok(row.into())
    }

    fn tell(&self, row: &OauthCredentialRow, happened: Happened) {
        let etag = || match happened {
            Happened::Deleted => String::new(),
            _ => row.etag(),
        };
        let changes = &self.0.changes;
        changes.tell(&row.user_id, happened, "oauth_credential", &row.id, etag);
    }

    /// A user's accounts, in the order they were connected in.
    pub(crate) async fn list(&self, user_id: &str) -> Result<Vec<GoogleAccount>, GoogleError> {
        let rows = self
            .0
            .store
            .list_oauth_credentials(user_id, GOOGLE, MAX_OAUTH_ACCOUNTS);
        let mut accounts: Vec<_> = rows.await?.into_iter().map(GoogleAccount::from).collect();
        accounts.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(accounts)
    }

    async fn row(&self, user_id: &str, id: &str) -> Result<OauthCredentialRow, GoogleError> {
        let row = self.0.store.oauth_credential(user_id, GOOGLE, id).await?;
        row.ok_or(GoogleError::NotFound)
    }

    /// One of a user's accounts.
    pub(crate) async fn get(&self, user_id: &str, id: &str) -> Result<GoogleAccount, GoogleError> {
        self.row(user_id, id).await.map(GoogleAccount::from)
    }

    /// Deletes one of a user's accounts, and tells Google that its tokens are not to be good any more. What Google says
    /// to that changes nothing here.
    pub(crate) async fn delete(&self, user_id: &str, id: &str) -> Result<(), GoogleError> {
        let store = &self.0.store;
        let row = store.delete_oauth_credential(user_id, GOOGLE, id).await?;
        let row = row.ok_or(GoogleError::NotFound)?;
        tracing::info!(target: "audit", event = "oauth.deleted", user.id = %row.user_id, oauth.provider = GOOGLE, oauth.account = %row.account_id);
        self.tell(&row, Happened::Deleted);
        if let Err(e) = self.revoke(&row).await {
            tracing::warn!(user.id = %row.user_id, error = %e, "Google was not told that an account is deleted");
        }
        Ok(())
    }

    async fn revoke(&self, row: &OauthCredentialRow) -> Result<(), GoogleError> {
        let client = self.client(&row.user_id).await?;
        let token = row.encrypted_refresh_token.as_ref();
        let token = token.unwrap_or(&row.encrypted_access_token);
        let token = self.0.safe.open(&row.user_id, token).await?;
        Ok(self.0.site.revoke(&client, &token).await?)
    }
}
