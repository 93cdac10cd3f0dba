//! `vector.faiss.TrainIndex`, `AddVectors` and `AddWithIds`.

use nodetool_sdk::{FaissIndex, Node, NodeCx, NodeError, NpArray, Process};

use super::index::Index;
use crate::array::Array;
use crate::bounds;

/// Trains an index that has to be trained before vectors are added.
/// vector, index, train, faiss
///
/// It needs at least as many vectors as the index has lists. Other indexes pass as they are.
#[derive(Node)]
#[node(namespace = "vector.faiss", uncached)]
pub(super) struct TrainIndex {
    /// The index.
    index: FaissIndex,
    /// Vectors like those it will hold.
    vectors: NpArray,
}

impl Process for TrainIndex {
    type Output = FaissIndex;

    async fn process(self, _: &NodeCx) -> Result<FaissIndex, NodeError> {
        bounds::blocking(move || {
            let mut index = Index::read(&self.index)?;
            if index.trained {
                return Ok(index.into_value());
            }
            let vectors = vectors("vectors", &self.vectors)?;
            index.check(&vectors, "vectors")?;
            let (count, lists) = (vectors.len(), index.lists.unwrap_or(1));
            if count < lists {
                let message = format!("{count} vectors (expected at least {lists}, one per list)");
                return Err(NodeError::bad("vectors", message));
            }
            index.trained = true;
            Ok(index.into_value())
        })
        .await
    }
}

/// Adds vectors to an index; they are numbered on from those it has.
/// vector, index, add, faiss
#[derive(Node)]
#[node(namespace = "vector.faiss", uncached)]
pub(super) struct AddVectors {
    /// The index.
    index: FaissIndex,
    /// One vector, or one per row.
    vectors: NpArray,
}

impl Process for AddVectors {
    type Output = FaissIndex;

    async fn process(self, _: &NodeCx) -> Result<FaissIndex, NodeError> {
        bounds::blocking(move || {
            let index = Index::read(&self.index)?;
            let vectors = vectors("vectors", &self.vectors)?;
            Ok(index.with(&vectors, None)?.into_value())
        })
        .await
    }
}

/// Adds vectors to an index under the given ids.
/// vector, index, add, ids, faiss
#[derive(Node)]
#[node(namespace = "vector.faiss", uncached)]
pub(super) struct AddWithIds {
    /// The index.
    index: FaissIndex,
    /// One vector, or one per row.
    vectors: NpArray,
    /// An id for each.
    ids: NpArray,
}

impl Process for AddWithIds {
    type Output = FaissIndex;

    async fn process(self, _: &NodeCx) -> Result<FaissIndex, NodeError> {
        bounds::blocking(move || {
            let index = Index::read(&self.index)?;
            let vectors = vectors("vectors", &self.vectors)?;
            let ids = Array::read_whole(&self.ids.0).map_err(|e| NodeError::bad("ids", e))?;
            if ids.numbers.len() != vectors.len() {
                let (given, count) = (ids.numbers.len(), vectors.len());
                let message = format!("{given} ids for {count} vectors");
                return Err(NodeError::bad("ids", message));
            }
            Ok(index.with(&vectors, Some(&ids.numbers))?.into_value())
        })
        .await
    }
}

/// The vectors in a property.
pub(super) fn vectors(property: &str, array: &NpArray) -> Result<Vec<Vec<f32>>, NodeError> {
    let vectors = Array::read(&array.0).and_then(Array::into_vectors);
    vectors.map_err(|e| NodeError::bad(property, e))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::{Case, case};

    use super::super::index::Metric;
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn array(list: &str) -> Value {
        Value::map([("type", Value::from("np_array")), ("value", json(list))])
    }

    async fn index_of(case: Case) -> Result<Index, NodeError> {
        Index::read(&FaissIndex(case.value().await?))
    }

    #[tokio::test]
    async fn vectors_are_numbered_on_unless_they_have_ids() {
        let empty = Index::new(Metric::L2, 2, None).unwrap().into_value();
        let first = case::<AddWithIds>()
            .set("index", empty.0)
            .set("vectors", array("[[1,2],[3,4]]"))
            .set("ids", array("[70,80]"));
        let first = index_of(first).await.unwrap();
        let more = case::<AddVectors>()
            .set("index", first.into_value().0)
            .set("vectors", array("[5,6]"));
        let index = index_of(more).await.unwrap();
        assert_eq!([0, 1, 2].map(|i| index.id(i)), [70, 80, 2]);
        assert_eq!(index.numbers(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[tokio::test]
    async fn an_inverted_file_is_trained_before_it_is_filled() {
        let empty = || Index::new(Metric::Ip, 1, Some(2)).unwrap().into_value().0;
        let add = |index: Value| {
            case::<AddVectors>()
                .set("index", index)
                .set("vectors", array("[[1]]"))
        };
        let refused = index_of(add(empty())).await.unwrap_err().to_string();
        assert!(refused.contains("`index`: is not trained"), "{refused}");
        let train = |list: &str| {
            case::<TrainIndex>()
                .set("index", empty())
                .set("vectors", array(list))
        };
        let refused = index_of(train("[[1]]")).await.unwrap_err().to_string();
        assert!(
            refused.contains("1 vectors (expected at least 2"),
            "{refused}"
        );
        let trained = index_of(train("[[1],[2]]")).await.unwrap().into_value();
        assert_eq!(index_of(add(trained.0)).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named() {
        let index = || Index::new(Metric::L2, 2, None).unwrap().into_value().0;
        for (name, value, said) in [
            (
                "vectors",
                array("[[1]]"),
                "vectors of 1 numbers (expected 2",
            ),
            ("ids", array("[1,2]"), "2 ids for 1 vectors"),
            (
                "index",
                json(r#"{"type":"faiss_index","index":{"dim":2}}"#),
                "holds no index",
            ),
        ] {
            let run = case::<AddWithIds>()
                .set("index", index())
                .set("vectors", array("[[1,2]]"))
                .set("ids", array("[1]"))
                .set(name, value);
            let refused = run.run().await.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{name}`: {said}")), "{refused}");
        }
    }
}
