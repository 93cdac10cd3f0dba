//! Collections: documents of a user that are found by meaning and by words.
//!
//! A collection remembers which model makes its vectors; all of them come from that one. What is searched is held in
//! memory by the [`Shelf`], as far as there is room. It must not know HTTP, nor which providers there are.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{ModelError, Models};
use nodetool_sdk::search::{BadCondition, hashed};
use nodetool_store::{
    CollectionPatch, CollectionRange, CollectionRow, NewCollectionDocument, PutDocuments, Store,
    StoreError, new_id, now_micros,
};
use tokio::sync::Semaphore;

use super::{Caller, WorkflowError, WorkflowService, to_json};
use reading::ReadError;
use shelf::Shelf;

mod chunks;
mod embedding;
mod finding;
mod indexing;
mod of_user;
mod pages;
mod reading;
mod shelf;
mod through;

pub(crate) use finding::{Found, Query, Ways};
pub(crate) use indexing::{MAX_FILE, base_name};
pub(crate) use pages::DocumentPages;
pub(crate) use through::Through;

/// Files that are read at the same time; each may take a core and some memory.
const READERS: usize = 2;

/// The key of the metadata that names the workflow files go through.
const WORKFLOW: &str = "workflow";
/// The keys of the metadata that say which model makes the vectors.
const MODEL: &str = "embedding_model";
const PROVIDER: &str = "embedding_provider";

/// Gives the models a user may use.
pub(crate) type ModelsOf = Arc<dyn Fn(&Caller) -> Arc<dyn Models> + Send + Sync>;

/// Why something could not be done with a collection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CollectionError {
    #[error("Collection not found")]
    NotFound,
    #[error("Collection {0} already exists")]
    Taken(String),
    #[error("Workflow not found")]
    NoWorkflow,
    #[error("Workflow must have a CollectionInput node")]
    NoCollectionInput,
    #[error("Workflow must have a FileInput or DocumentFileInput node")]
    NoFileInput,
    #[error(
        "The vectors of collection {name} come from {found}, not from {expected}; make a new collection for another model"
    )]
    OtherModel {
        name: String,
        found: String,
        expected: String,
    },
    #[error("{field}: {reason}")]
    Field { field: String, reason: String },
    #[error(transparent)]
    File(#[from] ReadError),
    #[error("the model {model} gives no vectors: {source}")]
    Model {
        model: String,
        source: Box<ModelError>,
    },
    #[error("the model {model} gave {reason}")]
    Vectors { model: String, reason: String },
    #[error("the workflow of the collection: {0}")]
    Run(String),
    #[error("the file did not come to its end")]
    Upload(#[source] std::io::Error),
    #[error("the file cannot be kept while it is read")]
    Scratch(#[source] std::io::Error),
    #[error("Other files are being read; try again")]
    Busy,
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error(transparent)]
    Store(StoreError),
}

impl CollectionError {
    fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        CollectionError::Field {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// Whether it is the file that is at fault, its model or its workflow, not the request.
    pub(crate) fn is_of_file(&self) -> bool {
        match self {
            CollectionError::File(_)
            | CollectionError::Model { .. }
            | CollectionError::Vectors { .. }
            | CollectionError::Run(_) => true,
            CollectionError::Store(e) => matches!(e, StoreError::TooLarge { .. }),
            CollectionError::Field { field, .. } => field != "name",
            _ => false,
        }
    }
}

impl From<BadCondition> for CollectionError {
    fn from(e: BadCondition) -> Self {
        CollectionError::field(format!("where.{}", e.place), e.reason)
    }
}

impl From<StoreError> for CollectionError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => CollectionError::NotFound,
            StoreError::AlreadyExists { id, .. } => CollectionError::Taken(id),
            StoreError::Conflict {
                id,
                expected,
                found,
                ..
            } => CollectionError::OtherModel {
                name: id,
                found,
                expected,
            },
            StoreError::InvalidInput { field, reason } => CollectionError::field(field, reason),
            e => CollectionError::Store(e),
        }
    }
}

/// A collection as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Collection {
    pub(crate) name: String,
    pub(crate) count: u64,
    pub(crate) metadata: Map,
    pub(crate) workflow_name: Option<String>,
}

/// What is changed of a collection.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChangeCollection {
    pub(crate) name: Option<String>,
    /// Merged into what is there.
    pub(crate) metadata: Vec<(String, String)>,
}

/// A document to put in.
#[derive(Clone, Debug, Default)]
pub(crate) struct PutDocument {
    /// Made up when empty.
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) metadata: Map,
    /// Made of the text when absent.
    pub(crate) vector: Option<Vec<f32>>,
}

struct Inner {
    store: Store,
    workflows: WorkflowService,
    models: ModelsOf,
    shelf: Shelf,
    readers: Arc<Semaphore>,
}

/// Keeps, fills and searches collections.
#[derive(Clone)]
pub(crate) struct CollectionService(Arc<Inner>);

impl CollectionService {
    pub(crate) fn new(store: Store, workflows: WorkflowService, models: ModelsOf) -> Self {
        CollectionService(Arc::new(Inner {
            shelf: Shelf::new(store.clone()),
            store,
            workflows,
            models,
            readers: Arc::new(Semaphore::new(READERS)),
        }))
    }

    /// Makes a collection. An empty model is the one that needs none.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        name: &str,
        model: &str,
        provider: &str,
    ) -> Result<Collection, CollectionError> {
        check_name(name)?;
        let model = if model.is_empty() {
            hashed::MODEL
        } else {
            model
        };
        let now = now_micros();
        let row = CollectionRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            name: name.to_owned(),
            metadata: "{}".to_owned(),
            embedding_provider: provider.to_owned(),
            embedding_model: model.to_owned(),
            created_at: now,
            updated_at: now,
            ..CollectionRow::default()
        };
        self.0.store.insert_collection(row.clone()).await?;
        Ok(self.told(caller, row).await)
    }

    /// The caller's collections, by name.
    pub(crate) async fn list(&self, caller: &Caller) -> Result<Vec<Collection>, CollectionError> {
        let rows = self.0.store.collections(&caller.user_id).await?;
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            told.push(self.told(caller, row).await);
        }
        Ok(told)
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Collection, CollectionError> {
        let row = self.row(caller, name).await?;
        Ok(self.told(caller, row).await)
    }

    /// Gives a collection another name or other metadata.
    pub(crate) async fn update(
        &self,
        caller: &Caller,
        name: &str,
        change: ChangeCollection,
    ) -> Result<Collection, CollectionError> {
        let row = self.row(caller, name).await?;
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        let mut metadata = read_metadata(&row.metadata);
        let (mut provider, mut model) =
            (row.embedding_provider.clone(), row.embedding_model.clone());
        for (key, value) in change.metadata {
            match key.as_str() {
                MODEL => model = value,
                PROVIDER => provider = value,
                WORKFLOW if !value.is_empty() => {
                    self.check_workflow(caller, &value).await?;
                    metadata.insert(WORKFLOW.into(), value.into());
                }
                _ => drop(metadata.insert(key.into(), value.into())),
            }
        }
        let patch = CollectionPatch {
            name: change.name,
            metadata: Some(to_json(&Value::Map(Arc::new(metadata)))),
            embedding: Some((provider, model)),
        };
        let store = &self.0.store;
        let row = store.update_collection(&caller.user_id, name, patch, now_micros());
        let row = row.await?;
        Ok(self.told(caller, row).await)
    }

    pub(crate) async fn delete(&self, caller: &Caller, name: &str) -> Result<(), CollectionError> {
        let row = self.row(caller, name).await?;
        if !self
            .0
            .store
            .delete_collection(&caller.user_id, name)
            .await?
        {
            return Err(CollectionError::NotFound);
        }
        self.0.shelf.forget(&row.id);
        Ok(())
    }

    /// Puts documents in, all or none; gives their ids.
    pub(crate) async fn put(
        &self,
        caller: &Caller,
        name: &str,
        documents: Vec<PutDocument>,
        source: Option<String>,
    ) -> Result<Vec<String>, CollectionError> {
        let row = self.row(caller, name).await?;
        check_documents(&documents)?;
        let texts = documents.iter().filter(|d| d.vector.is_none());
        let texts: Vec<String> = texts.map(|d| d.text.clone()).collect();
        let made = self.embed(caller, &row, texts).await?;
        let mut made = made.into_iter();
        let mut stored = Vec::with_capacity(documents.len());
        for document in documents {
            let PutDocument {
                id,
                text,
                metadata,
                vector,
            } = document;
            stored.push(NewCollectionDocument {
                id: if id.is_empty() { new_id() } else { id },
                text,
                metadata: to_json(&Value::Map(Arc::new(metadata))),
                // There is one for each that has none.
                vector: vector.or_else(|| made.next()).unwrap_or_default(),
            });
        }
        let ids = stored.iter().map(|d| d.id.clone()).collect();
        let put = PutDocuments {
            documents: stored,
            source,
            embedding_provider: row.embedding_provider,
            embedding_model: row.embedding_model,
            at: now_micros(),
        };
        let store = &self.0.store;
        store
            .put_collection_documents(&caller.user_id, name, put)
            .await?;
        self.0.shelf.forget(&row.id);
        Ok(ids)
    }

    /// Some documents, in the order they were put in, without scores.
    pub(crate) async fn documents(
        &self,
        caller: &Caller,
        name: &str,
        range: CollectionRange,
    ) -> Result<Vec<Found>, CollectionError> {
        let row = self.row(caller, name).await?;
        let documents = self.0.store.collection_documents(&row.id, range).await?;
        let found = documents.into_iter().map(|document| Found {
            id: document.id,
            text: document.text,
            metadata: read_metadata(&document.metadata),
            distance: None,
            score: None,
        });
        Ok(found.collect())
    }

    async fn row(&self, caller: &Caller, name: &str) -> Result<CollectionRow, CollectionError> {
        let row = self.0.store.get_collection(&caller.user_id, name).await?;
        row.ok_or(CollectionError::NotFound)
    }

    /// A collection as its owner sees it.
    async fn told(&self, caller: &Caller, row: CollectionRow) -> Collection {
        let mut metadata = read_metadata(&row.metadata);
        metadata.insert(MODEL.into(), row.embedding_model.into());
        if !row.embedding_provider.is_empty() {
            metadata.insert(PROVIDER.into(), row.embedding_provider.into());
        }
        let workflow = metadata.get(WORKFLOW).and_then(Value::as_str);
        let workflow_name = match workflow.filter(|id| !id.is_empty()) {
            Some(id) => {
                let workflow = self.0.workflows.get(caller, id).await;
                workflow.ok().map(|row| row.name)
            }
            None => None,
        };
        Collection {
            name: row.name,
            count: row.documents,
            metadata,
            workflow_name,
        }
    }

    async fn check_workflow(&self, caller: &Caller, id: &str) -> Result<(), CollectionError> {
        let row = self
            .0
            .workflows
            .get(caller, id)
            .await
            .map_err(no_workflow)?;
        let graph = super::read_graph(id, &row.graph).map_err(no_workflow)?;
        through::inputs(&graph).map(drop)
    }
}

fn no_workflow(e: WorkflowError) -> CollectionError {
    match e {
        WorkflowError::Store(StoreError::InvalidInput { .. }) => CollectionError::NoWorkflow,
        WorkflowError::Store(e) => CollectionError::Store(e),
        _ => CollectionError::NoWorkflow,
    }
}

fn check_name(name: &str) -> Result<(), CollectionError> {
    if name.trim().is_empty() || name.trim() != name {
        let reason = "expected a name that neither is blank nor begins or ends with a blank";
        return Err(CollectionError::field("name", reason));
    }
    if name.chars().any(char::is_control) {
        return Err(CollectionError::field("name", "has control characters"));
    }
    Ok(())
}

/// Refuses documents that cannot be stored, by their place and key.
fn check_documents(documents: &[PutDocument]) -> Result<(), CollectionError> {
    let mut ids = std::collections::HashSet::new();
    for (at, document) in documents.iter().enumerate() {
        if !document.id.is_empty() && !ids.insert(document.id.as_str()) {
            let reason = format!("`{}` is given twice", document.id);
            return Err(CollectionError::field(
                format!("documents[{at}].id"),
                reason,
            ));
        }
        if document.text.trim().is_empty() && document.vector.is_none() {
            let reason = "is blank; expected a text, or a vector beside it";
            return Err(CollectionError::field(
                format!("documents[{at}].text"),
                reason,
            ));
        }
        for (key, value) in &document.metadata {
            if matches!(value, Value::List(_) | Value::Map(_) | Value::Bytes(_)) {
                let key: String = key.chars().take(100).collect();
                let reason = format!("expected a text, a number or a flag, got {}", value.kind());
                let field = format!("documents[{at}].metadata.{key}");
                return Err(CollectionError::field(field, reason));
            }
        }
    }
    Ok(())
}

/// Stored metadata; what is none is as if there were none.
fn read_metadata(text: &str) -> Map {
    match serde_json::from_str(text) {
        Ok(Value::Map(map)) => Arc::unwrap_or_clone(map),
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
