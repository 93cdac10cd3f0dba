//! OAuth credential rows: what another site has given a user to act with, one row for each account there.
//!
//! It must not know the sites, nor how tokens are encrypted: they are text that was sealed before it came here.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::etag::Etag;
use crate::ids::check_id;
use crate::sql::{Values, each_row, execute, first_row};
use crate::{Store, StoreError};

const KIND: &str = "OAuth credential";

/// Most accounts of a user at one site that are listed.
pub const MAX_OAUTH_ACCOUNTS: usize = 100;

macro_rules! columns {
    () => {
        "id, user_id, provider, account_id, username, encrypted_access_token, encrypted_refresh_token, \
         token_type, scope, received_at, expires_at, created_at, updated_at"
    };
}

mod by_id;

const UPSERT: &str = concat!(
    "INSERT INTO nodetool_oauth_credentials (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
     ON CONFLICT (user_id, provider, account_id) DO UPDATE SET username = $5, encrypted_access_token = $6, \
     encrypted_refresh_token = $7, token_type = $8, scope = $9, received_at = $10, expires_at = $11, updated_at = $13 \
     RETURNING ",
    columns!()
);

const REPLACE_TOKENS: &str = concat!(
    "UPDATE nodetool_oauth_credentials SET encrypted_access_token = $3, \
     encrypted_refresh_token = COALESCE($4, encrypted_refresh_token), token_type = $5, scope = COALESCE($6, scope), \
     received_at = $7, expires_at = $8, updated_at = $7 WHERE id = $1 AND user_id = $2 RETURNING ",
    columns!()
);

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_oauth_credentials WHERE user_id = $1 AND provider = $2 AND account_id = $3"
);

const SELECT_NEWEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_oauth_credentials WHERE user_id = $1 AND provider = $2 \
     ORDER BY received_at DESC, id DESC LIMIT $3"
);

const SELECT_SEALED: &str = "SELECT id, user_id, provider, encrypted_access_token, encrypted_refresh_token \
    FROM nodetool_oauth_credentials ORDER BY id";

const RESEAL: &str = "UPDATE nodetool_oauth_credentials SET encrypted_access_token = $4, \
    encrypted_refresh_token = $5 WHERE id = $1 AND encrypted_access_token = $2 \
    AND encrypted_refresh_token IS NOT DISTINCT FROM $3";

/// The sealed tokens of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedTokens {
    /// Primary key of the row.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// The site.
    pub provider: String,
    /// Sealed token for requests.
    pub access: String,
    /// Sealed token for the next access token.
    pub refresh: Option<String>,
}

/// Gives the tokens of accounts what they are under another key, when nothing has changed since they were read.
pub(crate) fn reseal(
    db: &Connection,
    tokens: &[(SealedTokens, SealedTokens)],
) -> Result<bool, StoreError> {
    for (before, after) in tokens {
        let values: [&dyn rusqlite::ToSql; 5] = [
            &before.id,
            &before.access,
            &before.refresh,
            &after.access,
            &after.refresh,
        ];
        if execute(db, "store tokens under another key", RESEAL, &values)? != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a user may do with one account at another site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OauthCredentialRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// The site.
    pub provider: String,
    /// The account there, by the id the site gives it.
    pub account_id: String,
    /// Its name there.
    pub username: Option<String>,
    /// Sealed token for requests.
    pub encrypted_access_token: String,
    /// Sealed token for the next access token.
    pub encrypted_refresh_token: Option<String>,
    /// How the access token is sent.
    pub token_type: String,
    /// What it permits.
    pub scope: Option<String>,
    /// When the tokens came, in microseconds UTC.
    pub received_at: i64,
    /// When the access token ends, in microseconds UTC; never when absent.
    pub expires_at: Option<i64>,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// Fresh tokens of a credential; what the site did not say again stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OauthTokens {
    /// Sealed token for requests.
    pub encrypted_access_token: String,
    /// Sealed token for the next access token.
    pub encrypted_refresh_token: Option<String>,
    /// How the access token is sent.
    pub token_type: String,
    /// What it permits.
    pub scope: Option<String>,
    /// When the tokens came, in microseconds UTC.
    pub received_at: i64,
    /// When the access token ends, in microseconds UTC.
    pub expires_at: Option<i64>,
}

impl OauthCredentialRow {
    /// Opaque hash of the columns that clients may see, and of the time of the tokens.
    #[must_use]
    pub fn etag(&self) -> String {
        Etag::new(KIND)
            .text(&self.id)
            .text(&self.provider)
            .text(&self.account_id)
            .optional(self.username.as_deref())
            .text(&self.token_type)
            .optional(self.scope.as_deref())
            .number(self.received_at)
            .number(self.expires_at.unwrap_or(i64::MIN))
            .number(self.updated_at)
            .finish()
    }

    fn text_bytes(&self) -> usize {
        let optional = [&self.username, &self.encrypted_refresh_token, &self.scope];
        let optional = optional.iter().map(|t| t.as_ref().map_or(0, String::len));
        self.id.len()
            + self.user_id.len()
            + self.provider.len()
            + self.account_id.len()
            + self.encrypted_access_token.len()
            + self.token_type.len()
            + optional.sum::<usize>()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let columns = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                user_id: row.get(1)?,
                provider: row.get(2)?,
                account_id: row.get(3)?,
                username: row.get(4)?,
                encrypted_access_token: row.get(5)?,
                encrypted_refresh_token: row.get(6)?,
                token_type: row.get(7)?,
                scope: row.get(8)?,
                received_at: row.get(9)?,
                expires_at: row.get(10)?,
                created_at: row.get(11)?,
                updated_at: row.get(12)?,
            })
        };
        columns(row).during("read an OAuth credential")
    }
}

impl Store {
    /// The sealed tokens of every user, for a change of the master key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_sealed_tokens(&self) -> Result<Vec<SealedTokens>, StoreError> {
        self.read(|db| {
            let mut rows = Vec::new();
            each_row(db, "read all tokens", SELECT_SEALED, &[], |row| {
                let columns = |row: &Row<'_>| {
                    Ok(SealedTokens {
                        id: row.get(0)?,
                        user_id: row.get(1)?,
                        provider: row.get(2)?,
                        access: row.get(3)?,
                        refresh: row.get(4)?,
                    })
                };
                rows.push(columns(row).during("read tokens")?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }
}

impl Store {
    /// Stores what an account was given. A row the user has for that account keeps its id and its time of creation.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_oauth_credential(
        &self,
        row: OauthCredentialRow,
    ) -> Result<OauthCredentialRow, StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.text_bytes(), move |db| upsert(db, &row))
            .await
    }

    /// Gives a user's credential fresh tokens; nothing when it has gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn replace_oauth_tokens(
        &self,
        user_id: &str,
        id: &str,
        tokens: OauthTokens,
    ) -> Result<Option<OauthCredentialRow>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        let bytes = tokens.encrypted_access_token.len()
            + tokens
                .encrypted_refresh_token
                .as_ref()
                .map_or(0, String::len);
        self.write(KIND, bytes, move |db| {
            let values: &Values<'_> = &[
                &id,
                &user_id,
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
                REPLACE_TOKENS,
                values,
                OauthCredentialRow::read,
            )
        })
        .await
    }

    /// Reads what a user has of one account.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_oauth_credential(
        &self,
        user_id: &str,
        provider: &str,
        account_id: &str,
    ) -> Result<Option<OauthCredentialRow>, StoreError> {
        let key = [user_id, provider, account_id].map(str::to_owned);
        self.read(move |db| {
            let values: &Values<'_> = &[&key[0], &key[1], &key[2]];
            let operation = "read an OAuth credential";
            first_row(db, operation, SELECT, values, OauthCredentialRow::read)
        })
        .await
    }

    /// What a user has at one site, the newest tokens first, at most [`MAX_OAUTH_ACCOUNTS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_oauth_credentials(
        &self,
        user_id: &str,
        provider: &str,
        limit: usize,
    ) -> Result<Vec<OauthCredentialRow>, StoreError> {
        let key = [user_id, provider].map(str::to_owned);
        let limit = i64::try_from(limit.min(MAX_OAUTH_ACCOUNTS)).unwrap_or(0);
        self.read(move |db| {
            let mut rows = Vec::new();
            let values: &Values<'_> = &[&key[0], &key[1], &limit];
            each_row(db, "list OAuth credentials", SELECT_NEWEST, values, |row| {
                rows.push(OauthCredentialRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }
}

fn upsert(db: &Connection, row: &OauthCredentialRow) -> Result<OauthCredentialRow, StoreError> {
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.provider,
        &row.account_id,
        &row.username,
        &row.encrypted_access_token,
        &row.encrypted_refresh_token,
        &row.token_type,
        &row.scope,
        &row.received_at,
        &row.expires_at,
        &row.created_at,
        &row.updated_at,
    ];
    let operation = "store an OAuth credential";
    first_row(db, operation, UPSERT, values, OauthCredentialRow::read)?.ok_or_else(|| {
        StoreError::NotFound {
            kind: KIND,
            id: row.id.clone(),
        }
    })
}
