//! Secrets by which senders without an account sign what they send to a webhook; sealed.

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute, first_value};
use crate::{Store, StoreError};

const KIND: &str = "webhook secret";

/// Owners of one webhook id that are looked at for a sender without an account.
const MOST_OWNERS: i64 = 64;

const SELECT: &str = "SELECT user_id, sealed FROM nodetool_webhook_secrets WHERE webhook_id = $1 \
     ORDER BY created_at, user_id LIMIT $2";

const HAS: &str = "SELECT 1 FROM nodetool_webhook_secrets WHERE user_id = $1 AND webhook_id = $2";

const PUT: &str = "INSERT INTO nodetool_webhook_secrets (user_id, webhook_id, sealed, created_at) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, webhook_id) DO UPDATE SET sealed = excluded.sealed";

const DELETE: &str = "DELETE FROM nodetool_webhook_secrets WHERE user_id = $1 AND webhook_id = $2";

/// Whose secret it is, and the secret, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSecretRow {
    /// The owner.
    pub user_id: String,
    /// The secret as its safe gave it.
    pub sealed: String,
}

impl Store {
    /// The secrets of a webhook id, the oldest first; each owner may have one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhook_secrets(
        &self,
        webhook_id: &str,
    ) -> Result<Vec<WebhookSecretRow>, StoreError> {
        let id = webhook_id.to_owned();
        self.read(move |db| {
            let mut rows = Vec::new();
            each_row(
                db,
                "read webhook secrets",
                SELECT,
                &[&id, &MOST_OWNERS],
                |row| {
                    let read = || {
                        Ok(WebhookSecretRow {
                            user_id: row.get(0)?,
                            sealed: row.get(1)?,
                        })
                    };
                    rows.push(read().during("read a webhook secret")?);
                    Ok(true)
                },
            )?;
            Ok(rows)
        })
        .await
    }

    /// Whether a user's webhook has a secret.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_webhook_secret(
        &self,
        user_id: &str,
        webhook_id: &str,
    ) -> Result<bool, StoreError> {
        let (user, id) = (user_id.to_owned(), webhook_id.to_owned());
        self.read(move |db| {
            let found: Option<i64> =
                first_value(db, "look for a webhook secret", HAS, &[&user, &id])?;
            Ok(found.is_some())
        })
        .await
    }

    /// Stores a user's secret of a webhook id, in place of an earlier one.
    ///
    /// # Errors
    /// When an id is none or the database cannot be written.
    pub async fn put_webhook_secret(
        &self,
        webhook_id: &str,
        row: WebhookSecretRow,
        now: i64,
    ) -> Result<(), StoreError> {
        check_id("user_id", &row.user_id)?;
        let id = webhook_id.to_owned();
        self.write(KIND, row.sealed.len(), move |db| {
            let WebhookSecretRow { user_id, sealed } = &row;
            execute(
                db,
                "store a webhook secret",
                PUT,
                &[user_id, &id, sealed, &now],
            )
            .map(drop)
        })
        .await
    }

    /// Removes a user's secret of a webhook id; whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_webhook_secret(
        &self,
        user_id: &str,
        webhook_id: &str,
    ) -> Result<bool, StoreError> {
        let (user, id) = (user_id.to_owned(), webhook_id.to_owned());
        self.write(KIND, 0, move |db| {
            Ok(execute(db, "delete a webhook secret", DELETE, &[&user, &id])? > 0)
        })
        .await
    }
}
