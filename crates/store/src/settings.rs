//! Setting rows: values people have chosen, by key.
//!
//! It must not know which settings there are, nor what stands in for one that is not stored.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::During;
use crate::sql::{each_row, execute};
use crate::{Store, StoreError};

const KIND: &str = "setting";

const SELECT: &str = "SELECT key, value FROM nodetool_settings ORDER BY key";

const UPSERT: &str = "INSERT INTO nodetool_settings (key, value, updated_at) VALUES ($1, $2, $3) \
     ON CONFLICT (key) DO UPDATE SET value = $2, updated_at = $3";

const DELETE: &str = "DELETE FROM nodetool_settings WHERE key = $1";

/// A new value of a setting; `None` forgets the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// Name of the setting.
    pub key: String,
    /// Its value as text.
    pub value: Option<String>,
}

/// About the size of some changes.
pub(crate) fn bytes(changes: &[SettingChange]) -> usize {
    let size =
        |change: &SettingChange| change.key.len() + change.value.as_ref().map_or(0, String::len);
    changes.iter().map(size).sum()
}

/// Stores some settings.
pub(crate) fn change(
    db: &Connection,
    changes: &[SettingChange],
    updated_at: i64,
) -> Result<(), StoreError> {
    for SettingChange { key, value } in changes {
        match value {
            Some(value) => execute(db, "store a setting", UPSERT, &[key, value, &updated_at])?,
            None => execute(db, "forget a setting", DELETE, &[key])?,
        };
    }
    Ok(())
}

impl Store {
    /// Every stored setting.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn settings(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read(|db| {
            let mut settings = BTreeMap::new();
            each_row(db, "read the settings", SELECT, &[], |row| {
                let operation = "read a setting";
                let (key, value) = (row.get(0).during(operation)?, row.get(1).during(operation)?);
                settings.insert(key, value);
                Ok(true)
            })?;
            Ok(settings)
        })
        .await
    }

    /// Stores some settings, all or none.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn change_settings(
        &self,
        changes: Vec<SettingChange>,
        updated_at: i64,
    ) -> Result<(), StoreError> {
        let bytes = bytes(&changes);
        self.write(KIND, bytes, move |db| change(db, &changes, updated_at))
            .await
    }
}
