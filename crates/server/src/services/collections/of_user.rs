//! Collections as the nodes of a run and the tools of an agent see them: those of the run's user.

use std::sync::Arc;

use nodetool_sdk::collections::{
    Collections, DocumentRange, FoundDocument, Look, NewDocument, Search,
};
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::CollectionRange;

use super::{CollectionError, CollectionService, Found, PutDocument, Query, Ways};
use crate::services::Caller;

/// Most documents that are listed at once.
const MAX_LISTED: usize = 10_000;

struct OfUser {
    service: CollectionService,
    caller: Caller,
}

impl CollectionService {
    /// The collections of a user.
    pub(crate) fn of(&self, caller: &Caller) -> Arc<dyn Collections> {
        Arc::new(OfUser {
            service: self.clone(),
            caller: caller.clone(),
        })
    }
}

/// What a node is told, with the name of the collection.
fn told(name: &str, e: CollectionError) -> NodeError {
    match e {
        CollectionError::NotFound => NodeError::new(format!("There is no collection '{name}'")),
        CollectionError::Store(e) => {
            tracing::error!(error = %e, "a collection could not be read or written");
            NodeError::new(format!("The collection '{name}' cannot be used: {e}"))
        }
        e => NodeError::new(format!("Collection '{name}': {e}")),
    }
}

fn found(found: Found) -> FoundDocument {
    FoundDocument {
        id: found.id,
        text: found.text,
        metadata: found.metadata,
        distance: found.distance,
        score: found.score,
    }
}

impl Collections for OfUser {
    fn ensure<'a>(
        &'a self,
        name: &'a str,
        embedding: &'a str,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(async move {
            match self.service.get(&self.caller, name).await {
                Ok(_) => return Ok(()),
                Err(CollectionError::NotFound) => {}
                Err(e) => return Err(told(name, e)),
            }
            let made = self.service.create(&self.caller, name, embedding, "");
            match made.await {
                // Another may have been quicker.
                Ok(_) | Err(CollectionError::Taken(_)) => Ok(()),
                Err(e) => Err(told(name, e)),
            }
        })
    }

    fn put<'a>(
        &'a self,
        name: &'a str,
        documents: Vec<NewDocument>,
    ) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
        Box::pin(async move {
            let documents = documents.into_iter().map(|document| PutDocument {
                id: document.id,
                text: document.text,
                metadata: document.metadata,
                vector: document.vector,
            });
            let put = self
                .service
                .put(&self.caller, name, documents.collect(), None);
            put.await.map_err(|e| told(name, e))
        })
    }

    fn search<'a>(
        &'a self,
        name: &'a str,
        search: Search,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        Box::pin(async move {
            let ways = match search.look {
                Look::Meaning(text) => Ways::Meaning(text),
                Look::Vector(vector) => Ways::Vector(vector),
                Look::Words(text) => Ways::Words(text),
                Look::Both { text, k, min_word } => Ways::Both { text, k, min_word },
            };
            let query = Query {
                ways,
                limit: search.limit,
                filter: search.filter.filter(|f| !f.is_null()),
            };
            let hits = self.service.query(&self.caller, name, query).await;
            let hits = hits.map_err(|e| told(name, e))?;
            Ok(hits.into_iter().map(found).collect())
        })
    }

    fn documents<'a>(
        &'a self,
        name: &'a str,
        range: DocumentRange,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        Box::pin(async move {
            let range = CollectionRange {
                ids: range.ids,
                limit: range.limit.min(MAX_LISTED),
                offset: range.offset,
            };
            let documents = self.service.documents(&self.caller, name, range).await;
            let documents = documents.map_err(|e| told(name, e))?;
            Ok(documents.into_iter().map(found).collect())
        })
    }

    fn count<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, NodeError>> {
        Box::pin(async move {
            let collection = self.service.get(&self.caller, name).await;
            Ok(collection.map_err(|e| told(name, e))?.count)
        })
    }
}
