//! A store of collections in memory for the tests beside the nodes. Everything is found, in the order it was put in.

use std::sync::{Arc, Mutex};

use nodetool_sdk::collections::{Collections, DocumentRange, FoundDocument, NewDocument, Search};
use nodetool_sdk::services::Services;
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, NodeCx, NodeError, Value};

#[derive(Default)]
pub(super) struct Shelf {
    pub(super) made: Mutex<Vec<(String, String)>>,
    pub(super) put: Mutex<Vec<NewDocument>>,
    pub(super) searches: Mutex<Vec<Search>>,
}

impl Shelf {
    fn found(&self) -> Vec<FoundDocument> {
        let put = self.put.lock().unwrap();
        let documents = put.iter().enumerate().map(|(i, d)| FoundDocument {
            id: d.id.clone(),
            text: d.text.clone(),
            metadata: d.metadata.clone(),
            distance: (i == 0).then_some(0.5),
            score: Some(1.0 / (i as f64 + 1.0)),
        });
        documents.collect()
    }
}

pub(super) fn with(shelf: &Arc<Shelf>) -> NodeCx {
    let collections: Arc<dyn Collections> = shelf.clone();
    let services = Services {
        collections,
        ..Services::none()
    };
    context_with(services, None)
}

pub(super) fn collection() -> Value {
    Value::map([
        ("type", Value::from("collection")),
        ("name", "notes".into()),
    ])
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, NodeError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Collections for Shelf {
    fn ensure<'a>(
        &'a self,
        name: &'a str,
        embedding: &'a str,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        let made = (name.to_owned(), embedding.to_owned());
        self.made.lock().unwrap().push(made);
        ready(())
    }
    fn put<'a>(
        &'a self,
        _: &'a str,
        documents: Vec<NewDocument>,
    ) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
        let ids = documents.iter().map(|d| d.id.clone()).collect();
        self.put.lock().unwrap().extend(documents);
        ready(ids)
    }
    fn search<'a>(
        &'a self,
        _: &'a str,
        search: Search,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        self.searches.lock().unwrap().push(search);
        ready(self.found())
    }
    fn documents<'a>(
        &'a self,
        _: &'a str,
        range: DocumentRange,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
        let wanted = |d: &FoundDocument| range.ids.is_empty() || range.ids.contains(&d.id);
        let found = self.found().into_iter().filter(wanted);
        ready(found.skip(range.offset).take(range.limit).collect())
    }
    fn count<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, NodeError>> {
        ready(self.put.lock().unwrap().len() as u64)
    }
    /// The number of characters, and 1.
    fn vectors<'a>(
        &'a self,
        _: &'a str,
        texts: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, NodeError>> {
        ready(texts.iter().map(|t| vec![t.len() as f32, 1.0]).collect())
    }
}
