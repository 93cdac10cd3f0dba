//! `vector.chroma.QueryImage` and `IndexImage`: they need a model that makes vectors of images, which no provider here
//! has; both say so.

use nodetool_sdk::{
    CollectionRef, ImageRef, Map, Node, NodeCx, NodeError, Nothing, Outputs, Process, Value,
};

use super::name_of;

fn refused() -> NodeError {
    NodeError::new(
        "Collections find texts and vectors. Images need a model that makes vectors of images, which this server does \
         not offer: index a description of the image, or its ready-made vector with IndexEmbedding",
    )
}

/// Finds the documents that are nearest to an image.
/// vector, search, image, similarity, nearest
///
/// It needs a model that makes vectors of images, which this server does not offer.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct QueryImage {
    /// Where to look.
    collection: CollectionRef,
    /// What to look for.
    image: ImageRef,
    /// Most documents to find.
    #[prop(default = 1)]
    n_results: i64,
}

/// The documents that were found.
#[derive(Outputs)]
pub(super) struct Nearest {
    ids: Vec<String>,
    documents: Vec<String>,
    #[slot(ty = "list[dict]")]
    metadatas: Vec<Map>,
    distances: Vec<f64>,
}

impl Process for QueryImage {
    type Output = Nearest;

    async fn process(self, _: &NodeCx) -> Result<Nearest, NodeError> {
        name_of(&self.collection)?;
        super::count_of("n_results", self.n_results)?;
        if self.image.is_empty() {
            return Err(NodeError::bad("image", "is empty (expected an image)"));
        }
        Err(refused())
    }
}

/// Puts an image into a collection.
/// vector, index, store, image
///
/// It needs a model that makes vectors of images, which this server does not offer.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct IndexImage {
    /// Where it goes.
    collection: CollectionRef,
    /// The image.
    #[prop(default = Vec::<Value>::new())]
    image: ImageRef,
    /// Its id.
    #[expect(dead_code, reason = "graphs set it, and there is no use for it yet")]
    index_id: String,
    /// What else is known of it: texts, numbers and flags.
    #[prop(ty = "dict")]
    #[expect(dead_code, reason = "graphs set it, and there is no use for it yet")]
    metadata: Map,
    /// Whether a document of the same id is replaced.
    #[expect(dead_code, reason = "graphs set it, and there is no use for it yet")]
    upsert: bool,
}

impl Process for IndexImage {
    type Output = Nothing;

    async fn process(self, _: &NodeCx) -> Result<Nothing, NodeError> {
        name_of(&self.collection)?;
        if self.image.is_empty() {
            return Err(NodeError::bad("image", "is empty (expected an image)"));
        }
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nodetool_sdk::testing::{case, context};

    use super::super::testing::collection;
    use super::*;

    #[tokio::test]
    async fn both_say_what_they_would_need() {
        let data = Bytes::from_static(b"\x89PNG\r\n\x1a\n");
        let image = Value::map([("type", Value::from("image")), ("data", data.into())]);
        let query = case::<QueryImage>().set("collection", collection());
        let index = case::<IndexImage>().set("collection", collection());
        for case in [query, index] {
            let run = case.set("image", image.clone()).within(context()).run();
            let refused = run.await.unwrap_err().to_string();
            assert!(
                refused.contains("need a model that makes vectors of images"),
                "{refused}"
            );
        }
        let empty = case::<IndexImage>().set("collection", collection()).run();
        let refused = empty.await.unwrap_err().to_string();
        assert!(refused.contains("`image`: is empty"), "{refused}");
    }
}
