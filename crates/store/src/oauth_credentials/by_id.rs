//! Credentials by the id of their row: read, given fresh tokens unless somebody was faster, and deleted.

use super::{KIND, MAX_OAUTH_ACCOUNTS, OauthCredentialRow, OauthTokens, upsert};
use crate::ids::check_id;
use crate::sql::{Values, first_row, first_value};
use crate::{Store, StoreError};

const COUNT_OTHERS: &str = "SELECT COUNT(*) FROM nodetool_oauth_credentials \
    WHERE user_id = $1 AND provider = $2 AND account_id <> $3";

const SELECT_BY_ID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_oauth_credentials WHERE user_id = $1 AND provider = $2 AND id = $3"
);

const DELETE: &str = concat!(
    "DELETE FROM nodetool_oauth_credentials WHERE user_id = $1 AND provider = $2 AND id = $3 RETURNING ",
    columns!()
);

const REPLACE_UNCHANGED: &str = concat!(
    "UPDATE nodetool_oauth_credentials SET encrypted_access_token = $4, \
     encrypted_refresh_token = COALESCE($5, encrypted_refresh_token), token_type = $6, scope = COALESCE($7, scope), \
     received_at = $8, expires_at = $9, updated_at = $8 \
     WHERE id = $1 AND user_id = $2 AND encrypted_access_token = $3 RETURNING ",
    columns!()
);

impl Store {
    /// Stores what an account was given, as [`Store::save_oauth_credential`] does; nothing when the user has
    /// [`MAX_OAUTH_ACCOUNTS`] others at the site.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_oauth_credential(
        &self,
        row: OauthCredentialRow,
    ) -> Result<Option<OauthCredentialRow>, StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.text_bytes(), move |db| {
            let values: &Values<'_> = &[&row.user_id, &row.provider, &row.account_id];
            let others: Option<i64> =
                first_value(db, "count OAuth credentials", COUNT_OTHERS, values)?;
            let most = i64::try_from(MAX_OAUTH_ACCOUNTS).unwrap_or(i64::MAX);
            if others.unwrap_or(0) >= most {
                return Ok(None);
            }
            upsert(db, &row).map(Some)
        })
        .await
    }

    /// Reads one of the user's credentials at a site.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn oauth_credential(
        &self,
        user_id: &str,
        provider: &str,
        id: &str,
    ) -> Result<Option<OauthCredentialRow>, StoreError> {
        let key = [user_id, provider, id].map(str::to_owned);
        self.read(move |db| {
            let values: &Values<'_> = &[&key[0], &key[1], &key[2]];
            let operation = "read an OAuth credential";
            first_row(
                db,
                operation,
                SELECT_BY_ID,
                values,
                OauthCredentialRow::read,
            )
        })
        .await
    }

    /// Gives a user's credential fresh tokens if its access token is still the one it was; nothing when it is not, or
    /// when the credential has gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn replace_oauth_tokens_of(
        &self,
        before: &OauthCredentialRow,
        tokens: OauthTokens,
    ) -> Result<Option<OauthCredentialRow>, StoreError> {
        let (id, user_id) = (before.id.clone(), before.user_id.clone());
        let access = before.encrypted_access_token.clone();
        let refresh = tokens.encrypted_refresh_token.as_ref();
        let bytes = tokens.encrypted_access_token.len() + refresh.map_or(0, String::len);
        self.write(KIND, bytes, move |db| {
            let values: &Values<'_> = &[
                &id,
                &user_id,
                &access,
                &tokens.encrypted_access_token,
                &tokens.encrypted_refresh_token,
                &tokens.token_type,
                &tokens.scope,
                &tokens.received_at,
                &tokens.expires_at,
            ];
            let operation = "replace the tokens of an OAuth credential";
            first_row(
                db,
                operation,
                REPLACE_UNCHANGED,
                values,
                OauthCredentialRow::read,
            )
        })
        .await
    }

    /// Deletes one of the user's credentials at a site and gives it; nothing when there is none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_oauth_credential(
        &self,
        user_id: &str,
        provider: &str,
        id: &str,
    ) -> Result<Option<OauthCredentialRow>, StoreError> {
        let key = [user_id, provider, id].map(str::to_owned);
        self.write(KIND, 1 << 8, move |db| {
            let values: &Values<'_> = &[&key[0], &key[1], &key[2]];
            let operation = "delete an OAuth credential";
            first_row(db, operation, DELETE, values, OauthCredentialRow::read)
        })
        .await
    }
}
