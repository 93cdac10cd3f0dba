//! `vector.chroma.Collection`.

use nodetool_sdk::{CollectionRef, LlamaModel, Node, NodeCx, NodeError, Process, Value};

use super::needed;

/// Opens a collection of documents, and makes it where there is none of that name.
/// vector, collection, store, index, embedding, rag
///
/// Its documents are found with the embedding model; without one a built-in model is used, which needs no key and no
/// network.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached, effect = "idempotent")]
pub(super) struct Collection {
    /// Its name.
    name: String,
    /// The model of a new collection.
    embedding_model: LlamaModel,
}

impl Process for Collection {
    type Output = CollectionRef;

    async fn process(self, cx: &NodeCx) -> Result<CollectionRef, NodeError> {
        let name = needed("name", &self.name)?;
        let model = self.embedding_model.text("repo_id").trim();
        let embedding = match model {
            "" => String::new(),
            model => format!("ollama/{model}"),
        };
        cx.services().collections.ensure(name, &embedding).await?;
        Ok(CollectionRef(Value::map([
            ("type", Value::from(CollectionRef::TAG)),
            ("name", name.into()),
        ])))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::testing::case;

    use super::super::testing::{Shelf, collection, with};
    use super::*;

    #[tokio::test]
    async fn a_collection_is_made_with_its_model_or_the_built_in_one() {
        let shelf = Arc::new(Shelf::default());
        let model = Value::map(
            [("type", "llama_model"), ("repo_id", "nomic-embed-text")].map(|(k, v)| (k, v.into())),
        );
        for model in [LlamaModel::default().0, model] {
            let given = case::<Collection>()
                .set("name", " notes ")
                .set("embedding_model", model)
                .within(with(&shelf))
                .value();
            assert_eq!(given.await.unwrap(), collection());
        }
        let made = shelf.made.lock().unwrap().clone();
        let want = [("notes", ""), ("notes", "ollama/nomic-embed-text")];
        assert_eq!(made, want.map(|(n, e)| (n.to_owned(), e.to_owned())));
    }

    #[tokio::test]
    async fn a_collection_needs_a_name() {
        let shelf = Arc::new(Shelf::default());
        let refused = case::<Collection>().within(with(&shelf)).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("`name`: is empty"), "{refused}");
    }
}
