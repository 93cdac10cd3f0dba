//! `vector.chroma.IndexAggregatedText`.

use nodetool_sdk::collections::NewDocument;
use nodetool_sdk::{
    CollectionRef, Map, Node, NodeCx, NodeError, Nothing, Process, Value, ValueType,
};

use super::index_text::id_or_key;
use super::{name_of, needed};

/// Most pieces of one document.
const MAX_CHUNKS: usize = 10_000;

/// How the vectors of the pieces become one.
#[derive(Clone, Copy, Debug, PartialEq, ValueType)]
#[value(type_name = "nodetool.nodes.vector.chroma.EmbeddingAggregation")]
pub(super) enum Aggregation {
    #[value("mean")]
    Mean,
    #[value("max")]
    Max,
    #[value("min")]
    Min,
    #[value("sum")]
    Sum,
}

/// Puts a long document into a collection as one, found by the vectors of its pieces together.
/// vector, index, store, aggregate, chunks, embedding, rag
#[derive(Node)]
#[node(namespace = "vector.chroma", uncached, effect = "idempotent")]
pub(super) struct IndexAggregatedText {
    /// Where it goes.
    collection: CollectionRef,
    /// The document.
    document: String,
    /// Its id; a new one is made up when empty.
    document_id: String,
    /// What else is known of it: texts, numbers and flags.
    #[prop(ty = "dict")]
    metadata: Map,
    /// Its pieces.
    #[prop(ty = "list[union[text_chunk,str]]", default = Vec::<Value>::new())]
    text_chunks: Vec<Value>,
    /// How the vectors of the pieces become one.
    #[prop(default = "mean")]
    aggregation: Aggregation,
}

impl Process for IndexAggregatedText {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        let name = name_of(&self.collection)?;
        needed("document", &self.document)?;
        let texts = texts(&self.text_chunks)?;
        let collections = &cx.services().collections;
        let vectors = collections.vectors(name, texts).await?;
        let vector = together(&vectors, self.aggregation)
            .ok_or_else(|| NodeError::new("the vectors of the pieces are not of one length"))?;
        let document = NewDocument {
            id: id_or_key(cx, &self.document_id),
            text: self.document,
            metadata: self.metadata,
            vector: Some(vector),
        };
        collections.put(name, vec![document]).await?;
        Ok(Nothing)
    }
}

fn texts(chunks: &[Value]) -> Result<Vec<String>, NodeError> {
    let bad = |message: String| NodeError::bad("text_chunks", message);
    if chunks.is_empty() || chunks.len() > MAX_CHUNKS {
        let count = chunks.len();
        return Err(bad(format!("{count} pieces (expected 1 to {MAX_CHUNKS})")));
    }
    let text = |(i, chunk): (usize, &Value)| {
        let text = chunk.as_str().or_else(|| chunk.get("text")?.as_str());
        let text = text.map(str::trim).filter(|t| !t.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| bad(format!("piece {i} is empty or has no text")))
    };
    chunks.iter().enumerate().map(text).collect()
}

/// One vector of many; nothing when they are not of one length.
fn together(vectors: &[Vec<f32>], how: Aggregation) -> Option<Vec<f32>> {
    let (first, rest) = vectors.split_first()?;
    let mut sum = first.clone();
    for vector in rest {
        if vector.len() != sum.len() {
            return None;
        }
        for (a, b) in sum.iter_mut().zip(vector) {
            *a = match how {
                Aggregation::Mean | Aggregation::Sum => *a + b,
                Aggregation::Max => a.max(*b),
                Aggregation::Min => a.min(*b),
            };
        }
    }
    if how == Aggregation::Mean {
        let count = vectors.len() as f32;
        sum.iter_mut().for_each(|a| *a /= count);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::testing::{Case, case};

    use super::super::testing::{Shelf, collection, with};
    use super::*;

    fn indexing() -> Case {
        let chunks = r#"["ab",{"type":"text_chunk","text":"abcd"}]"#;
        case::<IndexAggregatedText>()
            .set("collection", collection())
            .set("document", "ab abcd")
            .set(
                "text_chunks",
                serde_json::from_str::<Value>(chunks).unwrap(),
            )
    }

    #[tokio::test]
    async fn the_vectors_of_the_pieces_become_one() {
        for (how, want) in [
            ("mean", [3.0, 1.0]),
            ("max", [4.0, 1.0]),
            ("min", [2.0, 1.0]),
            ("sum", [6.0, 2.0]),
        ] {
            let shelf = Arc::new(Shelf::default());
            let run = indexing().set("aggregation", how).within(with(&shelf));
            run.run().await.unwrap();
            let put = shelf.put.lock().unwrap();
            assert_eq!(put[0].vector.as_deref(), Some(&want[..]), "{how}");
            assert_eq!(put[0].text, "ab abcd");
        }
    }

    #[tokio::test]
    async fn pieces_are_needed() {
        let shelf = Arc::new(Shelf::default());
        for chunks in [vec![], vec![Value::from(" ")]] {
            let run = indexing().set("text_chunks", chunks).within(with(&shelf));
            let refused = run.run().await.unwrap_err().to_string();
            assert!(refused.contains("`text_chunks`"), "{refused}");
        }
        assert_eq!(
            together(&[vec![1.0], vec![1.0, 2.0]], Aggregation::Sum),
            None
        );
    }
}
