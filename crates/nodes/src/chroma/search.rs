//! `vector.chroma.HybridSearch` and `QueryText`: finding documents.

use nodetool_sdk::collections::{FoundDocument, Look, Search};
use nodetool_sdk::{CollectionRef, Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::{count_of, name_of, needed};

/// Finds documents by meaning and by words at once.
/// vector, search, hybrid, semantic, keyword, rag, retrieve
///
/// Both rankings are merged by reciprocal rank: a document gets 1 / (rank + k) from each. One that only words have
/// found has no distance.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct HybridSearch {
    /// Where to look.
    collection: CollectionRef,
    /// What to look for.
    text: String,
    /// Most documents to find.
    #[prop(default = 5)]
    n_results: i64,
    /// The k of the formula: the larger, the less the first ranks count.
    #[prop(default = 60.0)]
    k_constant: f64,
    /// Shorter words are not looked for.
    #[prop(default = 3)]
    min_keyword_length: i64,
}

/// The documents that were found, best first.
#[derive(Outputs)]
pub(super) struct Ranked {
    ids: Vec<String>,
    documents: Vec<String>,
    #[slot(ty = "list[dict]")]
    metadatas: Vec<Map>,
    #[slot(ty = "list[float]")]
    distances: Vec<Option<f64>>,
    scores: Vec<f64>,
}

impl Process for HybridSearch {
    type Output = Ranked;

    async fn process(self, cx: &NodeCx) -> Result<Ranked, NodeError> {
        let k = self.k_constant;
        if !k.is_finite() || k < 0.0 {
            let message = format!("{k} (expected 0 or more)");
            return Err(NodeError::bad("k_constant", message));
        }
        let min_word = usize::try_from(self.min_keyword_length).map_err(|_| {
            let message = format!("{} (expected 0 or more)", self.min_keyword_length);
            NodeError::bad("min_keyword_length", message)
        })?;
        let look = Look::Both {
            text: needed("text", &self.text)?.to_owned(),
            k,
            min_word,
        };
        let found = search(cx, &self.collection, look, self.n_results).await?;
        let mut ranked = Ranked {
            ids: Vec::with_capacity(found.len()),
            documents: Vec::with_capacity(found.len()),
            metadatas: Vec::with_capacity(found.len()),
            distances: Vec::with_capacity(found.len()),
            scores: Vec::with_capacity(found.len()),
        };
        for document in found {
            ranked.ids.push(document.id);
            ranked.documents.push(document.text);
            ranked.metadatas.push(document.metadata);
            ranked.distances.push(document.distance.map(f64::from));
            ranked.scores.push(document.score.unwrap_or_default());
        }
        Ok(ranked)
    }
}

/// Finds the documents that are nearest to a text in meaning.
/// vector, search, semantic, similarity, nearest, rag, retrieve
///
/// They are given by id, not by distance.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached)]
pub(super) struct QueryText {
    /// Where to look.
    collection: CollectionRef,
    /// What to look for.
    text: String,
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
    #[slot(ty = "list[float]")]
    distances: Vec<Option<f64>>,
}

impl Process for QueryText {
    type Output = Nearest;

    async fn process(self, cx: &NodeCx) -> Result<Nearest, NodeError> {
        let look = Look::Meaning(needed("text", &self.text)?.to_owned());
        let mut found = search(cx, &self.collection, look, self.n_results).await?;
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Nearest {
            distances: found.iter().map(|d| d.distance.map(f64::from)).collect(),
            metadatas: found.iter().map(|d| d.metadata.clone()).collect(),
            documents: found.iter().map(|d| d.text.clone()).collect(),
            ids: found.into_iter().map(|d| d.id).collect(),
        })
    }
}

async fn search(
    cx: &NodeCx,
    collection: &CollectionRef,
    look: Look,
    n_results: i64,
) -> Result<Vec<FoundDocument>, NodeError> {
    let name = name_of(collection)?;
    let search = Search {
        look,
        limit: count_of("n_results", n_results)?,
        filter: None::<Value>,
    };
    cx.services().collections.search(name, search).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::collections::NewDocument;
    use nodetool_sdk::testing::{Case, case};

    use super::super::testing::{Shelf, collection, with};
    use super::*;

    fn shelf() -> Arc<Shelf> {
        let shelf = Shelf::default();
        let documents = ["b", "a"].map(|id| NewDocument {
            id: id.into(),
            text: format!("text {id}"),
            ..NewDocument::default()
        });
        shelf.put.lock().unwrap().extend(documents);
        Arc::new(shelf)
    }

    fn json(value: &Value) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[tokio::test]
    async fn a_hybrid_search_gives_the_best_first_with_scores() {
        let shelf = shelf();
        let given = case::<HybridSearch>()
            .set("collection", collection())
            .set("text", "what?")
            .within(with(&shelf))
            .run()
            .await
            .unwrap();
        assert_eq!(json(&given[0]["ids"]), r#"["b","a"]"#);
        assert_eq!(json(&given[0]["documents"]), r#"["text b","text a"]"#);
        assert_eq!(json(&given[0]["metadatas"]), "[{},{}]");
        assert_eq!(json(&given[0]["distances"]), "[0.5,null]");
        assert_eq!(json(&given[0]["scores"]), "[1.0,0.5]");
        let look = Look::Both {
            text: "what?".into(),
            k: 60.0,
            min_word: 3,
        };
        let searches = shelf.searches.lock().unwrap();
        assert_eq!((&searches[0].look, searches[0].limit), (&look, 5));
    }

    #[tokio::test]
    async fn a_query_gives_its_documents_by_id() {
        let given = case::<QueryText>()
            .set("collection", collection())
            .set("text", "what?")
            .set("n_results", 2i64)
            .within(with(&shelf()))
            .run()
            .await
            .unwrap();
        assert_eq!(json(&given[0]["ids"]), r#"["a","b"]"#);
        assert_eq!(json(&given[0]["distances"]), "[null,0.5]");
    }

    #[tokio::test]
    async fn searches_for_nothing_or_in_nothing_are_refused() {
        let shelf = shelf();
        let refused = async |case: Case| {
            let refused = case.within(with(&shelf)).run().await.unwrap_err();
            refused.to_string()
        };
        let query = || case::<HybridSearch>().set("collection", collection());
        assert!(refused(query()).await.contains("`text`: is empty"));
        let some = || query().set("text", "x");
        for (property, value) in [
            ("k_constant", Value::from(-1.0)),
            ("k_constant", f64::NAN.into()),
            ("min_keyword_length", (-1i64).into()),
            ("n_results", 0i64.into()),
        ] {
            let said = refused(some().set(property, value)).await;
            assert!(said.contains(&format!("`{property}`")), "{said}");
        }
        let nowhere = case::<QueryText>().set("text", "x");
        assert!(refused(nowhere).await.contains("`collection`"));
    }
}
