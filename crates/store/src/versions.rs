//! Versions of workflows: snapshots of a graph, numbered within their workflow.
//!
//! Numbers are given inside the write that stores the version. It must not know what a graph means, nor who may see
//! a version; it only keeps one user's writes off another user's rows.

use std::sync::Arc;

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{Values, each_row, execute, first_row, first_value};
use crate::{MAX_PAGE_ROWS, Store, StoreError};

const KIND: &str = "version";

/// A page of versions ends early once its rows hold this much text.
const PAGE_TEXT_BYTES: usize = 32 << 20;

macro_rules! columns {
    () => {
        "id, workflow_id, user_id, version, created_at, name, description, save_type, autosave_metadata, graph"
    };
}

/// The graph is the one given, or the one the workflow has at this moment.
const INSERT: &str = concat!(
    "INSERT INTO nodetool_workflow_versions (",
    columns!(),
    ") SELECT $1, w.id, w.user_id, CAST($4 AS BIGINT), CAST($5 AS BIGINT), $6, $7, $8, $9, COALESCE($10, w.graph) \
     FROM nodetool_workflows w WHERE w.id = $2 AND w.user_id = $3 RETURNING ",
    columns!()
);

const OWNED: &str = "SELECT 1 FROM nodetool_workflows WHERE id = $1 AND user_id = $2";

const NEWEST: &str = "SELECT MAX(version) FROM nodetool_workflow_versions WHERE workflow_id = $1";

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_workflow_versions WHERE workflow_id = $1 AND version = $2"
);

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_workflow_versions WHERE workflow_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3"
);

const DELETE: &str = "DELETE FROM nodetool_workflow_versions \
     WHERE id = $1 AND workflow_id = $2 AND user_id = $3 RETURNING id";

const NEWEST_AUTOSAVE: &str = "SELECT MAX(created_at) FROM nodetool_workflow_versions \
     WHERE workflow_id = $1 AND save_type = 'autosave'";

/// Autosaves behind the newest $2, as far as they are older than $3.
const PRUNE: &str = "DELETE FROM nodetool_workflow_versions \
     WHERE workflow_id = $1 AND save_type = 'autosave' AND created_at < $3 AND version <= (\
     SELECT version FROM nodetool_workflow_versions WHERE workflow_id = $1 AND save_type = 'autosave' \
     ORDER BY version DESC LIMIT 1 OFFSET $2)";

/// One version, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Primary key.
    pub id: String,
    /// The workflow it is a version of.
    pub workflow_id: String,
    /// Owner of the workflow.
    pub user_id: String,
    /// Number within the workflow, from 1.
    pub version: i64,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Shown name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// `autosave`, `manual`, `checkpoint` or `restore`.
    pub save_type: String,
    /// JSON object.
    pub autosave_metadata: String,
    /// JSON graph.
    pub graph: Arc<str>,
}

impl VersionRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Self::columns(row).during("read a version")
    }

    fn columns(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            workflow_id: row.get(1)?,
            user_id: row.get(2)?,
            version: row.get(3)?,
            created_at: row.get(4)?,
            name: row.get(5)?,
            description: row.get(6)?,
            save_type: row.get(7)?,
            autosave_metadata: row.get(8)?,
            graph: row.get(9)?,
        })
    }
}

/// A version to be stored; its number is given by the store.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Primary key.
    pub id: String,
    /// The workflow it is a version of.
    pub workflow_id: String,
    /// Owner of the workflow.
    pub user_id: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Shown name; when empty, `unnamed` and the number.
    pub name: String,
    /// What an unnamed version is called.
    pub unnamed: &'static str,
    /// Free text.
    pub description: String,
    /// `autosave`, `manual`, `checkpoint` or `restore`.
    pub save_type: &'static str,
    /// JSON object.
    pub autosave_metadata: String,
    /// JSON graph; `None` takes the graph the workflow has when this is written.
    pub graph: Option<Arc<str>>,
}

impl NewVersion {
    fn bytes(&self) -> usize {
        let graph = self.graph.as_ref().map_or(0, |g| g.len());
        self.name.len() + self.description.len() + self.autosave_metadata.len() + graph
    }
}

/// When an autosave is taken and which ones are kept.
#[derive(Clone, Copy, Debug)]
pub struct AutosaveRules {
    /// Microseconds that have to lie between two autosaves; 0 takes every one.
    pub min_interval: i64,
    /// Autosaves kept at most.
    pub keep: usize,
    /// Microseconds after which autosaves beyond those go, too.
    pub keep_for: i64,
}

/// What became of an autosave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Autosaved {
    /// It is stored.
    Saved(Box<VersionRow>),
    /// The one before is too young.
    TooSoon,
    /// There is nothing to save.
    Empty,
}

impl Store {
    /// Stores the next version of the owner's workflow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such workflow.
    pub async fn insert_version(&self, new: NewVersion) -> Result<VersionRow, StoreError> {
        check_id("id", &new.id)?;
        self.write(KIND, new.bytes(), move |db| insert(db, &new))
            .await
    }

    /// Stores an autosave by the rules, and drops autosaves there are too many of. One without a graph is empty.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the owner has no such workflow.
    pub async fn insert_autosave(
        &self,
        new: NewVersion,
        rules: AutosaveRules,
    ) -> Result<Autosaved, StoreError> {
        check_id("id", &new.id)?;
        self.write(KIND, new.bytes(), move |db| autosave(db, &new, rules))
            .await
    }

    /// Reads one version of a workflow.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_version(
        &self,
        workflow_id: &str,
        version: i64,
    ) -> Result<Option<VersionRow>, StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| {
            first_row(
                db,
                "read a version",
                SELECT,
                &[&id, &version],
                VersionRow::read,
            )
        })
        .await
    }

    /// Versions of a workflow below a number, newest first, and the number the rest is below, if there is more.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_versions(
        &self,
        workflow_id: &str,
        below: i64,
        limit: usize,
    ) -> Result<(Vec<VersionRow>, Option<i64>), StoreError> {
        let id = workflow_id.to_owned();
        self.read(move |db| list(db, &id, below, limit)).await
    }

    /// Deletes one version, by its row id, of the owner's workflow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when that workflow of that owner has no such version.
    pub async fn delete_version(
        &self,
        user_id: &str,
        workflow_id: &str,
        id: &str,
    ) -> Result<(), StoreError> {
        let (user_id, workflow_id, id) =
            (user_id.to_owned(), workflow_id.to_owned(), id.to_owned());
        self.write(KIND, id.len(), move |db| {
            let values: &Values<'_> = &[&id, &workflow_id, &user_id];
            first_value::<String>(db, "delete a version", DELETE, values)?
                .map(|_| ())
                .ok_or_else(|| StoreError::NotFound {
                    kind: KIND,
                    id: id.clone(),
                })
        })
        .await
    }

    /// How many versions there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_versions(&self) -> Result<u64, StoreError> {
        self.count("SELECT COUNT(*) FROM nodetool_workflow_versions")
            .await
    }
}

fn insert(db: &Connection, new: &NewVersion) -> Result<VersionRow, StoreError> {
    let newest: Option<i64> =
        first_value(db, "number a version", NEWEST, &[&new.workflow_id])?.flatten();
    let version = newest.unwrap_or(0).saturating_add(1);
    let name = if new.name.is_empty() {
        format!("{} {version}", new.unnamed)
    } else {
        new.name.clone()
    };
    let values: &Values<'_> = &[
        &new.id,
        &new.workflow_id,
        &new.user_id,
        &version,
        &new.created_at,
        &name,
        &new.description,
        &new.save_type,
        &new.autosave_metadata,
        &new.graph,
    ];
    first_row(db, "insert a version", INSERT, values, VersionRow::read)?
        .ok_or_else(|| workflow_not_found(new))
}

fn autosave(
    db: &Connection,
    new: &NewVersion,
    rules: AutosaveRules,
) -> Result<Autosaved, StoreError> {
    let id = &new.workflow_id;
    first_value::<i64>(db, "look for a workflow", OWNED, &[id, &new.user_id])?
        .ok_or_else(|| workflow_not_found(new))?;
    if rules.min_interval > 0 {
        let newest: Option<i64> =
            first_value(db, "read the newest autosave", NEWEST_AUTOSAVE, &[id])?.flatten();
        // An autosave of the future, left by a clock that was put back, holds nobody up.
        let age = newest.map(|at| new.created_at.saturating_sub(at));
        if age.is_some_and(|age| (0..rules.min_interval).contains(&age)) {
            return Ok(Autosaved::TooSoon);
        }
    }
    if new.graph.is_none() {
        return Ok(Autosaved::Empty);
    }
    let keep = i64::try_from(rules.keep.max(1)).unwrap_or(i64::MAX);
    let prune = |beyond: i64, older_than: i64| {
        let values: &Values<'_> = &[id, &beyond, &older_than];
        execute(db, "drop old autosaves", PRUNE, values)
    };
    // Stored first: a number is not given again because those before it have just gone.
    let saved = insert(db, new)?;
    let old = new.created_at.saturating_sub(rules.keep_for);
    let any_age = new.save_type == "autosave";
    prune(keep, if any_age { i64::MAX } else { old })?;
    Ok(Autosaved::Saved(Box::new(saved)))
}

fn list(
    db: &Connection,
    workflow_id: &str,
    below: i64,
    limit: usize,
) -> Result<(Vec<VersionRow>, Option<i64>), StoreError> {
    let limit = limit.clamp(1, MAX_PAGE_ROWS);
    let fetched = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let values: &Values<'_> = &[&workflow_id, &below, &fetched];
    let (mut rows, mut text, mut next) = (Vec::<VersionRow>::new(), 0, None);
    each_row(db, "list versions", LIST, values, |row| {
        if let Some(last) = rows.last()
            && (rows.len() >= limit || text >= PAGE_TEXT_BYTES)
        {
            next = Some(last.version);
            return Ok(false);
        }
        let row = VersionRow::read(row)?;
        text += row.graph.len() + row.description.len();
        rows.push(row);
        Ok(true)
    })?;
    Ok((rows, next))
}

fn workflow_not_found(new: &NewVersion) -> StoreError {
    StoreError::NotFound {
        kind: "workflow",
        id: new.workflow_id.clone(),
    }
}
