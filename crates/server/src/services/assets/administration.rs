//! Asset rows as whoever administers the server brings and takes them, whoever owns them.

use nodetool_store::AssetRow;

use super::{AssetError, AssetService, check_content_type, check_name, content_types, field, home};
use crate::services::{Caller, Happened};

impl AssetService {
    /// A row, whoever owns it.
    pub(crate) async fn find(&self, id: &str) -> Result<AssetRow, AssetError> {
        let row = self.0.store.find_asset(id).await?;
        row.ok_or(AssetError::NotFound)
    }

    /// A row, or the root folder of a user under the id of that user.
    pub(crate) async fn find_or_root(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<AssetRow, AssetError> {
        if id == user_id {
            return Ok(home(&Caller::user(user_id)));
        }
        self.find(id).await
    }

    /// Stores a new row without contents; its id must be free.
    pub(crate) async fn bring(&self, row: AssetRow) -> Result<AssetRow, AssetError> {
        let row = checked(row)?;
        self.0.store.insert_asset(row.clone()).await?;
        self.tell(Happened::Created, &row);
        Ok(row)
    }

    /// Stores a row as it is given, times and all. An id stays its owner's.
    pub(crate) async fn put(&self, row: AssetRow) -> Result<(), AssetError> {
        let row = checked(row)?;
        let created = self.0.store.put_asset(row.clone()).await?;
        let happened = if created {
            Happened::Created
        } else {
            Happened::Updated
        };
        self.tell(happened, &row);
        Ok(())
    }

    /// Deletes an asset with all that is in it and its contents, whoever owns it; gives the ids.
    pub(crate) async fn remove(&self, id: &str) -> Result<Vec<String>, AssetError> {
        let owner = Caller::user(self.find(id).await?.user_id);
        self.delete(&owner, id).await
    }

    /// Deletes an asset of the caller's, and says so if it is another's.
    pub(crate) async fn remove_own(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<String>, AssetError> {
        if self.find(id).await?.user_id != caller.user_id {
            return Err(AssetError::Foreign);
        }
        self.delete(caller, id).await
    }
}

/// A row whose names and contents are its own: a key that begins otherwise would be another file's.
fn checked(mut row: AssetRow) -> Result<AssetRow, AssetError> {
    check_name(&row.name)?;
    check_content_type(&row.content_type)?;
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if row.id.len() != 32 || !row.id.bytes().all(hex) {
        return Err(field(
            "id",
            "is no asset id, expected 32 hexadecimal digits",
        ));
    }
    if row.parent_id.is_empty() {
        row.parent_id.clone_from(&row.user_id);
    }
    if row.is_folder() {
        row.file_id.clear();
    } else if row.file_id.is_empty() {
        let ending = content_types::extension_of(&row.content_type);
        row.file_id = format!("{}.{ending}", row.id);
    }
    let ending = row.file_id.strip_prefix(&row.id);
    let ending = ending.and_then(|ending| ending.strip_prefix('.'));
    let plain = |ending: &str| {
        (1..=16).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    if !row.is_folder() && !ending.is_some_and(plain) {
        return Err(field("file_id", "is not the id with an ending"));
    }
    if row.size.is_some_and(|size| size < 0) {
        return Err(field("size", "is negative"));
    }
    Ok(row)
}
