//! `vector.chroma.IndexTextChunk` and `IndexString`: putting texts into a collection.

use nodetool_sdk::collections::NewDocument;
use nodetool_sdk::{CollectionRef, Map, Node, NodeCx, NodeError, Nothing, Process};

use super::{name_of, needed};

/// Puts a piece of a text into a collection.
/// vector, index, store, chunk, embedding, rag
///
/// A document of the same id is replaced.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached, effect = "idempotent")]
pub(super) struct IndexTextChunk {
    /// Where it goes.
    collection: CollectionRef,
    /// Its id; a new one is made up when empty.
    document_id: String,
    /// The text.
    text: String,
    /// What else is known of it: texts, numbers and flags.
    #[prop(ty = "dict")]
    metadata: Map,
}

impl Process for IndexTextChunk {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        put(
            cx,
            &self.collection,
            self.document_id,
            self.text,
            self.metadata,
        )
        .await
    }
}

/// Puts a text into a collection.
/// vector, index, store, text, embedding, rag
///
/// A document of the same id is replaced.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached, effect = "idempotent")]
pub(super) struct IndexString {
    /// Where it goes.
    collection: CollectionRef,
    /// The text.
    text: String,
    /// Its id; a new one is made up when empty.
    document_id: String,
    /// What else is known of it: texts, numbers and flags.
    #[prop(ty = "dict")]
    metadata: Map,
}

impl Process for IndexString {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        put(
            cx,
            &self.collection,
            self.document_id,
            self.text,
            self.metadata,
        )
        .await
    }
}

async fn put(
    cx: &NodeCx,
    collection: &CollectionRef,
    id: String,
    text: String,
    metadata: Map,
) -> Result<Nothing, NodeError> {
    let name = name_of(collection)?;
    needed("text", &text)?;
    let document = NewDocument {
        id: id_or_key(cx, &id),
        text,
        metadata,
        vector: None,
    };
    cx.services().collections.put(name, vec![document]).await?;
    Ok(Nothing)
}

/// The id; for an empty one that of the execution, so that a resumed run does not add the document a second time.
pub(super) fn id_or_key(cx: &NodeCx, id: &str) -> String {
    match id.trim() {
        "" => cx.effect_key().unwrap_or_default(),
        id => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::super::testing::{Shelf, collection, with};
    use super::*;

    #[tokio::test]
    async fn texts_are_put_in_with_id_and_metadata() {
        let shelf = Arc::new(Shelf::default());
        let metadata = Value::map([("page", 3i64.into())]);
        let given = case::<IndexTextChunk>()
            .set("collection", collection())
            .set("document_id", "d1")
            .set("text", "Hello")
            .set("metadata", metadata)
            .within(with(&shelf))
            .run()
            .await
            .unwrap();
        assert!(given[0].is_empty());
        let cx = with(&shelf);
        cx.begin_effect(4);
        let run = case::<IndexString>().set("collection", collection());
        run.set("text", "World").within(cx).run().await.unwrap();
        let put = shelf.put.lock().unwrap();
        assert_eq!((&*put[0].id, &*put[0].text), ("d1", "Hello"));
        assert_eq!(put[0].metadata["page"], 3i64.into());
        assert_eq!((&*put[1].id, &*put[1].text), ("job:node:4", "World"));
    }

    #[tokio::test]
    async fn an_empty_text_is_not_put_in() {
        let shelf = Arc::new(Shelf::default());
        let run = case::<IndexString>().set("collection", collection());
        let refused = run.within(with(&shelf)).run().await.unwrap_err();
        assert!(
            refused.to_string().contains("`text`: is empty"),
            "{refused}"
        );
        assert!(shelf.put.lock().unwrap().is_empty());
    }
}
