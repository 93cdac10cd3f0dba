//! Collection rows: named sets of documents, each with a text, metadata and a vector.
//!
//! It must not know how documents are searched, nor what makes their vectors. What it does know is that vectors of two
//! models, or of two lengths, never mix in a collection: every write names its model, and one that does not fit is
//! refused.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

mod documents;

pub use documents::{
    CollectionDocument, CollectionRange, DocumentVectors, NewCollectionDocument, PutDocuments,
};

pub(crate) const KIND: &str = "collection";

/// Most collections of one user.
pub const MAX_COLLECTIONS: usize = 1000;

/// Largest metadata of a collection, in bytes of JSON.
const MAX_METADATA: usize = 64 << 10;

macro_rules! columns {
    () => {
        "id, user_id, name, metadata, embedding_provider, embedding_model, dimensions, documents, revision, \
         created_at, updated_at"
    };
}

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_collections WHERE user_id = $1 AND name = $2"
);

const SELECT_OF_USER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_collections WHERE user_id = $1 ORDER BY name LIMIT $2"
);

const INSERT: &str = concat!(
    "INSERT INTO nodetool_collections (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, $7, $7) ON CONFLICT DO NOTHING RETURNING id"
);

const COUNT: &str = "SELECT COUNT(*) FROM nodetool_collections WHERE user_id = $1";

const TAKEN: &str = "SELECT id FROM nodetool_collections WHERE user_id = $1 AND name = $2";

const UPDATE: &str = "UPDATE nodetool_collections SET name = $2, metadata = $3, embedding_provider = $4, \
     embedding_model = $5, dimensions = $6, updated_at = $7, revision = revision + 1 WHERE id = $1";

const DELETE_DOCUMENTS: &str = "DELETE FROM nodetool_collection_documents WHERE collection_id IN \
     (SELECT id FROM nodetool_collections WHERE user_id = $1 AND name = $2)";

const DELETE: &str =
    "DELETE FROM nodetool_collections WHERE user_id = $1 AND name = $2 RETURNING id";

/// A collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Its name, given once to each user.
    pub name: String,
    /// A JSON object.
    pub metadata: String,
    /// Provider of the model that makes its vectors; empty when it is found out from the model.
    pub embedding_provider: String,
    /// The model that makes its vectors.
    pub embedding_model: String,
    /// Numbers of each vector; 0 while there are none.
    pub dimensions: usize,
    /// How many documents it has.
    pub documents: u64,
    /// Goes up with every change of it or its documents.
    pub revision: i64,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

impl CollectionRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let operation = "read a collection";
        let dimensions: i64 = row.get(6).during(operation)?;
        let documents: i64 = row.get(7).during(operation)?;
        Ok(CollectionRow {
            id: row.get(0).during(operation)?,
            user_id: row.get(1).during(operation)?,
            name: row.get(2).during(operation)?,
            metadata: row.get(3).during(operation)?,
            embedding_provider: row.get(4).during(operation)?,
            embedding_model: row.get(5).during(operation)?,
            dimensions: usize::try_from(dimensions).unwrap_or_default(),
            documents: u64::try_from(documents).unwrap_or_default(),
            revision: row.get(8).during(operation)?,
            created_at: row.get(9).during(operation)?,
            updated_at: row.get(10).during(operation)?,
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        check_id("id", &self.id)?;
        check_id("user_id", &self.user_id)?;
        check_id("name", &self.name)?;
        check_id("embedding_model", &self.embedding_model)?;
        check_metadata(&self.metadata, MAX_METADATA)
    }
}

/// What an update of a collection changes.
#[derive(Clone, Debug, Default)]
pub struct CollectionPatch {
    /// Another name.
    pub name: Option<String>,
    /// Another JSON object.
    pub metadata: Option<String>,
    /// Another provider and model; refused while there are documents.
    pub embedding: Option<(String, String)>,
}

pub(crate) fn check_metadata(metadata: &str, most: usize) -> Result<(), StoreError> {
    if metadata.len() <= most {
        return Ok(());
    }
    let reason = format!("has {} bytes, expected at most {most}", metadata.len());
    let field = "metadata";
    Err(StoreError::InvalidInput { field, reason })
}

pub(crate) fn not_found(name: &str) -> StoreError {
    StoreError::NotFound {
        kind: KIND,
        id: name.to_owned(),
    }
}

pub(crate) fn find(
    db: &Connection,
    user_id: &str,
    name: &str,
) -> Result<Option<CollectionRow>, StoreError> {
    let read = CollectionRow::read;
    first_row(db, "read a collection", SELECT, &[&user_id, &name], read)
}

impl Store {
    /// Stores a new, empty collection.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the user has one of that name; [`StoreError::InvalidInput`] when the user has
    /// too many; and when the database cannot be written.
    pub async fn insert_collection(&self, row: CollectionRow) -> Result<(), StoreError> {
        row.check()?;
        let bytes = row.metadata.len() + row.name.len();
        self.write(KIND, bytes, move |db| {
            let count: i64 =
                first_value(db, "count collections", COUNT, &[&row.user_id])?.unwrap_or_default();
            if usize::try_from(count).is_ok_and(|count| count >= MAX_COLLECTIONS) {
                let reason = format!("there are {count} collections already, the most of one user");
                let field = "name";
                return Err(StoreError::InvalidInput { field, reason });
            }
            let values: [&dyn rusqlite::ToSql; 7] = [
                &row.id,
                &row.user_id,
                &row.name,
                &row.metadata,
                &row.embedding_provider,
                &row.embedding_model,
                &row.created_at,
            ];
            let made: Option<String> = first_value(db, "store a collection", INSERT, &values)?;
            made.map(drop).ok_or_else(|| StoreError::AlreadyExists {
                kind: KIND,
                id: row.name.clone(),
            })
        })
        .await
    }

    /// The collections of a user, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn collections(&self, user_id: &str) -> Result<Vec<CollectionRow>, StoreError> {
        let user_id = user_id.to_owned();
        self.read(move |db| {
            let (mut rows, most) = (Vec::new(), MAX_COLLECTIONS as i64);
            let values: [&dyn rusqlite::ToSql; 2] = [&user_id, &most];
            each_row(db, "list collections", SELECT_OF_USER, &values, |row| {
                rows.push(CollectionRow::read(row)?);
                Ok(true)
            })?;
            Ok(rows)
        })
        .await
    }

    /// A collection of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_collection(
        &self,
        user_id: &str,
        name: &str,
    ) -> Result<Option<CollectionRow>, StoreError> {
        let (user_id, name) = (user_id.to_owned(), name.to_owned());
        self.read(move |db| find(db, &user_id, &name)).await
    }

    /// Changes a collection; gives it as it is then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has none of that name, [`StoreError::AlreadyExists`] when the new name is
    /// taken, [`StoreError::Conflict`] when the model cannot change any more; and when the database cannot be written.
    pub async fn update_collection(
        &self,
        user_id: &str,
        name: &str,
        patch: CollectionPatch,
        at: i64,
    ) -> Result<CollectionRow, StoreError> {
        let (user_id, name) = (user_id.to_owned(), name.to_owned());
        let bytes = patch.metadata.as_ref().map_or(0, String::len);
        self.write(KIND, bytes, move |db| {
            let row = find(db, &user_id, &name)?.ok_or_else(|| not_found(&name))?;
            let row = patched(db, row, &patch)?;
            let dimensions = i64::try_from(row.dimensions).unwrap_or_default();
            let values: [&dyn rusqlite::ToSql; 7] = [
                &row.id,
                &row.name,
                &row.metadata,
                &row.embedding_provider,
                &row.embedding_model,
                &dimensions,
                &at,
            ];
            execute(db, "change a collection", UPDATE, &values)?;
            find(db, &user_id, &row.name)?.ok_or_else(|| not_found(&name))
        })
        .await
    }

    /// Deletes a collection with its documents; says whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delete_collection(&self, user_id: &str, name: &str) -> Result<bool, StoreError> {
        let (user_id, name) = (user_id.to_owned(), name.to_owned());
        self.write(KIND, 0, move |db| {
            let values: [&dyn rusqlite::ToSql; 2] = [&user_id, &name];
            execute(db, "delete documents", DELETE_DOCUMENTS, &values)?;
            let gone: Option<String> = first_value(db, "delete a collection", DELETE, &values)?;
            Ok(gone.is_some())
        })
        .await
    }
}

fn patched(
    db: &Connection,
    mut row: CollectionRow,
    patch: &CollectionPatch,
) -> Result<CollectionRow, StoreError> {
    if let Some(name) = patch.name.as_ref().filter(|name| **name != row.name) {
        let values: [&dyn rusqlite::ToSql; 2] = [&row.user_id, name];
        let taken: Option<String> = first_value(db, "look for a name", TAKEN, &values)?;
        if taken.is_some() {
            let id = name.clone();
            return Err(StoreError::AlreadyExists { kind: KIND, id });
        }
        row.name.clone_from(name);
    }
    if let Some(metadata) = &patch.metadata {
        row.metadata.clone_from(metadata);
    }
    if let Some((provider, model)) = &patch.embedding {
        let same = *provider == row.embedding_provider && *model == row.embedding_model;
        if !same && row.documents > 0 {
            return Err(other_model(&row, provider, model));
        }
        if !same {
            row.dimensions = 0;
            row.embedding_provider.clone_from(provider);
            row.embedding_model.clone_from(model);
        }
    }
    row.check()?;
    Ok(row)
}

/// What is refused because the vectors of a collection come from another model.
pub(crate) fn other_model(row: &CollectionRow, provider: &str, model: &str) -> StoreError {
    let both = |provider: &str, model: &str| match provider {
        "" => model.to_owned(),
        provider => format!("{provider}/{model}"),
    };
    StoreError::Conflict {
        kind: KIND,
        id: row.name.clone(),
        expected: both(provider, model),
        found: both(&row.embedding_provider, &row.embedding_model),
    }
}
