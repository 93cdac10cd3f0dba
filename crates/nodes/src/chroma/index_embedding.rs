//! `vector.chroma.IndexEmbedding`.

use nodetool_sdk::collections::NewDocument;
use nodetool_sdk::{CollectionRef, Map, Node, NodeCx, NodeError, Nothing, NpArray, Process, Value};

use super::index_text::id_or_key;
use super::{metadata_of, name_of};
use crate::array::Array;
use crate::bounds;

/// Puts ready-made vectors into a collection: one, or one for each row of a table.
/// vector, index, store, embedding, array
///
/// A document of the same id is replaced.
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached, effect = "idempotent")]
pub(super) struct IndexEmbedding {
    /// Where they go.
    collection: CollectionRef,
    /// The vector or vectors.
    embedding: NpArray,
    /// Its id, or an id for each; new ones are made up when empty.
    #[prop(ty = "union[str,list[str]]", default = "")]
    index_id: Value,
    /// What else is known of all of them, or of each.
    #[prop(ty = "union[dict,list[dict]]", default = Map::new())]
    metadata: Value,
}

impl Process for IndexEmbedding {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        let name = name_of(&self.collection)?;
        let embedding = self.embedding.0;
        let read = move || Array::read(&embedding).and_then(Array::into_vectors);
        let vectors = bounds::blocking(move || read().map_err(|e| NodeError::bad("embedding", e)));
        let vectors = vectors.await?;
        let ids = ids(cx, &self.index_id, vectors.len())?;
        let metadata = each_metadata(&self.metadata, vectors.len())?;
        let documents = vectors.into_iter().zip(ids).zip(metadata);
        let documents = documents.map(|((vector, id), metadata)| NewDocument {
            id,
            text: String::new(),
            metadata,
            vector: Some(vector),
        });
        let collections = &cx.services().collections;
        collections.put(name, documents.collect()).await?;
        Ok(Nothing)
    }
}

fn ids(cx: &NodeCx, given: &Value, count: usize) -> Result<Vec<String>, NodeError> {
    match given {
        Value::List(ids) if ids.is_empty() => Ok(made_up(cx, count)),
        Value::List(ids) if ids.len() == count => {
            let ids = ids.iter().map(|id| match id.as_str().map(str::trim) {
                Some(id) if !id.is_empty() => Ok(id.to_owned()),
                _ => Err(NodeError::bad("index_id", "an id is empty or no text")),
            });
            ids.collect()
        }
        Value::List(ids) => Err(misfit("index_id", ids.len(), "ids", count)),
        one => match one.as_str().unwrap_or_default().trim() {
            "" => Ok(made_up(cx, count)),
            id if count == 1 => Ok(vec![id.to_owned()]),
            _ => Err(misfit("index_id", 1, "id", count)),
        },
    }
}

/// Ids that are the same again when a resumed run makes the execution again.
fn made_up(cx: &NodeCx, count: usize) -> Vec<String> {
    match id_or_key(cx, "").as_str() {
        "" => vec![String::new(); count],
        key => (0..count).map(|i| format!("{key}:{i}")).collect(),
    }
}

fn each_metadata(given: &Value, count: usize) -> Result<Vec<Map>, NodeError> {
    match given {
        Value::List(each) if each.len() == count => each.iter().map(metadata_of).collect(),
        Value::List(each) if !each.is_empty() => {
            Err(misfit("metadata", each.len(), "dicts", count))
        }
        Value::List(_) => Ok(vec![Map::new(); count]),
        all => Ok(vec![metadata_of(all)?; count]),
    }
}

fn misfit(property: &str, given: usize, what: &str, count: usize) -> NodeError {
    NodeError::bad(property, format!("{given} {what} for {count} vectors"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::testing::{Case, case};

    use super::super::testing::{Shelf, collection, with};
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn two() -> Case {
        let rows = r#"{"type":"np_array","value":[[1,2],[3,4]]}"#;
        case::<IndexEmbedding>()
            .set("collection", collection())
            .set("embedding", json(rows))
    }

    #[tokio::test]
    async fn each_row_is_a_document_with_its_id_and_metadata() {
        let shelf = Arc::new(Shelf::default());
        let run = two().set("index_id", json(r#"["a","b"]"#));
        let run = run.set("metadata", json(r#"{"n":1}"#)).within(with(&shelf));
        run.run().await.unwrap();
        let put = shelf.put.lock().unwrap();
        assert_eq!((&*put[1].id, &put[1].vector), ("b", &Some(vec![3.0, 4.0])));
        assert_eq!(put[1].metadata["n"], 1i64.into());
    }

    #[tokio::test]
    async fn numbers_of_vectors_ids_and_metadata_have_to_agree() {
        let shelf = Arc::new(Shelf::default());
        for (property, value, said) in [
            ("index_id", r#""a""#, "1 id for 2 vectors"),
            ("index_id", r#"["a"]"#, "1 ids for 2 vectors"),
            ("metadata", "[{},{},{}]", "3 dicts for 2 vectors"),
            ("embedding", r#"{"value":null}"#, "it is empty"),
        ] {
            let refused = two().set(property, json(value)).within(with(&shelf)).run();
            let refused = refused.await.unwrap_err().to_string();
            let want = format!("`{property}`: {said}");
            assert!(refused.contains(&want), "{refused}");
        }
        assert!(shelf.put.lock().unwrap().is_empty());
    }
}
