//! `vector.chroma.Count`, `GetDocuments` and `Peek`: what is in a collection.

use nodetool_sdk::collections::DocumentRange;
use nodetool_sdk::{CollectionRef, Node, NodeCx, NodeError, Process};

use super::{count_of, name_of};

/// Counts the documents of a collection.
/// vector, collection, count, size
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct Count {
    /// The collection.
    collection: CollectionRef,
}

impl Process for Count {
    type Output = i64;

    async fn process(self, cx: &NodeCx) -> Result<i64, NodeError> {
        let name = name_of(&self.collection)?;
        let count = cx.services().collections.count(name).await?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// Gives the texts of documents in a collection.
/// vector, collection, documents, get, ids
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct GetDocuments {
    /// The collection.
    collection: CollectionRef,
    /// Which documents; all when empty.
    ids: Vec<String>,
    /// Most documents to give.
    #[prop(default = 100)]
    limit: i64,
    /// How many to leave out first.
    offset: i64,
}

impl Process for GetDocuments {
    type Output = Vec<String>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<String>, NodeError> {
        let offset = usize::try_from(self.offset).map_err(|_| {
            let message = format!("{} (expected 0 or more)", self.offset);
            NodeError::bad("offset", message)
        })?;
        let range = DocumentRange {
            ids: self.ids,
            limit: count_of("limit", self.limit)?,
            offset,
        };
        texts(cx, &self.collection, range).await
    }
}

/// Gives the texts of the first documents in a collection.
/// vector, collection, documents, peek, first
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct Peek {
    /// The collection.
    collection: CollectionRef,
    /// Most documents to give.
    #[prop(default = 100)]
    limit: i64,
}

impl Process for Peek {
    type Output = Vec<String>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<String>, NodeError> {
        let range = DocumentRange {
            limit: count_of("limit", self.limit)?,
            ..DocumentRange::default()
        };
        texts(cx, &self.collection, range).await
    }
}

async fn texts(
    cx: &NodeCx,
    collection: &CollectionRef,
    range: DocumentRange,
) -> Result<Vec<String>, NodeError> {
    let name = name_of(collection)?;
    let found = cx.services().collections.documents(name, range).await?;
    Ok(found.into_iter().map(|d| d.text).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::collections::NewDocument;
    use nodetool_sdk::testing::case;
    use nodetool_sdk::{Value, ValueType};

    use super::super::testing::{Shelf, collection, with};
    use super::*;

    fn shelf() -> Arc<Shelf> {
        let shelf = Shelf::default();
        let documents = ["a", "b", "c"].map(|id| NewDocument {
            id: id.into(),
            text: format!("text {id}"),
            ..NewDocument::default()
        });
        shelf.put.lock().unwrap().extend(documents);
        Arc::new(shelf)
    }

    #[tokio::test]
    async fn documents_are_counted_and_given_by_id_and_place() {
        let shelf = shelf();
        let count = case::<Count>().set("collection", collection());
        assert_eq!(
            count.within(with(&shelf)).value().await.unwrap(),
            3i64.into()
        );
        let list = |texts: &[&str]| Value::list(texts.iter().map(|t| Value::from(*t)));
        let peek = case::<Peek>().set("collection", collection());
        let peek = peek.set("limit", 2i64).within(with(&shelf)).value();
        assert_eq!(peek.await.unwrap(), list(&["text a", "text b"]));
        let get = case::<GetDocuments>()
            .set("collection", collection())
            .set("ids", vec!["b".to_owned(), "c".to_owned()].into_value())
            .set("offset", 1i64);
        let got = get.within(with(&shelf)).value().await;
        assert_eq!(got.unwrap(), list(&["text c"]));
    }

    #[tokio::test]
    async fn a_collection_is_needed_and_a_number_that_is_one() {
        let shelf = shelf();
        let refused = case::<Count>().within(with(&shelf)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("`collection`: names no collection"),
            "{refused}"
        );
        for (property, number) in [("limit", 0i64), ("limit", 10_001), ("offset", -1)] {
            let run = case::<GetDocuments>().set("collection", collection());
            let refused = run.set(property, number).within(with(&shelf)).run().await;
            let refused = refused.unwrap_err().to_string();
            assert!(
                refused.contains(&format!("`{property}`: {number}")),
                "{refused}"
            );
        }
    }
}
