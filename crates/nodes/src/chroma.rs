//! `vector.chroma`: collections of documents that are found by meaning and by words.
//!
//! Where they are stored, and which model makes their vectors, is not known here.

use nodetool_sdk::{CollectionRef, Map, NodeError, Registry, Value};

mod collection;
mod documents;
mod images;
mod index_aggregated_text;
mod index_embedding;
mod index_text;
mod remove_overlap;
mod search;
#[cfg(test)]
mod testing;

/// Most documents of one answer.
const MAX_FOUND: i64 = 10_000;

pub(crate) fn register(r: &mut Registry) {
    r.add::<collection::Collection>();
    r.add::<documents::Count>();
    r.add::<documents::GetDocuments>();
    r.add::<documents::Peek>();
    r.add::<index_aggregated_text::IndexAggregatedText>();
    r.add::<index_embedding::IndexEmbedding>();
    r.add::<images::IndexImage>();
    r.add::<index_text::IndexString>();
    r.add::<index_text::IndexTextChunk>();
    r.add::<search::HybridSearch>();
    r.add::<search::QueryText>();
    r.add::<images::QueryImage>();
    r.add::<remove_overlap::RemoveOverlap>();
}

/// The name in the property `collection`.
fn name_of(collection: &CollectionRef) -> Result<&str, NodeError> {
    match collection.text("name").trim() {
        "" => {
            let message = "names no collection (expected one, such as a Collection node gives)";
            Err(NodeError::bad("collection", message))
        }
        name => Ok(name),
    }
}

/// A number of documents.
fn count_of(property: &str, number: i64) -> Result<usize, NodeError> {
    match usize::try_from(number) {
        Ok(count) if (1..=MAX_FOUND).contains(&number) => Ok(count),
        _ => {
            let message = format!("{number} (expected 1 to {MAX_FOUND})");
            Err(NodeError::bad(property, message))
        }
    }
}

/// A text that has to say something.
fn needed<'t>(property: &str, text: &'t str) -> Result<&'t str, NodeError> {
    match text.trim() {
        "" => Err(NodeError::bad(property, "is empty (expected a text)")),
        text => Ok(text),
    }
}

/// What else is known of a document.
fn metadata_of(value: &Value) -> Result<Map, NodeError> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Map(map) => Ok((**map).clone()),
        other => {
            let kind = other.kind();
            let message = format!("{kind} {} (expected a dict)", other.preview(80));
            Err(NodeError::bad("metadata", message))
        }
    }
}
