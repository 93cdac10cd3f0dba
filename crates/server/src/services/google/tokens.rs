//! Tokens of connected accounts for the steps of their user: the one that is kept while it lasts, then a new one, which
//! is asked for once however many want it.

use nodetool_sdk::accounts::{AccountToken, ConnectedAccount};
use nodetool_store::OauthCredentialRow;

use super::{GoogleError, GoogleService};
use crate::sensitive::Sensitive;
use crate::services::oauth::{SiteError, ends_soon, sealed};

impl GoogleService {
    /// A user's accounts, as fields offer them.
    pub(in crate::services) async fn offered(
        &self,
        user_id: &str,
    ) -> Result<Vec<ConnectedAccount>, GoogleError> {
        let accounts = self.list(user_id).await?.into_iter();
        let offered = accounts.map(|account| ConnectedAccount {
            id: account.id,
            label: account.email,
        });
        Ok(offered.collect())
    }

    /// A token of one of a user's accounts, another one than what Google takes no longer.
    pub(in crate::services) async fn token(
        &self,
        user_id: &str,
        id: &str,
        refused: Option<&str>,
    ) -> Result<AccountToken, GoogleError> {
        let row = self.row(user_id, id).await?;
        if let Some(token) = self.kept(&row, refused).await? {
            return Ok(token);
        }
        let _alone = self.0.locks.of(id).await;
        // Somebody else may have asked for it meanwhile.
        let row = self.row(user_id, id).await?;
        if let Some(token) = self.kept(&row, refused).await? {
            return Ok(token);
        }
        self.refreshed(row).await
    }

    /// The token that is kept, if it may still be used.
    async fn kept(
        &self,
        row: &OauthCredentialRow,
        refused: Option<&str>,
    ) -> Result<Option<AccountToken>, GoogleError> {
        if ends_soon(row) {
            return Ok(None);
        }
        let token = self.opened(row, &row.encrypted_access_token).await?;
        if refused.is_some_and(|refused| token.is(refused)) {
            return Ok(None);
        }
        Ok(Some(given(row, &token)))
    }

    async fn opened(
        &self,
        row: &OauthCredentialRow,
        sealed: &str,
    ) -> Result<Sensitive, GoogleError> {
        Ok(self.0.safe.open(&row.user_id, sealed).await?)
    }

    async fn refreshed(&self, row: OauthCredentialRow) -> Result<AccountToken, GoogleError> {
        let email = || row.username.clone().unwrap_or_else(|| row.id.clone());
        let refused = |why: String| GoogleError::Refused {
            email: email(),
            why,
        };
        let sealed_refresh = row.encrypted_refresh_token.as_ref();
        let sealed_refresh =
            sealed_refresh.ok_or_else(|| refused("it came without a refresh token".to_owned()))?;
        let refresh = self.opened(&row, sealed_refresh).await?;
        let client = self.client(&row.user_id).await?;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
        ];
        let granted = self.0.site.tokens(&client, &form).await;
        let granted = granted.map_err(|e| match e {
            // Only this is about the account; the rest may be better in a minute.
            SiteError::Refused {
                status: 400 | 401 | 403,
                text,
            } => refused(text),
            e => GoogleError::Unreachable(format!("No token for the account `{}`: {e}", email())),
        })?;
        let fresh = granted.access_token.clone();
        let tokens = sealed(&self.0.safe, &row.user_id, granted).await?;
        let replaced = self.0.store.replace_oauth_tokens_of(&row, tokens).await?;
        if let Some(row) = replaced {
            tracing::info!(target: "audit", event = "oauth.refreshed", user.id = %row.user_id, oauth.provider = %row.provider, oauth.account = %row.account_id);
            return Ok(given(&row, &fresh));
        }
        // The account was connected anew, or deleted.
        let row = self.row(&row.user_id, &row.id).await?;
        let token = self.opened(&row, &row.encrypted_access_token).await?;
        Ok(given(&row, &token))
    }
}

fn given(row: &OauthCredentialRow, token: &Sensitive) -> AccountToken {
    AccountToken {
        text: token.expose().to_owned(),
        until: row.expires_at.map(|at| at / 1_000_000),
    }
}
