//! Walks of the folder tree: where a row may go, what is below it, what it is called from the root.
//!
//! Every walk remembers what it has seen and counts its levels, so that rows written by another program
//! cannot make it run for ever.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::{AssetRow, CHILDREN, DELETE, MAX_ASSET_DEPTH, MAX_ASSET_ROWS, not_found, select};
use crate::StoreError;
use crate::sql::{each_row, first_value};

/// An asset that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedAsset {
    /// Its id.
    pub id: String,
    /// Key of its contents; empty for what had none.
    pub file_id: String,
}

/// An asset and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedAsset {
    /// The row.
    pub row: AssetRow,
    /// Names of the folders it is in, from the root down.
    pub folders: Vec<String>,
}

/// Refuses a parent that is no folder of the owner, that would make a cycle, or that is too deep.
pub(super) fn check_place(
    db: &Connection,
    user_id: &str,
    parent: &str,
    moved: Option<&AssetRow>,
) -> Result<(), StoreError> {
    let refuse = |reason: &str| {
        Err(StoreError::InvalidInput {
            field: "parent_id",
            reason: reason.to_owned(),
        })
    };
    let mut above = 0;
    let mut at = parent.to_owned();
    while at != user_id {
        if moved.is_some_and(|row| row.id == at) {
            return refuse("is the folder itself or inside it, expected a folder elsewhere");
        }
        match select(db, &at)? {
            Some(row) if row.user_id == user_id && row.is_folder() => at = row.parent_id,
            _ if above == 0 => return refuse("is no folder of yours, expected the id of one"),
            // A parent that has gone: what is left hangs from the root.
            _ => break,
        }
        above += 1;
        if above > MAX_ASSET_DEPTH {
            return refuse("is too deep, expected at most 64 levels of folders");
        }
    }
    let below = match moved {
        Some(row) if row.is_folder() => height(db, user_id, &row.id)?,
        _ => 0,
    };
    if above + 1 + below > MAX_ASSET_DEPTH {
        return refuse("is too deep, expected at most 64 levels of folders");
    }
    Ok(())
}

/// Levels below a folder, as far as they matter.
fn height(db: &Connection, user_id: &str, id: &str) -> Result<usize, StoreError> {
    let mut level = vec![id.to_owned()];
    let mut seen: HashSet<String> = HashSet::new();
    for depth in 0..=MAX_ASSET_DEPTH {
        let mut next = Vec::new();
        for folder in level {
            let children = children(db, user_id, &folder)?;
            next.extend(children.into_iter().map(|row| row.id));
        }
        next.retain(|id| seen.insert(id.clone()));
        if next.is_empty() {
            return Ok(depth);
        }
        level = next;
    }
    Ok(MAX_ASSET_DEPTH + 1)
}

fn children(db: &Connection, user_id: &str, folder: &str) -> Result<Vec<AssetRow>, StoreError> {
    let mut rows = Vec::new();
    each_row(db, "list a folder", CHILDREN, &[&user_id, &folder], |row| {
        rows.push(AssetRow::read(row)?);
        Ok(true)
    })?;
    Ok(rows)
}

/// Deletes a row and all below it, children first.
pub(super) fn delete(
    db: &Connection,
    user_id: &str,
    id: &str,
) -> Result<Vec<DeletedAsset>, StoreError> {
    enum Step {
        Enter(Box<AssetRow>),
        Leave(DeletedAsset),
    }
    let root = select(db, id)?.filter(|row| row.user_id == user_id);
    let root = root.ok_or_else(|| not_found(id))?;
    let mut seen: HashSet<String> = [root.id.clone()].into();
    let mut steps = vec![Step::Enter(Box::new(root))];
    let mut deleted = Vec::new();
    while let Some(step) = steps.pop() {
        match step {
            Step::Enter(row) => {
                let below = if row.is_folder() {
                    children(db, user_id, &row.id)?
                } else {
                    Vec::new()
                };
                let gone = DeletedAsset {
                    id: row.id,
                    file_id: row.file_id,
                };
                steps.push(Step::Leave(gone));
                let below = below.into_iter().filter(|row| seen.insert(row.id.clone()));
                // The last one pushed is the first one taken.
                let mut below: Vec<Step> = below.map(|row| Step::Enter(Box::new(row))).collect();
                below.reverse();
                steps.extend(below);
            }
            Step::Leave(gone) => {
                let done =
                    first_value::<String>(db, "delete an asset", DELETE, &[&gone.id, &user_id])?;
                if done.is_some() {
                    deleted.push(gone);
                }
            }
        }
    }
    Ok(deleted)
}

/// The assets of the given ids and all below them, each once.
pub(super) fn walk(
    db: &Connection,
    user_id: &str,
    ids: &[String],
) -> Result<Vec<PlacedAsset>, StoreError> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut found = Vec::new();
    let mut names = Names::default();
    for id in ids {
        let root = select(db, id)?.filter(|row| row.user_id == user_id);
        let Some(root) = root else { continue };
        let folders = names.path(db, user_id, &root.parent_id)?;
        let mut waiting = vec![PlacedAsset { row: root, folders }];
        while let Some(placed) = waiting.pop() {
            if !seen.insert(placed.row.id.clone()) {
                continue;
            }
            if found.len() >= MAX_ASSET_ROWS {
                return Err(StoreError::InvalidInput {
                    field: "asset_ids",
                    reason: format!("hold too many assets, expected at most {MAX_ASSET_ROWS}"),
                });
            }
            if placed.row.is_folder() && placed.folders.len() <= MAX_ASSET_DEPTH {
                let mut folders = placed.folders.clone();
                folders.push(placed.row.name.clone());
                let mut below = children(db, user_id, &placed.row.id)?;
                below.reverse();
                waiting.extend(below.into_iter().map(|row| PlacedAsset {
                    row,
                    folders: folders.clone(),
                }));
            }
            found.push(placed);
        }
    }
    Ok(found)
}

pub(super) fn paths(
    db: &Connection,
    user_id: &str,
    folders: &[String],
) -> Result<Vec<Vec<String>>, StoreError> {
    let mut names = Names::default();
    folders
        .iter()
        .map(|folder| names.path(db, user_id, folder))
        .collect()
}

/// Names and parents of folders looked up so far.
#[derive(Default)]
struct Names(HashMap<String, Option<(String, String)>>);

impl Names {
    /// Names from the root down to the folder, itself included; empty for the root.
    fn path(
        &mut self,
        db: &Connection,
        user_id: &str,
        folder: &str,
    ) -> Result<Vec<String>, StoreError> {
        let mut path = Vec::new();
        let mut at = folder.to_owned();
        while at != user_id && path.len() < MAX_ASSET_DEPTH {
            if !self.0.contains_key(&at) {
                let row = select(db, &at)?.filter(|row| row.user_id == user_id);
                self.0
                    .insert(at.clone(), row.map(|row| (row.name, row.parent_id)));
            }
            let Some(Some((name, parent))) = self.0.get(&at) else {
                break;
            };
            path.push(name.clone());
            at.clone_from(parent);
        }
        path.reverse();
        Ok(path)
    }
}
