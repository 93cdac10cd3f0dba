//! Documents of collections: put together or not at all, read in order, and read as vectors only.

use rusqlite::{Connection, Row};

use super::{CollectionRow, KIND, check_metadata, find, not_found, other_model};
use crate::error::During;
use crate::ids::check_id;
use crate::sql::{each_row, execute, first_row, first_value};
use crate::{Store, StoreError};

/// Largest text of a document, in bytes.
const MAX_TEXT: usize = 1 << 20;
/// Largest metadata of a document, in bytes of JSON.
const MAX_METADATA: usize = 64 << 10;
/// Most numbers of a vector.
const MAX_DIMENSIONS: usize = 16_384;
/// Most bytes the vectors of a collection may take: a search has to hold them.
const MAX_VECTOR_BYTES: u64 = 512 << 20;
/// Longest list of ids that is looked up at once.
const MAX_IDS: usize = 1000;

const UPSERT: &str = "INSERT INTO nodetool_collection_documents \
     (collection_id, id, place, text, metadata, vector, source, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (collection_id, id) DO UPDATE SET text = $4, metadata = $5, vector = $6, source = $7, updated_at = $8";

const LAST_PLACE: &str =
    "SELECT MAX(place) FROM nodetool_collection_documents WHERE collection_id = $1";

const DELETE_SOURCE: &str =
    "DELETE FROM nodetool_collection_documents WHERE collection_id = $1 AND source = $2";

const TOUCH: &str = "UPDATE nodetool_collections SET dimensions = $2, updated_at = $3, revision = revision + 1, \
     documents = (SELECT COUNT(*) FROM nodetool_collection_documents WHERE collection_id = $1) WHERE id = $1 \
     RETURNING documents";

const SELECT_ONE: &str = "SELECT id, text, metadata FROM nodetool_collection_documents \
     WHERE collection_id = $1 AND id = $2";

const SELECT_SOME: &str = "SELECT id, text, metadata FROM nodetool_collection_documents \
     WHERE collection_id = $1 ORDER BY place LIMIT $2 OFFSET $3";

const SELECT_VECTORS: &str = "SELECT id, metadata, vector FROM nodetool_collection_documents \
     WHERE collection_id = $1 ORDER BY place";

const SELECT_TEXTS: &str =
    "SELECT id, text FROM nodetool_collection_documents WHERE collection_id = $1 ORDER BY place";

/// A document as it is stored, without its vector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionDocument {
    /// Its id, given once in its collection.
    pub id: String,
    /// Its text.
    pub text: String,
    /// A JSON object.
    pub metadata: String,
}

/// A document to store, in the place of the one with the same id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewCollectionDocument {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
    /// A JSON object.
    pub metadata: String,
    /// Its vector.
    pub vector: Vec<f32>,
}

/// Documents to store together.
#[derive(Clone, Debug, Default)]
pub struct PutDocuments {
    /// The documents.
    pub documents: Vec<NewCollectionDocument>,
    /// Where they come from; what came from there before goes.
    pub source: Option<String>,
    /// Provider of the model that made the vectors.
    pub embedding_provider: String,
    /// The model that made the vectors.
    pub embedding_model: String,
    /// Microseconds UTC.
    pub at: i64,
}

impl PutDocuments {
    fn check(&self) -> Result<(), StoreError> {
        for document in &self.documents {
            check_id("id", &document.id)?;
            check_metadata(&document.metadata, MAX_METADATA)?;
            let refused = |field, reason| Err(StoreError::InvalidInput { field, reason });
            if document.text.len() > MAX_TEXT {
                let (id, size) = (&document.id, document.text.len());
                let reason = format!("of {id} has {size} bytes, expected at most {MAX_TEXT}");
                return refused("text", reason);
            }
            let (id, numbers) = (&document.id, document.vector.len());
            if numbers == 0 || numbers > MAX_DIMENSIONS {
                let reason =
                    format!("of {id} has {numbers} numbers, expected 1 to {MAX_DIMENSIONS}");
                return refused("vector", reason);
            }
            if let Some(at) = document.vector.iter().position(|x| !x.is_finite()) {
                let reason = format!("of {id}: number {at} is not finite");
                return refused("vector", reason);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let of = |d: &NewCollectionDocument| {
            d.id.len() + d.text.len() + d.metadata.len() + d.vector.len() * size_of::<f32>()
        };
        self.documents.iter().map(of).sum()
    }
}

/// Which documents of a collection.
#[derive(Clone, Debug, Default)]
pub struct CollectionRange {
    /// Only these, in this order; all when empty.
    pub ids: Vec<String>,
    /// Most of them.
    pub limit: usize,
    /// Leave out so many first.
    pub offset: usize,
}

/// The vectors of a collection with what documents they belong to, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentVectors {
    /// Ids of the documents.
    pub ids: Vec<String>,
    /// Their metadata, JSON objects.
    pub metadata: Vec<String>,
    /// Their vectors, one after the other.
    pub flat: Vec<f32>,
}

impl Store {
    /// Stores documents, all or none; gives how many the collection has then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such collection, [`StoreError::Conflict`] when its vectors come from
    /// another model, [`StoreError::InvalidInput`] when a vector has another length than those there; and when the
    /// database cannot be written.
    pub async fn put_collection_documents(
        &self,
        user_id: &str,
        name: &str,
        put: PutDocuments,
    ) -> Result<u64, StoreError> {
        put.check()?;
        let (user_id, name) = (user_id.to_owned(), name.to_owned());
        let bytes = put.bytes();
        self.write_large(KIND, bytes, move |db| {
            let row = find(db, &user_id, &name)?.ok_or_else(|| not_found(&name))?;
            store(db, &row, &put)
        })
        .await
    }

    /// Some documents of a collection, in the order of their places or of the given ids.
    ///
    /// # Errors
    /// [`StoreError::InvalidInput`] when there are too many ids; and when the database cannot be read.
    pub async fn collection_documents(
        &self,
        collection_id: &str,
        range: CollectionRange,
    ) -> Result<Vec<CollectionDocument>, StoreError> {
        let CollectionRange { ids, limit, offset } = range;
        if ids.len() > MAX_IDS {
            let reason = format!("has {} of them, expected at most {MAX_IDS}", ids.len());
            let field = "ids";
            return Err(StoreError::InvalidInput { field, reason });
        }
        let collection_id = collection_id.to_owned();
        self.read(move |db| {
            let mut found = Vec::new();
            if ids.is_empty() {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let offset = i64::try_from(offset).unwrap_or(i64::MAX);
                let values: [&dyn rusqlite::ToSql; 3] = [&collection_id, &limit, &offset];
                each_row(db, "list documents", SELECT_SOME, &values, |row| {
                    found.push(read(row)?);
                    Ok(true)
                })?;
                return Ok(found);
            }
            for id in ids.iter().skip(offset) {
                let values: [&dyn rusqlite::ToSql; 2] = [&collection_id, id];
                let row = first_row(db, "read a document", SELECT_ONE, &values, read)?;
                found.extend(row);
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        })
        .await
    }

    /// All vectors of a collection.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a vector has another length than `dimensions`; and when the database cannot be read.
    pub async fn collection_vectors(
        &self,
        collection_id: &str,
        dimensions: usize,
    ) -> Result<DocumentVectors, StoreError> {
        let collection_id = collection_id.to_owned();
        self.read(move |db| {
            let mut all = DocumentVectors::default();
            let operation = "read vectors";
            each_row(db, operation, SELECT_VECTORS, &[&collection_id], |row| {
                let id: String = row.get(0).during(operation)?;
                let vector = row.get_ref(2).during(operation)?;
                let bytes = vector.as_blob().unwrap_or_default();
                let (numbers, rest) = bytes.as_chunks::<4>();
                if numbers.len() != dimensions || !rest.is_empty() {
                    return Err(StoreError::Corrupt {
                        kind: "document",
                        id,
                        column: "vector",
                        value: format!("{} bytes", bytes.len()),
                    });
                }
                all.flat
                    .extend(numbers.iter().map(|n| f32::from_le_bytes(*n)));
                all.metadata.push(row.get(1).during(operation)?);
                all.ids.push(id);
                Ok(true)
            })?;
            Ok(all)
        })
        .await
    }

    /// Hands each document's id and text to `visit`, in the order of their places; gives what it has made of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn fold_collection_texts<T: Send + 'static>(
        &self,
        collection_id: &str,
        mut made: T,
        mut visit: impl FnMut(&mut T, &str, &str) + Send + 'static,
    ) -> Result<T, StoreError> {
        let collection_id = collection_id.to_owned();
        self.read(move |db| {
            let operation = "read texts";
            each_row(db, operation, SELECT_TEXTS, &[&collection_id], |row| {
                let (id, text) = (row.get_ref(0), row.get_ref(1));
                let id = id.during(operation)?.as_str().unwrap_or_default();
                let text = text.during(operation)?.as_str().unwrap_or_default();
                visit(&mut made, id, text);
                Ok(true)
            })?;
            Ok(made)
        })
        .await
    }
}

fn read(row: &Row<'_>) -> Result<CollectionDocument, StoreError> {
    let operation = "read a document";
    Ok(CollectionDocument {
        id: row.get(0).during(operation)?,
        text: row.get(1).during(operation)?,
        metadata: row.get(2).during(operation)?,
    })
}

fn store(db: &Connection, row: &CollectionRow, put: &PutDocuments) -> Result<u64, StoreError> {
    let (provider, model) = (&put.embedding_provider, &put.embedding_model);
    if *provider != row.embedding_provider || *model != row.embedding_model {
        return Err(other_model(row, provider, model));
    }
    let mut dimensions = row.dimensions;
    if let Some(source) = &put.source {
        execute(db, "replace a source", DELETE_SOURCE, &[&row.id, source])?;
    }
    let last: Option<i64> = first_row(db, "find the last place", LAST_PLACE, &[&row.id], |r| {
        r.get(0).during("find the last place")
    })?
    .flatten();
    let first = last.map_or(0, |last| last + 1);
    for (place, document) in (first..).zip(&put.documents) {
        let found = document.vector.len();
        if dimensions == 0 {
            dimensions = found;
        }
        if dimensions != found {
            let (id, name) = (&document.id, &row.name);
            let reason = format!(
                "of {id} has {found} numbers, expected {dimensions}: that is what vectors of the collection {name} have"
            );
            let field = "vector";
            return Err(StoreError::InvalidInput { field, reason });
        }
        let vector: Vec<u8> = document
            .vector
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let values: [&dyn rusqlite::ToSql; 8] = [
            &row.id,
            &document.id,
            &place,
            &document.text,
            &document.metadata,
            &vector,
            &put.source,
            &put.at,
        ];
        execute(db, "store a document", UPSERT, &values)?;
    }
    let count = touch(db, row, dimensions, put.at)?;
    let bytes = count.saturating_mul((dimensions * size_of::<f32>()) as u64);
    if bytes > MAX_VECTOR_BYTES {
        let (name, most) = (&row.name, MAX_VECTOR_BYTES / (dimensions as u64 * 4).max(1));
        let reason = format!(
            "would be {count} in the collection {name}, which has room for {most} of {dimensions} numbers"
        );
        let field = "documents";
        return Err(StoreError::InvalidInput { field, reason });
    }
    Ok(count)
}

/// Notes a change of the documents of a collection; gives how many it has.
fn touch(
    db: &Connection,
    row: &CollectionRow,
    dimensions: usize,
    at: i64,
) -> Result<u64, StoreError> {
    let dimensions = i64::try_from(dimensions).unwrap_or_default();
    let values: [&dyn rusqlite::ToSql; 3] = [&row.id, &dimensions, &at];
    let count: Option<i64> = first_value(db, "note a change", TOUCH, &values)?;
    Ok(u64::try_from(count.unwrap_or_default()).unwrap_or_default())
}
