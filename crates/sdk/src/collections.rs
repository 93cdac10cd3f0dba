//! Collections of documents that are found by meaning and by words.
//!
//! It must not know where they are stored or which model makes their vectors.

use nodetool_protocol::{Map, Value};

use crate::{BoxFuture, NodeError};

/// A document to put into a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewDocument {
    /// Its id; made up when empty.
    pub id: String,
    /// Its text; may be empty when it has a vector.
    pub text: String,
    /// What else is known of it: texts, numbers and flags.
    pub metadata: Map,
    /// Its vector; made by the collection's model from the text when absent.
    pub vector: Option<Vec<f32>>,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundDocument {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
    /// What else is known of it.
    pub metadata: Map,
    /// Squared distance to what was looked for; smaller is nearer. None when it was found by words only.
    pub distance: Option<f32>,
    /// Score of a search by meaning and words; larger is better.
    pub score: Option<f64>,
}

/// What to look for.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// Meaning of a text.
    Meaning(String),
    /// A ready-made vector.
    Vector(Vec<f32>),
    /// Words.
    Words(String),
    /// Meaning and words, merged by reciprocal rank: 1 / (rank + k).
    Both {
        /// The text.
        text: String,
        /// The k of the formula; 60 is usual.
        k: f64,
        /// Shorter words do not count.
        min_word: usize,
    },
}

/// A search in a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// What to look for.
    pub look: Look,
    /// Most documents to find.
    pub limit: usize,
    /// What their metadata must be: `{"key": value}`, `{"key": {"$gt": 3}}`, `$and`, `$or`.
    pub filter: Option<Value>,
}

/// Which documents of a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentRange {
    /// Only these; all when empty.
    pub ids: Vec<String>,
    /// Most of them.
    pub limit: usize,
    /// Leave out so many first.
    pub offset: usize,
}

/// Collections of the user of a run.
pub trait Collections: Send + Sync {
    /// Makes a collection unless there is one of that name; `embedding` is `provider/model`, or empty for the built-in
    /// one.
    fn ensure<'a>(
        &'a self,
        name: &'a str,
        embedding: &'a str,
    ) -> BoxFuture<'a, Result<(), NodeError>>;
    /// Puts documents in, or in the place of those with the same id; gives their ids. All or none.
    fn put<'a>(
        &'a self,
        name: &'a str,
        documents: Vec<NewDocument>,
    ) -> BoxFuture<'a, Result<Vec<String>, NodeError>>;
    /// Finds documents, best first.
    fn search<'a>(
        &'a self,
        name: &'a str,
        search: Search,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>>;
    /// Some documents, in the order they were put in.
    fn documents<'a>(
        &'a self,
        name: &'a str,
        range: DocumentRange,
    ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>>;
    /// How many documents there are.
    fn count<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<u64, NodeError>>;
    /// The vectors the collection's model makes of texts, for whoever puts vectors together before storing them.
    fn vectors<'a>(
        &'a self,
        name: &'a str,
        texts: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, NodeError>> {
        let _ = (name, texts);
        Box::pin(async {
            Err(NodeError::new(
                "This store of collections does not give the vectors of texts",
            ))
        })
    }
}

/// Conversations that are kept.
pub trait Conversations: Send + Sync {
    /// The conversation of this id if the user has it, else a new one with that title; gives its id.
    fn ensure<'a>(
        &'a self,
        id: &'a str,
        title: &'a str,
    ) -> BoxFuture<'a, Result<String, NodeError>>;
    /// What was said, oldest first; nothing for a conversation the user does not have.
    fn messages<'a>(
        &'a self,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Vec<crate::models::ChatMessage>, NodeError>>;
    /// Adds to it, all or none.
    fn add<'a>(
        &'a self,
        id: &'a str,
        messages: Vec<crate::models::ChatMessage>,
    ) -> BoxFuture<'a, Result<(), NodeError>>;
}
